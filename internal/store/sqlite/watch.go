package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Operation is a kind of work of the store.
type Operation string

// The operations. A write is timed until it is on the disk, its turn included.
const (
	Read  Operation = "read"
	Write Operation = "write"
)

// Watcher is told of each operation when it has ended. The error is nil unless
// the engine or the disk is to blame: that a row is not there is an answer.
type Watcher func(ctx context.Context, op Operation, began time.Time, err error)

// Watch has every operation told from now on. It is called before the first.
func (s *Store) Watch(w Watcher) { s.read.watch, s.write.watch = w, w }

// begin is when an operation that is watched begins.
func (w Watcher) begin() time.Time {
	if w == nil {
		return time.Time{}
	}
	return time.Now()
}

// end tells of an operation. That nobody waits for it any more is not the
// store's failure.
func (w Watcher) end(ctx context.Context, op Operation, began time.Time, err error) {
	if w == nil {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	w(ctx, op, began, err)
}

// timed is a row whose reading is watched to its end.
type timed struct {
	scanner
	watch Watcher
	ctx   context.Context // of this one operation
	began time.Time
}

// Scan reads the row and tells how long asking for it took.
func (t timed) Scan(dest ...any) error {
	err := t.scanner.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		t.watch.end(t.ctx, Read, t.began, nil)
		return err
	}
	t.watch.end(t.ctx, Read, t.began, err)
	return err
}
