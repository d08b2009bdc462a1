package sqlite_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gateway/internal/store/sqlite"
)

// raw opens the file as any program could.
func raw(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func execRaw(t *testing.T, dir, query string) {
	t.Helper()
	db := raw(t, dir)
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Nobody else may read the database, nor what lies beside it.
func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, sqlite.FileName)
	if err := os.WriteFile(path, nil, 0o644); err != nil { // from a careless restore
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	if err := s.Take(t.Context(), [32]byte{1}, start); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode(); mode != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f.Name(), mode)
		}
	}
	if len(files) < 2 {
		t.Errorf("the folder holds %v, want the write-ahead log beside the database", files)
	}
}

func TestFolderNames(t *testing.T) {
	for _, name := range []string{"plain", "with space", "a?b=c&d", "100%25", "#hash", "ümlaut", "'quote"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := open(t, dir).Close(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhatIsNoDatabaseOfOursIsRefused(t *testing.T) {
	for _, row := range []struct {
		name string
		make func(t *testing.T, dir string)
		want error  // in the chain, if not nil
		says string // in the message
	}{
		{"no folder", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrNotExist, sqlite.FileName},
		{"newer schema", func(t *testing.T, dir string) {
			t.Helper()
			if err := open(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			execRaw(t, dir, `PRAGMA user_version = 999`)
		}, sqlite.ErrNewer, "schema 999"},
		{"another program's", func(t *testing.T, dir string) {
			t.Helper()
			execRaw(t, dir, `CREATE TABLE users (id INTEGER)`)
		}, nil, "001_first.sql"},
		{"no database", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, sqlite.FileName), []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, "not a database"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			row.make(t, dir)
			s, err := sqlite.Open(t.Context(), dir)
			if err == nil {
				_ = s.Close()
				t.Fatal("Open = nil, want an error")
			}
			if row.want != nil && !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("Open = %v, want %v and %q in it", err, row.want, row.says)
			}
		})
	}
}

// A step that fails leaves the schema before it.
func TestFailedStepLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	execRaw(t, dir, `CREATE TABLE throttle (made_by TEXT)`) // the last table of the first step
	if s, err := sqlite.Open(t.Context(), dir); err == nil {
		_ = s.Close()
		t.Fatal("Open = nil, want an error")
	}
	var tables, version int
	db := raw(t, dir)
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), `PRAGMA user_version`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	if tables != 1 || version != 0 {
		t.Errorf("%d tables and schema %d, want 1 and 0", tables, version)
	}
}

// Rows that somebody has spoilt are "cannot tell", not "no".
func TestSpoiltRows(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	if err := writeUser(t.Context(), s, "a"); err != nil {
		t.Fatal(err)
	}
	execRaw(t, dir, `UPDATE users SET groups = '{not a list'`)
	if a, err := s.Account(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "no such") {
		t.Errorf("Account = %v, %v; want an error that is no answer", a, err)
	}
}
