package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/internal/returnto"
	"gateway/internal/secret"
	"gateway/internal/server/pages"
	"gateway/internal/throttle"
	"gateway/providers"
)

// One-time links: an admin hands one out, whoever holds it opens it. Opening
// changes nothing, so that programs that look at links before people do use
// none up; what the page posts is what counts.

// codeLength is the length of a link's secret, in base32.
const codeLength = 26

// link returns the address of a link.
func (s *Server) link(i accounts.Invitation, code secret.Text) string {
	path := "/.gateway/enrol"
	if i.Purpose == accounts.Reset {
		path = "/.gateway/reset"
	}
	return s.Site.Portal() + path + "?code=" + code.Reveal() // to the admin who asked for it, once
}

// codeOf reads the secret of a link that is opened. What cannot be one never
// reaches the store.
func codeOf(c *gin.Context) (secret.Text, error) {
	codes := c.Request.URL.Query()["code"]
	if len(codes) != 1 {
		return secret.Text{}, accounts.ErrNoInvitation
	}
	return parseCode(codes[0])
}

func parseCode(raw string) (secret.Text, error) {
	if len(raw) != codeLength || strings.ContainsFunc(raw, notBase32) {
		return secret.Text{}, accounts.ErrNoInvitation
	}
	return secret.New(raw), nil
}

// enrolPage opens an invitation: to come by a provider, or to choose the first
// password.
func (s *Server) enrolPage(c *gin.Context) error {
	code, err := codeOf(c)
	if err != nil {
		return err
	}
	i, err := s.Register.Invitation(c.Request.Context(), code)
	if err != nil {
		return err
	}
	if i.Purpose != accounts.Join {
		return s.choosePage(accounts.Enrol)(c)
	}
	name, err := s.providerName(i.Origin)
	if err != nil {
		return err
	}
	s.page(c.Writer, http.StatusOK, pages.Invited{Provider: name, Email: i.Email, Portal: s.Site.Portal(), Ticket: code.Reveal()}) // back to whom it came from
	return nil
}

func (s *Server) providerName(id string) (string, error) {
	for _, o := range s.origins("/") {
		if o.Origin == id {
			return o.Name, nil
		}
	}
	return "", providers.ErrUnknownOrigin
}

// enrol takes what the page of an invitation posts: a form to come by a
// provider, or the verifier of the first password.
func (s *Server) enrol(c *gin.Context) error {
	if c.Request.Header.Get("Content-Type") == formType {
		return s.join(c)
	}
	return s.choose(accounts.Enrol)(c)
}

// invited is what a browser remembers of an invitation on its way to the
// provider and back, sealed in a cookie.
type invited struct {
	Code    string    `json:"c"`
	Origin  string    `json:"o"`
	Expires time.Time `json:"x"`
}

// invitedLifetime is how long the way to the provider and back may take.
const invitedLifetime = 15 * time.Minute

// join sends somebody who is invited to the provider. The invitation is taken
// when they come back as somebody new, and not before: the provider may refuse,
// or the person choose the wrong account there.
func (s *Server) join(c *gin.Context) error {
	raw, err := formTicket(c.Request)
	if err != nil {
		return err
	}
	ctx, sources := c.Request.Context(), throttle.Sources(s.client(c.Request))
	if err := s.Throttle.Admit(ctx, sources...); err != nil {
		s.auditLink(c, accounts.Join, identity.User{}, err)
		return err
	}
	i, name, err := s.invitationToJoin(c, raw)
	if err != nil {
		s.auditLink(c, accounts.Join, identity.User{}, err)
		return err
	}
	s.Throttle.Forgive(sources...)
	cookie, err := sealJSON(s.Seals.Invite, invited{Code: raw, Origin: i.Origin, Expires: s.now().Add(invitedLifetime)})
	if err != nil {
		return err
	}
	s.setCookie(c.Writer, cookieInvite, cookie, int(invitedLifetime/time.Second))
	target := "/.gateway/start/" + i.Origin + "?rd=" + url.QueryEscape(returnto.Address{}.String())
	s.page(c.Writer, http.StatusOK, pages.Continue{Target: target, Provider: name}) // form-action covers the redirects after a form
	return nil
}

func (s *Server) invitationToJoin(c *gin.Context, raw string) (accounts.Invitation, string, error) {
	code, err := parseCode(raw)
	if err != nil {
		return accounts.Invitation{}, "", err
	}
	i, err := s.Register.Invitation(c.Request.Context(), code)
	if err != nil {
		return accounts.Invitation{}, "", err
	}
	if i.Purpose != accounts.Join {
		return accounts.Invitation{}, "", accounts.ErrNoInvitation
	}
	name, err := s.providerName(i.Origin)
	return i, name, err
}

// welcome asks the register whose identity this is, with the invitation that
// this browser has opened, if there is one.
func (s *Server) welcome(c *gin.Context, who identity.Identity) (identity.User, error) {
	cookie, err := s.cookie(c.Request, cookieInvite)
	if err != nil {
		return identity.User{}, err
	}
	w, err := openJSON[invited](s.Seals.Invite, cookie)
	if err != nil || w.Origin != who.Provider || s.now().After(w.Expires) {
		return s.resolve(c, who)
	}
	user, taken, err := s.Register.ResolveInvited(c.Request.Context(), who, secret.New(w.Code))
	if err == nil || errors.Is(err, accounts.ErrNoInvitation) {
		s.setCookie(c.Writer, cookieInvite, "", -1)
	}
	if taken {
		s.auditLink(c, accounts.Join, user, nil)
	}
	return s.resolved(c, who, user, err)
}

const noLink = "no such link" // any more, or ever

// auditLink writes down that a one-time link was used, or tried.
func (s *Server) auditLink(c *gin.Context, p accounts.Purpose, u identity.User, cause error) {
	e := audit.Event{Kind: audit.Link, Outcome: audit.Done, Action: string(p), UserID: u.ID, Login: u.Login, Client: s.client(c.Request)}
	switch {
	case errors.Is(cause, accounts.ErrNoInvitation):
		e.Outcome, e.Reason = audit.Refused, noLink
	case cause != nil:
		e.Outcome, e.Reason = outcomeOf(cause)
	}
	s.note(c.Request.Context(), e)
}
