package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gateway/internal/datadir"
	"gateway/internal/server"
	"gateway/sessions"
)

// The kinds of signing keys.
const (
	keysOfSessions   = "sessions"
	keysOfAssertions = "assertions"
)

// signing is the keys of one kind over time. Its file in data/keys holds them
// all, and is replaced whole before anything is signed with another one.
type signing struct {
	kind      string
	file      string
	published bool // others keep copies, which have to know a key before it signs
	dir       *datadir.Dir
	signer    *sessions.Signer

	mu   sync.Mutex
	ring sessions.Keyring
}

// open reads the keys, and makes those that are missing.
func (s *signing) open(longest time.Duration, now time.Time) error {
	text, err := s.dir.File(s.file, func() ([]byte, error) {
		fresh, err := sessions.NewKeyring(longest, now)
		if err != nil {
			return nil, err
		}
		return fresh.MarshalPEM()
	})
	if err != nil {
		return err
	}
	if s.ring, err = sessions.ParseKeyring(text); err != nil {
		return fmt.Errorf("key %s: %w; restore it from a backup", s.dir.Path(filepath.Join("keys", s.file)), err)
	}
	if s.ring.Next.ID == "" { // a key from before there were rings
		now = now.UTC().Truncate(time.Second)
		s.ring.Since, s.ring.Known, s.ring.Longest = now, now, sessions.MaxLifetime
		if s.ring.Next, err = sessions.NewKey(); err != nil {
			return err
		}
		if err := s.write(s.ring); err != nil {
			return err
		}
	}
	s.signer, err = s.ring.Signer()
	return err
}

// keep writes the keys down, and then uses them.
func (s *signing) keep(ring sessions.Keyring) error {
	if err := s.write(ring); err != nil {
		return err
	}
	s.ring = ring
	return ring.Turn(s.signer)
}

func (s *signing) write(ring sessions.Keyring) error {
	text, err := ring.MarshalPEM()
	if err != nil {
		return err
	}
	return s.dir.Replace(s.file, text)
}

// allow notes that the active key signs tokens that live so long.
func (s *signing) allow(longest time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if longest <= s.ring.Longest {
		return nil
	}
	ring := s.ring
	ring.Longest = longest
	return s.keep(ring)
}

// rotatable says whether the next key may sign by now. A time of publication
// that lies ahead, since the clock was set back, counts from now on.
func (s *signing) rotatable(now time.Time) error {
	if ready := s.ring.Ready(); s.published && now.Before(ready) && ready.Sub(now) <= sessions.PublishedFor {
		return server.AdminRefusal(fmt.Sprintf("The next key of %s is not known everywhere before %s: rotate them then, or drop the keys in use.", s.kind, instant(ready)))
	}
	return nil
}

// drop makes new keys and forgets all others: what they have signed is void.
func (s *signing) drop(longest time.Duration, now time.Time) error {
	ring, err := sessions.NewKeyring(longest, now)
	if err != nil {
		return err
	}
	ring.Known = now.UTC().Truncate(time.Second)
	return s.keep(ring)
}

func (s *signing) rotate(longest time.Duration, now time.Time) error {
	ring, err := s.ring.Rotate(longest, now)
	if err != nil {
		return err
	}
	return s.keep(ring)
}

// turn does what is due: keys that are over go, one that has signed for long
// enough is retired. It reports whether that was so.
func (s *signing) turn(longest, every time.Duration, now time.Time) (rotated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.ring.Since) >= every && s.rotatable(now) == nil {
		return true, s.rotate(longest, now)
	}
	if ring, over := s.ring.Sweep(now); over {
		return false, s.keep(ring)
	}
	return false, nil
}

// list shows the keys as the command line does.
func (s *signing) list() []server.AdminKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []server.AdminKey{
		{Kind: s.kind, ID: s.ring.Next.ID, State: "next", Since: optional(s.ring.Known)},
		{Kind: s.kind, ID: s.ring.Active.ID, State: "active", Since: optional(s.ring.Since)},
	}
	for _, r := range s.ring.Retired {
		all = append(all, server.AdminKey{Kind: s.kind, ID: r.ID, State: "retired", Since: optional(r.Since), Until: optional(r.Until)})
	}
	return all
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// longest is how long what a kind signs may live now.
func (h *house) longest(s *signing) time.Duration {
	if s.published {
		return sessions.MaxAssertion
	}
	return h.rooms.Load().config.Sessions.Lifetime
}

// keyOffice is what the command line asks about keys.
func (h *house) keyOffice() *server.Keys {
	return &server.Keys{
		List: func() []server.AdminKey {
			return slices.Concat(h.keys.sessions.list(), h.keys.assertions.list())
		},
		Rotate: h.rotateKeys,
	}
}

// rotateKeys rotates the keys of all kinds named, or of none.
func (h *house) rotateKeys(order server.AdminRotate) error {
	now := time.Now() //nolint:forbidigo // keys are stamped with the real time
	var kinds []*signing
	for _, s := range []*signing{h.keys.sessions, h.keys.assertions} {
		if !slices.Contains(order.Kinds, s.kind) {
			continue
		}
		kinds = append(kinds, s)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.rotatable(now); err != nil && !order.Drop {
			return err
		}
	}
	for _, s := range kinds {
		turn := s.rotate
		if order.Drop {
			turn = s.drop
		}
		if err := turn(h.longest(s), now); err != nil {
			return err
		}
	}
	return nil
}

// keysEvery is how often it is looked whether keys are due.
const keysEvery = time.Minute

// turnKeys rotates keys as the configuration says, until the context ends.
func (h *house) turnKeys(ctx context.Context) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		now := time.Now() //nolint:forbidigo // keys are stamped with the real time
		for _, s := range []*signing{h.keys.sessions, h.keys.assertions} {
			switch rotated, err := s.turn(h.longest(s), h.rooms.Load().config.Keys.Rotate, now); {
			case err != nil:
				h.log.Error("keys could not be rotated", slog.String("kind", s.kind), slog.Any("cause", err))
			case rotated:
				h.log.Info("keys rotated", slog.String("kind", s.kind), slog.String("kid", s.signer.KeyID()))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
