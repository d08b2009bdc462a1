package policy

import (
	"maps"
	"slices"
	"time"

	"gateway/internal/canonical"
)

// MaxAge returns how long ago whoever makes a request may have proved who they
// are, as its deciding rule has it; 0: however long.
func (p *Policy) MaxAge(r Request) time.Duration {
	a := p.app(r.Host)
	if a == nil {
		return 0
	}
	deciding := a.rule(r.Method, r.Path)
	if deciding == nil {
		return 0
	}
	return deciding.maxAge
}

// Doors returns the doors that the app which has a host takes; none: all.
func (p *Policy) Doors(h canonical.Host) []string {
	a := p.app(h)
	if a == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(a.origins))
}

// TakesDoor reports whether the app that has a host takes sign-ins through a door.
func (p *Policy) TakesDoor(h canonical.Host, door string) bool {
	a := p.app(h)
	return a != nil && (len(a.origins) == 0 || a.origins.has(door))
}
