package throttle

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Bounds of a table.
const (
	DefaultSlots = 65536
	minSlots     = 16 // so that each region has two
	maxSlots     = 1 << 24
	keySize      = 32
)

// Table is the table. It is used by pointer and safe for concurrent use once
// its fields are set. It is read from the store at the first attempt.
type Table struct {
	Store Store
	Key   []byte // 32 bytes; lasts, since under another key every name has other slots
	Slots int    // 0 means DefaultSlots; lasts like the key
	Now   func() time.Time

	mu    sync.Mutex
	slots []slot              // nil until read
	dirty map[uint32]struct{} // slots that differ from the store's

	writing chan struct{} // held by the one who writes
}

func (t *Table) now() int64 { return t.clock().UnixMilli() }

func (t *Table) clock() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

func (t *Table) size() int {
	if t.Slots == 0 {
		return DefaultSlots
	}
	return t.Slots
}

// valid returns what is wrong with the fields.
func (t *Table) valid() error {
	if len(t.Key) != keySize {
		return fmt.Errorf("throttle: key has %d bytes, want %d", len(t.Key), keySize)
	}
	if t.size() < minSlots || t.size() > maxSlots {
		return fmt.Errorf("throttle: %d slots, want %d to %d", t.Slots, minSlots, maxSlots)
	}
	return nil
}

// Admit charges one failure to each bucket, for Forgive to take back, and
// returns nil once the store has it. If a bucket is limited it charges none
// and returns a *Limited. Any other error means that it cannot tell; then none
// is charged either.
func (t *Table) Admit(ctx context.Context, buckets ...Bucket) error {
	if err := t.valid(); err != nil {
		return err
	}
	all := t.places(buckets)
	if err := t.charge(ctx, all); err != nil {
		return err
	}
	if err := t.flush(ctx); err != nil {
		t.drain(all, false)
		return fmt.Errorf("throttle: save: %w", err)
	}
	return nil
}

// Forgive takes back what Admit charged, after the attempt has succeeded. From
// a bucket with Clear it takes all that was ever charged. It is saved with the
// next charge; lost with a crash, it would only count as a failure.
func (t *Table) Forgive(buckets ...Bucket) {
	if t.valid() == nil {
		t.drain(t.places(buckets), true)
	}
}

// charge charges the buckets in memory, or none of them.
func (t *Table) charge(ctx context.Context, all []place) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(ctx); err != nil {
		return fmt.Errorf("throttle: load: %w", err)
	}
	now := t.now()
	var limited Limited
	for _, p := range all {
		if rest := t.limited(p, now); rest > limited.RetryAfter {
			limited = Limited{rest, p.Shuts}
		}
	}
	if limited.RetryAfter > 0 {
		return &limited
	}
	for _, p := range all {
		for _, i := range p.pair {
			t.slots[i].charge(now, p.Limit)
			t.dirty[i] = struct{}{}
		}
	}
	return nil
}

// limited returns how long a place is: for as long as both of its slots are.
func (t *Table) limited(p place, now int64) time.Duration {
	return min(t.rest(p.pair[0], now, p.Limit), t.rest(p.pair[1], now, p.Limit))
}

// Shut reports whether a bucket takes no attempt any more.
func (t *Table) Shut(ctx context.Context, b Bucket) (bool, error) {
	if err := t.valid(); err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(ctx); err != nil {
		return false, fmt.Errorf("throttle: load: %w", err)
	}
	return b.Shuts && t.limited(t.places([]Bucket{b})[0], t.now()) > 0, nil
}

// Forget takes all that was ever charged to the buckets, on somebody's word, and
// returns nil once the store has it.
func (t *Table) Forget(ctx context.Context, buckets ...Bucket) error {
	for _, b := range buckets {
		if _, err := t.Shut(ctx, b); err != nil { // which reads the table
			return err
		}
	}
	t.Forgive(buckets...)
	if err := t.Flush(ctx); err != nil {
		return fmt.Errorf("throttle: save: %w", err)
	}
	return nil
}

// rest returns how long a slot is still limited. A slot charged in what is now
// the future, since the clock was set back, counts from now on.
func (t *Table) rest(i uint32, now int64, l Limit) time.Duration {
	if t.slots[i].last > now {
		t.slots[i].last = now
		t.dirty[i] = struct{}{}
	}
	return t.slots[i].rest(now, l)
}

// drain takes one failure from each bucket, or all of it where success clears.
// What other names have added to one of its slots stays there.
func (t *Table) drain(all []place, success bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == nil {
		return
	}
	now := t.now()
	for _, p := range all {
		level := uint32(failure)
		if success && p.Clear {
			level = min(t.slots[p.pair[0]].leaked(now, p.Limit), t.slots[p.pair[1]].leaked(now, p.Limit))
		}
		for _, i := range p.pair {
			t.slots[i].drain(level)
			t.dirty[i] = struct{}{}
		}
	}
}
