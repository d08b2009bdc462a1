package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/config"
)

// path finds the configuration file.
func (o *options) path() (string, error) {
	if o.config != "" {
		return o.config, nil
	}
	if path := os.Getenv("GATEWAY_CONFIG"); path != "" {
		return path, nil
	}
	for _, path := range []string{"gateway.yaml", "/etc/gateway/config.yaml"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", badConfig{errors.New("no configuration: write gateway.yaml, or name one with --config; gateway demo needs none")}
}

// source is where a configuration comes from, again and again.
type source struct {
	path    string
	environ []string
}

func (s source) read() (*config.Config, []config.Warning, error) {
	return config.Load(s.path, s.environ)
}

// load reads the configuration and tells its warnings.
func (s source) load(errs io.Writer) (*config.Config, error) {
	cfg, warnings, err := s.read()
	for _, w := range warnings {
		_, _ = fmt.Fprintln(errs, "warning:", w)
	}
	if err != nil {
		return nil, badConfig{err}
	}
	return cfg, nil
}

// load reads the configuration that the options lead to.
func load(o *options, errs io.Writer) (*config.Config, error) {
	path, err := o.path()
	if err != nil {
		return nil, err
	}
	return source{path, os.Environ()}.load(errs)
}

// dataOf is the data folder, though the rest of the configuration be wrong.
func (o *options) dataOf() (string, bool) {
	path, err := o.path()
	if err != nil {
		return "", false
	}
	return config.DataOf(path, os.Environ())
}

// dataFolder is dataOf for who only reads there, and needs nothing else.
func dataFolder(o *options, errs io.Writer) (string, error) {
	cfg, err := load(o, errs)
	if err == nil {
		return cfg.Data, nil
	}
	data, known := o.dataOf()
	if !known {
		return "", err
	}
	tellWrong(errs, data)
	return data, nil
}

// tellWrong says that a command goes on with a configuration that is wrong.
func tellWrong(errs io.Writer, data string) {
	_, _ = fmt.Fprintf(errs, "warning: the configuration is wrong: gateway config check says how. This is about the gateway that has its data in %s\n", data)
}

func configCommand(o *options) *cobra.Command {
	check := &cobra.Command{
		Use: "check", Short: "Say everything that is wrong with the configuration", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			secure, err := tlsConfig(cfg)
			if err != nil {
				return badConfig{err}
			}
			for _, t := range troubles(cfg, secure, time.Now()) { //nolint:forbidigo // what an operator asks about now
				_, _ = fmt.Fprintln(c.ErrOrStderr(), "warning:", t)
			}
			for _, name := range sortedKeys(cfg.Apps) {
				if _, err := newUpstream(cfg, name, nil, slog.Default()); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "configuration is good")
			return err
		},
	}
	show := &cobra.Command{
		Use: "print", Short: "Print the configuration as it is in effect, secrets hidden", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(cfg.Print())
			return err
		},
	}
	schema := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration, for editors", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(config.Schema())
			return err
		},
	}
	return group("config", "Check, print or describe the configuration", check, show, schema)
}
