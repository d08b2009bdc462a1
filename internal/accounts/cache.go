package accounts

import (
	"context"
	"sync"
	"time"

	"gateway/internal/identity"
)

const defaultCacheSize = 16384

// Cache holds users as they are in the store. A change drops the user after it
// was written; a load that overlaps a change is not kept, since it may have
// read what was there before.
type Cache struct {
	Size int // how many users at most; 0 means 16384

	mu      sync.RWMutex
	users   map[string]held
	changes uint64 // how many there have been
}

// held is a user in memory, and when a sign-in by password was last written.
type held struct {
	user   identity.User
	signIn time.Time // zero: not by this process, or not since a change
}

// User returns a user by id, or ErrNone. It is what the check asks: it answers
// from memory where it can, and never with what a change has replaced that
// returned before the call. The groups are shared: callers do not change them.
func (r *Register) User(ctx context.Context, id string) (identity.User, error) {
	u, changes, ok := r.Cache.look(id)
	if ok {
		return u, nil
	}
	a, err := r.Store.Account(ctx, id)
	if err != nil {
		return identity.User{}, err
	}
	r.Cache.keep(a.User, changes)
	return a.User, nil
}

func (c *Cache) size() int {
	if c.Size > 0 {
		return c.Size
	}
	return defaultCacheSize
}

// look returns the user, or how many changes there had been when it was missing.
func (c *Cache) look(id string) (u identity.User, changes uint64, ok bool) {
	if c == nil {
		return identity.User{}, 0, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	h, ok := c.users[id]
	return h.user, c.changes, ok
}

// keep holds a user that was read from the store, unless something has changed
// since look. Of a full cache it gives up any other user.
func (c *Cache) keep(u identity.User, changes uint64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return
	}
	if c.users == nil {
		c.users = make(map[string]held)
	}
	h, known := c.users[u.ID]
	if !known && len(c.users) >= c.size() {
		for id := range c.users {
			delete(c.users, id)
			break
		}
	}
	h.user = u
	c.users[u.ID] = h
}

// signedIn returns when a sign-in of the user was last written.
func (c *Cache) signedIn(id string) time.Time {
	if c == nil {
		return time.Time{}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.users[id].signIn
}

// signIn notes that a sign-in of a user who is held was written.
func (c *Cache) signIn(id string, at time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, ok := c.users[id]; ok {
		h.signIn = at
		c.users[id] = h
	}
}

// drop forgets a user who may have changed.
func (c *Cache) drop(id string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.users, id)
}
