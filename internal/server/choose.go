package server

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/server/pages"
	"gateway/internal/throttle"
	"gateway/localauth"
	"gateway/providers"
)

// choice is a password that somebody has chosen by a one-time link: what it is
// verified with. The password itself goes nowhere.
type choice struct {
	Code       string `json:"code"`
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
}

type chosen struct {
	Login string `json:"login"`
}

var errNoPasswords = explain(providers.ErrUnknownOrigin, "Signing in by password is switched off here.")

// choosePage shows the form in which a person chooses a password.
func (s *Server) choosePage(p accounts.Purpose) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if s.Local == nil {
			return errNoPasswords
		}
		code, err := codeOf(c)
		if err != nil {
			return err
		}
		before, err := s.portalVisitor(c.Request)
		if err != nil {
			return err
		}
		user, _, err := s.Register.Password(c.Request.Context(), code, p)
		if err != nil {
			return err
		}
		page := pages.Choose{
			Login: user.Login, Reset: p == accounts.Reset, Portal: s.Site.Portal(), Code: code.Reveal(), // back to whom it came from
			Least: localauth.MinPassword, Iterations: localauth.DefaultIterations,
		}
		if before.who != nil && before.who.UserID != user.ID {
			page.Other = before.who.Login
		}
		s.page(c.Writer, http.StatusOK, page)
		return nil
	}
}

// choose records what verifies a password that was chosen by a one-time link.
// Every session of the person ends. It signs nobody in: whoever knows the
// password can do that now, and so prove that the verifier is one.
func (s *Server) choose(p accounts.Purpose) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if s.Local == nil {
			return errNoPasswords
		}
		var req choice
		if err := readJSON(c.Request, &req); errors.Is(err, io.EOF) {
			return errBad
		} else if err != nil {
			return err
		}
		v := localauth.Verifier{Salt: req.Salt, Iterations: req.Iterations, StoredKey: req.StoredKey, ServerKey: req.ServerKey}
		if err := likeAll(v); err != nil {
			return explain(errBad, err.Error())
		}
		before, err := s.portalVisitor(c.Request)
		if err != nil {
			return err
		}
		ctx, sources := c.Request.Context(), throttle.Sources(s.client(c.Request))
		if err := s.Throttle.Admit(ctx, sources...); err != nil {
			s.auditLink(c, p, identity.User{}, err)
			return err
		}
		login, err := s.setPassword(c, p, req.Code, before, v)
		if err != nil {
			return err
		}
		s.Throttle.Forgive(slices.Concat(sources, capped(throttle.Account(login)), s.tries(c.Request, login, localauth.WantCookie))...)
		if before.who != nil {
			s.clearSession(c.Writer)
		}
		writeJSON(c.Writer, http.StatusOK, "application/json", chosen{Login: login})
		return nil
	}
}

// likeAll refuses a verifier that can be told from those of all others, and so
// from those that are made up for names that nobody has.
func likeAll(v localauth.Verifier) error {
	if err := v.Validate(localauth.DefaultIterations); err != nil {
		return err
	}
	if len(v.Salt) != localauth.SaltSize || v.Iterations != localauth.DefaultIterations {
		return localauth.ErrVerifier
	}
	return nil
}

func (s *Server) setPassword(c *gin.Context, p accounts.Purpose, raw string, before visitor, v localauth.Verifier) (login string, err error) {
	ctx := c.Request.Context()
	code, err := parseCode(raw)
	if err != nil {
		return "", err
	}
	user, version, err := s.Register.Password(ctx, code, p)
	defer func() { s.auditLink(c, p, user, err) }()
	switch {
	case err != nil:
		return "", err
	case before.who != nil && before.who.UserID != user.ID:
		return "", errSignedIn
	}
	stored, server, err := localauth.Wrap(s.Pepper, user.ID, version, v)
	if err != nil {
		return "", err
	}
	kept := accounts.Verifier{Salt: v.Salt, Iterations: v.Iterations, StoredKey: stored, ServerKey: server, Version: version}
	if err := s.Register.SetPassword(ctx, code, user.ID, kept); err != nil {
		return "", err
	}
	_, err = s.Sessions.RevokeUser(ctx, user.ID) // the store has none left; memory learns it here
	return user.Login, err
}
