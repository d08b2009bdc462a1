package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gateway/internal/store/sqlite"
)

// Every table is one that a restore keeps or one that it empties: a new one has
// to be thought about.
func TestRestoreKnowsEveryTable(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	seen := 0
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		seen++
		if sqlite.Keeps(name) == sqlite.Forgets(name) {
			t.Errorf("a restore keeps table %s: %v, empties it: %v", name, sqlite.Keeps(name), sqlite.Forgets(name))
		}
	}
	if err := rows.Err(); err != nil || seen < 10 {
		t.Fatalf("%d tables, %v", seen, err)
	}
}

// A copy is of one moment, while the store is written to.
func TestCopyOfAStoreInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var hash [32]byte
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			hash[0], hash[1], hash[2] = byte(i), byte(i>>8), byte(i>>16)
			if err := s.Take(t.Context(), hash, time.Now().Add(time.Hour)); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for i := range 5 {
		to := filepath.Join(t.TempDir(), sqlite.FileName)
		if err := sqlite.Copy(t.Context(), dir, to); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(to)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("copy %d: %v, %v", i, info.Mode(), err)
		}
		if _, err := sqlite.Restore(t.Context(), filepath.Dir(to)); err != nil {
			t.Errorf("copy %d: %v", i, err)
		}
		if left, _ := filepath.Glob(to + "-*"); len(left) != 0 {
			t.Errorf("copy %d: %q are left", i, left)
		}
		if err := sqlite.Copy(t.Context(), dir, to); err == nil {
			t.Error("a copy takes the place of another file")
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Errorf("the store was not written to meanwhile: %v", err)
	}
}

// A database that is not sound is neither copied nor restored.
func TestCopyOfASpoiltStore(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, sqlite.FileName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 4096; at+4096 < len(text); at += 4096 { // but for the schema
		copy(text[at:], strings.Repeat("x", 64))
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Copy(t.Context(), dir, filepath.Join(t.TempDir(), "copy")); err == nil {
		t.Error("copied")
	}
	if _, err := sqlite.Restore(t.Context(), dir); err == nil {
		t.Error("restored")
	}
	if err := sqlite.Copy(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "copy")); err == nil {
		t.Error("nothing was copied, and that is no error")
	}
}
