package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/sessions"
)

// AdminHandler serves the command line, over a unix socket that only the
// owner of the data folder can open, or within the command's own process. It
// asks for no other proof.
//
//	GET    /users                      list
//	POST   /users                      add
//	GET    /users/{login}              show
//	DELETE /users/{login}              delete, and end their sessions
//	POST   /users/{login}/disable      and end their sessions
//	POST   /users/{login}/enable
//	POST   /users/{login}/approve      let in who waits, or whose address is not confirmed
//	POST   /users/{login}/groups       add, remove, set
//	POST   /users/{login}/reset        a link to choose another password
//	POST   /users/{login}/unlock       open the sign-in by password after too many that failed
//	GET    /invitations                list
//	POST   /invitations                a link to become a user by a provider
//	DELETE /invitations/{id}           withdraw
//	GET    /guests                     list guest links
//	POST   /guests                     a link for a guest
//	DELETE /guests/{id}                end one
//	GET    /tokens?user=&app=          list app tokens
//	POST   /tokens                     make one
//	DELETE /tokens?user=&app=          end a person's, an app's, or a person's at an app
//	DELETE /tokens/{id}                end one
//	GET    /sessions?user=             list
//	DELETE /sessions?user=             end a person's sessions
//	DELETE /sessions/{sid}             end one session and its children
//	GET    /decisions                  list recent refusals
//	GET    /decisions/{id}             explain one
//	GET    /allows                     list recent allows
//	GET    /observed                   list what would be decided otherwise
//	GET    /keys                       list
//	POST   /keys/rotate                sign with others from now on
func (s *Server) AdminHandler() http.Handler {
	e := s.engine()
	e.UseRawPath = true
	e.Use(s.ownAnswer)
	e.GET("/users", s.handle(s.adminUsers))
	e.POST("/users", s.handle(s.adminAdd))
	e.GET("/users/:login", s.handle(s.adminShow))
	e.DELETE("/users/:login", s.handle(s.adminDelete))
	e.POST("/users/:login/disable", s.handle(s.adminStatus("user disable", identity.Disabled)))
	e.POST("/users/:login/enable", s.handle(s.adminStatus("user enable", identity.Active)))
	e.POST("/users/:login/approve", s.handle(s.adminApprove))
	e.POST("/users/:login/groups", s.handle(s.adminGroups))
	e.POST("/users/:login/reset", s.handle(s.adminReset))
	e.POST("/users/:login/unlock", s.handle(s.adminUnlock))
	e.GET("/invitations", s.handle(s.adminInvitations))
	e.POST("/invitations", s.handle(s.adminInvite))
	e.DELETE("/invitations/:id", s.handle(s.adminWithdraw))
	e.GET("/guests", s.handle(s.adminGuests))
	e.POST("/guests", s.handle(s.adminGuest))
	e.DELETE("/guests/:id", s.handle(s.adminEndGuest))
	e.GET("/tokens", s.handle(s.adminTokens))
	e.POST("/tokens", s.handle(s.adminToken))
	e.DELETE("/tokens", s.handle(s.adminRevokeTokens))
	e.DELETE("/tokens/:id", s.handle(s.adminRevokeToken))
	e.GET("/sessions", s.handle(s.adminSessions))
	e.DELETE("/sessions", s.handle(s.adminRevokeUser))
	e.DELETE("/sessions/:sid", s.handle(s.adminRevoke))
	e.GET("/decisions", s.handle(s.adminDecisions))
	e.GET("/decisions/:id", s.handle(s.adminDecision))
	e.GET("/allows", s.handle(s.adminAllows))
	e.GET("/observed", s.handle(s.adminObserved))
	e.GET("/keys", s.handle(s.adminKeys))
	e.POST("/keys/rotate", s.handle(s.adminRotate))
	return s.guard(e)
}

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

// AdminSession is a session as the command line shows it.
type AdminSession struct {
	SID       string    `json:"sid"`
	Parent    string    `json:"parent,omitempty"`
	UserID    string    `json:"user_id"`
	Login     string    `json:"login"`
	Audience  string    `json:"audience"`
	Origin    string    `json:"origin"`
	AMR       []string  `json:"amr"`
	Address   string    `json:"address"`
	UserAgent string    `json:"user_agent"`
	Created   time.Time `json:"created"`
	LastUsed  time.Time `json:"last_used"`
	Idles     time.Time `json:"idles"` // when it ends unless it is used
	Expires   time.Time `json:"expires"`
}

