package throttle

import (
	"context"
	"math"
	"time"
)

// Flush saves what Forgive has changed, before the process ends.
func (t *Table) Flush(ctx context.Context) error {
	t.mu.Lock()
	idle := t.slots == nil || len(t.dirty) == 0
	t.mu.Unlock()
	if idle {
		return nil
	}
	return t.flush(ctx, math.MaxUint64)
}

// load reads the table, once. The caller holds mu.
func (t *Table) load(ctx context.Context) error {
	if t.slots != nil {
		return nil
	}
	kept, err := t.Store.LoadSlots(ctx)
	if err != nil {
		return err
	}
	slots := make([]slot, t.size())
	for _, s := range kept {
		if int(s.Index) < len(slots) {
			slots[s.Index] = slot{s.Level, s.Last.UnixMilli()}
		}
	}
	t.slots, t.dirty, t.writing = slots, make(map[uint32]struct{}), make(chan struct{}, 1)
	return nil
}

// flush returns once the store has the charges up to a number. One caller at a
// time writes, and it writes for all who wait.
func (t *Table) flush(ctx context.Context, upTo uint64) error {
	select {
	case t.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.writing }()
	batch, number := t.batch(upTo)
	if len(batch) == 0 {
		return nil
	}
	err := t.Store.SaveSlots(ctx, batch)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.saved = number
		return nil
	}
	for _, s := range batch {
		t.dirty[s.Index] = struct{}{}
	}
	return err
}

// batch takes what the store does not have yet, and the number of the last
// charge in it. It is empty if the store has the charges up to upTo.
func (t *Table) batch(upTo uint64) ([]Slot, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.saved >= upTo {
		return nil, t.saved
	}
	batch := make([]Slot, 0, len(t.dirty))
	for i := range t.dirty {
		s := t.slots[i]
		batch = append(batch, Slot{Index: i, Level: s.level, Last: time.UnixMilli(s.last).UTC()})
	}
	clear(t.dirty)
	return batch, t.charges
}
