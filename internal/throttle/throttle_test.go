package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/throttle"
)

// memory is a Store that can break.
type memory struct {
	mu    sync.Mutex
	slots map[uint32]throttle.Slot
	saves int
	err   error
}

func (m *memory) SaveSlots(ctx context.Context, slots []throttle.Slot) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.saves++
	for _, s := range slots {
		m.slots[s.Index] = s
	}
	return ctx.Err()
}

func (m *memory) LoadSlots(context.Context) ([]throttle.Slot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.slots)), m.err
}

func (m *memory) breaks(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func newTable() (*throttle.Table, *memory) {
	m := &memory{slots: make(map[uint32]throttle.Slot)}
	return &throttle.Table{Store: m, Key: make([]byte, 32)}, m
}

var alice = throttle.Account("alice")

// admit returns the wait that an attempt is told, 0 if it is let through.
func admit(t *testing.T, table *throttle.Table, buckets ...throttle.Bucket) time.Duration {
	t.Helper()
	err := table.Admit(t.Context(), buckets...)
	if limited, ok := errors.AsType[*throttle.Limited](err); ok {
		return limited.RetryAfter
	}
	if err != nil {
		t.Fatalf("Admit = %v", err)
	}
	return 0
}

const (
	right = "right"
	wrong = "wrong"
)

// The story of an account, step by step: what is waited, what is tried then,
// and how long the attempt is told to wait; 0 lets it through to its proof.
func TestAccountStory(t *testing.T) {
	steps := []struct {
		after time.Duration
		proof string
		told  time.Duration
	}{
		{0, wrong, 0},
		{0, right, 0}, // forgets the failure before it
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, right, 2 * time.Second}, // even the right one waits
		{time.Second, right, time.Second},
		{time.Second, wrong, 0},
		{0, right, 4 * time.Second},
		{4 * time.Second, wrong, 0},
		{8 * time.Second, wrong, 0},
		{16 * time.Second, wrong, 0},
		{32 * time.Second, wrong, 0},
		{64 * time.Second, wrong, 0},
		{128 * time.Second, wrong, 0},
		{256 * time.Second, wrong, 0},
		{512 * time.Second, wrong, 0},
		{0, right, 15 * time.Minute},
		{15 * time.Minute, wrong, 0},
		{0, right, 15 * time.Minute}, // it grows no more
		{15 * time.Minute, right, 0},
		{0, wrong, 0}, // five free ones again
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 2 * time.Second},
		{24 * time.Hour, wrong, 0}, // all forgotten
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 0},
		{0, wrong, 2 * time.Second},
	}
	synctest.Test(t, func(t *testing.T) {
		table, _ := newTable()
		for i, step := range steps {
			time.Sleep(step.after)
			if got := admit(t, table, alice); got != step.told {
				t.Fatalf("step %d: told to wait %v, want %v", i, got, step.told)
			}
			if step.told == 0 && step.proof == right {
				table.Forgive(alice)
			}
		}
	})
}

// What an account takes in a day, from somebody who never sleeps.
func TestGuessesInADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, _ := newTable()
		guesses := 0
		for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); {
			wait := admit(t, table, alice)
			if wait == 0 {
				guesses++
			}
			time.Sleep(wait)
		}
		if guesses > 120 {
			t.Errorf("%d guesses in a day, want at most 120", guesses)
		}
		time.Sleep(24 * time.Hour)
		for range 5 {
			if wait := admit(t, table, alice); wait != 0 {
				t.Errorf("after a day without a failure told to wait %v", wait)
			}
		}
	})
}

// One source that tries one password on many logins is stopped, others are not.
func TestSpraying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, _ := newTable()
		sprayer, other := throttle.Sources(netip.MustParseAddr("192.0.2.1")), throttle.Sources(netip.MustParseAddr("192.0.2.2"))
		tried := 0
		for tried < 1000 && admit(t, table, append(sprayer, throttle.Account(fmt.Sprint("user", tried)))...) == 0 {
			tried++
		}
		if tried != 100 {
			t.Errorf("the source was stopped after %d attempts, want 100", tried)
		}
		if wait := admit(t, table, append(other, throttle.Account("user1001"))...); wait != 0 {
			t.Errorf("another source waits %v", wait)
		}
	})
}

