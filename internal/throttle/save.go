package throttle

import (
	"context"
	"time"
)

// Flush saves what Forgive has changed, before the process ends.
func (t *Table) Flush(ctx context.Context) error {
	t.mu.Lock()
	idle := len(t.dirty) == 0
	t.mu.Unlock()
	if idle {
		return nil
	}
	return t.flush(ctx)
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
	slots := make([]slot, 2*t.size())
	for _, s := range kept {
		if int(s.Index) < len(slots) {
			slots[s.Index] = slot{s.Level, s.Last.UnixMilli()}
		}
	}
	t.slots, t.dirty, t.writing = slots, make(map[uint32]struct{}), make(chan struct{}, 1)
	return nil
}

// flush returns once the store has what was changed before the call. One
// caller at a time writes, and it writes for all who wait: the next one finds
// nothing left to write, or what could not be written.
func (t *Table) flush(ctx context.Context) error {
	select {
	case t.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.writing }()
	batch := t.batch()
	if len(batch) == 0 {
		return nil
	}
	err := t.Store.SaveSlots(ctx, batch)
	if err == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range batch {
		t.dirty[s.Index] = struct{}{}
	}
	return err
}

// batch takes what the store does not have yet.
func (t *Table) batch() []Slot {
	t.mu.Lock()
	defer t.mu.Unlock()
	batch := make([]Slot, 0, len(t.dirty))
	for i := range t.dirty {
		s := t.slots[i]
		batch = append(batch, Slot{Index: i, Level: s.level, Last: time.UnixMilli(s.last).UTC()})
	}
	clear(t.dirty)
	return batch
}
