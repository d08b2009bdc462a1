package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gateway/client"
	"gateway/internal/secret"
)

func loginCommand() *cobra.Command {
	var portal, app, origin string
	var fromStdin bool
	c := &cobra.Command{
		Use: "login [USER]", Short: "Sign in from a terminal and print the session token", Args: cobra.MaximumNArgs(1),
		Example: `  gateway login --portal https://auth.example.com alice
  curl -H "Authorization: Bearer $(gateway login --portal https://auth.example.com --app wiki.example.com alice)" https://wiki.example.com/
  gateway login --portal https://auth.example.com --origin corp --password-stdin < id-token`,
		RunE: func(c *cobra.Command, args []string) error {
			if portal == "" || (origin == "") == (len(args) == 0) {
				return badUsage{errors.New("name the portal with --portal, and a user, or a provider with --origin")}
			}
			ask := "Password: "
			if origin != "" {
				ask = "Token of " + origin + ": "
			}
			proof, err := readSecret(c, fromStdin, ask)
			if err != nil {
				return err
			}
			s, err := signIn(c, &client.Client{Portal: portal, App: app}, args, origin, proof)
			if err != nil {
				return said(err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), s.Token.Reveal())
			return err
		},
	}
	c.Flags().StringVar(&portal, "portal", "", "the portal's URL")
	c.Flags().StringVar(&app, "app", "", "app that the token is for: its name, host or origin (default: the portal itself)")
	c.Flags().StringVar(&origin, "origin", "", "sign in with a token of this provider instead of a password")
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password, or the provider's token, one line, from standard input")
	return c
}

// said is the portal's no in its own sentence, fit for a terminal.
func said(err error) error {
	if errors.Is(err, client.ErrPortal) {
		return badUsage{fmt.Errorf("--portal: %w", err)}
	}
	no, ok := errors.AsType[*client.Problem](err)
	switch {
	case !ok || no.Detail == "":
		return err
	case no.RetryAfter > 0:
		return fmt.Errorf("%s (%s)", printable(no.Detail), no.RetryAfter)
	case no.DecisionID != "":
		return fmt.Errorf("%s (decision_id %s)", printable(no.Detail), printable(no.DecisionID))
	}
	return errors.New(printable(no.Detail))
}

func signIn(c *cobra.Command, at *client.Client, args []string, origin string, proof secret.Text) (client.Session, error) {
	if origin != "" {
		return at.LoginToken(c.Context(), origin, proof)
	}
	return at.LoginLocal(c.Context(), args[0], proof, client.WantToken)
}
