package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/secret"
	"gateway/internal/server/pages"
	"gateway/internal/throttle"
	"gateway/policy"
)

// Guest links: whoever opens one sees a part of one app for a while. A guest is
// no user: nobody is told who it is, and it is never signed in. The link stands
// for the sign-in that the policy would ask for, and for nothing else, so what
// the policy refuses stays refused.

// guestLinks are what the book calls them by.
const guestLinks = "guest"

// visiting is what a browser remembers of a guest link that it has opened,
// sealed. The store's record is the truth on every check.
type visiting struct {
	ID   string `json:"g"`
	Host string `json:"h"`
}

// asGuest decides a question that would not pass anew for whoever has opened a
// guest link; it stays as it was where no link helps. An error means that it
// cannot be told.
func (s *Server) asGuest(ctx context.Context, q question, v verdict) (verdict, error) {
	known, err := openJSON[visiting](s.Seals.Guest, q.guest)
	if err != nil || canonical.Host(known.Host) != q.host {
		return v, nil //nolint:nilerr // what does not open is no guest's
	}
	if !s.Policy.Load().TakesGuest(s.request(q, nil)) {
		return v, nil
	}
	g, err := s.Register.Guest(ctx, known.ID)
	switch {
	case errors.Is(err, accounts.ErrNoGuest):
		return v, nil
	case err != nil:
		return verdict{}, fmt.Errorf("%w: %w", errUnavailable, err)
	case !sees(g, q):
		return v, nil
	}
	return verdict{decision: s.ruling(q, nil), guest: true}, nil
}

// sees reports whether a link is for what is asked.
func sees(g accounts.Guest, q question) bool {
	paths, err := policy.ParsePaths(g.Paths)
	if err != nil || len(g.Paths) == 0 || canonical.Host(g.Host) != q.host {
		return false
	}
	method := q.method
	if method == http.MethodHead && !slices.Contains(g.Methods, method) {
		method = http.MethodGet
	}
	return slices.Contains(g.Methods, method) && paths.Have(q.target.Path)
}

// beginning is where a guest begins: the first path, which is exact or ends in /**.
func beginning(paths []string) (string, bool) {
	if len(paths) == 0 {
		return "", false
	}
	path := paths[0]
	if strings.HasSuffix(path, "/**") {
		path = strings.TrimSuffix(path, "**")
	}
	if strings.Contains(path, "*") {
		return "", false
	}
	return (&url.URL{Path: path}).EscapedPath(), true
}

// guestPage opens a guest link, and uses nothing up.
func (s *Server) guestPage(c *gin.Context) error {
	codes := c.Request.URL.Query()["code"]
	if len(codes) != 1 {
		return accounts.ErrNoGuest
	}
	g, code, err := s.guestOf(c, codes[0])
	if err != nil {
		return err
	}
	if s.visits(c, g) {
		return s.goOn(c, g)
	}
	if g.Opened >= g.Most {
		return accounts.ErrNoGuest
	}
	s.page(c.Writer, http.StatusOK, pages.Guest{Name: g.Name, Host: g.Host, Paths: g.Paths, Expires: g.Expires.UTC(), Ticket: code.Reveal()}) // back to whom it came from
	return nil
}

// guestOf finds the link of this host that a secret is of. What cannot be one
// never reaches the store.
func (s *Server) guestOf(c *gin.Context, raw string) (accounts.Guest, secret.Text, error) {
	code, err := parseCode(raw)
	if err != nil {
		return accounts.Guest{}, secret.Text{}, accounts.ErrNoGuest
	}
	g, err := s.Register.GuestBy(c.Request.Context(), code)
	if err == nil && canonical.Host(g.Host) != hostOf(c) {
		err = accounts.ErrNoGuest
	}
	return g, code, err
}

// visits reports whether this browser has opened the link before.
func (s *Server) visits(c *gin.Context, g accounts.Guest) bool {
	value, err := s.cookie(c.Request, cookieGuest)
	if err != nil || value == "" {
		return false
	}
	known, err := openJSON[visiting](s.Seals.Guest, value)
	return err == nil && known.ID == g.ID
}

// guestEnters takes what the page of a guest link posts.
func (s *Server) guestEnters(c *gin.Context) error {
	raw, err := formTicket(c.Request)
	if err != nil {
		return err
	}
	ctx, sources := c.Request.Context(), throttle.Sources(s.client(c.Request))
	if err := s.Throttle.Admit(ctx, sources...); err != nil {
		s.auditGuest(c, accounts.Guest{}, err)
		return err
	}
	g, code, err := s.guestOf(c, raw)
	if err == nil && s.visits(c, g) {
		s.Throttle.Forgive(sources...)
		return s.goOn(c, g)
	}
	if err == nil {
		err = s.Register.OpenGuest(ctx, code)
	}
	s.auditGuest(c, g, err)
	if err != nil {
		return err
	}
	s.Throttle.Forgive(sources...)
	cookie, err := sealJSON(s.Seals.Guest, visiting{ID: g.ID, Host: g.Host})
	if err != nil {
		return err
	}
	s.setCookie(c.Writer, cookieGuest, cookie, max(int(g.Expires.Sub(s.now())/time.Second), 1))
	return s.goOn(c, g)
}

// isGuest reports whether the browser remembers a guest link of this host.
func (s *Server) isGuest(c *gin.Context) bool {
	value, err := s.cookie(c.Request, cookieGuest)
	return err != nil || value != ""
}

// forgetGuest ends a guest's visit at this host, in this browser: the link can
// be opened again, if it can.
func (s *Server) forgetGuest(c *gin.Context) {
	if s.isGuest(c) {
		s.setCookie(c.Writer, cookieGuest, "", -1)
	}
}

func (s *Server) goOn(c *gin.Context, g accounts.Guest) error {
	there, _ := beginning(g.Paths)
	redirect(c.Writer, s.atApp(c)+addressOf(there).String())
	return nil
}

func (s *Server) auditGuest(c *gin.Context, g accounts.Guest, cause error) {
	e := audit.Event{Kind: audit.Link, Outcome: audit.Done, Action: guestLinks, Invitation: g.ID, Guest: g.Name, Host: g.Host, Client: s.client(c.Request)}
	switch {
	case errors.Is(cause, accounts.ErrNoGuest):
		e.Outcome, e.Reason = audit.Refused, "no such link"
	case cause != nil:
		e.Outcome, e.Reason = outcomeOf(cause)
	}
	s.note(c.Request.Context(), e)
}
