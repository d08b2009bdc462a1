// Package backup is what a gateway leaves for a day on which its disk is gone:
// one file with a copy of the store, and another, sealed by a passphrase, with
// the keys that the store cannot do without.
//
// A backup is exactly what Write makes. Whatever is cut off, changed or added is
// found by Read, before anything is made of it; sums tell damage, not a forger,
// who can make new ones.
package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gateway/internal/strictjson"
)

// ErrDamaged says that a file is no backup, or not whole any more.
var ErrDamaged = errors.New("backup: not a whole backup")

// format is that of the files which this package writes.
const format = 1

// The parts of a backup, in order. The store's name is that of its file.
const (
	manifestName = "manifest.json"
	sumName      = "sha256" // of all that stands before it
)

// maxManifest bounds what is read before its sum is known.
const maxManifest = 64 << 10

// Manifest says what a backup is of.
type Manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Program string    `json:"program"` // the version that made it
	URL     string    `json:"url"`
	Store   string    `json:"store"` // the name of the store's file
	SHA256  string    `json:"sha256"`
	Keys    string    `json:"keys"` // which keys belong to it: Keys.ID
}

// Write writes a backup of a store, which nobody changes meanwhile.
func Write(w io.Writer, m Manifest, store io.ReadSeeker) error {
	m.Format, m.Made = format, m.Made.UTC().Truncate(time.Second)
	sum := sha256.New()
	if _, err := io.Copy(sum, store); err != nil {
		return fmt.Errorf("read the store's copy: %w", err)
	}
	m.SHA256 = hex.EncodeToString(sum.Sum(nil))
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return write(w, m, append(text, '\n'), store)
}

func write(w io.Writer, m Manifest, manifest []byte, store io.ReadSeeker) error {
	size, err := store.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := store.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	t := tar.NewWriter(io.MultiWriter(w, sum))
	part := func(name string, size int64) error {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: m.Made, Format: tar.FormatPAX})
	}
	if err := part(manifestName, int64(len(manifest))); err != nil {
		return err
	}
	if _, err := t.Write(manifest); err != nil {
		return err
	}
	if err := part(m.Store, size); err != nil {
		return err
	}
	if _, err := io.Copy(t, store); err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	line := hex.EncodeToString(sum.Sum(nil)) + "\n"
	if err := part(sumName, int64(len(line))); err != nil {
		return err
	}
	if _, err := io.WriteString(t, line); err != nil {
		return err
	}
	return t.Close()
}

// Read takes the store out of a backup into a folder, as a new file of mode
// 0600. Unless the backup is whole to the last byte, it is ErrDamaged, and what
// lies in the folder counts for nothing.
func Read(file *os.File, folder, store string) (Manifest, error) {
	info, err := file.Stat()
	if err != nil {
		return Manifest{}, err
	}
	all := sha256.New()
	whole := io.TeeReader(file, all)
	t := tar.NewReader(whole)
	manifest, m, err := readManifest(t, store)
	if err != nil {
		return Manifest{}, err
	}
	h, err := t.Next()
	if err != nil || h.Name != store || h.Typeflag != tar.TypeReg || h.Size > info.Size() {
		return Manifest{}, fmt.Errorf("%w: there is no %s", ErrDamaged, store)
	}
	f, err := os.OpenFile(filepath.Join(folder, store), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // a constant name in our own folder
	if err != nil {
		return Manifest{}, err
	}
	defer func() { _ = f.Close() }() // it was synced
	if _, err := io.CopyN(f, t, h.Size); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return Manifest{}, fmt.Errorf("%w: it ends too soon", ErrDamaged)
	} else if err != nil {
		return Manifest{}, fmt.Errorf("take out the store: %w", err)
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return Manifest{}, fmt.Errorf("read the backup: %w", err)
	}
	again := sha256.New()
	if err := write(again, m, manifest, f); err != nil {
		return Manifest{}, err
	}
	if [32]byte(all.Sum(nil)) != [32]byte(again.Sum(nil)) {
		return Manifest{}, fmt.Errorf("%w: its sums do not fit", ErrDamaged)
	}
	return m, f.Sync()
}

func readManifest(t *tar.Reader, store string) ([]byte, Manifest, error) {
	h, err := t.Next()
	if err != nil || h.Name != manifestName || h.Size > maxManifest {
		return nil, Manifest{}, fmt.Errorf("%w: it does not begin like one", ErrDamaged)
	}
	text, err := io.ReadAll(t)
	if err != nil {
		return nil, Manifest{}, fmt.Errorf("%w: it ends too soon", ErrDamaged)
	}
	var of struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &of); err == nil && of.Format > format {
		return nil, Manifest{}, fmt.Errorf("%w: it was made by a newer gateway (format %d)", ErrDamaged, of.Format)
	}
	var m Manifest
	if err := strictjson.Unmarshal(text, &m); err != nil || m.Format != format || m.Store != store {
		return nil, Manifest{}, fmt.Errorf("%w: what it says of itself cannot be read", ErrDamaged)
	}
	return text, m, nil
}
