package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gateway/sessions"
)

// at is a time of these tests.
func at(minute int) time.Time { return time.Date(2030, 1, 1, 0, minute, 0, 0, time.UTC) }

func record(id, parent string) sessions.Session {
	return sessions.Session{ID: id, Parent: parent, UserID: "u-" + id[:1], Audience: wiki, Groups: []string{"g"}, AMR: []string{"fed"}, Created: at(0), Seen: at(0), Expires: at(600)}
}

// create stores records: a name, or child/parent.
func create(t testing.TB, store sessions.Store, all ...sessions.Session) {
	t.Helper()
	for _, s := range all {
		if err := store.CreateSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCachedReadsOnce(t *testing.T) {
	store := newMemory()
	create(t, store, record("a", ""), record("a1", "a"))
	c := sessions.Cached(store, 0)
	for range 10 {
		for id, want := range store.sessions {
			got, err := c.Session(t.Context(), id)
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("Session(%s) = %v, %v; want %v", id, got, err, want)
			}
		}
	}
	if store.reads > 3 { // a child is read again if it came before its parent
		t.Errorf("%d reads of the store, want at most 3", store.reads)
	}
	before := store.reads
	create(t, c, record("b", ""))
	if _, err := c.Session(t.Context(), "b"); err != nil || store.reads != before {
		t.Errorf("a new session: %v, %d reads; want none", err, store.reads-before)
	}
	for range 2 {
		if _, err := c.Session(t.Context(), "nosuch"); !errors.Is(err, sessions.ErrNone) {
			t.Errorf("unknown: %v, want ErrNone", err)
		}
	}
	if all, err := c.Sessions(t.Context(), "u-a"); len(all) != 2 || err != nil {
		t.Errorf("Sessions = %v, %v; want 2", all, err)
	}
}

// What a caller does with its slices stays with it, however long they are.
func TestCachedOwnsItsRecords(t *testing.T) {
	for _, many := range []int{1, 20} {
		c := sessions.Cached(newMemory(), 0)
		s := record("a", "")
		s.Groups, s.AMR = slices.Repeat(s.Groups, many), slices.Repeat(s.AMR, many)
		want := s
		want.Groups, want.AMR = slices.Clone(s.Groups), slices.Clone(s.AMR)
		create(t, c, s)
		s.Groups[0], s.AMR[0] = "admins", "passkey"
		if got, err := c.Session(t.Context(), "a"); err != nil || !cmp.Equal(got, want) {
			t.Errorf("of %d groups: got %v, %v; want %v", many, got, err, want)
		}
	}
}

// However many sessions there are, about as many as were asked for are held.
func TestCachedIsBounded(t *testing.T) {
	const limit, all = 64, 1000
	store := newMemory()
	c := sessions.Cached(store, limit)
	for i := range all {
		create(t, c, record(fmt.Sprint("a", i), ""))
	}
	for i := range all { // those that came last first
		if _, err := c.Session(t.Context(), fmt.Sprint("a", all-1-i)); err != nil {
			t.Fatal(err)
		}
	}
	if held := all - store.reads; held > limit || held == 0 {
		t.Errorf("%d of %d sessions were held, want some, and at most %d", held, all, limit)
	}
}

// A record that is found under another's name, and ends meanwhile, is not held.
func TestCachedMisfiled(t *testing.T) {
	store := newMemory()
	c := sessions.Cached(store, 0)
	create(t, c, record("a", ""))
	if _, err := c.DeleteSession(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	store.sessions["a"] = record("b", "")
	store.afterRead = func(string) {
		store.afterRead = nil
		if _, err := c.DeleteSession(t.Context(), "b"); err != nil {
			t.Error(err)
		}
	}
	if got, err := c.Session(t.Context(), "a"); err != nil || got.ID != "b" {
		t.Fatalf("got %v, %v; want what the store answers", got, err)
	}
	if got, err := c.Session(t.Context(), "b"); !errors.Is(err, sessions.ErrNone) {
		t.Errorf("b = %v, %v; want ErrNone", got, err)
	}
}

// Every way to end a session ends it for every reader, whatever is held.
func TestCachedDeletions(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(sessions.Store) (int, error)
		n    int
		left []string
	}{
		{"parent", func(s sessions.Store) (int, error) { return s.DeleteSession(context.Background(), "a") }, 3, []string{"b", "b1"}},
		{"child", func(s sessions.Store) (int, error) { return s.DeleteSession(context.Background(), "a1") }, 1, []string{"a", "a2", "b", "b1"}},
		{"none", func(s sessions.Store) (int, error) { return s.DeleteSession(context.Background(), "x") }, 0, []string{"a", "a1", "a2", "b", "b1"}},
		{"user", func(s sessions.Store) (int, error) { return s.DeleteSessionsOf(context.Background(), "u-a") }, 3, []string{"b", "b1"}},
		{"idle", func(s sessions.Store) (int, error) {
			if err := s.TouchSession(context.Background(), "b1", at(50)); err != nil {
				return 0, err
			}
			return s.DeleteExpiredSessions(context.Background(), at(60), time.Hour)
		}, 3, []string{"b", "b1"}},
		{"expired", func(s sessions.Store) (int, error) {
			return s.DeleteExpiredSessions(context.Background(), at(600), 1000*time.Hour)
		}, 5, nil},
	} {
		for _, held := range []bool{true, false} {
			store := newMemory()
			c := sessions.Cached(store, 0)
			create(t, c, record("a", ""), record("a1", "a"), record("a2", "a"), record("b", ""), record("b1", "b"))
			if !held {
				c = sessions.Cached(store, 0)
			}
			n, err := row.do(c)
			if n != row.n || err != nil {
				t.Errorf("%s: %d, %v; want %d", row.what, n, err, row.n)
			}
			var left []string
			for _, id := range []string{"a", "a1", "a2", "b", "b1"} {
				_, err := c.Session(t.Context(), id)
				if _, stored := store.sessions[id]; stored != (err == nil) || err != nil && !errors.Is(err, sessions.ErrNone) {
					t.Errorf("%s: Session(%s) = %v, stored: %v", row.what, id, err, stored)
				}
				if err == nil {
					left = append(left, id)
				}
			}
			if !cmp.Equal(left, row.left) {
				t.Errorf("%s: left %v, want %v", row.what, left, row.left)
			}
		}
	}
}

func TestCachedTouch(t *testing.T) {
	for _, held := range []bool{true, false} {
		store := newMemory()
		c := sessions.Cached(store, 0)
		create(t, c, record("a", ""), record("a1", "a"))
		if !held {
			c = sessions.Cached(store, 0)
		}
		if err := c.TouchSession(t.Context(), "a1", at(5)); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "a1"} {
			if got, err := c.Session(t.Context(), id); err != nil || !got.Seen.Equal(at(5)) {
				t.Errorf("Seen of %s = %v, %v; want %v", id, got.Seen, err, at(5))
			}
		}
		if err := c.TouchSession(t.Context(), "x", at(5)); !errors.Is(err, sessions.ErrNone) {
			t.Errorf("touch of none: %v, want ErrNone", err)
		}
		if err := c.TouchSessions(t.Context(), []string{"a", "x"}, at(9)); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]time.Time{"a": at(9), "a1": at(5)} {
			if got, err := c.Session(t.Context(), id); err != nil || !got.Seen.Equal(want) {
				t.Errorf("Seen of %s = %v, %v; want %v", id, got.Seen, err, want)
			}
		}
	}
}

