package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The bounds of a book: at most 1 GiB.
const (
	maxFile  = 16 << 20 // bytes of a file
	maxFiles = 64
)

// Book is the book on the disk: files in a folder of its own, one JSON object a
// line. Each line has a number and a MAC over itself and the line before, so
// that without the key none can be changed, put in, taken out or moved; head,
// beside them, says how far they go, so that none can be cut off. Full files
// give way to new ones, and the oldest go.
//
// What strangers can cause is bounded: lines beyond that are counted and left
// out. It is safe for concurrent use, and one process has it open.
type Book struct {
	dir   string
	key   []byte
	chain chain // used under mu
	limit int64
	keep  int
	now   func() time.Time

	mu     sync.Mutex // of all below
	file   *os.File
	number int    // of the file
	size   int64  // of its whole lines
	torn   bool   // behind size there is half a line, which has to go first
	first  uint64 // the oldest line that is kept
	seq    uint64 // of the last line
	last   string // its MAC
	synced uint64 // how far lines are on the disk
	bounds [classes]bound

	turn chan struct{} // held by the one who syncs
	head *headFile
}

// Options say how a book is kept. The zero value is how the program does it.
type Options struct {
	FileSize int64 // bytes after which a new file begins; 0 is 16 MiB
	Files    int   // how many are kept; 0 is 64
	Now      func() time.Time
}

// Write writes a line and returns it with its number and MAC. One about what
// was done is on the disk then; one about a refusal is written, and synced by
// Keep. A line that is left out has no number. After an error the line is not
// in the book, or it cannot be told whether it would survive a power cut.
func (b *Book) Write(e Event) (Line, error) {
	c := classOf(e)
	b.mu.Lock()
	l, err := b.write(e, c)
	b.mu.Unlock()
	if err != nil || c != unbound {
		return l, err
	}
	return l, b.sync(l.Seq)
}

func (b *Book) write(e Event, c class) (Line, error) {
	bound := &b.bounds[c]
	if !bound.take(b.now()) {
		return Line{}, nil
	}
	if err := b.confess(bound); err != nil {
		return Line{}, err
	}
	l := Line{Event: e}
	return l, b.put(&l)
}

// confess says how many lines were left out.
func (b *Book) confess(bound *bound) error {
	if bound.suppressed == 0 {
		return nil
	}
	if err := b.put(&Line{Event: Event{Kind: Suppressed}, Count: bound.suppressed}); err != nil {
		return err
	}
	bound.suppressed = 0
	return nil
}

// put writes a line, which gets the next number, in a new file if this one is
// full.
func (b *Book) put(l *Line) error {
	if b.size >= b.limit {
		if err := b.rotate(); err != nil {
			return err
		}
	}
	return b.append(l)
}

// append writes a line into the file as it is, whole or not at all.
func (b *Book) append(l *Line) error {
	if b.file == nil {
		return errors.New("audit: the book is closed")
	}
	if b.torn {
		if err := b.file.Truncate(b.size); err != nil {
			return fmt.Errorf("audit: half a line: %w", err)
		}
		b.torn = false
	}
	l.Seq, l.Time = b.seq+1, b.now().UTC().Truncate(time.Microsecond)
	text, err := l.text(b.chain, b.last)
	if err != nil {
		return err
	}
	if _, err := b.file.WriteAt(text, b.size); err != nil {
		b.torn = true
		return fmt.Errorf("audit: %w", err)
	}
	b.size += int64(len(text))
	b.seq, b.last = l.Seq, l.MAC
	return nil
}

// rotate begins a new file. The chain goes on in it: its first line says where.
func (b *Book) rotate() error {
	if err := b.file.Sync(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	b.synced = b.seq
	if err := b.head.remember(head{First: b.first, Seq: b.seq, MAC: b.last}); err != nil {
		return err
	}
	full, size := b.file, b.size
	fresh, err := create(b.path(b.number + 1))
	if err != nil {
		return err
	}
	b.file, b.size = fresh, 0
	if err := b.append(&Line{Event: Event{Kind: Opened}, Previous: b.last}); err != nil {
		b.file, b.size, b.torn = full, size, false
		return errors.Join(err, fresh.Close(), os.Remove(fresh.Name()))
	}
	b.number++
	return errors.Join(full.Close(), syncFolder(b.dir), b.drop())
}

// create makes a file of the book.
func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // G304: the folder is the operator's choice
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return f, nil
}

// drop removes files that are too many. The head says first that they are gone.
func (b *Book) drop() error {
	numbers, err := files(b.dir)
	if err != nil || len(numbers) <= b.keep {
		return err
	}
	old, kept := numbers[:len(numbers)-b.keep], numbers[len(numbers)-b.keep]
	begins, err := firstLine(b.path(kept))
	if err != nil {
		return err
	}
	b.first = begins.Seq
	if err := b.head.remember(head{First: b.first}); err != nil {
		return err
	}
	if err := b.head.sync(); err != nil {
		return err
	}
	for _, number := range old {
		if err := os.Remove(b.path(number)); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

func (b *Book) path(number int) string { return filepath.Join(b.dir, fileName(number)) }

// sync returns once the line of that number is on the disk. Whoever has the
// turn syncs for all who wait.
func (b *Book) sync(seq uint64) error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	f, upto, last, done := b.file, b.seq, b.last, b.synced >= seq
	b.mu.Unlock()
	if done {
		return nil
	}
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // a file that was closed meanwhile was synced before
		return fmt.Errorf("audit: %w", err)
	}
	b.mu.Lock()
	b.synced = max(b.synced, upto)
	first := b.first
	b.mu.Unlock()
	return b.head.remember(head{First: first, Seq: upto, MAC: last})
}

// Keep brings what Write did not wait for to the disk, every second until the
// context ends, and says now and then how many lines were left out. It tells
// what goes wrong.
func (b *Book) Keep(ctx context.Context, wrong func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := b.settle(i%60 == 0); err != nil {
			wrong(err)
		}
	}
}

// settle brings everything to the disk.
func (b *Book) settle(confess bool) error {
	b.mu.Lock()
	var err error
	for i := range b.bounds {
		if confess {
			err = errors.Join(err, b.confess(&b.bounds[i]))
		}
	}
	seq := b.seq
	b.mu.Unlock()
	return errors.Join(err, b.sync(seq))
}

// Close brings everything to the disk and closes the book.
func (b *Book) Close() error {
	err := b.settle(true)
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	defer b.mu.Unlock()
	err = errors.Join(err, b.head.sync(), b.head.file.Close(), b.file.Close())
	b.file = nil
	return err
}
