package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// passing are the tables that a restored store has empty: sessions and one-time
// things, which may have been ended or used since the copy was made. What is not
// here is kept.
var passing = []string{"codes", "sessions", "spent", "throttle", "invitations", "guests", "app_tokens"}

// Copy writes a copy of the database in a folder to a new file, as it is at one
// moment, and looks whether the copy is sound. A gateway may run on the folder.
func Copy(ctx context.Context, dir, to string) error {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return fmt.Errorf("database %s: %w", FileName, err)
	}
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "trusted_schema(0)"}}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	if err := os.Chmod(to, 0o600); err != nil {
		return err
	}
	copied, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: to, RawQuery: "mode=ro"}).String())
	if err != nil {
		return fmt.Errorf("open %s: %w", to, err)
	}
	return errors.Join(sound(ctx, copied), copied.Close())
}

// Restored is what a restored store holds.
type Restored struct{ Users, Passwords int }

// Restore makes the copy in a folder one that a gateway can start on: sound,
// of this program's schema, and without anything that may have been ended or
// used since it was made.
func Restore(ctx context.Context, dir string) (Restored, error) {
	s, err := Open(ctx, dir)
	if err != nil {
		return Restored{}, err
	}
	var r Restored
	err = errors.Join(sound(ctx, s.write.db), s.write.do(ctx, func(ctx context.Context, t tx) error {
		for _, table := range passing {
			if _, err := t.exec(ctx, `DELETE FROM `+table); err != nil {
				return fmt.Errorf("forget %s: %w", table, err)
			}
		}
		return nil
	}))
	if err == nil {
		err = s.read.row(ctx, `SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM verifiers)`).Scan(&r.Users, &r.Passwords)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return Restored{}, fmt.Errorf("restore: %w", err)
	}
	for _, beside := range []string{"-wal", "-shm"} { // which the last to close removes
		if info, err := os.Stat(filepath.Join(dir, FileName+beside)); err == nil && info.Size() > 0 {
			return Restored{}, fmt.Errorf("restore: %s%s is left", FileName, beside)
		}
	}
	return r, nil
}

// sound has SQLite look through a whole database.
func sound(ctx context.Context, db *sql.DB) error {
	var says string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&says); err != nil {
		return fmt.Errorf("the database is not sound: %w", err)
	}
	if says != "ok" {
		return fmt.Errorf("the database is not sound: %s", says)
	}
	rows, err := db.QueryContext(ctx, `PRAGMA foreign_key_check`)
	if err != nil {
		return fmt.Errorf("the database is not sound: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is asked for below
	if rows.Next() {
		return errors.New("the database is not sound: a row belongs to one that is not there")
	}
	return rows.Err()
}
