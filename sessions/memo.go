package sessions

import (
	"hash/maphash"
	"sync"
)

// shards divide a memo so that readers on many cores do not meet.
const shards = 64

// memo is a bounded map. When a shard is full, a random entry makes place:
// no order has to be kept on the reading path.
//
// Its epochs make it coherent with what it mirrors: who reads the mirrored
// thing takes the epoch first and puts with putSince, which does nothing if
// the entry was changed or dropped meanwhile.
type memo[K comparable, V any] struct {
	shards [shards]shard[K, V]
	pick   func(K) uint64
	max    int     // of one shard
	left   func(V) // nil, or told of whatever is no longer there, before it can be missed
}

type shard[K comparable, V any] struct {
	mu    sync.RWMutex
	epoch uint64
	items map[K]V
}

// newMemo returns a memo of about limit entries, at least one per shard.
func newMemo[K comparable, V any](limit int, pick func(K) uint64) *memo[K, V] {
	return &memo[K, V]{pick: pick, max: max(1, (limit+shards-1)/shards)}
}

// byHash spreads strings by a keyed hash.
func byHash() func(string) uint64 {
	seed := maphash.MakeSeed()
	return func(s string) uint64 { return maphash.String(seed, s) }
}

// byFirst spreads what is a hash already.
func byFirst(t tag) uint64 { return uint64(t[0]) }

func (m *memo[K, V]) shard(k K) *shard[K, V] { return &m.shards[m.pick(k)%shards] }

func (m *memo[K, V]) get(k K) (V, bool) {
	s := m.shard(k)
	s.mu.RLock()
	v, ok := s.items[k]
	s.mu.RUnlock()
	return v, ok
}

// put keeps v unconditionally.
func (m *memo[K, V]) put(k K, v V) {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.putIn(s, k, v)
}

func (m *memo[K, V]) epoch(k K) uint64 {
	s := m.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epoch
}

// putSince keeps v unless something of its shard was changed or dropped since
// epoch, and reports whether it does.
func (m *memo[K, V]) putSince(epoch uint64, k K, v V) bool {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch {
		return false
	}
	m.putIn(s, k, v)
	return true
}

// The following are called with the shard's lock held.

func (m *memo[K, V]) putIn(s *shard[K, V], k K, v V) {
	if s.items == nil {
		s.items = make(map[K]V)
	}
	m.dropFrom(s, k)
	if len(s.items) >= m.max {
		for victim := range s.items {
			m.dropFrom(s, victim)
			break
		}
	}
	s.items[k] = v
}

func (m *memo[K, V]) dropFrom(s *shard[K, V], k K) {
	if v, ok := s.items[k]; ok {
		delete(s.items, k)
		if m.left != nil {
			m.left(v)
		}
	}
}

// change replaces the entry, if there is one; the old one has not left.
func (m *memo[K, V]) change(k K, to func(V) V) {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	if v, ok := s.items[k]; ok {
		s.items[k] = to(v)
	}
}

func (m *memo[K, V]) drop(k K) {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	m.dropFrom(s, k)
}

// dropAll drops every entry that over says is over.
func (m *memo[K, V]) dropAll(over func(V) bool) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		s.epoch++
		for k, v := range s.items {
			if over(v) {
				m.dropFrom(s, k)
			}
		}
		s.mu.Unlock()
	}
}