// AdminDone says how much was done.
type AdminDone struct {
	Sessions int `json:"sessions"`         // ended
	Tokens   int `json:"tokens,omitempty"` // ended
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

func (s *Server) adminSessions(c *gin.Context) error {
	ctx, userID := c.Request.Context(), ""
	if login := c.Query("user"); login != "" {
		u, err := s.find(ctx, login)
		if err != nil {
			return err
		}
		userID = u.ID
	}
	all, err := s.Sessions.List(ctx, userID)
	if err != nil {
		return err
	}
	roots := make(map[string]sessions.Session, len(all))
	for _, one := range all {
		roots[one.ID] = one
	}
	found := make([]AdminSession, 0, len(all))
	for _, one := range all {
		shown := s.adminSession(ctx, one)
		shown.Idles = s.Sessions.Idles(one, roots[cmp.Or(one.Parent, one.ID)]).UTC()
		found = append(found, shown)
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found)
	return nil
}

func (s *Server) adminSession(ctx context.Context, one sessions.Session) AdminSession {
	return AdminSession{
		SID: one.ID, Parent: one.Parent, UserID: one.UserID, Login: s.loginOf(ctx, one.UserID), Audience: one.Audience, Origin: one.Provider, AMR: one.AMR,
		Address: one.Address, UserAgent: one.UserAgent, Created: one.Created.UTC(), LastUsed: one.Seen.UTC(), Expires: one.Expires.UTC(),
	}
}

func (s *Server) adminRevoke(c *gin.Context) error {
	ctx, sid := c.Request.Context(), c.Param("sid")
	together, userID, err := s.together(ctx, sid)
	if err != nil {
		return err
	}
	if err := s.Sessions.Revoke(ctx, sid); err != nil {
		return err
	}
	if err := s.done(ctx, audit.Event{Action: "session revoke", Session: sid, UserID: userID, Login: s.loginOf(ctx, userID)}); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", AdminDone{Sessions: together})
	return nil
}

// together counts the live sessions that end with one: its parent, and all
// children of that. It returns whose they are too.
func (s *Server) together(ctx context.Context, sid string) (count int, userID string, err error) {
	all, err := s.Sessions.List(ctx, "")
	if err != nil {
		return 0, "", err
	}
	root := func(one sessions.Session) string { return cmp.Or(one.Parent, one.ID) }
	i := slices.IndexFunc(all, func(one sessions.Session) bool { return one.ID == sid })
	if i < 0 {
		return 0, "", explain(errNoPage, "There is no such session, or it is over. gateway session list shows those that are live.")
	}
	for _, one := range all {
		if root(one) == root(all[i]) {
			count++
		}
	}
	return count, all[i].UserID, nil
}

func (s *Server) adminRevokeUser(c *gin.Context) error {
	ctx := c.Request.Context()
	u, err := s.find(ctx, c.Query("user"))
	if err != nil {
		return err
	}
	ended, err := s.Sessions.RevokeUser(ctx, u.ID)
	if err != nil {
		return err
	}
	if err := s.auditAdmin(ctx, "session revoke", u); err != nil {
		return err
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", AdminDone{Sessions: ended})
	return nil
}

func (s *Server) byLogin(c *gin.Context) (identity.User, error) {
	return s.find(c.Request.Context(), c.Param("login"))
}

func (s *Server) find(ctx context.Context, login string) (identity.User, error) {
	u, err := s.Register.ByLogin(ctx, login)
	return u, adminExplained(err)
}

// adminExplained says to an administrator what a stranger must not learn.
func adminExplained(err error) error {
	switch {
	case errors.Is(err, accounts.ErrNone):
		return explain(errNoPage, "There is no such user. gateway user list shows them.")
	case errors.Is(err, accounts.ErrLoginTaken):
		return explain(errBad, "The login is taken, or was once: logins are never reissued.")
	case errors.Is(err, accounts.ErrNoInvitation):
		return explain(errNoPage, "There is no such invitation, or it was used already. gateway user invite list shows them.")
	case errors.Is(err, accounts.ErrNoGuest):
		return explain(errNoPage, "There is no such guest link. gateway guest list shows them.")
	case errors.Is(err, sessions.ErrNoToken):
		return explain(errNoPage, "There is no such token, or it is over. gateway token list shows those that count.")
	case errors.Is(err, accounts.ErrInvalid), errors.Is(err, sessions.ErrUnsound):
		return explain(errBad, err.Error())
	}
	return err
}

func (s *Server) auditAdmin(ctx context.Context, action string, u identity.User) error {
	return s.done(ctx, audit.Event{Action: action, UserID: u.ID, Login: u.Login, Groups: u.Groups})
}

// done writes down what an administrator has done before it is said to be done.
func (s *Server) done(ctx context.Context, e audit.Event) error {
	e.Kind, e.Outcome = audit.Admin, audit.Done
	if err := s.record(ctx, e); err != nil {
		return explain(err, "It is done, but the audit log could not be written. The log of the gateway tells why.")
	}
	return nil
}

func groupEdit(e AdminGroups) accounts.GroupEdit {
	edit := accounts.GroupEdit{Add: e.Add, Remove: e.Remove}
	if e.Set != nil {
		edit.Replace, edit.Add = true, append(*e.Set, e.Add...)
	}
	return edit
}
