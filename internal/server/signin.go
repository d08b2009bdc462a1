package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/internal/returnto"
	"gateway/internal/secret"
	"gateway/internal/server/pages"
	"gateway/sessions"
)

// entry is a door that somebody came through: all that a session needs.
type entry struct {
	user      identity.User
	identity  identity.Identity
	foreignID string // the provider's own id of its session
	factor    string // RFC 8176 value for amr
}

// openSession gives a person a portal session. The one that this browser had
// ends: an id never outlives a change of who or how.
func (s *Server) openSession(ctx context.Context, r *http.Request, e entry, audience string) (sessions.Session, secret.Text, error) {
	session, token, err := s.Sessions.Issue(ctx, sessions.Session{
		Audience: audience, UserID: e.user.ID, Key: e.identity.Key, Provider: e.identity.Provider, ForeignID: e.foreignID,
		Groups: e.identity.Groups, AMR: []string{e.factor}, AuthTime: e.identity.AuthTime,
		Address: address(s.client(r)), UserAgent: clipped(r.UserAgent()),
	})
	if err != nil {
		return sessions.Session{}, secret.Text{}, err
	}
	err = s.record(ctx, audit.Event{
		Kind: audit.SignIn, Outcome: audit.Done, UserID: e.user.ID, Login: e.user.Login, Origin: e.identity.Provider,
		Session: session.ID, Client: s.client(r),
	})
	if err != nil { // nobody comes in whom the book does not know
		return sessions.Session{}, secret.Text{}, errors.Join(err, s.Sessions.Revoke(ctx, session.ID))
	}
	return session, token, nil
}

// address writes a client's address; one that is unknown is empty.
func address(client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}
	return client.String()
}

// endPrevious ends the portal session that this browser came with.
func (s *Server) endPrevious(ctx context.Context, before visitor) error {
	if before.session.ID == "" {
		return nil
	}
	return s.Sessions.Revoke(ctx, before.session.ID)
}

// portalVisitor is the person behind a request to the portal.
func (s *Server) portalVisitor(r *http.Request) (visitor, error) {
	c, err := s.credential(r)
	if err != nil {
		return visitor{}, err
	}
	v := s.visitor(r.Context(), c, s.Site.Portal())
	if v.unclear() {
		return visitor{}, v.err
	}
	return v, nil
}

// target reads rd: a path of this site, or its root.
func target(c *gin.Context) returnto.Address {
	values := c.Request.URL.Query()["rd"]
	if len(values) != 1 {
		return returnto.Address{}
	}
	there, err := returnto.Parse(values[0])
	if err != nil {
		return returnto.Address{}
	}
	return there
}

// signInPage shows the chooser and the password form, or, to somebody who is
// signed in, where they wanted to go.
func (s *Server) signInPage(c *gin.Context) error {
	v, err := s.portalVisitor(c.Request)
	if err != nil {
		return err
	}
	there := target(c)
	if v.who != nil {
		if done, err := s.askToConfirm(c, v, there); done || err != nil {
			return err
		}
		redirect(c.Writer, s.Site.Portal()+there.String())
		return nil
	}
	s.showSignIn(c, v, there)
	return nil
}

func (s *Server) showSignIn(c *gin.Context, v visitor, there returnto.Address) {
	if v.over() {
		s.clearSession(c.Writer)
	}
	s.page(c.Writer, http.StatusOK, s.chooser(there, s.takenAt(there)))
}

// chooser is the page with the doors that shown reports, on the way to an address.
func (s *Server) chooser(there returnto.Address, shown func(door string) bool) pages.SignIn {
	page := pages.SignIn{Local: s.Local != nil && shown(identity.Local), Portal: s.Site.Portal()}
	if req, ok := s.requested(there); ok {
		page.App, _ = s.Policy.Load().App(canonical.Host(req.Host))
		page.ReturnTo = req.Host
	}
	for _, o := range s.origins(there.String()) {
		if shown(o.Origin) {
			page.Origins = append(page.Origins, pages.Origin{ID: o.Origin, Name: o.Name, Start: o.Start, Down: o.down})
		}
	}
	return page
}

// takenAt reports the doors that the app takes which an address leads to: all,
// if it leads to none.
func (s *Server) takenAt(there returnto.Address) func(door string) bool {
	req, ok := s.requested(there)
	return func(door string) bool { return !ok || s.Policy.Load().TakesDoor(canonical.Host(req.Host), door) }
}

// origin is a door as connect's answer and the chooser show it.
type origin struct {
	Origin string `json:"origin"`
	Name   string `json:"name"`
	Start  string `json:"start"`
	down   bool
}

func (s *Server) origins(there string) []origin {
	found := []origin{}
	if s.Foreign == nil {
		return found
	}
	for _, h := range s.Foreign.Health() {
		found = append(found, origin{
			Origin: h.ID, Name: h.Name, down: !h.Up,
			Start: "/.gateway/start/" + h.ID + "?rd=" + url.QueryEscape(there),
		})
	}
	return found
}

// userInfo is what a person learns of their own session.
type userInfo struct {
	Name          string    `json:"name"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Groups        []string  `json:"groups"`
	Origin        string    `json:"origin"`
	AMR           []string  `json:"amr"`
	AuthTime      time.Time `json:"auth_time,omitzero"` // not there where nobody said
	LastUsed      time.Time `json:"last_used"`
	Expires       time.Time `json:"expires"`
}

func infoOf(v visitor) userInfo {
	groups := v.who.Groups
	if groups == nil {
		groups = []string{}
	}
	return userInfo{
		Name: v.who.Name, Email: v.who.Email, EmailVerified: v.who.EmailVerified, Groups: groups, Origin: v.who.Origin, AMR: v.who.AMR,
		AuthTime: v.who.AuthTime.UTC(), LastUsed: v.session.Seen.UTC(), Expires: v.session.Expires.UTC(),
	}
}
