package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// steps brings a database from each schema to the next: NNN_name.sql leads to
// schema NNN, without a gap from 001 on. What was released is never changed.
//
//go:embed migrations/*.sql
var steps embed.FS

// ErrNewer says that a newer program has written the database.
var ErrNewer = errors.New("sqlite: the database was written by a newer gateway")

// migrate brings the database to this program's schema, each step in a
// transaction of its own.
func migrate(ctx context.Context, db *sql.DB) error {
	names, err := fs.Glob(steps, "migrations/*.sql") // in order
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	have, err := schema(ctx, db)
	if err != nil {
		return err
	}
	if have > len(names) {
		return fmt.Errorf("%w: it has schema %d, this one knows %d; start the newer one or restore a backup", ErrNewer, have, len(names))
	}
	for i, name := range names {
		if err := step(ctx, db, i+1, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// rower is what can be asked for a row: a database or a transaction.
type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schema returns the number of the last step that was taken.
func schema(ctx context.Context, db rower) (int, error) {
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return 0, fmt.Errorf("schema: %w", err)
	}
	return version, nil
}

// step leads to a schema, unless the database has it already.
func step(ctx context.Context, db *sql.DB, to int, name string) error {
	script, err := steps.ReadFile(name)
	if err != nil {
		return err
	}
	begun, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // after a commit it does nothing
	have, err := schema(ctx, begun)
	if err != nil || have >= to {
		return err
	}
	if _, err := begun.ExecContext(ctx, string(script)); err != nil {
		return err
	}
	if _, err := begun.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, to)); err != nil {
		return err
	}
	return begun.Commit()
}
