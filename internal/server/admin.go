package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/identity"
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

// AdminDone says how much was done.
type AdminDone struct {
	Sessions int `json:"sessions"`         // ended
	Tokens   int `json:"tokens,omitempty"` // ended
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
