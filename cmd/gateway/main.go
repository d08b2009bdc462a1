// Command gateway decides who gets into the web apps behind it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, as product documentation fixes them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78 // EX_CONFIG of sysexits(3)
)

// badConfig marks errors that the configuration is to blame for.
type badConfig struct{ error }

func (e badConfig) Unwrap() error { return e.error }

// badUsage marks errors of the command line itself.
type badUsage struct{ error }

func (e badUsage) Unwrap() error { return e.error }

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: what testscript runs too.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	_, _ = fmt.Fprintln(errs, "gateway:", err)
	switch {
	case errorAs[badConfig](err):
		return exitConfig
	case errorAs[badUsage](err):
		return exitUsage
	}
	return exitFailed
}

func errorAs[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// options are what every command takes.
type options struct{ config string }

func rootCommand() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:           "gateway",
		Short:         "Decides who gets into the web apps behind it",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&o.config, "config", "", "configuration file (default $GATEWAY_CONFIG, ./gateway.yaml, /etc/gateway/config.yaml)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badUsage{err} })
	root.AddCommand(demoCommand(), serveCommand(&o), loginCommand(), configCommand(&o), userCommand(&o), sessionCommand(&o), healthcheckCommand(&o), versionCommand())
	usage(root)
	return root
}

// usage makes wrong arguments wrong use, in every command.
func usage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return badUsage{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usage(sub)
	}
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(subs...)
	return c
}
