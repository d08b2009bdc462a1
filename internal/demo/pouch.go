package demo

import (
	"crypto/rand"
	"sync"
	"time"
)

// roomFor bounds how many things a pouch holds.
const roomFor = 4096

// pouch holds things under random names of 128 bits until they run out. When
// it is full something old or, failing that, anything makes room.
type pouch[T any] struct {
	mu   sync.Mutex
	held map[string]held[T]
}

type held[T any] struct {
	thing   T
	expires time.Time
}

// put keeps the thing until expires and returns its name.
func (p *pouch[T]) put(thing T, now, expires time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = make(map[string]held[T])
	}
	if len(p.held) >= roomFor {
		p.makeRoom(now)
	}
	name := rand.Text()
	p.held[name] = held[T]{thing, expires}
	return name
}

// look returns the thing of that name, if it is still good.
func (p *pouch[T]) look(name string, now time.Time) (T, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.held[name]
	return h.thing, ok && now.Before(h.expires)
}

// take returns the thing of that name, if it is still good, to the first who asks.
func (p *pouch[T]) take(name string, now time.Time) (T, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.held[name]
	delete(p.held, name)
	return h.thing, ok && now.Before(h.expires)
}

func (p *pouch[T]) makeRoom(now time.Time) {
	for name, h := range p.held {
		if !now.Before(h.expires) {
			delete(p.held, name)
		}
	}
	for name := range p.held {
		if len(p.held) < roomFor {
			return
		}
		delete(p.held, name)
	}
}
