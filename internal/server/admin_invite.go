package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/internal/secret"
)

// AdminInvite is an invitation to become a user by a provider.
type AdminInvite struct {
	Origin  string   `json:"origin"` // empty: the only one that invites
	Email   string   `json:"email"`
	Groups  []string `json:"groups"`
	Seconds int      `json:"seconds"` // how long it counts
}

// AdminLifetime says how long a link counts.
type AdminLifetime struct {
	Seconds int `json:"seconds"`
}

// AdminLinked is a one-time link, shown once.
type AdminLinked struct {
	ID      string    `json:"id"`
	Login   string    `json:"login,omitempty"` // whose password it sets
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
}

// AdminInvitation is an invitation as the command line shows it.
type AdminInvitation struct {
	ID      string    `json:"id"`
	Purpose string    `json:"purpose"`
	Origin  string    `json:"origin"`
	Login   string    `json:"login"`
	Email   string    `json:"email"`
	Groups  []string  `json:"groups"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

func lifetime(seconds int) time.Duration {
	const most = 400 * 24 * 60 * 60 // more than anything may count, and no overflow
	return time.Duration(min(max(seconds, 0), most)) * time.Second
}

func (s *Server) linked(i accounts.Invitation, code secret.Text, login string) AdminLinked {
	return AdminLinked{ID: i.ID, Login: login, Link: s.link(i, code), Expires: i.Expires.UTC()}
}

func (s *Server) adminInvite(c *gin.Context) error {
	var n AdminInvite
	if err := readJSON(c.Request, &n); errors.Is(err, io.EOF) {
		return errBad
	} else if err != nil {
		return err
	}
	if n.Origin == "" {
		only, err := s.onlyOrigin()
		if err != nil {
			return err
		}
		n.Origin = only
	}
	ctx := c.Request.Context()
	i, code, err := s.Register.Invite(ctx, accounts.Invitation{Origin: n.Origin, Email: n.Email, Groups: n.Groups}, lifetime(n.Seconds))
	if err != nil {
		return adminExplained(err)
	}
	if err := s.done(ctx, audit.Event{Action: "user invite", Invitation: i.ID, Origin: i.Origin, Groups: i.Groups}); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusCreated, "application/json", s.linked(i, code, ""))
	return nil
}

// onlyOrigin returns the provider that an invitation is for where there is but one.
func (s *Server) onlyOrigin() (string, error) {
	if all := s.origins("/"); len(all) == 1 {
		return all[0].Origin, nil
	}
	return "", explain(errBad, "Say by which provider the person comes: --origin ID. Who comes by password is added: gateway user add LOGIN --invite.")
}

func (s *Server) adminInvitations(c *gin.Context) error {
	ctx := c.Request.Context()
	all, err := s.Register.Invitations(ctx)
	if err != nil {
		return err
	}
	found := make([]AdminInvitation, 0, len(all))
	for _, i := range all {
		shown := AdminInvitation{
			ID: i.ID, Purpose: string(i.Purpose), Origin: i.Origin, Email: i.Email, Groups: i.Groups, Created: i.Created.UTC(), Expires: i.Expires.UTC(),
		}
		if shown.Groups == nil {
			shown.Groups = []string{}
		}
		if u, err := s.Register.User(ctx, i.UserID); err == nil {
			shown.Login = u.Login
		}
		found = append(found, shown)
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found)
	return nil
}

func (s *Server) adminWithdraw(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("id")
	if err := s.Register.Withdraw(ctx, id); err != nil {
		return adminExplained(err)
	}
	if err := s.done(ctx, audit.Event{Action: "user invite revoke", Invitation: id}); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", AdminDone{})
	return nil
}

// adminReset hands out a link to choose another password, or the first where
// there is none yet.
func (s *Server) adminReset(c *gin.Context) error {
	var n AdminLifetime
	if err := readJSON(c.Request, &n); errors.Is(err, io.EOF) {
		return errBad
	} else if err != nil {
		return err
	}
	u, err := s.byLogin(c)
	if err != nil {
		return err
	}
	return s.letChoose(c, u, n.Seconds, "user reset")
}

// letChoose answers with a link to choose a password.
func (s *Server) letChoose(c *gin.Context, u identity.User, seconds int, action string) error {
	ctx := c.Request.Context()
	p, err := s.purposeFor(ctx, u)
	if err != nil {
		return err
	}
	i, code, err := s.Register.LetChoose(ctx, u.ID, p, lifetime(seconds))
	if err != nil {
		return adminExplained(err)
	}
	if err := s.done(ctx, audit.Event{Action: action, Invitation: i.ID, UserID: u.ID, Login: u.Login, Groups: u.Groups}); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusCreated, "application/json", s.linked(i, code, u.Login))
	return nil
}

func (s *Server) purposeFor(ctx context.Context, u identity.User) (accounts.Purpose, error) {
	switch {
	case s.Local == nil:
		return "", errNoPasswords
	case u.Status == identity.Disabled:
		return "", explain(errBad, "The person is disabled: gateway user enable lets them in.")
	}
	has, err := s.Register.HasPassword(ctx, u.ID)
	if err != nil || has {
		return accounts.Reset, err
	}
	return accounts.Enrol, nil
}
