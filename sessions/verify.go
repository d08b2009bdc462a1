package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gateway/internal/secret"
)

// Verify returns the live session that a token names at an audience (the
// portal URL or an app origin, exactly), and counts as its use.
//
//   - ErrMalformed: no session token of ours for this audience
//   - ErrNone, ErrExpired: ended, or past a limit
//   - anything else: cannot tell
func (m *Manager) Verify(ctx context.Context, token secret.Text, audience string) (Session, error) {
	now := m.now()
	l, err := m.find(ctx, token, audience, now)
	if err != nil {
		return Session{}, err
	}
	return m.use(ctx, l, now)
}

// Peek is Verify that does not count as use.
func (m *Manager) Peek(ctx context.Context, token secret.Text, audience string) (Session, error) {
	l, err := m.find(ctx, token, audience, m.now())
	if err != nil {
		return Session{}, err
	}
	return l.shown(), nil
}

// verified is what a token came to: its claims, and the session that it names,
// if that is held and says all that the claims say. Then the claims need not be
// read again.
type verified struct {
	claims  *claims
	session *held
}

// find returns the live session that a token names.
func (m *Manager) find(ctx context.Context, token secret.Text, audience string, now time.Time) (living, error) {
	text := token.Reveal()
	if text == "" || len(text) > maxToken {
		return living{}, fmt.Errorf("%w: length", ErrMalformed)
	}
	known := m.verified.of(m.Signer.ring.Load(), m.tokens())
	name := known.tags.of(func(buf []byte) []byte { return append(buf, text...) })
	v, hit := known.get(name)
	if l, ok := m.still(v.session, audience, now); ok {
		return l, nil
	}
	if !hit {
		var err error
		if v.claims, err = known.ring.parse(text, m.Issuer, audience, now); err != nil {
			return living{}, err
		}
	}
	l, err := m.named(ctx, v.claims, audience, now)
	switch session := l.saying(v.claims); {
	case errors.Is(err, ErrMalformed): // is not remembered
	case !hit:
		known.put(name, verified{v.claims.compact(), session})
	case session != v.session:
		known.put(name, verified{v.claims, session})
	}
	return l, err
}

// named returns the live session that verified claims name, judged now.
func (m *Manager) named(ctx context.Context, c *claims, audience string, now time.Time) (living, error) {
	err := c.judge(m.Issuer, audience, now)
	if errors.Is(err, ErrMalformed) {
		return living{}, err
	}
	l, liveErr := m.live(ctx, c.SessionID, now) // also of an expired token: what is over is removed
	switch {
	case err != nil:
		return living{}, err
	case liveErr != nil:
		return living{}, liveErr
	case l.s.Audience != c.Audience || l.s.UserID != c.Subject:
		return living{}, fmt.Errorf("%w: the record is of somebody else", ErrNone)
	}
	return l, nil
}

// still returns the session that a token was found to name, if that is held, and
// live by all that named would ask. No is no answer.
func (m *Manager) still(s *held, audience string, now time.Time) (living, bool) {
	if s == nil || s.gone.Load() || audience == "" || s.Audience != audience || s.Created.After(now.Add(maxSkew)) {
		return living{}, false
	}
	root := s.origin()
	if root == nil {
		return living{}, false
	}
	l := living{s, root, m.of(&s.Session)}
	return l, !m.ended(l, now) && !l.endedHere(now)
}

func (m *Manager) tokens() int {
	if m.Tokens > 0 {
		return m.Tokens
	}
	return 1 << 17
}
