package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/sessions"
)

// credential is what a request brings to prove a session: our cookie, or our
// token as Bearer (RFC 6750, section 2.1). A token in the query never counts.
type credential struct {
	token  secret.Text
	bearer bool
}

// credential reads the request's credential. Both a cookie and a Bearer token
// of ours is an error; a Bearer token of somebody else is the app's business.
func (s *Server) credential(r *http.Request) (credential, error) {
	value, err := s.cookie(r, cookieSession)
	if err != nil {
		return credential{}, err
	}
	token, err := bearer(r.Header)
	switch {
	case err != nil:
		return credential{}, err
	case token == "":
		return credential{token: secret.New(value)}, nil
	case value != "":
		return credential{}, errTwoTokens
	}
	return credential{token: secret.New(token), bearer: true}, nil
}

// bearer returns the session token in the Authorization header, if there is one.
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) > 1 {
		return "", errTwoTokens
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || !sessions.IsToken(token) {
		return "", nil
	}
	return token, nil
}

// visitor is the person behind a request.
type visitor struct {
	who     *identity.Principal // nil: nobody
	session sessions.Session
	err     error // why nobody, where a credential was brought
}

// over reports whether the credential was once a session, or never one.
func (v visitor) over() bool {
	return errors.Is(v.err, sessions.ErrNone) || errors.Is(v.err, sessions.ErrMalformed)
}

// unclear reports whether it cannot be told who this is.
func (v visitor) unclear() bool { return v.err != nil && !v.over() }

// visitor verifies the credential for an audience and finds the person. It
// counts as use of the session.
func (s *Server) visitor(ctx context.Context, c credential, audience string) visitor {
	return s.visitorBy(ctx, s.Sessions.Verify, c, audience)
}

// verify finds the live session of a token at an audience.
type verify func(ctx context.Context, token secret.Text, audience string) (sessions.Session, error)

func (s *Server) visitorBy(ctx context.Context, find verify, c credential, audience string) visitor {
	if c.token.Empty() {
		return visitor{}
	}
	session, err := find(ctx, c.token, audience)
	if err != nil {
		return visitor{err: err}
	}
	return s.person(ctx, session)
}

// person finds the user of a live session as recorded now.
func (s *Server) person(ctx context.Context, session sessions.Session) visitor {
	user, err := s.Register.User(ctx, session.UserID)
	switch {
	case !s.stands(session.Provider):
		return visitor{err: fmt.Errorf("%w: its door is shut", sessions.ErrNone)}
	case errors.Is(err, accounts.ErrNone):
		return visitor{err: fmt.Errorf("%w: user is gone", sessions.ErrNone)}
	case err != nil:
		return visitor{err: err}
	case user.Status != identity.Active:
		return visitor{err: fmt.Errorf("%w: user is %s", sessions.ErrNone, user.Status)}
	}
	groups := user.Groups
	if len(session.Groups) > 0 {
		groups = identity.Merge(user.Groups, session.Groups)
	}
	return visitor{session: session, who: &identity.Principal{
		UserID: user.ID, Login: user.Login, Name: user.Name, Email: user.Email, EmailVerified: user.EmailVerified,
		Groups: groups, Origin: session.Provider, AMR: session.AMR, AuthTime: session.AuthTime,
	}}
}

// stands reports whether a door is still there: nobody stays in who came
// through one that the configuration has closed.
func (s *Server) stands(door string) bool {
	if door == identity.Local {
		return s.Local != nil
	}
	if s.Foreign == nil {
		return false
	}
	for i := range s.Foreign.Providers {
		if s.Foreign.Providers[i].ID == door {
			return true
		}
	}
	return false
}
