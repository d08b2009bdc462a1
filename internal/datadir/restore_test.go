package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gateway/internal/datadir"
)

// files lists what is below a folder.
func files(t *testing.T, path string) []string {
	t.Helper()
	var all []string
	if err := filepath.WalkDir(path, func(at string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(path, at)
			all = append(all, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// staged is an open data folder with a stage that is complete.
func staged(t *testing.T) (*datadir.Dir, string, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	if err := os.Mkdir(filepath.Join(path, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	stage, err := d.Stage()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gateway.db", "keys/pepper", "keys/salt"} {
		if err := datadir.Put(stage, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return d, path, stage
}

var complete = []string{"gateway.db", "keys/pepper", "keys/salt", "lock"}

func TestRestore(t *testing.T) {
	d, path, stage := staged(t)
	if err := d.Commit(stage); err != nil {
		t.Fatal(err)
	}
	if got := files(t, path); !slices.Equal(got, complete) {
		t.Errorf("the folder has %q, want %q", got, complete)
	}
	info, err := os.Stat(filepath.Join(path, "keys"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("keys: %v, %v", info.Mode(), err)
	}
	if key, err := d.File("pepper", nil); err != nil || string(key) != "keys/pepper" {
		t.Errorf("pepper = %q, %v", key, err)
	}
}

// Wherever a restore is killed, the next to open the folder finds all or nothing
// of it.
func TestRestoreThatIsKilled(t *testing.T) {
	for _, row := range []struct {
		story  string
		before func(t *testing.T, path, stage string)
		want   []string
	}{
		{"before it counts", func(*testing.T, string, string) {}, []string{"lock"}},
		{"when it counts", func(t *testing.T, path, stage string) { rename(t, stage, filepath.Join(path, ".restored")) }, complete},
		{"half moved", func(t *testing.T, path, stage string) {
			rename(t, filepath.Join(stage, "gateway.db"), filepath.Join(path, "gateway.db"))
			rename(t, stage, filepath.Join(path, ".restored"))
		}, complete},
		{"all moved", func(t *testing.T, path, stage string) {
			rename(t, filepath.Join(stage, "gateway.db"), filepath.Join(path, "gateway.db"))
			rename(t, filepath.Join(stage, "keys"), filepath.Join(path, "keys"))
			rename(t, stage, filepath.Join(path, ".restored"))
		}, complete},
	} {
		t.Run(row.story, func(t *testing.T) {
			d, path, stage := staged(t)
			row.before(t, path, stage)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			if got := files(t, path); !slices.Equal(got, row.want) {
				t.Errorf("the folder has %q, want %q", got, row.want)
			}
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// What holds something is not restored into.
func TestRestoreTakesNothingAway(t *testing.T) {
	for _, name := range []string{"gateway.db", "gateway.db-wal", "keys/pepper", "audit/head", "note"} {
		path := filepath.Join(t.TempDir(), "data")
		d := open(t, path)
		if err := datadir.Put(path, name, []byte("mine")); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Stage(); !errors.Is(err, datadir.ErrNotEmpty) {
			t.Errorf("Stage beside %s = %v, want ErrNotEmpty", name, err)
		}
		if got, want := files(t, path), []string{name, "lock"}; len(got) != len(want) {
			t.Errorf("the folder has %q, want %q", got, want)
		}
	}
}
