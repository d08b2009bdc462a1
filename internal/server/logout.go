package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway/internal/audit"
	"gateway/internal/canonical"
	"gateway/internal/secret"
	"gateway/internal/server/pages"
	"gateway/providers"
	"gateway/sessions"
)

// logout ends the parent session and all its children, and at an app host a
// guest's visit. The cookies are cleared whatever the outcome.
func (s *Server) logout(audience func(*gin.Context) string) func(*gin.Context) error {
	return func(c *gin.Context) error {
		s.clearSession(c.Writer)
		s.forgetGuest(c)
		if err := readNothing(c.Request); err != nil {
			return err
		}
		cred, err := s.credential(c.Request)
		if err != nil {
			return err
		}
		endSession, err := s.end(c, cred, audience(c))
		if err != nil {
			return err
		}
		if wantsPage(c.Request) {
			s.page(c.Writer, http.StatusOK, pages.SignedOut{EndSession: endSession})
			return nil
		}
		answer := s.needed(c)
		answer.EndSession = endSession
		writeJSON(c.Writer, http.StatusOK, "application/json", answer)
		return nil
	}
}

// end ends the session of a credential; one that is over already has ended.
func (s *Server) end(c *gin.Context, cred credential, audience string) (endSession string, err error) {
	if cred.token.Empty() {
		return "", nil
	}
	ctx := c.Request.Context()
	session, err := s.Sessions.Peek(ctx, cred.token, audience)
	switch {
	case errors.Is(err, sessions.ErrMalformed):
		return "", err
	case errors.Is(err, sessions.ErrNone):
		return "", nil
	case err != nil:
		return "", err
	}
	if err := s.Sessions.Revoke(ctx, session.ID); err != nil {
		return "", err
	}
	s.note(ctx, audit.Event{
		Kind: audit.SignOut, Outcome: audit.Done, UserID: session.UserID, Login: s.loginOf(ctx, session.UserID), Origin: session.Provider,
		Session: cmp.Or(session.Parent, session.ID), Client: s.client(c.Request), // the one that the sign-in was of
	})
	return s.endSessionURL(session.Provider), nil
}

// loginOf returns the login of a user, or "" where it cannot be told.
func (s *Server) loginOf(ctx context.Context, userID string) string {
	u, err := s.Register.User(ctx, userID)
	if err != nil {
		return ""
	}
	return u.Login
}

// endSessionURL is the provider's own logout page, where it has one (OpenID
// Connect RP-Initiated Logout 1.0, section 2).
func (s *Server) endSessionURL(provider string) string {
	if s.Foreign == nil {
		return ""
	}
	for _, named := range s.Foreign.Providers {
		if e, ok := named.Provider.(providers.EndSessioner); ok && named.ID == provider {
			if address, err := e.EndSessionURL(secret.Text{}, s.Site.Portal()+"/"); err == nil {
				return address
			}
		}
	}
	return ""
}

// readNothing accepts an empty body, an empty JSON object, or a form without
// fields, as the page without script sends it.
func readNothing(r *http.Request) error {
	kinds := r.Header["Content-Type"]
	if len(kinds) == 1 && strings.HasPrefix(kinds[0], "application/x-www-form-urlencoded") {
		if n, _ := io.CopyN(io.Discard, r.Body, 1); n != 0 {
			return errBad
		}
		return nil
	}
	var nothing struct{}
	if err := readJSON(r, &nothing); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// signOutPage asks; its answer is a POST.
func (s *Server) signOutPage(audience func(*gin.Context) string) func(*gin.Context) error {
	return func(c *gin.Context) error {
		cred, err := s.credential(c.Request)
		if err != nil {
			return err
		}
		v := s.visitor(c.Request.Context(), cred, audience(c))
		switch {
		case v.unclear():
			return v.err
		case v.who != nil:
			s.page(c.Writer, http.StatusOK, pages.SignOut{Login: v.who.Login})
		case s.isGuest(c):
			s.page(c.Writer, http.StatusOK, pages.SignOut{})
		default:
			s.page(c.Writer, http.StatusOK, pages.SignedOut{})
		}
		return nil
	}
}

// atPortal and atApp name the audience of the host that was asked.
func (s *Server) atPortal(*gin.Context) string { return s.Site.Portal() }

func (s *Server) atApp(c *gin.Context) string { return s.Site.Origin(hostOf(c)) }

// hostOf returns the canonical host of a request that Handler let through.
func hostOf(c *gin.Context) canonical.Host {
	host, _ := canonical.ParseHost(c.Request.Host) // Handler has parsed it already
	return host
}
