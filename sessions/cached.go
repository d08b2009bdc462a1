package sessions

import (
	"context"
	"slices"
	"time"
	"unique"
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
	return &cached{store: store, held: newMemo[string, *Session](limit, byHash())}
}

// cached holds records that never change: a touched one is replaced. A held
// child counts only while its parent is held too. So a parent's deletion,
// which drops the parent, ends children that nobody remembers to drop.
type cached struct {
	store Store
	held  *memo[string, *Session]
}

func (c *cached) Session(ctx context.Context, id string) (Session, error) {
	if s, root := c.lineage(id); root != nil {
		return *s, nil
	}
	epoch := c.held.epoch(id)
	s, err := c.store.Session(ctx, id)
	if err != nil {
		return Session{}, err
	}
	c.hold(epoch, s)
	return s, nil
}

// lineage returns a held session and its held root, which may be itself, or
// nil for both.
func (c *cached) lineage(id string) (s, root *Session) {
	s, ok := c.held.get(id)
	if !ok || s.Parent == "" {
		return s, s
	}
	if root, ok = c.held.get(s.Parent); !ok {
		return nil, nil
	}
	return s, root
}

// hold keeps s unless it was written to since epoch.
func (c *cached) hold(epoch uint64, s Session) {
	s = compact(s)
	c.held.putSince(epoch, s.ID, &s)
}

// compact returns a session as it is held: what many share is there once, the
// rest side by side. A hundred thousand of them are looked at by every
// collection of garbage.
func compact(s Session) Session {
	own := s.ID + s.Parent + s.UserID + s.Key.Subject + s.ForeignID + s.Address
	cut := func(text string) string {
		var mine string
		mine, own = own[:len(text)], own[len(text):]
		return mine
	}
	s.ID, s.Parent, s.UserID, s.Key.Subject, s.ForeignID, s.Address = cut(s.ID), cut(s.Parent), cut(s.UserID), cut(s.Key.Subject), cut(s.ForeignID), cut(s.Address)
	for _, shared := range []*string{&s.Audience, &s.Key.Issuer, &s.Provider, &s.UserAgent} {
		*shared = unique.Make(*shared).Value()
	}
	s.Groups, s.AMR = slices.Clone(s.Groups), slices.Clone(s.AMR)
	for _, list := range [][]string{s.Groups, s.AMR} {
		for i := range list {
			list[i] = unique.Make(list[i]).Value()
		}
	}
	return s
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

func (c *cached) TouchSessions(ctx context.Context, ids []string, seen time.Time) error {
	err := c.store.TouchSessions(ctx, ids, seen)
	for _, id := range ids {
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
	c.held.change(id, func(old *Session) *Session {
		fresh := *old
		fresh.Seen = seen
		return &fresh
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
	c.held.dropAll(func(s *Session) bool { return s.UserID == userID })
	return n, err
}

func (c *cached) DeleteExpiredSessions(ctx context.Context, now time.Time, idle time.Duration) (int, error) {
	n, err := c.store.DeleteExpiredSessions(ctx, now, idle)
	late := now.Add(time.Second) // rather drop one too many than ask how the engine rounds
	c.held.dropAll(func(s *Session) bool {
		return !late.Before(s.Expires) || s.Parent == "" && late.Sub(s.Seen) >= idle
	})
	return n, err
}

func (c *cached) Sessions(ctx context.Context, userID string) ([]Session, error) {
	return c.store.Sessions(ctx, userID)
}
