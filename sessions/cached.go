package sessions

import (
	"context"
	"sync/atomic"
	"time"
)

// Cached returns store with the sessions it returned last, about limit of them
// (0 is 131,072; some 700 bytes each), in memory. Every write goes through to
// the store first and is in memory before it returns, so nothing that was
// deleted is ever found again. That holds only while nobody else writes to the
// same store: the engine is embedded, this process its owner, and whoever
// deletes a user ends the user's sessions here.
func Cached(store Store, limit int) Store {
	if limit <= 0 {
		limit = 1 << 17
	}
	all := newMemo[string, *held](limit, byHash())
	all.left = func(h *held) { h.gone.Store(true) }
	return &cached{store: store, held: all}
}

// cached holds sessions. A held child counts only while its root is held too: so
// a parent's deletion, which drops the parent, ends children that nobody
// remembers to drop.
type cached struct {
	store Store
	held  *memo[string, *held]

	sweeps, swept atomic.Int64 // how many deletions of what is over have begun, and have ended
}

func (c *cached) Session(ctx context.Context, id string) (Session, error) {
	s, root := c.known(id)
	if root == nil {
		var err error
		if s, err = c.read(ctx, id); err != nil {
			return Session{}, err
		}
	}
	return s.now(), nil
}

// lineage returns a session and its root, which may be itself.
func (c *cached) lineage(ctx context.Context, id string) (s, root *held, err error) {
	if s, root := c.known(id); root != nil {
		return s, root, nil
	}
	if s, err = c.read(ctx, id); err != nil {
		return nil, nil, err
	}
	if root = c.rootOf(s); root == nil {
		root, err = c.read(ctx, s.Parent)
	}
	return s, root, err
}

// known returns a held session and its held root, or no root.
func (c *cached) known(id string) (s, root *held) {
	s, ok := c.held.get(id)
	if !ok {
		return nil, nil
	}
	return s, c.rootOf(s)
}

// rootOf returns the held root of a session, which may be itself, or nil.
func (c *cached) rootOf(s *held) *held {
	if root := s.origin(); root != nil {
		return root
	}
	root, ok := c.held.get(s.Parent)
	if !ok {
		return nil
	}
	s.root.Store(root)
	return root
}

func (c *cached) read(ctx context.Context, id string) (*held, error) {
	epoch := c.held.epoch(id)
	s, err := c.store.Session(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.ID != id {
		return loose(s), nil // whatever that is
	}
	return c.hold(epoch, s), nil
}

// hold keeps s unless it was written to since epoch.
func (c *cached) hold(epoch uint64, s Session) *held {
	root, _ := c.held.get(s.Parent)
	h := hold(s, root)
	if !c.held.putSince(epoch, s.ID, h) {
		h.gone.Store(true) // nobody would tell it
	}
	return h
}

func (c *cached) CreateSession(ctx context.Context, s Session) error {
	epoch := c.held.epoch(s.ID)
	if err := c.store.CreateSession(ctx, s); err != nil {
		return err
	}
	c.hold(epoch, s)
	return nil
}

func (c *cached) TouchSession(ctx context.Context, id string, seen time.Time) error {
	s, err := c.Session(ctx, id) // tells the parent, which never changes
	if err != nil {
		return err
	}
	err = c.store.TouchSession(ctx, id, seen)
	c.touched(id, seen, err)
	if s.Parent != "" {
		c.touched(s.Parent, seen, err)
	}
	return err
}

// TouchSessions holds nothing of what is swept meanwhile: the store does not tell
// which of them it has no more.
func (c *cached) TouchSessions(ctx context.Context, ids []string, seen time.Time) error {
	swept := c.swept.Load()
	err := c.store.TouchSessions(ctx, ids, seen)
	unknown := c.sweeps.Load() != swept
	for _, id := range ids {
		if unknown {
			c.held.drop(id)
			continue
		}
		c.touched(id, seen, err)
	}
	return err
}

// touched holds what a write of a last use came to.
func (c *cached) touched(id string, seen time.Time, err error) {
	if err != nil { // what the store has now is unknown
		c.held.drop(id)
		return
	}
	c.held.change(id, func(h *held) *held {
		h.seen.Store(seen.UnixMicro())
		return h
	})
}

// The deletions drop whatever the store answered, since an error does not say
// that nothing was deleted.

func (c *cached) DeleteSession(ctx context.Context, id string) (int, error) {
	n, err := c.store.DeleteSession(ctx, id)
	c.held.drop(id)
	return n, err
}

func (c *cached) DeleteSessionsOf(ctx context.Context, userID string) (int, error) {
	n, err := c.store.DeleteSessionsOf(ctx, userID)
	c.held.dropAll(func(s *held) bool { return s.UserID == userID })
	return n, err
}

func (c *cached) DeleteExpiredSessions(ctx context.Context, now time.Time, idle time.Duration) (int, error) {
	c.sweeps.Add(1)
	defer c.swept.Add(1)
	n, err := c.store.DeleteExpiredSessions(ctx, now, idle)
	late := now.Add(time.Second) // rather drop one too many than ask how the engine rounds
	c.held.dropAll(func(s *held) bool {
		return !late.Before(s.Expires) || s.Parent == "" && late.Sub(s.used()) >= idle
	})
	return n, err
}

func (c *cached) Sessions(ctx context.Context, userID string) ([]Session, error) {
	return c.store.Sessions(ctx, userID)
}
