package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"

	"gateway/internal/audit"
	"gateway/internal/seal"
)

// The audit log's folder and key in the data folder.
const bookName = "audit"

func bookFolder(data string) string { return filepath.Join(data, bookName) }

// openBook opens the audit log. Its key is made with it, so that a key without
// a book is one whose book is gone.
func (f *foundation) openBook() error {
	folder := f.dir.Path(bookName)
	key, err := f.dir.File(bookName, func() ([]byte, error) {
		key := make([]byte, seal.KeySize)
		_, _ = rand.Read(key) // never fails
		var err error
		f.book, err = audit.Open(folder, key, true, audit.Options{})
		return key, err
	})
	if err != nil || f.book != nil {
		return err
	}
	if len(key) != seal.KeySize {
		return fmt.Errorf("key %s has %d bytes, want %d; restore it from a backup", filepath.Join(f.dir.Path("keys"), bookName), len(key), seal.KeySize)
	}
	f.book, err = audit.Open(folder, key, false, audit.Options{})
	return err
}

// keepBook brings refusals to the disk.
func (h *house) keepBook(ctx context.Context) {
	h.book.Keep(ctx, func(err error) { h.log.Error("audit lines could not be brought to the disk", slog.Any("cause", err)) })
}
