package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/sessions"
)

// AdminUser is a user as the command line shows it.
type AdminUser struct {
	UserID        string      `json:"user_id"`
	Login         string      `json:"login"`
	Name          string      `json:"name"`
	Email         string      `json:"email"`
	EmailVerified bool        `json:"email_verified"`
	Groups        []string    `json:"groups"`
	Status        string      `json:"status"`
	Created       time.Time   `json:"created"`
	Links         []AdminLink `json:"links,omitempty"`
	Shut          bool        `json:"shut,omitempty"` // the sign-in by password, after too many that failed; said where one is shown
}

// AdminLink is one way in that a user has.
type AdminLink struct {
	Origin     string     `json:"origin"`
	Issuer     string     `json:"issuer"`
	Subject    string     `json:"subject"`
	LastSignIn *time.Time `json:"last_sign_in,omitempty"`
}

// AdminNew is a user to add: the verifier is derived by the command line, the
// password goes nowhere. Or the person chooses the password, by a link.
type AdminNew struct {
	Login      string   `json:"login"`
	Name       string   `json:"name"`
	Email      string   `json:"email"`
	Groups     []string `json:"groups"`
	Salt       []byte   `json:"salt"`
	Iterations int      `json:"iterations"`
	StoredKey  []byte   `json:"stored_key"`
	ServerKey  []byte   `json:"server_key"`
	Invite     bool     `json:"invite"`  // there is no verifier: the answer is a link
	Seconds    int      `json:"seconds"` // how long it counts
}

// AdminGroups is a change of a user's groups. Set replaces all.
type AdminGroups struct {
	Add    []string  `json:"add"`
	Remove []string  `json:"remove"`
	Set    *[]string `json:"set"`
}

func adminUser(u identity.User) AdminUser {
	groups := u.Groups
	if groups == nil {
		groups = []string{}
	}
	return AdminUser{
		UserID: u.ID, Login: u.Login, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified,
		Groups: groups, Status: string(u.Status), Created: u.Created.UTC(),
	}
}

func (s *Server) adminUsers(c *gin.Context) error {
	users, err := s.Register.List(c.Request.Context())
	if err != nil {
		return err
	}
	found := make([]AdminUser, 0, len(users))
	for _, u := range users {
		found = append(found, adminUser(u))
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found)
	return nil
}

func (s *Server) adminShow(c *gin.Context) error {
	u, err := s.byLogin(c)
	if err != nil {
		return err
	}
	_, links, err := s.Register.Show(c.Request.Context(), u.ID)
	if err != nil {
		return err
	}
	shown := adminUser(u)
	for _, l := range links {
		link := AdminLink{Origin: l.Provider, Issuer: l.Issuer, Subject: l.Subject}
		if !l.LastSignIn.IsZero() {
			at := l.LastSignIn.UTC()
			link.LastSignIn = &at
		}
		shown.Links = append(shown.Links, link)
	}
	if shown.Shut, err = s.Throttle.Shut(c.Request.Context(), throttle.Cap(throttle.Account(u.Login))); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", shown)
	return nil
}

func (s *Server) adminAdd(c *gin.Context) error {
	var n AdminNew
	if err := readJSON(c.Request, &n); errors.Is(err, io.EOF) {
		return errBad
	} else if err != nil {
		return err
	}
	if n.Invite {
		return s.adminAddInvited(c, n)
	}
	v := localauth.Verifier{Salt: n.Salt, Iterations: n.Iterations, StoredKey: n.StoredKey, ServerKey: n.ServerKey}
	if err := v.Validate(localauth.DefaultIterations); err != nil {
		return explain(errBad, err.Error())
	}
	const version = 1
	id := accounts.NewID()
	stored, server, err := localauth.Wrap(s.Pepper, id, version, v)
	if err != nil {
		return err
	}
	u, err := s.Register.Add(c.Request.Context(), accounts.New{
		ID: id, Login: n.Login, Name: n.Name, Email: n.Email, Groups: n.Groups,
		Verifier: accounts.Verifier{Salt: v.Salt, Iterations: v.Iterations, StoredKey: stored, ServerKey: server, Version: version},
	})
	if err != nil {
		return adminExplained(err)
	}
	if err := s.auditAdmin(c.Request.Context(), "user add", u); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusCreated, "application/json", adminUser(u))
	return nil
}

