package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
)

// maxBatch bounds how many writes share a transaction.
const maxBatch = 256

// writer is the one connection that writes. Whoever has the turn runs the
// writes of all who wait, in one transaction: each of them whole or not at
// all, and all on the disk by one sync before any of them returns.
type writer struct {
	db      *sql.DB
	watch   Watcher
	turn    chan struct{} // held by the one who runs a batch
	failing atomic.Bool   // the last write was refused by the engine or the disk

	conn  *sql.Conn            // of whoever has the turn; nil until needed
	stmts map[string]statement // of conn, by their text

	mu      sync.Mutex
	waiting []*job
}

// job is a write that waits for its turn.
type job struct {
	run    func(ctx context.Context, t tx) error
	done   chan error // receives the outcome, once
	failed bool       // the whole batch was; set before done receives
}

func newWriter(db *sql.DB) *writer {
	return &writer{db: db, turn: make(chan struct{}, 1)}
}

// do runs a write and returns its error, after which nothing of it is left, or
// nil, after which it is on the disk. A context that ends takes back a write
// that has not begun; one that has begun is waited for, so that its outcome is
// certain when do returns and caches can be told.
func (w *writer) do(ctx context.Context, run func(ctx context.Context, t tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sqlite: write: %w", err)
	}
	j, began := &job{run: run, done: make(chan error, 1)}, w.watch.begin()
	err := w.queue(ctx, j)
	switch {
	case err == nil || j.failed || refused(err):
		w.watch.end(ctx, Write, began, err)
	default:
		w.watch.end(ctx, Write, began, nil)
	}
	return err
}

// queue waits until the job has had its turn, in whoever's batch.
func (w *writer) queue(ctx context.Context, j *job) error {
	w.mu.Lock()
	w.waiting = append(w.waiting, j)
	w.mu.Unlock()
	for {
		select {
		case err := <-j.done:
			return err
		default:
		}
		select {
		case err := <-j.done:
			return err
		case <-ctx.Done():
			if w.withdraw(j) {
				return fmt.Errorf("sqlite: wait to write: %w", ctx.Err())
			}
			return <-j.done
		case w.turn <- struct{}{}:
			w.batch(context.WithoutCancel(ctx))
			<-w.turn
		}
	}
}

// withdraw reports whether the job was still waiting, and takes it away.
func (w *writer) withdraw(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting, j)
	if i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	return i >= 0
}

// batch runs the jobs that wait and tells each its outcome.
func (w *writer) batch(ctx context.Context) {
	w.mu.Lock()
	n := min(len(w.waiting), maxBatch)
	jobs := slices.Clone(w.waiting[:n])
	w.waiting = slices.Delete(w.waiting, 0, n)
	w.mu.Unlock()
	if n == 0 {
		return
	}
	outcomes, err := w.commit(ctx, jobs)
	for i, j := range jobs {
		if err != nil {
			j.failed = true
			j.done <- fmt.Errorf("sqlite: write: %w", err)
			continue
		}
		j.done <- outcomes[i]
	}
}

// commit runs the jobs in one transaction. It returns the outcome of each, or
// an error if nothing was written of any.
func (w *writer) commit(ctx context.Context, jobs []*job) ([]error, error) {
	t := tx{w}
	outcomes, err := t.run(ctx, jobs)
	if err != nil {
		w.failing.Store(true)
		if _, undone := t.exec(ctx, `ROLLBACK`); undone != nil { // the engine may have done it already
			w.disconnect()
		}
		return nil, err
	}
	w.failing.Store(slices.ContainsFunc(outcomes, refused))
	return outcomes, nil
}

// disconnect gives the connection up; the next batch makes another one.
func (w *writer) disconnect() {
	for _, st := range w.stmts {
		_ = st.Close() // of a connection that ends
	}
	if w.conn != nil {
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // so that the pool does not keep it
		_ = w.conn.Close()
	}
	w.conn, w.stmts = nil, nil
}

// close waits for the batch under way.
func (w *writer) close() error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	w.disconnect()
	return w.db.Close()
}

// refused reports whether the engine, not the room's rules, has said no.
func refused(err error) bool {
	_, ok := errors.AsType[*sqlite.Error](err)
	return ok
}
