// Package sqlite is the embedded store: one SQLite file in the data folder
// that keeps users, sessions and what may be used once. Its Store fills the
// seams of accounts, localauth, sessions, providers and throttle; each has a
// file of its own here, with the SQL beside the method that runs it.
//
// Reads go to a few connections, writes to one. Writes that wait for each
// other are committed together (writer), and a method that writes returns when
// what it wrote is on the disk. Times are kept as microseconds in UTC.
//
// Where a row is not there a method returns the room's sentinel. Any other
// error means that it cannot tell. The file has one owner: the process that
// holds the data folder.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver, by the name "sqlite"
)

// FileName is the name of the database in the data folder.
const FileName = "gateway.db"

const readers = 4

// Store is an open database. It is safe for concurrent use.
type Store struct {
	read  *pool
	write *writer
}

// Open opens the database in the folder, makes it (mode 0600) if there is
// none, and brings its schema up to date. A schema newer than this program's
// is refused.
func Open(ctx context.Context, dir string) (*Store, error) {
	path, err := filepath.Abs(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", FileName, err)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	write, err := connect(path, "cache_size(-16000)", 1) // 16 MB, once as much is written: uses of many sessions are all over the file
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	read, err := connect(path, "query_only(1)", readers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	s := &Store{read: newPool(read), write: newWriter(write)}
	if err := migrate(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// private makes the file if need be and takes it away from other accounts.
// SQLite gives the same mode to the files that it puts beside it.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// connect returns a pool of connections to the file, with one more pragma.
func connect(path, pragma string, size int) (*sql.DB, error) {
	q := url.Values{
		"_txlock":   {"immediate"},
		"_dqs":      {"0"}, // "x" is a column, never a text
		"_error_rc": {"1"},
		"_pragma": {
			"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			"journal_size_limit(67108864)", "trusted_schema(0)",
		},
	}
	if pragma != "" {
		q.Add("_pragma", pragma)
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// Close waits for what is under way and closes the database.
func (s *Store) Close() error {
	return errors.Join(s.read.close(), s.write.close())
}

// Ping returns nil if the database can be read, and written if the last write
// failed.
func (s *Store) Ping(ctx context.Context) error {
	var version int
	if err := s.read.row(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return fmt.Errorf("sqlite: read: %w", err)
	}
	if !s.write.failing.Load() {
		return nil
	}
	return s.write.do(ctx, func(ctx context.Context, t tx) error {
		_, err := t.exec(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version)) // what it is already
		return err
	})
}

// micros returns the time as it is kept.
func micros(t time.Time) int64 { return t.UnixMicro() }

// fromMicros returns a time that was kept.
func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
