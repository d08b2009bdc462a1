package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotEmpty says that a folder holds something already.
var ErrNotEmpty = errors.New("the data folder is not empty")

// What is being restored is put together in a folder beside the rest, which one
// rename makes count: until then it is nothing, and from then on whoever opens
// the data folder finishes the restore.
const (
	stages   = ".restore-*"
	restored = ".restored"
)

// Stage returns a new folder inside an empty data folder, for what is restored
// to be put together in.
func (d *Dir) Stage() (string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() != "lock" && e.Name() != "lost+found" { // of the file system, where the folder is one
			return "", fmt.Errorf("%w: %s has %s; move the folder away, and keep it", ErrNotEmpty, d.path, e.Name())
		}
	}
	stage, err := os.MkdirTemp(d.path, stages) // mode 0700
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	return stage, nil
}

// Put writes a file of a stage, below the folders in its name, with mode 0600.
func Put(stage, name string, content []byte) error {
	path := filepath.Join(stage, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeWhole(path, content)
}

// Commit makes what is in a stage the content of the data folder: all of it or,
// if the process ends before, nothing.
func (d *Dir) Commit(stage string) error {
	if err := syncFolder(stage); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(stage, d.Path(restored)); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := syncFolder(d.path); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return d.settle()
}

// settle removes stages that came to nothing, and finishes a restore that counts.
func (d *Dir) settle() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), strings.TrimSuffix(stages, "*")) {
			if err := os.RemoveAll(d.Path(e.Name())); err != nil {
				return fmt.Errorf("data folder: %w", err)
			}
		}
	}
	parts, err := os.ReadDir(d.Path(restored))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for _, e := range parts {
		if err := os.Rename(filepath.Join(d.Path(restored), e.Name()), d.Path(e.Name())); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := os.Remove(d.Path(restored)); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return syncFolder(d.path)
}

func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
