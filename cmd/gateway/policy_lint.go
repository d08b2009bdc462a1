package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/canonical"
	"gateway/internal/cases"
	"gateway/internal/config"
	"gateway/internal/identity"
	"gateway/internal/server"
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

func policyDiff() *cobra.Command {
	var tried []string
	var recorded, asJSON bool
	c := &cobra.Command{
		Use: "diff OLD NEW", Short: "Say who would gain and who would lose by another configuration", Args: cobra.ExactArgs(2),
		Example: "  gateway policy diff gateway.yaml new.yaml --cases cases.yaml --recorded",
		RunE: func(c *cobra.Command, args []string) error {
			if tried == nil && !recorded {
				return badUsage{errors.New("say what to ask both: --cases FILE, --recorded")}
			}
			files, err := readAllCases(tried)
			if err != nil {
				return err
			}
			before, old, err := guardIn(c, args[0])
			if err != nil {
				return err
			}
			_, after, err := guardIn(c, args[1])
			if err != nil {
				return err
			}
			return withPeople(c, before, func(p *people) error {
				run := cases.Runner{Policy: old, User: p.principal, Now: time.Now()} //nolint:forbidigo // the moment of the command
				all, err := run.Requests(files...)
				if err != nil {
					return err
				}
				if recorded {
					more, err := p.recorded()
					if err != nil {
						return err
					}
					all = append(all, more...)
				}
				d := cases.Compare(old, after, all)
				if asJSON {
					return indented(c.OutOrStdout(), d)
				}
				return d.Write(c.OutOrStdout())
			})
		},
	}
	c.Flags().StringArrayVar(&tried, "cases", nil, "`FILE` of cases whose requests both are asked; may be given several times")
	c.Flags().BoolVar(&recorded, "recorded", false, "ask both what the running gateway has refused lately, too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// guardIn compiles the policy of a file.
func guardIn(c *cobra.Command, path string) (*config.Config, *policy.Policy, error) {
	cfg, warnings, err := config.Load(path, os.Environ())
	for _, w := range warnings {
		_, _ = fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
	}
	if err != nil {
		return nil, nil, badConfig{err}
	}
	p, err := guardOf(cfg)
	return cfg, p, err
}

// recorded are the requests that the running gateway has refused lately.
func (p *people) recorded() ([]cases.Asked, error) {
	if p.admin == nil {
		return nil, nil
	}
	var refused []server.AdminRefused
	if err := p.admin.call(p.ctx, http.MethodGet, "/decisions", nil, &refused); err != nil {
		return nil, err
	}
	all := make([]cases.Asked, 0, len(refused))
	for _, one := range refused {
		r := policy.Request{Method: one.Method, Host: canonical.Host(one.Host), Path: canonical.Path(one.Path), Now: one.At}
		if one.Client != "" {
			client, err := netip.ParseAddr(one.Client)
			if err != nil {
				return nil, err
			}
			r.Client = client
		}
		name := "nobody"
		if w := one.Who; w != nil {
			name = w.Login
			r.Who = &identity.Principal{
				UserID: w.UserID, Login: w.Login, Name: w.Name, Email: w.Email, EmailVerified: w.EmailVerified,
				Groups: w.Groups, Origin: w.Origin, AMR: w.AMR, AuthTime: w.AuthTime, Token: w.Token,
			}
		}
		all = append(all, cases.Asked{Title: fmt.Sprintf("%s %s%s as %s", one.Method, one.Host, one.Path, name), Request: r})
	}
	return all, nil
}
