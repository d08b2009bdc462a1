// Package datadir holds what a restart needs beside the database: the folder
// itself, the lock that says who owns it, and the keys in it.
package datadir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked says that a running gateway owns the folder.
var ErrLocked = errors.New("another gateway is running on it")

// ErrLost says that a key is gone that what is stored cannot do without.
var ErrLost = errors.New("key is missing")

// Dir is an owned data folder.
type Dir struct {
	path string
	lock *os.File
}

// Open makes the folder if need be (mode 0700) and takes its lock: at most one
// process owns a folder. It refuses a folder that others may write to, and one
// that belongs to another account, whose files would become unreadable to it.
// A folder that is owned already gives ErrLocked.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w; do: make it, for user id %d alone, or name another folder by data", err, os.Geteuid())
		}
		return nil, fmt.Errorf("data folder: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return nil, fmt.Errorf("data folder %s may be written by others (mode %#o); do: chmod 0700 %s", path, perm, path)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("data folder %s belongs to user id %d, this is user id %d; do: run it as that user", path, owner.Uid, os.Geteuid())
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the folder is the operator's choice
	if err != nil {
		return nil, fmt.Errorf("data lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data folder %s: %w", path, ErrLocked)
		}
		return nil, fmt.Errorf("data lock: %w", err)
	}
	d := &Dir{path, lock}
	if err := errors.Join(d.tidy(), d.settle()); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// tidy removes keys that were being written when a process ended.
func (d *Dir) tidy() error {
	left, err := filepath.Glob(filepath.Join(d.path, "keys", halfWritten))
	if err != nil {
		return fmt.Errorf("key folder: %w", err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("key folder: %w", err)
		}
	}
	return nil
}

// Path returns the path of a name inside the folder.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Close gives the folder up.
func (d *Dir) Close() error { return d.lock.Close() }

// Secret returns the key file keys/name, made of size random bytes on first
// use. A file that is short, long, or readable by others is refused.
func (d *Dir) Secret(name string, size int) ([]byte, error) {
	key, err := d.File(name, func() ([]byte, error) {
		fresh := make([]byte, size)
		_, err := rand.Read(fresh)
		return fresh, err
	})
	if err != nil {
		return nil, err
	}
	if len(key) != size {
		return nil, fmt.Errorf("key %s has %d bytes, want %d; restore it from a backup", d.keyPath(name), len(key), size)
	}
	return key, nil
}

// Kept is Secret for a key that stored things depend on: once there is a
// store, a missing key is ErrLost and never made anew.
func (d *Dir) Kept(name string, size int, store string) ([]byte, error) {
	_, noKey := os.Stat(d.keyPath(name))
	_, noStore := os.Stat(d.Path(store))
	if errors.Is(noKey, fs.ErrNotExist) && !errors.Is(noStore, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s, though %s is there; restore it from a backup", ErrLost, d.keyPath(name), d.Path(store))
	}
	return d.Secret(name, size)
}

// File returns the content of keys/name, which generate makes on first use.
// It is written whole or not at all, with mode 0600.
func (d *Dir) File(name string, generate func() ([]byte, error)) ([]byte, error) {
	path := d.keyPath(name)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return d.create(path, generate)
	case err != nil:
		return nil, fmt.Errorf("key: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("key %s may be read by others (mode %#o); do: chmod 0600 %s, and replace it if it leaked", path, info.Mode().Perm(), path)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the path is made of our folder and a constant name
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("key %s is empty; restore it from a backup", path)
	}
	return content, nil
}

// Replace gives keys/name another content, whole or not at all: whatever moment
// the process ends at, the file holds the one or the other.
func (d *Dir) Replace(name string, content []byte) error {
	if err := writeWhole(d.keyPath(name), content); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

func (d *Dir) keyPath(name string) string { return filepath.Join(d.path, "keys", name) }

func (d *Dir) create(path string, generate func() ([]byte, error)) ([]byte, error) {
	content, err := generate()
	if err != nil {
		return nil, fmt.Errorf("make key %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("key folder: %w", err)
	}
	if err := writeWhole(path, content); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return content, nil
}

// halfWritten are the names of files that are not whole yet.
const halfWritten = ".new-*"

// writeWhole writes beside the target, syncs, and renames.
func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), halfWritten) // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}
