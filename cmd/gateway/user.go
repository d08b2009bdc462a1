package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"gateway/internal/config"
	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/internal/server"
	"gateway/localauth"
)

func userCommand(o *options) *cobra.Command {
	return group("user", "Add, list and change people",
		userAdd(o), userInvite(o), userReset(o), userList(o), userShow(o), userDelete(o), userGroups(o),
		userStatus(o, "disable", "Shut a person out, at once and everywhere"),
		userStatus(o, "enable", "Let a person in again"),
		userStatus(o, "unlock", "Open the sign-in by password that too many wrong ones have shut"),
		userStatus(o, "approve", "Let in a person who waits for approval, or whose address is not verified"))
}

// oneLogin wants the login that a command is about.
func oneLogin(c *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] == "" {
		return errors.New("the login is empty")
	}
	return cobra.ExactArgs(1)(c, args)
}

func userAdd(o *options) *cobra.Command {
	var n server.AdminNew
	var fromStdin bool
	var lifetime time.Duration
	c := &cobra.Command{
		Annotations: map[string]string{begins: ""},
		Use:         "add LOGIN", Short: "Add a person who signs in by password", Args: oneLogin,
		Example: `  gateway user add alice --name "Alice A" --email alice@example.com --group ops --password-stdin
  gateway user add bob --invite`,
		RunE: func(c *cobra.Command, args []string) error {
			if n.Invite && fromStdin {
				return badUsage{errors.New("--invite lets the person choose the password: leave out --password-stdin")}
			}
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			if n.Login, err = localauth.CanonicalLogin(args[0]); err != nil {
				return fmt.Errorf("%q: %w", args[0], err)
			}
			if n.Invite {
				return addInvited(c, cfg, n, lifetime)
			}
			password, err := newSecret(c, fromStdin)
			if err != nil {
				return err
			}
			if utf8.RuneCountInString(password.Reveal()) < localauth.MinPassword {
				return fmt.Errorf("the password is too short: it needs %d characters, a few words will do", localauth.MinPassword)
			}
			if err := derive(&n, password); err != nil {
				return err
			}
			return administerOf(c, cfg, func(ctx context.Context, a *administrator) error {
				var u server.AdminUser
				if err := a.call(ctx, http.MethodPost, "/users", n, &u); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "added %s\n", u.Login)
				return err
			})
		},
	}
	c.Flags().StringVar(&n.Name, "name", "", "full name")
	c.Flags().StringVar(&n.Email, "email", "", "e-mail address; counts as verified")
	c.Flags().StringArrayVar(&n.Groups, "group", nil, "group; may be given several times")
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password, one line, from standard input")
	c.Flags().BoolVar(&n.Invite, "invite", false, "print a one-time link instead, by which the person chooses the password")
	lasting(c, &lifetime, inviteLifetime)
	return c
}

// addInvited adds somebody who chooses the password by a link.
func addInvited(c *cobra.Command, cfg *config.Config, n server.AdminNew, lifetime time.Duration) error {
	count, err := countOf(lifetime)
	if err != nil {
		return err
	}
	n.Seconds = count
	return administerOf(c, cfg, func(ctx context.Context, a *administrator) error {
		var made server.AdminLinked
		if err := a.call(ctx, http.MethodPost, "/users", n, &made); err != nil {
			return err
		}
		return handOver(c, made)
	})
}

// derive makes the verifier, so that the password itself goes nowhere.
func derive(n *server.AdminNew, password secret.Text) error {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	v, err := localauth.Derive(password.Reveal(), salt, localauth.DefaultIterations)
	if err != nil {
		return err
	}
	n.Salt, n.Iterations, n.StoredKey, n.ServerKey = v.Salt, v.Iterations, v.StoredKey, v.ServerKey
	return nil
}

func userList(o *options) *cobra.Command {
	var waiting bool
	c := listing(o, "list", "List people", cobra.NoArgs, func(ctx context.Context, a *administrator, _ []string) (any, []row, error) {
		var users []server.AdminUser
		err := a.call(ctx, http.MethodGet, "/users", nil, &users)
		if waiting {
			users = slices.DeleteFunc(users, func(u server.AdminUser) bool { return !pending(u) })
			return users, asking(users), err
		}
		rows := []row{{"LOGIN", "STATUS", "NAME", "E-MAIL", "GROUPS"}}
		for _, u := range users {
			rows = append(rows, row{u.Login, u.Status, u.Name, u.Email, strings.Join(u.Groups, ",")})
		}
		return users, rows, err
	})
	c.Flags().BoolVar(&waiting, "waiting", false, "only those who have yet to be let in")
	return c
}

