package providers

import (
	"context"
	"sync"
	"time"
)

// Health says whether a provider can be used now.
type Health struct {
	ID, Name string
	Up       bool
	Err      string    // why not, for logs and admins, never for strangers; empty when up
	Failed   time.Time // when it last could not be used; zero: never, or it cannot say
}

// Health returns the state of each provider in the order of Providers. It asks
// nobody and never waits; a provider that cannot say is up.
func (f *Foreign) Health() []Health {
	all := make([]Health, 0, len(f.Providers))
	for _, n := range f.Providers {
		h := Health{ID: n.ID, Name: n.Name, Up: true}
		if c, ok := n.Provider.(Checker); ok {
			if err := c.Ready(); err != nil {
				h.Up, h.Err = false, err.Error()
			}
		}
		if f, ok := n.Provider.(Failer); ok {
			h.Failed = f.Failed()
		}
		all = append(all, h)
	}
	return all
}

// Keep lets each provider keep itself up to date and returns once the context
// is done and all of them have ended. Without it everything still works, but
// is looked up when the first person needs it.
func (f *Foreign) Keep(ctx context.Context) {
	var all sync.WaitGroup
	for _, n := range f.Providers {
		if k, ok := n.Provider.(Keeper); ok {
			all.Go(func() { k.Keep(ctx) })
		}
	}
	all.Wait()
}
