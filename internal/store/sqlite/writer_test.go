package sqlite_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gateway/internal/once"
)

// While another program holds the file, writes wait. Of those that are
// cancelled meanwhile, one that waits for its turn is taken back, and one that
// has begun is waited for: an error means that nothing was written.
func TestCancelledWhileTheFileIsHeld(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	db := raw(t, dir)
	holder, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make([]error, 8)
	var all sync.WaitGroup
	for i := range byte(8) {
		all.Go(func() { outcomes[i] = s.Take(ctx, [32]byte{i}, start) })
	}
	time.Sleep(100 * time.Millisecond) // so that one has begun; the test holds without
	cancel()
	time.Sleep(10 * time.Millisecond) // so that the others are back; the test holds without
	if _, err := holder.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	all.Wait()

	for i := range byte(8) {
		got, again := outcomes[i], s.Take(t.Context(), [32]byte{i}, start)
		switch {
		case got == nil && !errors.Is(again, once.ErrSpent):
			t.Errorf("write %d: nil, but it was not written: %v", i, again)
		case got != nil && (!errors.Is(got, context.Canceled) || again != nil):
			t.Errorf("write %d: %v, but it was written: %v", i, got, again)
		}
	}
}
