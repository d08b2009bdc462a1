package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// noteHead is noted where nobody can tell how far the book went.
const noteHead = "the head is missing or was changed: lines before this one may be missing"

// Open opens the book in a folder, or begins one. fresh says that its key was
// made just now: there never was a book before. Half a line at the end is cut
// off, which is what a kill leaves. Whatever else is not as it was left becomes
// a note in the book, and the chain goes on where it was: what is missing stays
// missing for whoever verifies.
func Open(dir string, key []byte, fresh bool, o Options) (*Book, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	b := &Book{
		dir: dir, key: key, chain: newChain(key), limit: cmp.Or(o.FileSize, maxFile), keep: cmp.Or(o.Files, maxFiles), now: o.Now,
		bounds: newBounds(), turn: make(chan struct{}, 1),
	}
	if b.now == nil {
		b.now = time.Now //nolint:forbidigo // the nil default itself
	}
	notes, err := b.open(fresh)
	if err != nil {
		return nil, errors.Join(err, b.abandon())
	}
	for _, note := range notes {
		if err := b.put(&Line{Event: Event{Kind: Note, Reason: note}}); err != nil {
			return nil, errors.Join(err, b.abandon())
		}
	}
	if err := b.sync(b.seq); err != nil {
		return nil, errors.Join(err, b.abandon())
	}
	return b, nil
}

// open finds where the book ends, and what to note about that.
func (b *Book) open(fresh bool) (notes []string, err error) {
	known, err := readHead(b.dir, b.chain)
	noHead := errors.Is(err, errHead)
	if err != nil && !noHead {
		return nil, err
	}
	numbers, err := files(b.dir)
	if err != nil {
		return nil, err
	}
	if noHead && (!fresh || len(numbers) > 0) {
		notes = append(notes, noteHead)
	}
	if b.head, err = openHead(b.dir, b.key, known); err != nil {
		return nil, err
	}
	found, err := b.find(numbers)
	if err != nil {
		return nil, err
	}
	notes = append(notes, found...)
	if b.first = known.First; noHead && len(numbers) > 0 {
		begins, _ := firstLine(b.path(numbers[0])) // one that cannot be read is said by Verify
		b.first = begins.Seq
	}
	if b.seq < known.Seq {
		notes = append(notes, fmt.Sprintf("lines %d to %d are missing", b.seq+1, known.Seq))
		b.seq, b.last = known.Seq, known.MAC
	}
	b.synced = known.Seq
	if b.size > 0 {
		return notes, nil
	}
	if b.file == nil {
		b.number++
		if b.file, err = create(b.path(b.number)); err != nil {
			return nil, err
		}
	}
	if len(numbers) == 0 {
		b.first = b.seq + 1
	}
	return notes, errors.Join(b.append(&Line{Event: Event{Kind: Opened}, Previous: b.last}), syncFolder(b.dir))
}

// find opens the newest file and finds the last line, which is in an older one
// if the newest has none.
func (b *Book) find(numbers []int) (notes []string, err error) {
	for i := len(numbers) - 1; i >= 0 && b.seq == 0; i-- {
		path := b.path(numbers[i])
		text, before, err := tail(path)
		if err != nil {
			return nil, err
		}
		whole := bytes.LastIndexByte(text, '\n') + 1
		if b.file == nil {
			if b.file, err = os.OpenFile(path, os.O_RDWR, 0o600); err != nil { //nolint:gosec // G304: as above
				return nil, fmt.Errorf("audit: %w", err)
			}
			b.number, b.size = numbers[i], before+int64(whole)
			if whole < len(text) {
				if err := b.file.Truncate(b.size); err != nil {
					return nil, fmt.Errorf("audit: half a line: %w", err)
				}
				notes = append(notes, fmt.Sprintf("half a line was cut off, %d bytes", len(text)-whole))
			}
		}
		unread := 0
		for rest := text[:whole]; len(rest) > 0 && b.seq == 0; {
			begin := bytes.LastIndexByte(rest[:len(rest)-1], '\n') + 1
			l, _, err := parse(rest[begin : len(rest)-1])
			if err != nil {
				unread++
			}
			b.seq, b.last = l.Seq, l.MAC
			rest = rest[:begin]
		}
		if unread > 0 {
			notes = append(notes, fmt.Sprintf("%d lines at the end of %s cannot be read", unread, filepath.Base(path)))
		}
	}
	return notes, nil
}

// tail returns the last MiB of a file, from where a line begins, and how many
// bytes are before it.
func tail(path string) (text []byte, before int64, err error) {
	f, err := os.Open(path) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	before = max(0, info.Size()-1<<20)
	text = make([]byte, info.Size()-before)
	if _, err := f.ReadAt(text, before); err != nil {
		return nil, 0, fmt.Errorf("audit: %w", err)
	}
	if before > 0 {
		begin := bytes.IndexByte(text, '\n') + 1
		text, before = text[begin:], before+int64(begin)
	}
	return text, before, nil
}

// abandon closes a book that could not be opened.
func (b *Book) abandon() error {
	var err error
	if b.file != nil {
		err = b.file.Close()
	}
	if b.head != nil {
		err = errors.Join(err, b.head.file.Close())
	}
	return err
}

func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
