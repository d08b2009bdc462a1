package accounts_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

func TestReadsComeFromMemory(t *testing.T) {
	w := &watched{Store: newStore(t)}
	r := newRegister(t, w)
	r.Cache.Size = 4
	ids := make([]string, 20)
	for i := range ids {
		ids[i] = add(t, r, fmt.Sprint("user", i)).ID
	}
	read := func(id string) {
		t.Helper()
		if u, err := r.User(t.Context(), id); err != nil || u.ID != id {
			t.Fatalf("User(%s) = %v, %v", id, u, err)
		}
	}
	for range 10 {
		read(ids[0])
	}
	if w.loads != 1 {
		t.Errorf("%d loads for one user, want 1", w.loads)
	}
	for _, id := range ids {
		read(id)
	}
	w.loads = 0
	for _, id := range ids {
		read(id)
	}
	if w.loads < len(ids)-r.Cache.Size {
		t.Errorf("%d loads for %d users, want at least %d: the memory is bounded", w.loads, len(ids), len(ids)-r.Cache.Size)
	}
	w.loads = 0
	for range 3 {
		if _, err := r.User(t.Context(), "nobody"); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("User(nobody) = %v, want ErrNone", err)
		}
	}
	if w.loads != 3 {
		t.Errorf("%d loads of nobody, want 3: strangers are not remembered", w.loads)
	}
}

// A load that began before a change and returns after it does not bring back
// what was there before.
func TestLoadDuringChange(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(r *accounts.Register, id string) error
		want   func(u identity.User, err error) bool
	}{
		{
			"disabled", func(r *accounts.Register, id string) error {
				_, err := r.SetStatus(t.Context(), id, identity.Disabled)
				return err
			},
			func(u identity.User, err error) bool { return err == nil && u.Status == identity.Disabled },
		},
		{
			"deleted", func(r *accounts.Register, id string) error { return r.Delete(t.Context(), id) },
			func(_ identity.User, err error) bool { return errors.Is(err, accounts.ErrNone) },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := &watched{Store: newStore(t)}
			r := newRegister(t, w)
			u := add(t, r, "alice")
			w.loaded = func() {
				w.loaded = nil
				if err := row.change(r, u.ID); err != nil {
					t.Error(err)
				}
			}
			if _, err := r.User(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			if got, err := r.User(t.Context(), u.ID); !row.want(got, err) {
				t.Errorf("after the change User = %+v, %v", got, err)
			}
		})
	}
}

// A change that may or may not have been written is not hidden by the memory.
func TestChangeOfUnknownOutcome(t *testing.T) {
	w := &watched{Store: newStore(t)}
	r := newRegister(t, w)
	u := add(t, r, "alice")
	if _, err := r.User(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	w.lost = errors.New("the answer was lost")
	if _, err := r.SetStatus(t.Context(), u.ID, identity.Disabled); !errors.Is(err, w.lost) {
		t.Fatalf("SetStatus = %v, want %v", err, w.lost)
	}
	if got, err := r.User(t.Context(), u.ID); err != nil || got.Status != identity.Disabled {
		t.Errorf("User = %v, %v; want what was written", got, err)
	}
}

// Whoever reads after a change has returned sees it, under load too.
func TestReadYourWrites(t *testing.T) {
	r := newRegister(t, newStore(t))
	u := add(t, r, "alice")
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := r.User(t.Context(), u.ID); err != nil {
					t.Errorf("User = %v", err)
					return
				}
			}
		})
	}
	for i := range 40 {
		status := identity.Active
		if i%2 == 0 {
			status = identity.Disabled
		}
		if _, err := r.SetStatus(t.Context(), u.ID, status); err != nil {
			t.Fatal(err)
		}
		if got, err := r.User(t.Context(), u.ID); err != nil || got.Status != status {
			t.Fatalf("change %d: User = %v, %v; want %s", i, got.Status, err, status)
		}
	}
	close(done)
	all.Wait()
}

func BenchmarkUser(b *testing.B) {
	r := newRegister(b, newStore(b))
	id := add(b, r, "alice").ID
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.User(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.User(b.Context(), id); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
