package main

import (
	"cmp"
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

// How long links count unless --expires says otherwise.
const (
	inviteLifetime = 72 * time.Hour
	resetLifetime  = time.Hour
)

func userInvite(o *options) *cobra.Command {
	var n server.AdminInvite
	var lifetime time.Duration
	c := &cobra.Command{
		Annotations: map[string]string{begins: ""},
		Use:         "invite", Short: "Print a one-time link: whoever holds it becomes known by signing in at a provider", Args: noSuchCommand,
		Example: `  gateway user invite --origin corp --email dora@example.com --group staff`,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if n.Seconds, err = countOf(lifetime); err != nil {
				return err
			}
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var made server.AdminLinked
				if err := a.call(ctx, http.MethodPost, "/invitations", n, &made); err != nil {
					return err
				}
				return handOver(c, made)
			})
		},
	}
	c.Flags().StringVar(&n.Origin, "origin", "", "id of the provider (default: the only one)")
	c.Flags().StringVar(&n.Email, "email", "", "e-mail address that the provider has to have verified (default: any)")
	c.Flags().StringArrayVar(&n.Groups, "group", nil, "group; may be given several times")
	lasting(c, &lifetime, inviteLifetime)
	c.AddCommand(inviteList(o), inviteRevoke(o))
	return c
}

// lasting is the flag for how long a link counts.
func lasting(c *cobra.Command, into *time.Duration, standard time.Duration) {
	spanFlag(c, into, "expires", standard, "how long the link counts, 1m to 720h")
}

func countOf(lifetime time.Duration) (int, error) {
	if lifetime < time.Minute || lifetime > 720*time.Hour {
		return 0, badUsage{errors.New("--expires is from 1m to 720h (30 days)")}
	}
	return int(lifetime / time.Second), nil
}

// handOver prints a link by itself, fit for a pipe, and what to know of it beside.
func handOver(c *cobra.Command, l server.AdminLinked) error {
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "for one use, until %s; withdraw it by: gateway user invite revoke %s\n", instant(l.Expires), l.ID)
	_, err := fmt.Fprintln(c.OutOrStdout(), l.Link)
	return err
}

func inviteList(o *options) *cobra.Command {
	return listing(o, "list", "List links that still count", cobra.NoArgs, func(ctx context.Context, a *administrator, _ []string) (any, []row, error) {
		var all []server.AdminInvitation
		err := a.call(ctx, http.MethodGet, "/invitations", nil, &all)
		rows := []row{{"ID", "FOR", "BY", "WHO", "GROUPS", "EXPIRES"}}
		for _, i := range all {
			rows = append(rows, row{i.ID, i.Purpose, i.Origin, cmp.Or(i.Login, i.Email, "whoever holds it"), strings.Join(i.Groups, ","), instant(i.Expires)})
		}
		return all, rows, err
	})
}

func inviteRevoke(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Withdraw a link", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var done server.AdminDone
				if err := a.call(ctx, http.MethodDelete, "/invitations/"+url.PathEscape(args[0]), nil, &done); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "withdrew %s\n", args[0])
				return err
			})
		},
	}
}

func userReset(o *options) *cobra.Command {
	var lifetime time.Duration
	c := &cobra.Command{
		Use: "reset LOGIN", Short: "Print a one-time link to choose another password; using it ends the person's sessions", Args: oneLogin,
		RunE: func(c *cobra.Command, args []string) error {
			count, err := countOf(lifetime)
			if err != nil {
				return err
			}
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var made server.AdminLinked
				if err := a.call(ctx, http.MethodPost, "/users/"+url.PathEscape(args[0])+"/reset", server.AdminLifetime{Seconds: count}, &made); err != nil {
					return err
				}
				return handOver(c, made)
			})
		},
	}
	lasting(c, &lifetime, resetLifetime)
	return c
}
