package localauth

import (
	"context"
	"sync"
	"time"
)

// Remembered returns read for Local.Live: what it tells, read again when it is
// older than the given time. Whoever asks meanwhile waits, so that read runs
// once at a time. What cannot be read is no answer, and not remembered.
func Remembered(read func(ctx context.Context) ([]int, error), age time.Duration, now func() time.Time) func(ctx context.Context) ([]int, error) {
	var mu sync.Mutex
	var known []int
	var at time.Time // zero: not known
	return func(ctx context.Context) ([]int, error) {
		mu.Lock()
		defer mu.Unlock()
		if !at.IsZero() && now().Sub(at).Abs() < age {
			return known, nil
		}
		fresh, err := read(ctx)
		if err != nil {
			return nil, err
		}
		known, at = fresh, now()
		return known, nil
	}
}
