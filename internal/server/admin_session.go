package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/audit"
	"gateway/sessions"
)

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
