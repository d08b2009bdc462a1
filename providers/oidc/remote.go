package oidc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gateway/providers"
)

const (
	firstRetry = time.Second      // after one failure
	lastRetry  = 10 * time.Second // after many
	forcedRest = 10 * time.Second // between two fetches that strangers can cause
)

var errNotYet = errors.New("not looked up yet")

// remote is something of the provider's that we keep a copy of. One fetch runs
// at a time; it is fresh for a while, then used stale while the provider
// cannot be reached; failures are followed by a rest of 1, 2, 4, 8, 10 seconds.
type remote[T any] struct {
	fetch        func(context.Context) (T, error)
	fresh, stale time.Duration
	now          func() time.Time

	mu       sync.Mutex
	value    T
	fetched  time.Time // zero: no value
	doubt    bool      // the value is due, however young
	failures int
	failed   time.Time // the last failure; zero: none
	err      error     // of the last fetch
	next     time.Time // no fetch before, after a failure
	forced   time.Time // the last forced fetch
	flight   chan struct{}
}

// load returns a value that is fresh, or else newly fetched, or else at most
// stale; the error wraps providers.ErrUnavailable.
func (r *remote[T]) load(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	usable := r.usable(now)
	due := !usable || r.doubt || now.Sub(r.fetched) >= r.fresh || now.Before(r.fetched)
	idle := r.flight == nil
	if !due || usable && !idle || idle && r.resting(now) {
		defer r.mu.Unlock()
		return r.current()
	}
	return r.run(ctx)
}

// force fetches although there is a value, at most once in forcedRest, and
// returns what is there afterwards.
func (r *remote[T]) force(ctx context.Context) (T, error) {
	r.mu.Lock()
	now := r.now()
	recent := !r.forced.IsZero() && now.Sub(r.forced).Abs() < forcedRest
	if r.flight == nil && (recent || r.resting(now)) {
		defer r.mu.Unlock()
		return r.current()
	}
	if r.flight == nil {
		r.forced = now
	}
	return r.run(ctx)
}

// suspect makes the value due: the provider behaved as if it were gone.
func (r *remote[T]) suspect(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil || r.err != nil {
		return
	}
	r.doubt, r.err, r.failed = true, err, r.now()
	r.next = r.failed.Add(firstRetry)
}

// peek returns the value without asking anybody.
func (r *remote[T]) peek() (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current()
}

// ready says whether the last fetch succeeded.
func (r *remote[T]) ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fetched.IsZero() && r.err == nil {
		return fmt.Errorf("%w: %w", providers.ErrUnavailable, errNotYet)
	}
	return r.err
}

func (r *remote[T]) lastFailed() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// run joins the fetch under way or does it; it is called with the lock held.
func (r *remote[T]) run(ctx context.Context) (T, error) {
	if flight := r.flight; flight != nil {
		r.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			var none T
			return none, fmt.Errorf("%w: %w", providers.ErrUnavailable, ctx.Err())
		}
		return r.peek()
	}
	flight := make(chan struct{})
	r.flight = flight
	r.mu.Unlock()

	var value T
	err := errors.New("fetch did not end")
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.land(value, err)
		close(flight)
	}()
	free, cancel := detached(ctx)
	defer cancel()
	value, err = r.fetch(free)
	if err != nil {
		return r.stay(err)
	}
	return value, nil
}

// stay returns the stale value, or err if there is none.
func (r *remote[T]) stay(err error) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.usable(r.now()) {
		return r.value, nil
	}
	var none T
	return none, err
}

// land notes how the fetch ended.
func (r *remote[T]) land(value T, err error) {
	now := r.now()
	r.flight, r.err = nil, err
	if err == nil {
		r.value, r.fetched, r.doubt, r.failures, r.next = value, now, false, 0, time.Time{}
		return
	}
	r.next = now.Add(min(firstRetry<<min(r.failures, 10), lastRetry))
	r.failed = now
	r.failures++
}

// resting reports whether a failure is too fresh to ask again. The clock may
// step, the rest stays short.
func (r *remote[T]) resting(now time.Time) bool {
	return now.Before(r.next) && r.next.Sub(now) <= lastRetry
}

// usable reports whether the value may be used at all. One from the future
// (the clock stepped back) may, but is due.
func (r *remote[T]) usable(now time.Time) bool {
	return !r.fetched.IsZero() && now.Sub(r.fetched) < r.stale
}

func (r *remote[T]) current() (T, error) {
	if r.usable(r.now()) {
		return r.value, nil
	}
	var none T
	if r.err == nil {
		return none, fmt.Errorf("%w: %w", providers.ErrUnavailable, errNotYet)
	}
	return none, r.err
}

// detached returns a context that ends when ctx must, but not when the person
// who happened to be first goes away: others wait for the same answer.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithCancel(free)
}