// An error does not say that nothing was written: the next read asks the store.
func TestCachedAfterErrors(t *testing.T) {
	for _, row := range []struct {
		call string
		do   func(context.Context, sessions.Store) error
	}{
		{"delete", func(ctx context.Context, s sessions.Store) error { _, err := s.DeleteSession(ctx, "a"); return err }},
		{"delete", func(ctx context.Context, s sessions.Store) error {
			_, err := s.DeleteSessionsOf(ctx, "u-a")
			return err
		}},
		{"delete", func(ctx context.Context, s sessions.Store) error {
			_, err := s.DeleteExpiredSessions(ctx, at(600), time.Hour)
			return err
		}},
		{"touch", func(ctx context.Context, s sessions.Store) error { return s.TouchSession(ctx, "a1", at(5)) }},
		{"touch", func(ctx context.Context, s sessions.Store) error { return s.TouchSession(ctx, "a", at(5)) }},
		{"touch", func(ctx context.Context, s sessions.Store) error {
			return s.TouchSessions(ctx, []string{"a1", "a"}, at(5))
		}},
	} {
		store := newMemory()
		c := sessions.Cached(store, 0)
		create(t, c, record("a", ""), record("a1", "a"))
		store.before = func(call string) error {
			if call == row.call { // written, then lost
				store.deleteIf(func(sessions.Session) bool { return true })
				return errDown
			}
			return nil
		}
		if err := row.do(t.Context(), c); !errors.Is(err, errDown) {
			t.Errorf("%s: %v, want %v", row.call, err, errDown)
		}
		for _, id := range []string{"a1", "a"} {
			if row.call == "touch" && id == "a" {
				continue // touching a alone says nothing about its end
			}
			if got, err := c.Session(t.Context(), id); !errors.Is(err, sessions.ErrNone) {
				t.Errorf("%s: Session(%s) = %v, %v; want ErrNone", row.call, id, got, err)
			}
		}
	}
	store := newMemory()
	create(t, store, record("a", ""), record("a1", "a"))
	c := sessions.Cached(store, 0)
	store.before = func(call string) error {
		if call == "read" {
			return errDown
		}
		return nil
	}
	if err := c.TouchSession(t.Context(), "a1", at(5)); !errors.Is(err, errDown) || store.touches != 0 {
		t.Errorf("touch of what cannot be read: %v, %d writes; want %v and none", err, store.touches, errDown)
	}

	store = newMemory()
	c = sessions.Cached(store, 0)
	store.before = func(string) error { return errDown }
	if err := c.CreateSession(t.Context(), record("a", "")); !errors.Is(err, errDown) {
		t.Errorf("create: %v, want %v", err, errDown)
	}
	store.before = nil
	if _, err := c.Session(t.Context(), "a"); !errors.Is(err, sessions.ErrNone) {
		t.Errorf("created in memory alone: %v, want ErrNone", err)
	}
}

