package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/once"
	"gateway/internal/store/sqlite"
	"gateway/sessions"
)

// told is what a watcher was told, by operation.
type told struct {
	mu            sync.Mutex
	times, errors map[sqlite.Operation]int
}

func (w *told) watch(_ context.Context, op sqlite.Operation, began time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.times == nil {
		w.times, w.errors = map[sqlite.Operation]int{}, map[sqlite.Operation]int{}
	}
	if began.IsZero() {
		op = "without a beginning"
	}
	w.times[op]++
	if err != nil {
		w.errors[op]++
	}
}

// Every operation is told once; that a row is not there or was there before is
// an answer, not an error.
func TestWatch(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var w told
	s.Watch(w.watch)
	wants := func(story string, reads, writes, errs int) {
		t.Helper()
		if w.times[sqlite.Read] != reads || w.times[sqlite.Write] != writes || w.errors[sqlite.Read]+w.errors[sqlite.Write] != errs || len(w.times) > 2 {
			t.Errorf("%s: told of %v, errors %v; want %d reads, %d writes, %d errors", story, w.times, w.errors, reads, writes, errs)
		}
	}
	if _, err := s.Session(t.Context(), "none"); !errors.Is(err, sessions.ErrNone) {
		t.Error(err)
	}
	if _, err := s.Accounts(t.Context()); err != nil {
		t.Error(err)
	}
	wants("reads", 2, 0, 0)
	if err := s.Take(t.Context(), [32]byte{1}, start); err != nil {
		t.Error(err)
	}
	if err := s.Take(t.Context(), [32]byte{1}, start); !errors.Is(err, once.ErrSpent) {
		t.Error(err)
	}
	wants("writes", 2, 2, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Accounts(ctx); err == nil {
		t.Error("a read that nobody waits for")
	}
	wants("given up", 3, 2, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(t.Context(), "none"); err == nil || errors.Is(err, sessions.ErrNone) {
		t.Error(err)
	}
	if err := s.Take(t.Context(), [32]byte{2}, start); err == nil {
		t.Error("written to a closed store")
	}
	wants("closed", 4, 3, 2)
}

// Sessions count while they and their parents are within their limits.
func TestCountSessions(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := identity.Key{Issuer: "i", Subject: "s"}
	err = s.CreateUser(t.Context(), accounts.Account{User: identity.User{ID: "u", Login: "u", Status: identity.Active}}, accounts.Link{Key: key, UserID: "u"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := start
	for _, n := range []sessions.Session{
		{ID: "live", Expires: now.Add(time.Hour), Seen: now},
		{ID: "live app", Parent: "live", Expires: now.Add(time.Hour), Seen: now.Add(-time.Hour)},
		{ID: "live app, over", Parent: "live", Expires: now, Seen: now},
		{ID: "idle", Expires: now.Add(time.Hour), Seen: now.Add(-10 * time.Minute)},
		{ID: "idle app", Parent: "idle", Expires: now.Add(time.Hour), Seen: now},
		{ID: "over", Expires: now, Seen: now},
	} {
		n.UserID, n.Key = "u", key
		if err := s.CreateSession(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	portal, apps, err := s.CountSessions(t.Context(), now, 10*time.Minute)
	if portal != 1 || apps != 1 || err != nil {
		t.Errorf("CountSessions = %d at the portal, %d at apps, %v; want 1, 1", portal, apps, err)
	}
}

// Who writes does not wait until thousands of sessions are removed: they go in
// several steps, all of them in the end.
func TestManyExpiredSessions(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := identity.Key{Issuer: "i", Subject: "s"}
	err = s.CreateUser(t.Context(), accounts.Account{User: identity.User{ID: "u", Login: "u", Status: identity.Active}}, accounts.Link{Key: key, UserID: "u"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const many = 2100
	put := func(n sessions.Session) {
		n.UserID, n.Key = "u", key
		if err := s.CreateSession(t.Context(), n); err != nil {
			t.Error(err)
		}
	}
	put(sessions.Session{ID: "live", Expires: start.Add(time.Hour), Seen: start})
	var putting sync.WaitGroup
	for part := range 30 {
		putting.Go(func() {
			for i := range many / 30 {
				id := fmt.Sprint(part, "-", i)
				put(sessions.Session{ID: "idle " + id, Expires: start.Add(time.Hour), Seen: start.Add(-time.Hour)})
				put(sessions.Session{ID: "child " + id, Parent: "idle " + id, Expires: start.Add(time.Hour), Seen: start})
				put(sessions.Session{ID: "over " + id, Parent: "live", Expires: start, Seen: start})
			}
		})
	}
	putting.Wait()
	var w told
	s.Watch(w.watch)
	if n, err := s.DeleteExpiredSessions(t.Context(), start, time.Hour); n != 3*many || err != nil {
		t.Errorf("DeleteExpiredSessions = %d, %v; want %d", n, err, 3*many)
	}
	if got := w.times[sqlite.Write]; got != 4 {
		t.Errorf("it wrote %d times, want 4", got)
	}
	if left, err := s.Sessions(t.Context(), ""); err != nil || len(left) != 1 || left[0].ID != "live" {
		t.Errorf("%d sessions are left, %v; want the one that lives", len(left), err)
	}
}
