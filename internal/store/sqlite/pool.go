package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// pool is a pool of connections with the statements that were prepared for it.
type pool struct {
	db    *sql.DB
	watch Watcher

	mu    sync.RWMutex
	stmts map[string]statement // by their text
}

func newPool(db *sql.DB) *pool { return &pool{db: db, stmts: make(map[string]statement)} }

// statement is a *sql.Stmt that is kept: whoever asks for it leaves it open.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
	Close() error
}

// stmt returns the prepared statement of a constant text.
func (p *pool) stmt(ctx context.Context, query string) (statement, error) {
	p.mu.RLock()
	st, ok := p.stmts[query]
	p.mu.RUnlock()
	if ok {
		return st, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if st, ok := p.stmts[query]; ok {
		return st, nil
	}
	st, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	p.stmts[query] = st
	return st, nil
}

// row asks for at most one row.
func (p *pool) row(ctx context.Context, query string, args ...any) scanner {
	if p.watch == nil {
		return p.ask(ctx, query, args...)
	}
	began := p.watch.begin()
	return timed{p.ask(ctx, query, args...), p.watch, ctx, began}
}

func (p *pool) ask(ctx context.Context, query string, args ...any) scanner {
	st, err := p.stmt(ctx, query)
	if err != nil {
		return failed{err}
	}
	return st.QueryRowContext(context.WithoutCancel(ctx), args...) // it takes microseconds; to watch a context takes as many
}

// rows asks for rows and calls each for every one of them.
func (p *pool) rows(ctx context.Context, each func(scanner) error, query string, args ...any) (err error) {
	began := p.watch.begin()
	defer func() { p.watch.end(ctx, Read, began, err) }()
	st, err := p.stmt(ctx, query)
	if err != nil {
		return err
	}
	return eachRow(ctx, st, each, args)
}

// eachRow calls each for every row that a statement gives.
func eachRow(ctx context.Context, st statement, each func(scanner) error, args []any) (err error) {
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, st := range p.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, p.db.Close())...)
}

// scanner is a row, or what came instead of one.
type scanner interface{ Scan(dest ...any) error }

// failed is a row that could not be asked for.
type failed struct{ err error }

// Scan returns why.
func (f failed) Scan(...any) error { return f.err }

// list is a list of texts, kept as JSON.
type list []string

// text returns the list as it is kept.
func (l list) text() (string, error) {
	if len(l) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal([]string(l))
	return string(b), err
}

// Scan reads what text has written.
func (l *list) Scan(kept any) error {
	text, ok := kept.(string)
	if !ok {
		return fmt.Errorf("a list is kept as %T", kept)
	}
	*l = nil
	if text == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(text), (*[]string)(l))
}
