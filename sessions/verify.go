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
	s, seen, err := m.find(ctx, token, audience, now)
	if err != nil {
		return Session{}, err
	}
	return m.use(ctx, s, seen, now)
}

// Peek is Verify that does not count as use.
func (m *Manager) Peek(ctx context.Context, token secret.Text, audience string) (Session, error) {
	s, _, err := m.find(ctx, token, audience, m.now())
	if err != nil {
		return Session{}, err
	}
	return *s, nil
}

// find returns the live session that a token names, read only, and when it
// was last used as far as is written down everywhere.
func (m *Manager) find(ctx context.Context, token secret.Text, audience string, now time.Time) (*Session, time.Time, error) {
	c, err := m.claims(token, audience, now)
	if c == nil {
		return nil, time.Time{}, err
	}
	s, seen, liveErr := m.live(ctx, c.SessionID, now) // also of an expired token: what is over is removed
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case liveErr != nil:
		return nil, time.Time{}, liveErr
	case s.Audience != c.Audience || s.UserID != c.Subject:
		return nil, time.Time{}, fmt.Errorf("%w: the record is of somebody else", ErrNone)
	}
	return s, seen, nil
}

// claims returns the verified claims of a token, judged now. They are nil
// beside ErrMalformed and there beside ErrExpired.
func (m *Manager) claims(token secret.Text, audience string, now time.Time) (*claims, error) {
	text := token.Reveal()
	if text == "" || len(text) > maxToken {
		return nil, fmt.Errorf("%w: length", ErrMalformed)
	}
	known := m.verified.of(m.Signer.ring.Load(), m.tokens())
	name := known.tags.of(func(buf []byte) []byte { return append(buf, text...) })
	c, hit := known.get(name)
	if !hit {
		var err error
		if c, err = known.ring.parse(text, m.Issuer, audience, now); err != nil {
			return nil, err
		}
	}
	err := c.judge(m.Issuer, audience, now)
	switch {
	case err == nil && !hit:
		known.put(name, c.compact())
	case errors.Is(err, ErrMalformed):
		return nil, err
	}
	return c, err
}

// live returns the session of that ID, read only, if it and its parent are
// within their limits, and the earlier of their last uses. What is past its
// limits is removed, so that no clock set back revives it.
func (m *Manager) live(ctx context.Context, id string, now time.Time) (*Session, time.Time, error) {
	if id == "" {
		return nil, time.Time{}, ErrNone
	}
	s, root, err := m.lineage(ctx, id)
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case s.ID != id || root.ID != s.root() || root.Parent != "" || root.UserID != s.UserID:
		return nil, time.Time{}, fmt.Errorf("%w: records disagree", ErrNone)
	case m.over(s, root, now):
		m.bury(ctx, root.ID)
		return nil, time.Time{}, ErrExpired
	}
	own := m.of(s)
	if own.over(s, root, now) {
		m.bury(ctx, s.ID)
		return nil, time.Time{}, ErrExpired
	}
	seen := s.Seen
	if root.Seen.Before(seen) {
		seen = root.Seen
	}
	return own.within(s, root), seen, nil
}

// lineage returns a session and its root, which may be itself; both are read only.
func (m *Manager) lineage(ctx context.Context, id string) (s, root *Session, err error) {
	if c, ok := m.Store.(*cached); ok {
		if s, root := c.lineage(id); root != nil {
			return s, root, nil
		}
	}
	found, err := m.Store.Session(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("read session: %w", err)
	}
	if found.Parent == "" {
		return &found, &found, nil
	}
	parent, err := m.Store.Session(ctx, found.Parent)
	if err != nil {
		return nil, nil, fmt.Errorf("read parent of session: %w", err)
	}
	return &found, &parent, nil
}

// over reports whether a session is past its limits: its own absolute one and
// both of its root, which may be itself.
func (m *Manager) over(s, root *Session, now time.Time) bool {
	return !now.Before(s.Expires) || !now.Before(root.Expires) || now.Sub(root.Seen) >= m.idle()
}

func (m *Manager) tokens() int {
	if m.Tokens > 0 {
		return m.Tokens
	}
	return 1 << 17
}
