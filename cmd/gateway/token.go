package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/server"
	"gateway/sessions"
)

// tokenLifetime is how long an app token counts unless --expires says otherwise.
const tokenLifetime = 30 * 24 * time.Hour

func tokenCommand(o *options) *cobra.Command {
	return group("token", "App tokens, by which scripts and native apps are somebody at one app", tokenCreate(o), tokenList(o), tokenRevoke(o))
}

func tokenCreate(o *options) *cobra.Command {
	var n server.AdminNewToken
	var life time.Duration
	c := &cobra.Command{
		Use: "create", Short: "Print an app token, once: whoever holds it is this person at this app, until it expires", Args: noSuchCommand,
		Long: `Print an app token, once: whoever holds it is this person at this app, until it
expires or is revoked. A program sends it as "Authorization: Bearer gw_…", or as the
password of HTTP Basic where the app says "basic: true". It is worth what the person
may at that moment, without any factor: gateway policy explain --token says what.`,
		Example: `  gateway token create --user alice --app wiki --name backup --expires 720h > wiki.token
  gateway policy explain --token --as alice GET https://wiki.example.com/`,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case n.User == "" || n.App == "" || n.Name == "":
				return badUsage{errors.New("say whose it is, where it counts, and what it is for: --user LOGIN --app APP --name NAME")}
			case life < sessions.MinTokenLife || life > sessions.MaxTokenLife:
				return badUsage{errors.New("--expires is from 1m to 8760h (365 days)")}
			}
			n.Seconds = int(life / time.Second)
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var made server.AdminToken
				if err := a.call(ctx, http.MethodPost, "/tokens", n, &made); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(c.ErrOrStderr(), "%s at %s until %s; it is not shown again; end it by: gateway token revoke %s\n", made.Login, made.App, instant(made.Expires), made.ID)
				_, err := fmt.Fprintln(c.OutOrStdout(), made.Token)
				return err
			})
		},
	}
	f := c.Flags()
	f.StringVar(&n.User, "user", "", "login of the person")
	f.StringVar(&n.App, "app", "", "name of the app, as in the configuration")
	f.StringVar(&n.Name, "name", "", "what it is for")
	spanFlag(c, &life, "expires", tokenLifetime, "how long it counts, 1m to 8760h")
	return c
}

func tokenList(o *options) *cobra.Command {
	var user, app string
	c := listing(o, "list", "List app tokens that count", cobra.NoArgs, func(ctx context.Context, a *administrator, _ []string) (any, []row, error) {
		var all []server.AdminToken
		err := a.call(ctx, http.MethodGet, tokensOf(user, app), nil, &all)
		rows := []row{{"ID", "NAME", "LOGIN", "APP", "CREATED", "LAST USED", "EXPIRES"}}
		for _, t := range all {
			used := "never"
			if t.LastUsed != nil {
				used = instant(*t.LastUsed)
			}
			rows = append(rows, row{t.ID, t.Name, t.Login, t.App, instant(t.Created), used, instant(t.Expires)})
		}
		return all, rows, err
	})
	c.Flags().StringVar(&user, "user", "", "only this person's")
	c.Flags().StringVar(&app, "app", "", "only those of this app")
	meant(c, "user", "app")
	return c
}

func tokenRevoke(o *options) *cobra.Command {
	var user, app string
	c := &cobra.Command{
		Use: "revoke ID | --user LOGIN | --app APP", Short: "End an app token, or all of a person, of an app, or of both, at once", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, one := tokensOf(user, app), len(args) == 1
			switch {
			case one && args[0] == "": // of a script, whose variable is: it means one, and not all
				return badUsage{errors.New("the id is empty")}
			case one == (user != "" || app != ""):
				return badUsage{errors.New("name one token by its id, which gateway token list shows, or those of a person with --user, of an app with --app")}
			case one:
				path = "/tokens/" + url.PathEscape(args[0])
			}
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var done server.AdminDone
				if err := a.call(ctx, http.MethodDelete, path, nil, &done); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "ended %d\n", done.Tokens)
				return err
			})
		},
	}
	c.Flags().StringVar(&user, "user", "", "end all tokens of this person")
	c.Flags().StringVar(&app, "app", "", "end all tokens of this app")
	meant(c, "user", "app")
	return c
}

// tokensOf asks about the tokens of a person, of an app, of both, or all.
func tokensOf(user, app string) string {
	return "/tokens?" + url.Values{"user": {user}, "app": {app}}.Encode()
}

// meant refuses flags that are given and empty: they would mean everybody.
func meant(c *cobra.Command, flags ...string) {
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		for _, name := range flags {
			if f := c.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
				return badUsage{fmt.Errorf("--%s is empty", name)}
			}
		}
		return nil
	}
}
