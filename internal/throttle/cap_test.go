package throttle_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/throttle"
)

// What the next attempt at a bucket is told.
func shut(t *testing.T, table *throttle.Table, b throttle.Bucket) bool {
	t.Helper()
	asked, err := table.Shut(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	limited, ok := errors.AsType[*throttle.Limited](table.Admit(t.Context(), b))
	if told := ok && limited.Shut; told != asked {
		t.Errorf("Shut = %v, but the next attempt is told %v", asked, told)
	}
	return asked
}

// A cap counts failures in a row however long they take, over restarts, and
// forgets them by a success or on somebody's word alone.
func TestCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, store := newTable()
		limit := throttle.Cap(alice)
		fail := func(n int) {
			t.Helper()
			for range n {
				time.Sleep(30 * 24 * time.Hour)
				if wait := admit(t, table, limit); wait != 0 {
					t.Fatalf("told to wait %v", wait)
				}
			}
		}
		fail(99)
		table.Forgive(limit) // of a hundred, the last was right
		fail(99)
		if got, err := table.Shut(t.Context(), limit); got || err != nil {
			t.Errorf("Shut after 99 = %v, %v", got, err)
		}
		fail(1)
		if !shut(t, table, limit) {
			t.Error("not shut after a hundred")
		}
		time.Sleep(50 * 365 * 24 * time.Hour)
		if !shut(t, table, limit) {
			t.Error("time opens it")
		}
		if shut(t, table, throttle.Cap(throttle.Account("bob"))) || shut(t, table, throttle.Cap(throttle.Device("alice", "x"))) {
			t.Error("others are shut, too")
		}
		if wait := admit(t, table, alice); wait != 0 {
			t.Errorf("what forgets with time has not: told to wait %v", wait)
		}
		again := &throttle.Table{Store: store, Key: table.Key}
		if !shut(t, again, limit) {
			t.Error("a restart opens it")
		}
		again = &throttle.Table{Store: store, Key: table.Key}
		if err := again.Forget(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
		if shut(t, &throttle.Table{Store: store, Key: table.Key}, limit) {
			t.Error("shut after it was forgotten, and saved")
		}
	})
}

// Of many attempts at once no more than a hundred are let through.
func TestCapAtOnce(t *testing.T) {
	table, _ := newTable()
	passed := make(chan bool)
	for range 300 {
		go func() { passed <- table.Admit(t.Context(), throttle.Cap(alice)) == nil }()
	}
	n := 0
	for range 300 {
		if <-passed {
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d attempts are let through, want 100", n)
	}
}

// A store that cannot tell opens nothing.
func TestCapOfABrokenStore(t *testing.T) {
	table, store := newTable()
	store.breaks(errors.New("the disk is on fire"))
	if got, err := table.Shut(t.Context(), throttle.Cap(alice)); err == nil {
		t.Errorf("Shut = %v, nil", got)
	}
	if err := table.Forget(t.Context(), throttle.Cap(alice)); err == nil {
		t.Error("Forget = nil")
	}
	store.breaks(nil)
	admit(t, table, throttle.Cap(alice))
	store.breaks(errors.New("the disk is on fire"))
	if err := table.Forget(t.Context(), throttle.Cap(alice)); err == nil {
		t.Error("Forget that is not saved = nil")
	}
}
