package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"gateway/internal/server"
)

func sessionCommand(o *options) *cobra.Command {
	return group("session", "List and end sessions", sessionList(o), sessionRevoke(o))
}

func sessionList(o *options) *cobra.Command {
	var user string
	named := func() bool { return false }
	c := listing(o, "list", "List live sessions", cobra.NoArgs, func(ctx context.Context, a *administrator, _ []string) (any, []row, error) {
		var all []server.AdminSession
		if user == "" && named() {
			return nil, nil, badUsage{errors.New("--user names nobody")}
		}
		err := a.call(ctx, http.MethodGet, "/sessions?user="+url.QueryEscape(user), nil, &all)
		rows := []row{{"SID", "LOGIN", "AT", "BY", "FROM", "LAST USED", "ENDS UNUSED", "EXPIRES"}}
		for _, s := range all {
			rows = append(rows, row{s.SID, s.Login, s.Audience, s.Origin, s.Address, instant(s.LastUsed), instant(s.Idles), instant(s.Expires)})
		}
		return all, rows, err
	})
	c.Flags().StringVar(&user, "user", "", "only this person's")
	named = func() bool { return c.Flags().Changed("user") }
	return c
}

func sessionRevoke(o *options) *cobra.Command {
	var user string
	c := &cobra.Command{
		Use: "revoke SID | --user LOGIN", Short: "End a session, or all of a person's, at once and everywhere", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, one := "/sessions?user="+url.QueryEscape(user), len(args) == 1
			switch {
			case one && args[0] == "": // of a script, whose variable is: it means one, and not all
				return badUsage{errors.New("the id is empty")}
			case one == (user != ""):
				return badUsage{errors.New("name one session, or a person with --user")}
			case one:
				path = "/sessions/" + url.PathEscape(args[0])
			}
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var done server.AdminDone
				if err := a.call(ctx, http.MethodDelete, path, nil, &done); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "ended %d\n", done.Sessions)
				return err
			})
		},
	}
	c.Flags().StringVar(&user, "user", "", "end all sessions of this person")
	return c
}