// A busy source whose attempts mostly succeed is never limited, nor one that
// fails now and then for years.
func TestHonestSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, _ := newTable()
		office := throttle.Sources(netip.MustParseAddr("192.0.2.1"))
		for i := range 5000 {
			if wait := admit(t, table, office...); wait != 0 {
				t.Fatalf("attempt %d waits %v", i, wait)
			}
			if i%10 != 0 {
				table.Forgive(office...)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestSources(t *testing.T) {
	for _, row := range []struct {
		a, b string
		same int // buckets in common
	}{
		{"192.0.2.1", "192.0.2.1", 1},
		{"192.0.2.1", "192.0.2.2", 0},
		{"192.0.2.1", "::ffff:192.0.2.1", 1},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 3},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", 2},
		{"2001:db8:1:2::1", "2001:db8:2:2::1", 1},
		{"2001:db8:1:2::1", "2001:db9:1:2::1", 0},
		{"fe80::1%eth0", "fe80::1%eth1", 3},
	} {
		same := 0
		for _, b := range throttle.Sources(netip.MustParseAddr(row.b)) {
			if slices.Contains(throttle.Sources(netip.MustParseAddr(row.a)), b) {
				same++
			}
		}
		if same != row.same {
			t.Errorf("%s and %s have %d buckets in common, want %d", row.a, row.b, same, row.same)
		}
	}
	if got := throttle.Sources(netip.Addr{}); len(got) != 1 {
		t.Errorf("an unknown address has buckets %v, want one", got)
	}
}

// If one bucket is limited, none is charged.
func TestLimitedChargesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, store := newTable()
		for range 5 {
			admit(t, table, alice)
		}
		bob := throttle.Account("bob")
		saves := store.saves
		for range 20 {
			if admit(t, table, bob, alice) == 0 {
				t.Fatal("alice is let through")
			}
		}
		if store.saves != saves {
			t.Errorf("%d writes for attempts that were limited", store.saves-saves)
		}
		for i := range 5 {
			if wait := admit(t, table, bob); wait != 0 {
				t.Fatalf("attempt %d of bob waits %v", i, wait)
			}
		}
	})
}

// A success of one name leaves alone what another has charged to the slot that
// they share: in so small a table alice shares one with many.
func TestSharedSlotsKeepWhatOthersCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, _ := newTable()
		table.Slots = 64
		for range 5 {
			admit(t, table, alice)
		}
		for i := range 100 {
			b := throttle.Account(fmt.Sprint(i))
			admit(t, table, b)
			table.Forgive(b)
			if admit(t, table, alice) == 0 {
				t.Fatalf("the success of name %d has forgiven alice's failures", i)
			}
		}
	})
}

func TestSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, store := newTable()
		for range 5 {
			admit(t, table, alice)
		}
		again := &throttle.Table{Store: store, Key: table.Key}
		if got, want := admit(t, again, alice), 2*time.Second; got != want {
			t.Errorf("after a restart told to wait %v, want %v", got, want)
		}
		otherKey := &throttle.Table{Store: store, Key: []byte("another key of thirty-two bytes.")}
		if got := admit(t, otherKey, alice); got != 0 {
			t.Errorf("under another key told to wait %v, want 0: the slots must depend on the key", got)
		}
	})
}

func TestFlushSavesForgiveness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, store := newTable()
		if err := table.Flush(t.Context()); err != nil || store.saves != 0 {
			t.Fatalf("Flush of a table nobody used = %v, %d writes", err, store.saves)
		}
		for range 5 {
			admit(t, table, alice)
		}
		table.Forgive(alice)
		if err := table.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		again := &throttle.Table{Store: store, Key: table.Key}
		for range 5 {
			if got := admit(t, again, alice); got != 0 {
				t.Fatalf("after a restart told to wait %v, want 0", got)
			}
		}
	})
}