// adminAddInvited adds a user who has no password until they choose one.
func (s *Server) adminAddInvited(c *gin.Context, n AdminNew) error {
	switch {
	case s.Local == nil:
		return errNoPasswords
	case s.Register.Origins[identity.Local].Registration != accounts.Invited:
		return explain(errBad, "Nobody is invited to choose a password here: set local.registration to invite, or give a password.")
	case lifetime(n.Seconds) < time.Minute || len(n.Salt)+len(n.StoredKey)+len(n.ServerKey)+n.Iterations > 0:
		return errBad
	}
	u, err := s.Register.Add(c.Request.Context(), accounts.New{ID: accounts.NewID(), Login: n.Login, Name: n.Name, Email: n.Email, Groups: n.Groups, Chooses: true})
	if err != nil {
		return adminExplained(err)
	}
	if err := s.auditAdmin(c.Request.Context(), "user add", u); err != nil {
		return err
	}
	return s.letChoose(c, u, n.Seconds, "user invite")
}

// adminStatus changes a status; who may not sign in any more loses every session
// and every token.
func (s *Server) adminStatus(action string, status identity.Status) func(*gin.Context) error {
	return func(c *gin.Context) error {
		ctx := c.Request.Context()
		u, err := s.byLogin(c)
		if err != nil {
			return err
		}
		if u, err = s.Register.SetStatus(ctx, u.ID, status); err != nil {
			return adminExplained(err)
		}
		if status != identity.Active {
			if _, err := s.Sessions.RevokeUser(ctx, u.ID); err != nil {
				return err
			}
			if _, err := s.Tokens.Revoke(ctx, sessions.AppTokenFilter{UserID: u.ID}); err != nil {
				return err
			}
		}
		if err := s.auditAdmin(ctx, action, u); err != nil {
			return err
		}
		writeJSON(c.Writer, http.StatusOK, "application/json", adminUser(u))
		return nil
	}
}

// adminUnlock opens the sign-in by password at browsers that a login is not
// known to have.
func (s *Server) adminUnlock(c *gin.Context) error {
	ctx := c.Request.Context()
	u, err := s.byLogin(c)
	if err != nil {
		return err
	}
	if err := s.Throttle.Forget(ctx, capped(throttle.Account(u.Login))...); err != nil {
		return err
	}
	if err := s.auditAdmin(ctx, "user unlock", u); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", adminUser(u))
	return nil
}

func (s *Server) adminApprove(c *gin.Context) error {
	ctx := c.Request.Context()
	u, err := s.byLogin(c)
	if err != nil {
		return err
	}
	if u.Status == identity.Disabled {
		return explain(errBad, "The person is disabled: gateway user enable lets them in.")
	}
	if u, err = s.Register.Approve(ctx, u.ID); err != nil {
		return adminExplained(err)
	}
	if err := s.auditAdmin(ctx, "user approve", u); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", adminUser(u))
	return nil
}

func (s *Server) adminDelete(c *gin.Context) error {
	ctx := c.Request.Context()
	u, err := s.byLogin(c)
	if err != nil {
		return err
	}
	ended, err := s.Sessions.RevokeUser(ctx, u.ID)
	if err != nil {
		return err
	}
	if _, err := s.Tokens.Revoke(ctx, sessions.AppTokenFilter{UserID: u.ID}); err != nil {
		return err
	}
	if err := s.Register.Delete(ctx, u.ID); err != nil {
		return adminExplained(err)
	}
	if _, err := s.Sessions.RevokeUser(ctx, u.ID); err != nil { // one that came in between
		return err
	}
	if err := s.auditAdmin(ctx, "user delete", u); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", AdminDone{Sessions: ended})
	return nil
}

func (s *Server) adminGroups(c *gin.Context) error {
	var edit AdminGroups
	if err := readJSON(c.Request, &edit); errors.Is(err, io.EOF) {
		return errBad
	} else if err != nil {
		return err
	}
	u, err := s.byLogin(c)
	if err != nil {
		return err
	}
	if u, err = s.Register.SetGroups(c.Request.Context(), u.ID, groupEdit(edit)); err != nil {
		return adminExplained(err)
	}
	if err := s.auditAdmin(c.Request.Context(), "user groups", u); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", adminUser(u))
	return nil
}

func groupEdit(e AdminGroups) accounts.GroupEdit {
	edit := accounts.GroupEdit{Add: e.Add, Remove: e.Remove}
	if e.Set != nil {
		edit.Replace, edit.Add = true, append(*e.Set, e.Add...)
	}
	return edit
}
