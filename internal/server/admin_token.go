package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/sessions"
)

// AdminNewToken is an app token to make.
type AdminNewToken struct {
	User    string `json:"user"` // login
	App     string `json:"app"`
	Name    string `json:"name"`    // what it is for
	Seconds int    `json:"seconds"` // how long it counts
}

// AdminToken is an app token as the command line shows it; Token only once.
type AdminToken struct {
	ID       string     `json:"id"`
	UserID   string     `json:"user_id"`
	Login    string     `json:"login"`
	App      string     `json:"app"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	LastUsed *time.Time `json:"last_used,omitempty"` // at most an hour behind; none: never
	Expires  time.Time  `json:"expires"`
	Token    string     `json:"token,omitempty"`
}

func (s *Server) adminTokenOf(ctx context.Context, t sessions.AppToken) AdminToken {
	shown := AdminToken{
		ID: t.ID, UserID: t.UserID, Login: s.loginOf(ctx, t.UserID), App: t.App, Name: t.Name, Created: t.Created.UTC(), Expires: t.Expires.UTC(),
	}
	if !t.Seen.IsZero() {
		at := t.Seen.UTC()
		shown.LastUsed = &at
	}
	return shown
}

func (s *Server) adminToken(c *gin.Context) error {
	var n AdminNewToken
	if err := readJSON(c.Request, &n); errors.Is(err, io.EOF) {
		return errBad
	} else if err != nil {
		return err
	}
	ctx := c.Request.Context()
	t, err := s.tokenFor(ctx, n)
	if err != nil {
		return err
	}
	t, token, err := s.Tokens.Issue(ctx, t, lifetime(n.Seconds))
	if err != nil {
		return adminExplained(err)
	}
	if err := s.done(ctx, audit.Event{Action: "token create", UserID: t.UserID, Login: s.loginOf(ctx, t.UserID), App: t.App, Token: t.ID}); err != nil {
		return err
	}
	made := s.adminTokenOf(ctx, t)
	made.Token = token.Reveal() // to the admin who asked for it, once
	writeJSON(c.Writer, http.StatusCreated, "application/json", made)
	return nil
}

// tokenFor reads whose a token is to be, and where; one that no rule of the app
// would ever take is not made.
func (s *Server) tokenFor(ctx context.Context, n AdminNewToken) (sessions.AppToken, error) {
	u, err := s.find(ctx, n.User)
	if err != nil {
		return sessions.AppToken{}, err
	}
	if _, known := s.Apps[n.App]; !known {
		return sessions.AppToken{}, explain(errBad, "No app has this name. Apps are named by their keys in the configuration.")
	}
	if u.Status != identity.Active {
		return sessions.AppToken{}, explain(errBad, fmt.Sprintf("The person is %s: whoever may not sign in has no tokens.", u.Status))
	}
	_, links, err := s.Register.Show(ctx, u.ID)
	if err != nil {
		return sessions.AppToken{}, err
	}
	t := sessions.AppToken{UserID: u.ID, App: n.App, Name: n.Name}
	if len(links) > 0 {
		t.Provider = links[0].Provider
	}
	if !s.stands(t.Provider) {
		return sessions.AppToken{}, explain(errBad, "The door that the person has come by is shut: the configuration has it no more, and no token of theirs counts until it has.")
	}
	if !s.Policy.Load().TakesToken(n.App, principalOf(u, t)) {
		return sessions.AppToken{}, explain(errBad, "No rule of the app lets this person in by a token: gateway policy explain --token --as LOGIN METHOD URL says why. A token has the groups that an administrator has given, and none of a provider's.")
	}
	return t, nil
}

// principalOf is whom a token speaks for: the person as recorded now, in our own
// groups alone, since a provider's come with a sign-in.
func principalOf(u identity.User, t sessions.AppToken) identity.Principal {
	return identity.Principal{
		UserID: u.ID, Login: u.Login, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified,
		Groups: u.Groups, Origin: t.Provider, AMR: byToken, Token: true,
	}
}

var byToken = []string{identity.ByToken}

// tokensAsked is which tokens the query of a request picks.
func (s *Server) tokensAsked(c *gin.Context) (f sessions.AppTokenFilter, u identity.User, err error) {
	f.App = c.Query("app")
	if _, known := s.Apps[f.App]; f.App != "" && !known {
		all, err := s.Tokens.List(c.Request.Context(), sessions.AppTokenFilter{App: f.App})
		if err != nil || len(all) == 0 { // one that is no more may have some
			return f, u, explain(errNoPage, "No app has this name.")
		}
	}
	if login := c.Query("user"); login != "" {
		if u, err = s.find(c.Request.Context(), login); err != nil {
			return f, u, err
		}
		f.UserID = u.ID
	}
	return f, u, nil
}

func (s *Server) adminTokens(c *gin.Context) error {
	f, _, err := s.tokensAsked(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	all, err := s.Tokens.List(ctx, f)
	if err != nil {
		return err
	}
	found := make([]AdminToken, 0, len(all))
	for _, t := range all {
		found = append(found, s.adminTokenOf(ctx, t))
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found)
	return nil
}

func (s *Server) adminRevokeTokens(c *gin.Context) error {
	f, u, err := s.tokensAsked(c)
	if err != nil {
		return err
	}
	return s.revokeTokens(c, f, audit.Event{UserID: u.ID, Login: u.Login, App: f.App})
}

func (s *Server) adminRevokeToken(c *gin.Context) error {
	ctx, f := c.Request.Context(), sessions.AppTokenFilter{ID: c.Param("id")}
	all, err := s.Tokens.List(ctx, f)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return adminExplained(sessions.ErrNoToken)
	}
	return s.revokeTokens(c, f, audit.Event{UserID: all[0].UserID, Login: s.loginOf(ctx, all[0].UserID), App: all[0].App, Token: all[0].ID})
}

func (s *Server) revokeTokens(c *gin.Context, f sessions.AppTokenFilter, e audit.Event) error {
	ctx := c.Request.Context()
	ended, err := s.Tokens.Revoke(ctx, f)
	if err != nil {
		return adminExplained(err)
	}
	e.Action = "token revoke"
	if err := s.done(ctx, e); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", AdminDone{Tokens: ended})
	return nil
}
