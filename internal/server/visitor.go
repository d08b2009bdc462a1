package server

import (
	"context"
	"errors"
	"fmt"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/sessions"
)

// visitor is the person behind a request.
type visitor struct {
	who     *identity.Principal // nil: nobody
	session sessions.Session
	token   *sessions.AppToken // instead of a session; there may be one that does not count
	err     error              // why nobody, where a credential was brought
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
	return s.visitorBy(ctx, using, c, audience)
}

// use says whether to look at a session or token counts as its use.
type use bool

const (
	peeking use = false
	using   use = true
)

// asks finds who asks a question.
func (s *Server) asks(ctx context.Context, u use, q question) visitor {
	if q.credential.script {
		return s.byToken(ctx, u, q)
	}
	return s.visitorBy(ctx, u, q.credential, q.audience)
}

// visitorBy finds who has a session. To it app tokens are malformed: they count
// where a question about an app is asked, and nowhere else.
func (s *Server) visitorBy(ctx context.Context, u use, c credential, audience string) visitor {
	if c.token.Empty() {
		return visitor{}
	}
	find := s.Sessions.Peek
	if u == using {
		find = s.Sessions.Verify
	}
	session, err := find(ctx, c.token, audience)
	if err != nil {
		return visitor{err: err}
	}
	return s.person(ctx, session)
}

// active finds a user as recorded now who came through a door, if both are good.
func (s *Server) active(ctx context.Context, id, door string) (identity.User, error) {
	user, err := s.Register.User(ctx, id)
	switch {
	case !s.stands(door):
		return identity.User{}, fmt.Errorf("%w: its door is shut", sessions.ErrNone)
	case errors.Is(err, accounts.ErrNone):
		return identity.User{}, fmt.Errorf("%w: user is gone", sessions.ErrNone)
	case err != nil:
		return identity.User{}, err
	case user.Status != identity.Active:
		return identity.User{}, fmt.Errorf("%w: user is %s", sessions.ErrNone, user.Status)
	}
	return user, nil
}

// person finds the user of a live session as recorded now.
func (s *Server) person(ctx context.Context, session sessions.Session) visitor {
	user, err := s.active(ctx, session.UserID, session.Provider)
	if err != nil {
		return visitor{err: err}
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
