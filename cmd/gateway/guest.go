package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/server"
)

const guestLifetime = 24 * time.Hour

func guestCommand(o *options) *cobra.Command {
	return group("guest", "Links that let guests see a part of an app", guestCreate(o), guestList(o), guestRevoke(o))
}

func guestCreate(o *options) *cobra.Command {
	var n server.AdminGuest
	var lifetime time.Duration
	c := &cobra.Command{
		Annotations: map[string]string{begins: ""},
		Use:         "create NAME", Short: "Print a link: whoever opens it sees these paths of the app, until it expires", Args: cobra.ExactArgs(1),
		Example: `  gateway guest create "auditors" --host wiki.example.com --path "/reports/**" --expires 48h`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if n.Host == "" || len(n.Paths) == 0 {
				return badUsage{errors.New("say what the guest may see: --host HOST --path PATH")}
			}
			if n.Seconds, err = countOf(lifetime); err != nil {
				return err
			}
			n.Name = args[0]
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var made server.AdminGuestLink
				if err := a.call(ctx, http.MethodPost, "/guests", n, &made); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(c.ErrOrStderr(), "openings: %d, until %s; end it by: gateway guest revoke %s\n", made.Opens, instant(made.Expires), made.ID)
				_, err := fmt.Fprintln(c.OutOrStdout(), made.Link)
				return err
			})
		},
	}
	c.Flags().StringVar(&n.Host, "host", "", "host of the app")
	c.Flags().StringArrayVar(&n.Paths, "path", nil, "path, written as in rules; may be given several times, the guest begins at the first")
	c.Flags().StringArrayVar(&n.Methods, "method", []string{http.MethodGet}, "method; may be given several times, GET has HEAD")
	c.Flags().IntVar(&n.Opens, "opens", 1, "how often it can be opened, 1 to 1000")
	lasting(c, &lifetime, guestLifetime)
	return c
}

func guestList(o *options) *cobra.Command {
	return listing(o, "list", "List guest links that are not too old", cobra.NoArgs, func(ctx context.Context, a *administrator, _ []string) (any, []row, error) {
		var all []server.AdminGuestLink
		err := a.call(ctx, http.MethodGet, "/guests", nil, &all)
		rows := []row{{"ID", "NAME", "HOST", "PATHS", "METHODS", "OPENED", "EXPIRES"}}
		for _, g := range all {
			rows = append(rows, row{g.ID, g.Name, g.Host, strings.Join(g.Paths, ","), strings.Join(g.Methods, ","), fmt.Sprintf("%d/%d", g.Opened, g.Opens), instant(g.Expires)})
		}
		return all, rows, err
	})
}

func guestRevoke(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a guest link at once, for whoever has opened it too", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var done server.AdminDone
				if err := a.call(ctx, http.MethodDelete, "/guests/"+url.PathEscape(args[0]), nil, &done); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "ended %s\n", args[0])
				return err
			})
		},
	}
}
