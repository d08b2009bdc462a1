package sessions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// use writes down that a session is used now, if what is written is old or, the clock
// having been set back, of the future. Of many at a time one writes, and whoever
// comes meanwhile is written down with the others that do. Only an ErrNone
// changes the answer: the session has just ended. A store that does not write is
// left alone for a while: it has better to do, and so has the log.
func (m *Manager) use(ctx context.Context, l living, now time.Time) (Session, error) {
	s := l.shown()
	if !m.stale(l, now) || m.resting(now) || m.uses.follow(s.ID) {
		return s, nil
	}
	defer m.gather(ctx)
	ctx, cancel := lasting(ctx)
	defer cancel()
	if l, err := m.live(ctx, s.ID, now); err == nil && !m.stale(l, now) {
		return s, nil // somebody was faster
	}
	err := m.Store.TouchSession(ctx, s.ID, now)
	switch {
	case errors.Is(err, ErrNone):
		return Session{}, fmt.Errorf("write last use: %w", err)
	case err != nil:
		m.untouched(now, err)
	default:
		s.Seen = now
	}
	return s, nil
}

// uses are the sessions whose last use is to be written, while another one's is.
type uses struct {
	mu      sync.Mutex
	writing bool
	waiting map[string]struct{}
}

// follow reports whether somebody writes, who then writes this one's use too.
// Else the caller writes, and calls gather afterwards.
func (u *uses) follow(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.writing {
		u.writing = true
		return false
	}
	if u.waiting == nil {
		u.waiting = make(map[string]struct{})
	}
	u.waiting[id] = struct{}{}
	return true
}

// take takes those that wait.
func (u *uses) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := slices.Collect(maps.Keys(u.waiting))
	clear(u.waiting)
	return all
}

// done reports whether nobody waits, and nobody writes any more.
func (u *uses) done() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.writing = len(u.waiting) > 0
	return !u.writing
}

// idle reports whether nobody writes.
func (u *uses) idle() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.writing
}

// gather sees to it that those who came meanwhile are written, a rest later and
// together: what is not on the disk by then is at most a rest's use.
func (m *Manager) gather(ctx context.Context) {
	if m.uses.done() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		for !m.uses.done() {
			time.Sleep(gatherTime)
			for chunk := range slices.Chunk(m.uses.take(), gathered) {
				m.touch(ctx, chunk)
			}
		}
	}()
}

const (
	gatherTime = 200 * time.Millisecond
	gathered   = 256 // at most so many uses in one write, which others wait for
)

// touch writes down that sessions are used now, if they still live and nobody
// has done so.
func (m *Manager) touch(ctx context.Context, ids []string) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	now, old := m.now(), make([]string, 0, 2*len(ids))
	for _, id := range ids {
		if l, err := m.live(ctx, id, now); err == nil && m.stale(l, now) {
			old = append(old, id)
			if l.s.Parent != "" {
				old = append(old, l.s.Parent)
			}
		}
	}
	if len(old) == 0 || m.resting(now) {
		return
	}
	if err := m.Store.TouchSessions(ctx, old, now); err != nil {
		m.untouched(now, err)
	}
}

// Settle waits until every use is written that was seen so far, or until the
// context ends.
func (m *Manager) Settle(ctx context.Context) {
	tick := time.NewTicker(gatherTime / 10)
	defer tick.Stop()
	for !m.uses.idle() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stale reports whether what is written of a session's last use is too old.
func (m *Manager) stale(l living, now time.Time) bool {
	return now.Sub(l.seen()).Abs() >= m.touchEvery(l)
}

// resting reports whether a last use could not be written a moment ago.
func (m *Manager) resting(now time.Time) bool {
	return now.Sub(time.UnixMicro(m.failed.Load())).Abs() < touchRest
}

func (m *Manager) untouched(now time.Time, err error) {
	m.failed.Store(now.UnixMicro())
	m.report(fmt.Errorf("write last use: %w", err))
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
func (m *Manager) touchEvery(l living) time.Duration {
	every := m.TouchEvery
	if every <= 0 {
		every = 5 * time.Minute
	}
	if own := l.own.Idle; own != 0 {
		every = min(every, own/10)
	}
	return min(every, m.idle()/10)
}
