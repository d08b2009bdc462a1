package audit

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// headName is the file that remembers how far the book goes: a chain alone does
// not show that its end was cut off.
const headName = "head"

// headSize is that of the file: one that is overwritten whole, in one sector.
const headSize = 256

// head is what was on the disk at some moment. It is never ahead of the book.
type head struct {
	First uint64 `json:"first"` // of the oldest line that is kept
	Seq   uint64 `json:"seq"`   // of the newest
	MAC   string `json:"mac"`   // of that line
	Seal  string `json:"seal,omitempty"`
}

var errHead = errors.New("audit: head is missing or was changed")

func (h head) sealed(c chain) string {
	h.Seal = ""
	raw, _ := json.Marshal(h) // numbers and a text always encode
	return c.mac("head", raw)
}

// text writes the head in its fixed size.
func (h head) text(c chain) []byte {
	h.Seal = h.sealed(c)
	raw, _ := json.Marshal(h)
	return append(append(raw, bytes.Repeat([]byte{' '}, headSize-len(raw)-1)...), '\n')
}

// readHead reads the head of a book. One that is missing or was changed is
// errHead.
func readHead(dir string, c chain) (head, error) {
	f, err := os.Open(filepath.Join(dir, headName)) //nolint:gosec // G304: the folder is the operator's choice
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, errHead
	}
	if err != nil {
		return head{}, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, headSize))
	if err != nil {
		return head{}, fmt.Errorf("audit: %w", err)
	}
	var h head
	if json.Unmarshal(raw, &h) != nil || !hmac.Equal([]byte(h.Seal), []byte(h.sealed(c))) {
		return head{}, errHead
	}
	return h, nil
}

// headFile is the head of a book that is open.
type headFile struct {
	chain chain
	mu    sync.Mutex
	file  *os.File
	now   head
}

// openHead opens the head of a book, which says what is known of it.
func openHead(dir string, key []byte, known head) (*headFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, headName), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &headFile{chain: newChain(key), file: f, now: known}, nil
}

// remember writes what has become newer. It reaches the disk sooner or later:
// until then the head is behind the book, which is no harm.
func (f *headFile) remember(h head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.Seq < f.now.Seq {
		h.Seq, h.MAC = f.now.Seq, f.now.MAC
	}
	h.First = max(h.First, f.now.First)
	if h == f.now {
		return nil
	}
	if _, err := f.file.WriteAt(h.text(f.chain), 0); err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	f.now = h
	return nil
}

func (f *headFile) sync() error {
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("audit: head: %w", err)
	}
	return nil
}
