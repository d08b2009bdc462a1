package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gateway/internal/secret"
)

// Manager opens, verifies and ends sessions. Its exported fields are set
// before its first use and left alone. It is safe for concurrent use.
type Manager struct {
	Store  Store
	Codes  Codes // of the hand-off; needed for Grant and Redeem alone
	Signer *Signer
	Issuer string // the portal URL, exactly: the tokens' iss, and the audience of portal sessions

	Lifetime   time.Duration // absolute limit; 0 is 24 hours
	Idle       time.Duration // idle limit; 0 is 1 hour
	TouchEvery time.Duration // at most so often is the last use written; 0 is five minutes; never more than a tenth of an idle limit
	Tokens     int           // how many verified tokens are remembered, some 300 bytes each, beside a session; 0 is 131,072

	// Limits are those of the sessions at an app's origin; nil: none has its own.
	// They count from the next check.
	Limits func(audience string) Limits

	// OnTouchError is told when Verify could not write down the last use, or
	// the end of a session past its limits. The answer does not depend on it.
	OnTouchError func(error)
	Now          func() time.Time

	verified perRing[verified] // by the tag of the token: what parsing and the signature came to
	uses     uses
	failed   atomic.Int64 // when a last use could not be written, in microseconds
}

// Issue opens a session for a person who came through a door and returns it
// with its token. ID, Created, Seen and Expires are filled in; AuthTime is never
// later than now; Audience is the portal unless named. UserID is required, and
// Parent has to be empty: children come from IssueChild.
func (m *Manager) Issue(ctx context.Context, s Session) (Session, secret.Text, error) {
	if s.UserID == "" || s.Parent != "" {
		return Session{}, secret.Text{}, errors.New("sessions: issue wants a user and no parent")
	}
	if s.Audience == "" {
		s.Audience = m.Issuer
	}
	now := m.now()
	s.Expires = now.Add(m.lifetime()).Truncate(time.Second)
	if s.AuthTime.After(now) {
		s.AuthTime = now
	}
	return m.open(ctx, s, now)
}

// IssueChild opens a session at an app origin for the person of a live portal
// session. It ends with its parent and never later. ErrNone: the parent is not
// live, or no portal session. ErrTooLongAgo: the app asks for a newer sign-in.
func (m *Manager) IssueChild(ctx context.Context, parentID, audience string) (Session, secret.Text, error) {
	if audience == "" || audience == m.Issuer {
		return Session{}, secret.Text{}, errors.New("sessions: a child wants the origin of an app")
	}
	now := m.now()
	parent, err := m.portal(ctx, parentID, now)
	if err != nil {
		return Session{}, secret.Text{}, err
	}
	if !m.Admits(parent, audience) {
		return Session{}, secret.Text{}, ErrTooLongAgo
	}
	child := parent
	child.Parent, child.Audience = parent.ID, audience
	return m.open(ctx, child, now)
}

// open completes, signs and stores a new session.
func (m *Manager) open(ctx context.Context, s Session, now time.Time) (Session, secret.Text, error) {
	s.ID = rand.Text()
	s.Created, s.Seen = now, now
	s.AuthTime = s.AuthTime.UTC().Truncate(time.Microsecond)
	s.Groups, s.AMR = slices.Clone(s.Groups), slices.Clone(s.AMR)
	s.UserAgent = shorten(s.UserAgent, 256)
	token, err := m.Signer.ring.Load().mint(m.Issuer, &s)
	if err != nil {
		return Session{}, secret.Text{}, fmt.Errorf("token of a new session: %w", err)
	}
	if err := m.Store.CreateSession(ctx, s); err != nil {
		return Session{}, secret.Text{}, fmt.Errorf("store new session: %w", err)
	}
	return s, secret.New(token), nil
}

// portal returns the live portal session of that ID, or ErrNone.
func (m *Manager) portal(ctx context.Context, id string, now time.Time) (Session, error) {
	l, err := m.live(ctx, id, now)
	if err != nil {
		return Session{}, err
	}
	if l.s.Parent != "" || l.s.Audience != m.Issuer {
		return Session{}, fmt.Errorf("%w: not of the portal", ErrNone)
	}
	return l.shown(), nil
}

// List returns the live sessions of a user, or of everybody if userID is
// empty, by Created.
func (m *Manager) List(ctx context.Context, userID string) ([]Session, error) {
	all, err := m.Store.Sessions(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	now := m.now()
	roots := make(map[string]*held, len(all))
	for _, s := range all {
		if s.Parent == "" {
			roots[s.ID] = loose(s)
		}
	}
	live := all[:0]
	for _, s := range all {
		l := living{loose(s), roots[s.rootID()], m.of(&s)}
		if l.root != nil && !m.ended(l, now) && !l.endedHere(now) {
			live = append(live, l.shown())
		}
	}
	return live, nil
}

// rootID returns the ID of the session that this one ends with.
func (s *Session) rootID() string {
	if s.Parent != "" {
		return s.Parent
	}
	return s.ID
}

// now is UTC in microseconds, as sessions are stored.
func (m *Manager) now() time.Time {
	if m.Now != nil {
		return m.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (m *Manager) idle() time.Duration {
	if m.Idle > 0 {
		return m.Idle
	}
	return defaultIdle
}

func (m *Manager) lifetime() time.Duration {
	if m.Lifetime > 0 {
		return m.Lifetime
	}
	return defaultLifetime
}

// shorten cuts s to at most limit bytes of valid UTF-8.
func shorten(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}