// pending reports whether somebody has asked to be let in, and is not yet.
func pending(u server.AdminUser) bool {
	return u.Status == string(identity.Waiting) || u.Status == string(identity.Unverified)
}

// asking are the people who wait, with what an admin judges them by.
func asking(users []server.AdminUser) []row {
	rows := []row{{"LOGIN", "STATUS", "SINCE", "NAME", "E-MAIL", "VERIFIED"}}
	for _, u := range users {
		verified := "no"
		if u.EmailVerified {
			verified = "yes"
		}
		rows = append(rows, row{u.Login, u.Status, instant(u.Created), u.Name, u.Email, verified})
	}
	return rows
}

func userShow(o *options) *cobra.Command {
	return listing(o, "show LOGIN", "Show one person", oneLogin, func(ctx context.Context, a *administrator, args []string) (any, []row, error) {
		var u server.AdminUser
		err := a.call(ctx, http.MethodGet, "/users/"+url.PathEscape(args[0]), nil, &u)
		rows := []row{
			{"login", u.Login},
			{"user_id", u.UserID},
			{"status", u.Status},
			{"name", u.Name},
			{"e-mail", u.Email},
			{"groups", strings.Join(u.Groups, ",")},
			{"created", instant(u.Created)},
		}
		for _, l := range u.Links {
			at := "never used"
			if l.LastSignIn != nil {
				at = "last used " + instant(*l.LastSignIn)
			}
			rows = append(rows, row{"signs in by", l.Origin + " (" + at + ")"})
		}
		if u.Shut {
			rows = append(rows, row{"password", "shut after too many wrong ones; gateway user unlock " + u.Login + " opens it"})
		}
		return u, rows, err
	})
}

func userDelete(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "delete LOGIN", Short: "Delete a person for good; the login is never reissued", Args: oneLogin,
		RunE: func(c *cobra.Command, args []string) error {
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var done server.AdminDone
				if err := a.call(ctx, http.MethodDelete, "/users/"+url.PathEscape(args[0]), nil, &done); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "deleted %s, ended %d sessions\n", args[0], done.Sessions)
				return err
			})
		},
	}
}

func userStatus(o *options, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " LOGIN", Short: short, Args: oneLogin,
		RunE: func(c *cobra.Command, args []string) error {
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var u server.AdminUser
				if err := a.call(ctx, http.MethodPost, "/users/"+url.PathEscape(args[0])+"/"+verb, nil, &u); err != nil {
					return err
				}
				if verb == "unlock" {
					_, err := fmt.Fprintf(c.OutOrStdout(), "the password of %s is open; %s is %s\n", u.Login, u.Login, u.Status)
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s is %s\n", u.Login, u.Status)
				return err
			})
		},
	}
}

func userGroups(o *options) *cobra.Command {
	var edit server.AdminGroups
	var set []string
	c := &cobra.Command{
		Use: "groups LOGIN", Short: "Change a person's groups, in force at the next request", Args: oneLogin,
		Example: "  gateway user groups alice --add ops --remove staff",
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("set") {
				edit.Set = &set
			}
			if edit.Set == nil && edit.Add == nil && edit.Remove == nil {
				return badUsage{errors.New("name a change: --add, --remove or --set")}
			}
			return administer(c, o, func(ctx context.Context, a *administrator) error {
				var u server.AdminUser
				if err := a.call(ctx, http.MethodPost, "/users/"+url.PathEscape(args[0])+"/groups", edit, &u); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s is in %s\n", u.Login, cmp.Or(strings.Join(u.Groups, ","), "no group"))
				return err
			})
		},
	}
	c.Flags().StringArrayVar(&edit.Add, "add", nil, "group to add; may be given several times")
	c.Flags().StringArrayVar(&edit.Remove, "remove", nil, "group to remove; may be given several times")
	c.Flags().StringSliceVar(&set, "set", nil, "all groups, comma-separated; replaces what there is")
	return c
}
