package main

import (
	"errors"
	"fmt"
	"io"
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
					more, err := p.recorded(c.ErrOrStderr())
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
	c.Flags().BoolVar(&recorded, "recorded", false, "ask both what the running gateway has refused and allowed lately, too")
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

// recorded are the requests that the running gateway has refused and allowed
// lately, each once.
func (p *people) recorded(errs io.Writer) ([]cases.Asked, error) {
	if p.admin == nil || p.admin.alone() {
		_, err := fmt.Fprintln(errs, "warning: nothing is recorded:", errNothingRuns)
		return nil, err
	}
	var all []cases.Asked
	known := map[string]int{} // by title, the newest
	for _, path := range []string{"/decisions", "/allows"} {
		var asked server.AdminRecorded
		if err := p.admin.call(p.ctx, http.MethodGet, path, nil, &asked); err != nil {
			return nil, err
		}
		for _, one := range asked.Requests {
			again, err := askedAgain(one, asked.By(one))
			if err != nil {
				return nil, err
			}
			key := fmt.Sprint(path, again.Title, again.Request.Who)
			if i, twice := known[key]; twice {
				all[i] = again
				continue
			}
			known[key] = len(all)
			all = append(all, again)
		}
	}
	return all, nil
}

// askedAgain is a request that was made, to be asked once more.
func askedAgain(one server.AdminAsked, w *server.AdminWho) (cases.Asked, error) {
	again := cases.Asked{Who: "nobody", Request: policy.Request{Method: one.Method, Host: canonical.Host(one.Host), Path: canonical.Path(one.Path), Now: one.At, Reach: one.Reach}}
	if one.Client != "" {
		client, err := netip.ParseAddr(one.Client)
		if err != nil {
			return again, err
		}
		again.Request.Client = client
	}
	if w != nil {
		again.Who = w.Login
		again.Request.Who = &identity.Principal{
			UserID: w.UserID, Login: w.Login, Name: w.Name, Email: w.Email, EmailVerified: w.EmailVerified,
			Groups: w.Groups, Origin: w.Origin, AMR: w.AMR, AuthTime: w.AuthTime, Token: w.Token,
		}
	}
	again.Title = fmt.Sprintf("%s %s%s as %s", one.Method, one.Host, one.Path, again.Who)
	if one.Client != "" {
		again.Title += " from " + one.Client
	}
	return again, nil
}
