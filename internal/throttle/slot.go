package throttle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// failure is the level that one charge adds. Levels are counted in
// thousandths, since they leak steadily.
const failure = 1000

// failures returns the failures that a level stands for. A failure counts
// whole until it has leaked wholly.
func failures(level uint32) int { return int((level + failure - 1) / failure) }

// slot is a Slot in memory.
type slot struct {
	level uint32
	last  int64 // Unix milliseconds
}

// leaked returns the level that is left at a time. A time before the last
// charge counts as that of the charge.
func (s slot) leaked(now int64, l Limit) uint32 {
	if l.Shuts {
		return s.level
	}
	gone := max(0, now-s.last) * failure / max(1, l.Leak.Milliseconds())
	return uint32(max(0, int64(s.level)-gone)) //nolint:gosec // not more than level
}

// rest returns how long the slot is still limited.
func (s slot) rest(now int64, l Limit) time.Duration {
	if l.Shuts {
		return l.wait(s.level)
	}
	return l.wait(s.leaked(now, l)) - time.Duration(now-s.last)*time.Millisecond
}

// charge adds a failure.
func (s *slot) charge(now int64, l Limit) {
	level := s.leaked(now, l)
	s.level, s.last = max(level, min(level+failure, l.top())), now
}

// drain takes from the level.
func (s *slot) drain(level uint32) { s.level -= min(s.level, level) }

// region is a part of the table for buckets of one kind: those of another leak
// at another pace, and a flood of them may not fill these.
type region uint8

const (
	accounts region = iota // a half
	near                   // three eighths
	far                    // an eighth
	caps                   // as many again: what is never forgotten crowds out nothing else
)

// of returns where the region begins in a table of n slots, and its size.
func (r region) of(n uint64) (from, size uint64) {
	eighth := n / 8
	switch r {
	case near:
		return 4 * eighth, 3 * eighth
	case far:
		return 7 * eighth, n - 7*eighth
	case caps:
		return n, n
	case accounts:
	}
	return 0, 4 * eighth
}

// place is where a bucket lies in the table.
type place struct {
	pair [2]uint32
	Limit
}

// places returns two slots for each bucket: different ones, and under another
// key other ones.
func (t *Table) places(buckets []Bucket) []place {
	all := make([]place, len(buckets))
	n := uint64(t.size()) //nolint:gosec // valid has refused a negative size
	for i, b := range buckets {
		mac := hmac.New(sha256.New, t.Key)
		mac.Write([]byte(b.Name))
		sum := mac.Sum(nil)
		from, n := b.region.of(n)
		first := binary.BigEndian.Uint64(sum[:8]) % n
		second := (first + 1 + binary.BigEndian.Uint64(sum[8:16])%(n-1)) % n
		first, second = from+first, from+second
		all[i] = place{[2]uint32{uint32(first), uint32(second)}, b.Limit} //nolint:gosec // valid has refused a size that would not fit
	}
	return all
}
