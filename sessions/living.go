package sessions

import (
	"context"
	"fmt"
	"time"
)

// living is a session with what its end depends on.
type living struct {
	s    *held
	root *held // its portal session, or itself
	own  Limits
}

// seen is the earlier of the last uses of both.
func (l living) seen() time.Time {
	own, root := l.s.used(), l.root.used()
	if root.Before(own) {
		return root
	}
	return own
}

// shown returns the session as it is now, with the end that its limits set.
func (l living) shown() Session {
	s := l.s.now()
	if end := l.root.began().Add(l.own.Lifetime); l.own.Lifetime != 0 && end.Before(s.Expires) {
		s.Expires = end
	}
	return s
}

// saying returns the session if it is held and says all that the claims say.
func (l living) saying(c *claims) *held {
	if l.s == nil || l.s.gone.Load() || !c.says(&l.s.Session) {
		return nil
	}
	return l.s
}

// ended reports whether a session is past its limits: its own absolute one and
// both of its root.
func (m *Manager) ended(l living, now time.Time) bool {
	return !now.Before(l.s.Expires) || !now.Before(l.root.Expires) || now.Sub(l.root.used()) >= m.idle()
}

// endedHere reports whether a session is past the limits of its app.
func (l living) endedHere(now time.Time) bool {
	return l.own.Idle != 0 && now.Sub(l.s.used()) >= l.own.Idle || l.own.Lifetime != 0 && now.Sub(l.root.began()) >= l.own.Lifetime
}

// live returns the session of that ID if it and its parent are within their
// limits. What is past its limits is removed, so that no clock set back revives it.
func (m *Manager) live(ctx context.Context, id string, now time.Time) (living, error) {
	if id == "" {
		return living{}, ErrNone
	}
	s, root, err := m.lineage(ctx, id)
	if err != nil {
		return living{}, err
	}
	l := living{s, root, m.of(&s.Session)}
	switch {
	case s.ID != id || root.ID != s.rootID() || root.Parent != "" || root.UserID != s.UserID:
		return living{}, fmt.Errorf("%w: records disagree", ErrNone)
	case m.ended(l, now):
		m.bury(ctx, root.ID)
		return living{}, ErrExpired
	case l.endedHere(now):
		m.bury(ctx, s.ID)
		return living{}, ErrExpired
	}
	return l, nil
}

// lineage returns a session and its root, which may be itself.
func (m *Manager) lineage(ctx context.Context, id string) (s, root *held, err error) {
	if c, ok := m.Store.(*cached); ok {
		if s, root, err = c.lineage(ctx, id); err != nil {
			return nil, nil, fmt.Errorf("read session: %w", err)
		}
		return s, root, nil
	}
	found, err := m.Store.Session(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("read session: %w", err)
	}
	s = loose(found)
	if s.Parent == "" {
		return s, s, nil
	}
	parent, err := m.Store.Session(ctx, s.Parent)
	if err != nil {
		return nil, nil, fmt.Errorf("read parent of session: %w", err)
	}
	return s, loose(parent), nil
}
