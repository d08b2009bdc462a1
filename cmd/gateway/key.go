package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"gateway/internal/server"
)

func keyCommand(o *options) *cobra.Command {
	return group("key", "List and rotate the keys that sign sessions and assertions", keyList(o), keyRotate(o))
}

func keyList(o *options) *cobra.Command {
	return listing(o, "list", "List signing keys: next, active and retired", cobra.NoArgs, func(ctx context.Context, a *administrator, _ []string) (any, []row, error) {
		var all []server.AdminKey
		err := a.call(ctx, http.MethodGet, "/keys", nil, &all)
		return all, keyRows(all), err
	})
}

func keyRows(all []server.AdminKey) []row {
	rows := []row{{"KIND", "KID", "STATE", "SINCE", "UNTIL"}}
	for _, k := range all {
		r := row{k.Kind, k.ID, k.State, "", ""}
		if k.Since != nil {
			r[3] = instant(*k.Since)
		}
		if k.Until != nil {
			r[4] = instant(*k.Until)
		}
		rows = append(rows, r)
	}
	return rows
}

func keyRotate(o *options) *cobra.Command {
	var drop bool
	c := &cobra.Command{
		Use: "rotate [sessions | assertions]", Short: "Sign with new keys from now on; what old ones signed stays valid until its time",
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{keysOfSessions, keysOfAssertions},
		RunE: func(c *cobra.Command, args []string) error {
			order := server.AdminRotate{Kinds: args, Drop: drop}
			if len(args) == 0 {
				order.Kinds = []string{keysOfSessions, keysOfAssertions}
			}
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var done server.AdminRotated
				if err := a.call(ctx, http.MethodPost, "/keys/rotate", order, &done); err != nil {
					return err
				}
				for _, k := range done.Keys {
					if k.State != "active" {
						continue
					}
					if _, err := fmt.Fprintf(c.OutOrStdout(), "%s are signed by %s\n", k.Kind, k.ID); err != nil {
						return err
					}
				}
				if !drop {
					return nil
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "ended %d sessions\n", done.Sessions)
				return err
			})
		},
	}
	c.Flags().BoolVar(&drop, "drop", false, "drop the keys in use: what they signed is void at once, and all sessions end")
	return c
}
