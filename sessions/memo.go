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
	max    int // of one shard
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
	s.put(k, v, m.max)
}

func (m *memo[K, V]) epoch(k K) uint64 {
	s := m.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epoch
}

// putSince keeps v unless something of its shard was changed or dropped since epoch.
func (m *memo[K, V]) putSince(epoch uint64, k K, v V) {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == epoch {
		s.put(k, v, m.max)
	}
}

func (s *shard[K, V]) put(k K, v V, limit int) {
	if s.items == nil {
		s.items = make(map[K]V)
	}
	if _, held := s.items[k]; !held && len(s.items) >= limit {
		for victim := range s.items {
			delete(s.items, victim)
			break
		}
	}
	s.items[k] = v
}

// change replaces the entry, if there is one.
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
	delete(s.items, k)
}

// dropAll drops every entry that over says is over.
func (m *memo[K, V]) dropAll(over func(V) bool) {
	for i := range m.shards {
		m.shards[i].dropAll(over)
	}
}

func (s *shard[K, V]) dropAll(over func(V) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	for k, v := range s.items {
		if over(v) {
			delete(s.items, k)
		}
	}
}
