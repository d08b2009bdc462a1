package sqlite

import (
	"context"
	"fmt"
)

// tx is the transaction that writes run in.
type tx struct{ w *writer }

// run begins, runs the jobs and commits. It returns the outcome of each job.
func (t tx) run(ctx context.Context, jobs []*job) ([]error, error) {
	if _, err := t.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return nil, err
	}
	outcomes := make([]error, len(jobs))
	for i, j := range jobs {
		var err error
		if outcomes[i], err = t.attempt(ctx, j); err != nil {
			return nil, err
		}
	}
	_, err := t.exec(ctx, `COMMIT`)
	return outcomes, err
}

// attempt runs one job. If it fails, what it did is undone and the others go
// on; the error is that of undoing it, and never one that a room would
// understand, since it is told to all of the batch.
func (t tx) attempt(ctx context.Context, j *job) (outcome, err error) {
	if _, err := t.exec(ctx, `SAVEPOINT job`); err != nil {
		return nil, err
	}
	if outcome = j.run(ctx, t); outcome != nil {
		if _, err := t.exec(ctx, `ROLLBACK TO job`); err != nil {
			return nil, fmt.Errorf("undo after %q: %w", outcome.Error(), err)
		}
	}
	_, err = t.exec(ctx, `RELEASE job`)
	return outcome, err
}

// exec runs a statement and returns how many rows it changed.
func (t tx) exec(ctx context.Context, query string, args ...any) (int, error) {
	st, err := t.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// row runs a statement that gives at most one row.
func (t tx) row(ctx context.Context, query string, args ...any) scanner {
	st, err := t.stmt(ctx, query)
	if err != nil {
		return failed{err}
	}
	return st.QueryRowContext(ctx, args...)
}

// rows runs a statement and calls each for every row.
func (t tx) rows(ctx context.Context, each func(scanner) error, query string, args ...any) error {
	st, err := t.stmt(ctx, query)
	if err != nil {
		return err
	}
	return eachRow(ctx, st, each, args)
}

// stmt returns the prepared statement of a constant text.
func (t tx) stmt(ctx context.Context, query string) (statement, error) {
	w := t.w
	if kept, ok := w.stmts[query]; ok {
		return kept, nil
	}
	if w.conn == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		w.conn, w.stmts = conn, make(map[string]statement)
	}
	fresh, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	w.stmts[query] = fresh
	return fresh, nil
}