// A clock that is set back by an hour makes nobody wait an hour.
func TestClockSteps(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	table, _ := newTable()
	table.Now = func() time.Time { return now }
	for range 5 {
		admit(t, table, alice)
	}
	now = now.Add(-time.Hour)
	if got, want := admit(t, table, alice), 2*time.Second; got != want {
		t.Errorf("told to wait %v, want %v", got, want)
	}
	now = now.Add(2 * time.Second)
	if got := admit(t, table, alice); got != 0 {
		t.Errorf("told to wait %v, want 0", got)
	}
}

// A store that is down lets nobody through and charges nobody.
func TestCannotTell(t *testing.T) {
	table, store := newTable()
	down := errors.New("disk is gone")
	store.breaks(down)
	if err := table.Admit(t.Context(), alice); !errors.Is(err, down) {
		t.Errorf("Admit before the table is read = %v, want %v", err, down)
	}
	store.breaks(nil)
	admit(t, table, alice)
	store.breaks(down)
	for range 20 {
		if err := table.Admit(t.Context(), alice); !errors.Is(err, down) {
			t.Fatalf("Admit = %v, want %v", err, down)
		}
	}
	store.breaks(nil)
	for i := range 4 {
		if wait := admit(t, table, alice); wait != 0 {
			t.Fatalf("attempt %d after the outage waits %v", i, wait)
		}
	}
	if wait := admit(t, table, alice); wait == 0 {
		t.Error("the sixth failure is let through")
	}
}

// What could not be saved is saved later.
func TestSavesWhatItCouldNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, store := newTable()
		for range 5 {
			admit(t, table, alice)
		}
		table.Forgive(alice)
		store.breaks(errors.New("disk is gone"))
		if table.Admit(t.Context(), throttle.Account("bob")) == nil || table.Flush(t.Context()) == nil {
			t.Fatal("saved without a disk")
		}
		store.breaks(nil)
		if err := table.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		again := &throttle.Table{Store: store, Key: table.Key}
		if wait := admit(t, again, alice); wait != 0 {
			t.Errorf("after a restart told to wait %v, want 0", wait)
		}
	})
}

func TestFieldsAreChecked(t *testing.T) {
	for name, table := range map[string]*throttle.Table{
		"no key":    {},
		"short key": {Key: make([]byte, 31)},
		"one slot":  {Key: make([]byte, 32), Slots: 1},
		"negative":  {Key: make([]byte, 32), Slots: -1},
		"huge":      {Key: make([]byte, 32), Slots: math.MaxInt32},
	} {
		if err := table.Admit(t.Context(), alice); err == nil {
			t.Errorf("%s: Admit = nil, want an error", name)
		}
		table.Forgive(alice) // does nothing
	}
}

// However many try at once, only the free ones get to their proof.
func TestConcurrentGuesses(t *testing.T) {
	table, store := newTable()
	var through atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if admit(t, table, alice) == 0 {
				through.Add(1)
			}
		})
	}
	all.Wait()
	if got := through.Load(); got != 5 {
		t.Errorf("%d of 64 guesses let through, want 5", got)
	}
	if store.saves > 5 {
		t.Errorf("%d writes for 5 charges", store.saves)
	}
}

// Attempts that wait for a write are saved together, and each is in the store
// when it is let through.
func TestConcurrentNames(t *testing.T) {
	table, store := newTable()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for range 5 {
				admit(t, table, throttle.Account(fmt.Sprint(i)))
			}
		})
	}
	all.Wait()
	again := &throttle.Table{Store: store, Key: table.Key}
	for i := range 64 {
		if admit(t, again, throttle.Account(fmt.Sprint(i))) == 0 {
			t.Errorf("name %d is let through after five failures and a restart", i)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	table, _ := newTable()
	buckets := append(throttle.Sources(netip.MustParseAddr("192.0.2.1")), alice)
	b.ReportAllocs()
	for b.Loop() {
		if err := table.Admit(b.Context(), buckets...); err != nil {
			b.Fatal(err)
		}
		table.Forgive(buckets...)
	}
}

func BenchmarkLimited(b *testing.B) {
	table, _ := newTable()
	for range 5 {
		if err := table.Admit(b.Context(), alice); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := table.Admit(b.Context(), alice); err == nil {
			b.Fatal("let through")
		}
	}
}