// A reader has read the record and not yet returned when it is changed.
func TestCachedLateReader(t *testing.T) {
	for _, row := range []struct {
		what, reads string
		do          func(context.Context, sessions.Store) error
		want        error
	}{
		{"deleted", "a", func(ctx context.Context, s sessions.Store) error { _, err := s.DeleteSession(ctx, "a"); return err }, sessions.ErrNone},
		{"child deleted", "a1", func(ctx context.Context, s sessions.Store) error { _, err := s.DeleteSession(ctx, "a1"); return err }, sessions.ErrNone},
		{"parent deleted", "a1", func(ctx context.Context, s sessions.Store) error { _, err := s.DeleteSession(ctx, "a"); return err }, sessions.ErrNone},
		{"user's deleted", "a1", func(ctx context.Context, s sessions.Store) error {
			_, err := s.DeleteSessionsOf(ctx, "u-a")
			return err
		}, sessions.ErrNone},
		{"expired", "a", func(ctx context.Context, s sessions.Store) error {
			_, err := s.DeleteExpiredSessions(ctx, at(600), time.Hour)
			return err
		}, sessions.ErrNone},
		{"touched", "a", func(ctx context.Context, s sessions.Store) error { return s.TouchSession(ctx, "a", at(5)) }, nil},
		{"parent touched", "a", func(ctx context.Context, s sessions.Store) error { return s.TouchSession(ctx, "a1", at(5)) }, nil},
	} {
		store := newMemory()
		create(t, store, record("a", ""), record("a1", "a"))
		c := sessions.Cached(store, 0)
		if row.reads != "a" { // the parent is held before
			if _, err := c.Session(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		done := false
		store.afterRead = func(id string) {
			if id != row.reads || done {
				return
			}
			done = true
			if err := row.do(context.Background(), c); err != nil {
				t.Errorf("%s: %v", row.what, err)
			}
		}
		if _, err := c.Session(t.Context(), row.reads); err != nil {
			t.Errorf("%s: the late reader: %v", row.what, err)
		}
		got, err := c.Session(t.Context(), row.reads)
		if !errors.Is(err, row.want) || err == nil && !got.Seen.Equal(at(5)) {
			t.Errorf("%s: the next reader: %v, %v; want %v", row.what, got, err, row.want)
		}
	}
}

// A session is created and deleted, and only then the creator gets to remember it.
func TestCachedLateCreator(t *testing.T) {
	store := newMemory()
	inner := late{store, func(outer sessions.Store) {
		if _, err := outer.DeleteSessionsOf(context.Background(), "u-a"); err != nil {
			t.Error(err)
		}
	}, new(sessions.Store)}
	c := sessions.Cached(inner, 0)
	*inner.outer = c
	create(t, c, record("a", ""))
	if _, err := c.Session(t.Context(), "a"); !errors.Is(err, sessions.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
}

// late does something between the writing of a new session, or the removal of
// those that are over, and the return.
type late struct {
	*memory

	then  func(outer sessions.Store)
	outer *sessions.Store
}

func (l late) CreateSession(ctx context.Context, s sessions.Session) error {
	err := l.memory.CreateSession(ctx, s)
	l.then(*l.outer)
	return err
}

func (l late) DeleteExpiredSessions(ctx context.Context, now time.Time, idle time.Duration) (int, error) {
	n, err := l.memory.DeleteExpiredSessions(ctx, now, idle)
	l.then(*l.outer)
	return n, err
}

// A session was used just before its idle time was over, and that is written
// while those that are over are removed: what is removed is not held any more.
func TestCachedLateUse(t *testing.T) {
	store := newMemory()
	create(t, store, record("a", ""), record("a1", "a"), record("b", ""))
	inner := late{store, func(outer sessions.Store) {
		if err := outer.TouchSessions(context.Background(), []string{"a1", "a", "b"}, at(59)); err != nil {
			t.Error(err)
		}
	}, new(sessions.Store)}
	c := sessions.Cached(inner, 0)
	*inner.outer = c
	for _, id := range []string{"a", "a1", "b"} {
		if _, err := c.Session(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.TouchSession(t.Context(), "b", at(30)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.DeleteExpiredSessions(t.Context(), at(60), time.Hour); n != 2 || err != nil {
		t.Errorf("%d are over, %v; want 2", n, err)
	}
	for _, id := range []string{"a", "a1"} {
		if got, err := c.Session(t.Context(), id); !errors.Is(err, sessions.ErrNone) {
			t.Errorf("Session(%s) = %v, %v; want ErrNone", id, got, err)
		}
	}
	if got, err := c.Session(t.Context(), "b"); err != nil || !got.Seen.Equal(at(59)) {
		t.Errorf("who lives: %v, %v; want seen %v", got, err, at(59))
	}
}

// Everything at once: what was deleted is never found by who asks later, and
// what lives is never missed.
func TestCachedStorm(t *testing.T) {
	const families, readers = 200, 8
	for _, limit := range []int{0, 64} {
		store := newMemory()
		store.afterRead = func(string) { runtime.Gosched() }
		c := sessions.Cached(store, limit)
		var dead [families]atomic.Bool // set once a deletion returned
		var done atomic.Bool
		id := func(f, child int) string { return fmt.Sprintf("%c-%d-%d", 'a'+f%20, f, child) }
		parent := func(f int) string { return fmt.Sprintf("%c-%d", 'a'+f%20, f) }
		for f := range families {
			create(t, c, record(parent(f), ""), record(id(f, 0), parent(f)), record(id(f, 1), parent(f)))
		}
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				for !done.Load() {
					f := rand.IntN(families)
					for _, sid := range []string{parent(f), id(f, rand.IntN(2))} {
						gone := dead[f].Load()
						_, err := c.Session(t.Context(), sid)
						if gone && !errors.Is(err, sessions.ErrNone) {
							t.Errorf("%s was deleted, then found: %v", sid, err)
						}
						if err != nil && !errors.Is(err, sessions.ErrNone) {
							t.Errorf("%s: %v", sid, err)
						}
						if f%2 == 1 && err != nil {
							t.Errorf("%s lives, but: %v", sid, err)
						}
					}
				}
			})
		}
		all.Go(func() {
			for i := 0; !done.Load(); i++ {
				if err := c.TouchSession(t.Context(), id(rand.IntN(families), 0), at(i%600)); err != nil && !errors.Is(err, sessions.ErrNone) {
					t.Error(err)
				}
			}
		})
		for f := 0; f < families; f += 2 { // the odd ones live
			if _, err := c.DeleteSession(t.Context(), parent(f)); err != nil {
				t.Error(err)
			}
			dead[f].Store(true)
			for range 20 {
				runtime.Gosched()
			}
		}
		done.Store(true)
		all.Wait()
		for f := range families {
			for _, sid := range []string{parent(f), id(f, 0), id(f, 1)} {
				want, stored := store.sessions[sid]
				got, err := c.Session(t.Context(), sid)
				if stored != (err == nil) || !cmp.Equal(got, want) {
					t.Errorf("%s = %v, %v; stored %v", sid, got.Seen, err, want.Seen)
				}
			}
		}
	}
}
