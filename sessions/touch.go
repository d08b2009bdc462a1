package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// use writes down that s is used now, if what is written is old or, the clock
// having been set back, of the future. Of many at a time one writes. Only an
// ErrNone changes the answer: the session has just ended. A store that does not
// write is left alone for a while: it has better to do, and so has the log.
func (m *Manager) use(ctx context.Context, s *Session, seen, now time.Time) (Session, error) {
	every := m.touchEvery(s)
	if now.Sub(seen).Abs() < every || now.Sub(time.UnixMicro(m.failed.Load())).Abs() < touchRest {
		return *s, nil
	}
	if _, busy := m.touching.LoadOrStore(s.ID, nil); busy {
		return *s, nil
	}
	defer m.touching.Delete(s.ID)
	ctx, cancel := lasting(ctx)
	defer cancel()
	if s, seen, err := m.live(ctx, s.ID, now); err == nil && now.Sub(seen).Abs() < every {
		return *s, nil // somebody was faster
	}
	used := *s
	err := m.Store.TouchSession(ctx, s.ID, now)
	switch {
	case errors.Is(err, ErrNone):
		return Session{}, fmt.Errorf("write last use: %w", err)
	case err != nil:
		m.failed.Store(now.UnixMicro())
		m.report(fmt.Errorf("write last use: %w", err))
	default:
		used.Seen = now
	}
	return used, nil
}

// touchRest follows a last use that could not be written. No idle time is
// shorter than ten of it.
const touchRest = 5 * time.Second

// bury removes a session past its limits, and its children.
func (m *Manager) bury(ctx context.Context, id string) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if _, err := m.Store.DeleteSession(ctx, id); err != nil {
		m.report(fmt.Errorf("remove expired session: %w", err))
	}
}

// lasting returns a context for a short write that a visitor who leaves does not undo.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
}

func (m *Manager) report(err error) {
	if m.OnTouchError != nil {
		m.OnTouchError(err)
	}
}

// touchEvery is how far what is written of the last use of a session may lag.
func (m *Manager) touchEvery(s *Session) time.Duration {
	every := m.TouchEvery
	if every <= 0 {
		every = time.Minute
	}
	if own := m.of(s).Idle; own != 0 {
		every = min(every, own/10)
	}
	return min(every, m.idle()/10)
}
