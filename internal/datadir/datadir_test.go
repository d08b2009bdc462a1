package datadir_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gateway/internal/datadir"
)

func open(t *testing.T, path string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(path)
	if err != nil {
		t.Fatalf("Open(%s): %v", path, err)
	}
	return d
}

func TestOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	if _, err := datadir.Open(path); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("second Open = %v, want ErrLocked", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSecretsSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	first, err := d.Secret("pepper", 32)
	if err != nil || len(first) != 32 {
		t.Fatalf("Secret = %d bytes, %v; want 32, nil", len(first), err)
	}
	other, _ := d.Secret("seal", 32)
	if bytes.Equal(first, other) {
		t.Error("two keys are the same")
	}
	_ = d.Close()
	again, err := open(t, path).Secret("pepper", 32)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("after reopen Secret = %x, %v; want %x", again, err, first)
	}
}

// A store whose pepper is gone is not served with a fresh one: every password
// would be wrong, and nobody would know why.
func TestLostKeyIsNotMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	if _, err := d.Kept("pepper", 32, "gateway.db"); err != nil {
		t.Fatalf("Kept in a new folder: %v", err)
	}
	if err := os.WriteFile(d.Path("gateway.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Kept("pepper", 32, "gateway.db"); err != nil {
		t.Errorf("Kept beside its store: %v", err)
	}
	if err := os.Remove(d.Path("keys/pepper")); err != nil {
		t.Fatal(err)
	}
	if key, err := d.Kept("pepper", 32, "gateway.db"); !errors.Is(err, datadir.ErrLost) {
		t.Errorf("Kept without the key = %x, %v; want ErrLost", key, err)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{"empty", nil, 0o600},
		{"short", make([]byte, 31), 0o600},
		{"long", make([]byte, 33), 0o600},
		{"group may read", make([]byte, 32), 0o640},
		{"world may read", make([]byte, 32), 0o604},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data")
			d := open(t, path)
			if err := os.MkdirAll(d.Path("keys"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(d.Path("keys/pepper"), row.content, row.mode); err != nil {
				t.Fatal(err)
			}
			if key, err := d.Secret("pepper", 32); err == nil {
				t.Errorf("Secret = %x, nil; want an error", key)
			}
		})
	}
}

func TestOpenFolderIsRefused(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Open(path); err == nil {
		t.Error("Open of a folder that anyone may write to = nil, want an error")
	}
}

// A key is replaced whole, and what a killed process left half written goes at
// the next start.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	if _, err := d.File("ring", func() ([]byte, error) { return []byte("one"), nil }); err != nil {
		t.Fatal(err)
	}
	if err := d.Replace("ring", []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Path("keys/.new-123"), []byte("half of a ke"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	d = open(t, path)
	got, err := d.File("ring", nil)
	if err != nil || string(got) != "two" {
		t.Errorf("after Replace File = %q, %v; want two", got, err)
	}
	info, err := os.Stat(d.Path("keys/ring"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	left, err := os.ReadDir(d.Path("keys"))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files, %v; want the one", len(left), err)
	}
}
