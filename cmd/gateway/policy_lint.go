package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gateway/internal/config"
	"gateway/policy"
)

func policyLint(o *options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "lint", Short: "Say what in the policy decides nothing, admits nobody, or is open to everyone", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			remarks, err := policy.Lint(cfg.Policy())
			if err != nil {
				return badConfig{err}
			}
			remarks = append(remarks, unreached(cfg)...)
			wrong := 0
			for _, r := range remarks {
				if r.Wrong {
					wrong++
				}
			}
			if asJSON {
				err = indented(c.OutOrStdout(), append([]policy.Remark{}, remarks...))
			} else {
				err = writeRemarks(c, remarks)
			}
			if err == nil && wrong > 0 {
				return fmt.Errorf("%d remarks about what is probably not meant", wrong)
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func writeRemarks(c *cobra.Command, remarks []policy.Remark) error {
	for _, r := range remarks {
		word := "note "
		if r.Wrong {
			word = "wrong"
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%s  %s: %s\n", word, printable(r.Path), printable(r.Message)); err != nil {
			return err
		}
	}
	return nil
}

// unreached remarks apps whose hosts no way in leads to.
func unreached(cfg *config.Config) []policy.Remark {
	var all []policy.Remark
	for _, name := range sortedKeys(cfg.Apps) {
		if len(cfg.Apps[name].Ways()) == 0 && cfg.Authz.Listen == "" {
			all = append(all, policy.Remark{Path: "apps." + name, Message: "no way in leads to its hosts: it has no upstream, and authz.listen is off", Wrong: true})
		}
	}
	return all
}
