package sessions

import (
	"errors"
	"fmt"
	"time"
)

// Limits are those of the sessions at one app, beside those of all sessions. A
// zero limit is none. Both begin with the sign-in: what has ended by one of
// them is opened anew by a sign-in, not by the portal session that lives on.
type Limits struct {
	// Idle ends a session that was not used at the app for so long. To open one, the sign-in must not be older.
	Idle time.Duration `yaml:"idle"`
	// Lifetime ends a session so long after the sign-in.
	Lifetime time.Duration `yaml:"lifetime"`
}

// Validate returns all complaints, joined, each beginning with its key; all are
// the limits of all sessions. A limit that nothing could reach is a complaint.
func (l Limits) Validate(all Config) error {
	var complaints []error
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Errorf(format, args...)) }
	switch {
	case l.Idle != 0 && l.Idle < MinIdle:
		complain("idle: %v is less than %v; write a unit, as in 15m", l.Idle, MinIdle)
	case l.Idle > all.Idle:
		complain("idle: %v is more than sessions.idle, %v, so it would never count", l.Idle, all.Idle)
	}
	switch {
	case l.Lifetime != 0 && l.Lifetime < MinIdle:
		complain("lifetime: %v is less than %v; write a unit, as in 4h", l.Lifetime, MinIdle)
	case l.Lifetime > all.Lifetime:
		complain("lifetime: %v is more than sessions.lifetime, %v, so it would never count", l.Lifetime, all.Lifetime)
	case l.Lifetime != 0 && l.Lifetime < l.Idle:
		complain("lifetime: %v is less than idle, %v, so sessions would end before they are idle", l.Lifetime, l.Idle)
	}
	return errors.Join(complaints...)
}

// Oldest is how old a sign-in may be to open a session; 0: any.
func (l Limits) Oldest() time.Duration {
	if l.Idle != 0 && (l.Lifetime == 0 || l.Idle < l.Lifetime) {
		return l.Idle
	}
	return l.Lifetime
}

// admit reports whether a session may be opened for whoever has this portal session.
func (l Limits) admit(root *Session, now time.Time) bool {
	return l.Oldest() == 0 || now.Sub(root.began()) < l.Oldest()
}

// began is when the limits of apps begin for a portal session: with the proof,
// or where nobody said when that was, with the session.
func (s *Session) began() time.Time {
	if s.AuthTime.IsZero() {
		return s.Created
	}
	return s.AuthTime
}

// of returns the limits of a session beside those of all: a portal session has none.
func (m *Manager) of(s *Session) Limits {
	if m.Limits == nil || s.Parent == "" {
		return Limits{}
	}
	return m.Limits(s.Audience)
}

// Admits reports whether a portal session may open one at an app now: its
// sign-in is no older than the limits of the app have it.
func (m *Manager) Admits(parent Session, audience string) bool {
	return m.Limits == nil || m.Limits(audience).admit(&parent, m.now())
}

// Idles is when a live session ends if nothing uses it and those that belong to
// it; root is its portal session, which may be itself.
func (m *Manager) Idles(s, root Session) time.Time {
	end := s.Expires
	if idle := root.Seen.Add(m.idle()); idle.Before(end) {
		end = idle
	}
	if own := m.of(&s).Idle; own != 0 && s.Seen.Add(own).Before(end) {
		end = s.Seen.Add(own)
	}
	return end
}
