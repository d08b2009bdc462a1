package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/once"
	"gateway/internal/returnto"
	"gateway/internal/server/pages"
	"gateway/internal/throttle"
	"gateway/providers"
)

// start begins the authorization code flow: binds it to the browser and sends
// the person to the provider.
func (s *Server) start(c *gin.Context) error {
	if s.Foreign == nil {
		return providers.ErrUnknownOrigin
	}
	there := target(c)
	browser, err := s.browser(c.Writer, c.Request)
	if err != nil {
		return err
	}
	address, err := s.Foreign.Begin(c.Request.Context(), c.Param("origin"), browser, there.String(), toAsk(s.oldest(there)))
	if err != nil {
		return flowError{err, signInPath(there)}
	}
	redirect(c.Writer, address)
	return nil
}

// callback finishes it. A tab that comes late, when another has signed in
// already, is let in too.
func (s *Server) callback(c *gin.Context) error {
	if s.Foreign == nil {
		return providers.ErrUnknownOrigin
	}
	before, err := s.portalVisitor(c.Request)
	if err != nil {
		return err
	}
	browser, err := s.cookie(c.Request, cookieBrowser)
	if err != nil {
		return err
	}
	cb, err := providers.ParseCallback(c.Request.URL.RawQuery)
	if err != nil {
		return flowError{err, signInPath(returnto.Address{})}
	}
	origin, sources := c.Param("origin"), throttle.Sources(s.client(c.Request))
	if err := s.admit(c.Request.Context(), sources...); err != nil {
		s.auditFailedSignIn(c, origin, "", err)
		return flowError{err, signInPath(returnto.Address{})}
	}
	assertion, req, err := s.Foreign.Finish(c.Request.Context(), origin, browser, cb)
	there := addressOf(req.ReturnTo)
	switch {
	case errors.Is(err, providers.ErrNoRequest) && before.who != nil:
		redirect(c.Writer, s.Site.Portal()+there.String())
		return nil
	case err != nil:
		s.auditFailedSignIn(c, origin, "", err)
		return flowError{err, signInPath(there)}
	}
	s.Throttle.Forgive(sources...)
	return s.arrive(c, before, assertion, there)
}

// arrive signs in whom the provider speaks for, or asks first where that would
// change who is signed in.
func (s *Server) arrive(c *gin.Context, before visitor, a providers.Assertion, there returnto.Address) error {
	user, err := s.welcome(c, a.Identity)
	switch {
	case errors.Is(err, accounts.ErrWaiting):
		return s.askToWait(c, user, a.Identity.Provider, there)
	case err != nil:
		return flowError{err, signInPath(there)}
	}
	e := entry{user: user, identity: a.Identity, foreignID: a.SessionID, factor: "fed"}
	if before.who != nil && before.who.UserID != user.ID {
		return s.askToSwitch(c, before, e, there)
	}
	if err := s.settle(c, before, e); err != nil {
		return err
	}
	redirect(c.Writer, s.Site.Portal()+there.String())
	return nil
}

// settle opens the session of this browser.
func (s *Server) settle(c *gin.Context, before visitor, e entry) error {
	ctx := c.Request.Context()
	_, token, err := s.openSession(ctx, c.Request, e, s.Site.Portal())
	if err != nil {
		return err
	}
	if err := s.endPrevious(ctx, before); err != nil {
		return err
	}
	s.setSession(c.Writer, token)
	return nil
}

// ticket is a sign-in that waits for the person to say yes.
type ticket struct {
	Identity  identity.Identity
	ForeignID string
	Current   string // the user it would sign out
	Browser   string
	There     string
	Expires   time.Time
}

const ticketLifetime = 2 * time.Minute

func (s *Server) askToSwitch(c *gin.Context, before visitor, e entry, there returnto.Address) error {
	browser, err := s.cookie(c.Request, cookieBrowser)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(ticket{
		Identity: e.identity, ForeignID: e.foreignID, Current: before.who.UserID, Browser: browser,
		There: there.String(), Expires: s.now().Add(ticketLifetime),
	})
	if err != nil {
		return fmt.Errorf("ticket: %w", err)
	}
	s.page(c.Writer, http.StatusOK, pages.Switch{Current: before.who.Login, Next: e.user.Login, Back: signInPath(there), Ticket: s.Seals.Switch.Seal(raw)})
	return nil
}

// switchUser takes the yes. The form is small and bounded.
func (s *Server) switchUser(c *gin.Context) error {
	t, sealed, err := s.ticket(c.Request)
	if err != nil {
		return flowError{err, signInPath(returnto.Address{})}
	}
	there := addressOf(t.There)
	before, err := s.portalVisitor(c.Request)
	if err != nil {
		return err
	}
	browser, err := s.cookie(c.Request, cookieBrowser)
	if err != nil {
		return err
	}
	if t.Browser == "" || browser != t.Browser || s.now().After(t.Expires) || (before.who != nil && before.who.UserID != t.Current) {
		return flowError{errFlow, signInPath(there)}
	}
	if err := s.Spent.Take(c.Request.Context(), once.Hash("switch", sealed), t.Expires); errors.Is(err, once.ErrSpent) {
		return flowError{errFlow, signInPath(there)}
	} else if err != nil {
		return err
	}
	user, err := s.resolve(c, t.Identity)
	switch {
	case errors.Is(err, accounts.ErrWaiting): // since a moment ago
		return s.askToWait(c, user, t.Identity.Provider, there)
	case err != nil:
		return flowError{err, signInPath(there)}
	}
	if err := s.settle(c, before, entry{user: user, identity: t.Identity, foreignID: t.ForeignID, factor: "fed"}); err != nil {
		return err
	}
	s.page(c.Writer, http.StatusOK, pages.Continue{Target: there.String()}) // form-action covers the redirects after a form
	return nil
}

func (s *Server) ticket(r *http.Request) (ticket, string, error) {
	sealed, err := formTicket(r)
	if err != nil {
		return ticket{}, "", err
	}
	raw, err := s.Seals.Switch.Open(sealed)
	if err != nil {
		return ticket{}, "", errFlow
	}
	var t ticket
	if err := json.Unmarshal(raw, &t); err != nil {
		return ticket{}, "", fmt.Errorf("ticket: %w", err)
	}
	return t, sealed, nil
}

const formType = "application/x-www-form-urlencoded"

// formTicket reads a form that holds a ticket and nothing else.
func formTicket(r *http.Request) (string, error) {
	const limit = 16 << 10
	if r.Header.Get("Content-Type") != formType {
		return "", errMediaType
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit))
	if err != nil || len(body) == limit {
		return "", errBad
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) != 1 || len(form["ticket"]) != 1 {
		return "", errBad
	}
	return form.Get("ticket"), nil
}

// signInPath is where a person begins again.
func signInPath(there returnto.Address) string {
	return "/.gateway/sign-in?rd=" + url.QueryEscape(there.String())
}

// addressOf reads an address that we sealed ourselves.
func addressOf(raw string) returnto.Address {
	there, err := returnto.Parse(raw)
	if err != nil {
		return returnto.Address{}
	}
	return there
}
