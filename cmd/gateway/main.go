// Command gateway decides who gets into the web apps behind it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones of the policy, also where the machine has none

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
	context.AfterFunc(ctx, stop) // whoever asks twice does not wait for what is under way
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	strict(root)
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
		Version:       version,
		Args:          noSuchCommand,
		RunE:          help,
	}
	root.PersistentFlags().StringVar(&o.config, "config", "", "configuration file (default $GATEWAY_CONFIG, ./gateway.yaml, /etc/gateway/config.yaml)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badUsage{err} })
	root.AddCommand(demoCommand(), serveCommand(&o), loginCommand(), configCommand(&o), userCommand(&o), sessionCommand(&o), tokenCommand(&o), guestCommand(&o), keyCommand(&o), policyCommand(&o), auditCommand(&o), backupCommand(&o), restoreCommand(&o), snippetCommand(&o), healthcheckCommand(&o), versionCommand())
	return root
}

// strict makes wrong arguments wrong use, in every command: ours, and those
// that cobra adds.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = topic
		case "completion":
			c.Args, c.RunE = noSuchCommand, help
		}
	}
	usage(root)
}

// usage marks what is wrong with the arguments, and shows a command that does
// something how it is used.
func usage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			switch err := check(c, args); {
			case err == nil:
				return nil
			case c.HasSubCommands():
				return badUsage{err}
			default:
				return badUsage{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
			}
		}
	}
	for _, sub := range c.Commands() {
		usage(sub)
	}
}

// noSuchCommand refuses arguments where only a command can stand.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	err := fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("%w (did you mean %s?)", err, strings.Join(like, ", "))
	}
	return err
}

// topic refuses to help about what is no command.
func topic(c *cobra.Command, args []string) error {
	found, rest, err := c.Root().Find(args)
	if err != nil {
		return err
	}
	return noSuchCommand(found, rest)
}

func help(c *cobra.Command, _ []string) error { return c.Help() }

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: noSuchCommand, RunE: help,
	}
	c.AddCommand(subs...)
	return c
}
