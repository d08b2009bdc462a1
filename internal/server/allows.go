package server

import (
	"cmp"
	"context"
	"hash/maphash"
	"math/bits"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gateway/internal/identity"
	"gateway/policy"
)

// The bounds of what is remembered of allows. A person has a place in one region
// of the table, so that whoever asks for many paths crowds out nobody but those
// who share it; what nobody asks for has regions of its own.
const (
	peopleRegions  = 32
	nobodyRegions  = 8
	allowBuckets   = 64 // of a region
	allowSlots     = 4  // of a bucket
	maxAllowedPath = 512
	newOfPeople    = 500 // that are taken in a second
	newOfNobody    = 100
	minuteBits     = 16
)

// Allows remember what the policy has allowed lately, each once: who asked what,
// from which network and by what kind of session, so that another policy can be
// asked about it. They are in memory alone, and outlast reloads. What is known
// costs a look; of what is new, so much is taken a second. A nil *Allows
// remembers nothing.
type Allows struct {
	seed   maphash.Seed
	minute atomic.Uint64 // counts up: what was written in an earlier one is written anew
	people atomic.Int32  // how many more are taken in this second
	nobody atomic.Int32
	mu     sync.Mutex // of who writes
	table  [peopleRegions + nobodyRegions]allowRegion
}

type allowRegion [allowBuckets]allowBucket

// allowBucket is a cache line. A tag is a part of a hash, and in its last bits
// the minute in which its entry was written.
type allowBucket struct {
	tags    [allowSlots]atomic.Uint64
	entries [allowSlots]atomic.Pointer[policy.Request]
}

// NewAllows returns a memory of nothing.
func NewAllows() *Allows {
	a := &Allows{seed: maphash.MakeSeed()}
	a.minute.Store(1)
	a.refill()
	return a
}

func (a *Allows) refill() {
	a.people.Store(newOfPeople)
	a.nobody.Store(newOfNobody)
}

// Watch lets time pass, for as long as the context is good.
func (a *Allows) Watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for seconds := 1; ; seconds++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.refill()
		if seconds%60 == 0 {
			a.minute.Add(1)
		}
	}
}

// Forget forgets everything.
func (a *Allows) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for r := range a.table {
		for b := range a.table[r] {
			for i := range allowSlots {
				a.table[r][b].tags[i].Store(0)
				a.table[r][b].entries[i].Store(nil)
			}
		}
	}
}

// allow remembers what the policy has allowed. What the front has allowed beyond
// it, to a guest or a preflight, is left out.
func (s *Server) allow(q *question, v *verdict) {
	a := s.Allows
	if a == nil || !v.allowed() || v.guest || v.preflight || len(q.target.Path) > maxAllowedPath {
		return
	}
	region, bucket, tag := a.place(q, v.who)
	slot := bucket.find(tag)
	if slot < 0 {
		return
	}
	budget := &a.people
	if v.who == nil {
		budget = &a.nobody
	}
	if budget.Load() > 0 && budget.Add(-1) >= 0 {
		a.write(region, bucket, slot, tag, s.request(*q, v.who))
	}
}

// place is where a request belongs, and by what it is known there.
func (a *Allows) place(q *question, who *identity.Principal) (region *allowRegion, bucket *allowBucket, tag uint64) {
	h := maphash.String(a.seed, string(q.target.Path)) ^ bits.RotateLeft64(maphash.String(a.seed, string(q.host)), 1) ^ bits.RotateLeft64(maphash.String(a.seed, q.method), 2)
	n := peopleRegions + h>>20%nobodyRegions
	if who != nil {
		person := maphash.String(a.seed, who.UserID)
		n = person >> 20 % peopleRegions
		h ^= bits.RotateLeft64(person, 3) ^ bits.RotateLeft64(maphash.String(a.seed, who.Origin), 4) ^ network(q.client)
		for i, method := range who.AMR {
			h ^= bits.RotateLeft64(maphash.String(a.seed, method), 5+i)
		}
		if who.Token {
			h = ^h
		}
	}
	region = &a.table[n]
	return region, &region[h>>32%allowBuckets], h<<minuteBits | a.minute.Load()&(1<<minuteBits-1)
}

// network is a number for where a client is: its /24, or its /48.
func network(client netip.Addr) uint64 {
	raw := client.As16()
	known := uint64(raw[0])<<40 | uint64(raw[1])<<32 | uint64(raw[2])<<24 | uint64(raw[3])<<16 | uint64(raw[4])<<8 | uint64(raw[5])
	if client.Is4() || client.Is4In6() {
		known = 1<<48 | uint64(raw[12])<<16 | uint64(raw[13])<<8 | uint64(raw[14])
	}
	return known * 0x9e3779b97f4a7c15 // 2⁶⁴ by the golden ratio: spreads over all bits
}

// find returns the slot where an entry is to be written: its own if that is of
// an earlier minute, else an empty one, or the oldest; -1 where it is known.
func (b *allowBucket) find(tag uint64) int {
	slot, most := 0, uint64(0)
	for i := range b.tags {
		known := b.tags[i].Load()
		if known == tag {
			return -1
		}
		if known>>minuteBits == tag>>minuteBits {
			return i
		}
		age := (tag - known) & (1<<minuteBits - 1)
		if known == 0 {
			age = 1 << minuteBits
		}
		if age > most {
			slot, most = i, age
		}
	}
	return slot
}

// write puts a request into a slot, without what belongs to its connection. A
// person is kept once for what they ask for.
func (a *Allows) write(region *allowRegion, b *allowBucket, slot int, tag uint64, r policy.Request) {
	r = apart(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Who != nil {
		r.Who = region.known(r.Who)
	}
	b.entries[slot].Store(&r)
	b.tags[slot].Store(tag)
}

// known returns a person as one of the region's entries has them, or else a copy.
func (r *allowRegion) known(who *identity.Principal) *identity.Principal {
	for b := range r {
		for i := range allowSlots {
			if one := r[b].entries[i].Load(); one != nil && same(one.Who, who) {
				return one.Who
			}
		}
	}
	kept := *who
	kept.Groups, kept.AMR = slices.Clone(who.Groups), slices.Clone(who.AMR)
	return &kept
}

func same(a, b *identity.Principal) bool {
	return a.UserID == b.UserID && a.Login == b.Login && a.Name == b.Name && a.Email == b.Email && a.EmailVerified == b.EmailVerified &&
		a.Origin == b.Origin && a.AuthTime.Equal(b.AuthTime) && a.Token == b.Token && slices.Equal(a.AMR, b.AMR) && slices.Equal(a.Groups, b.Groups)
}

// list returns all that is remembered, the oldest first.
func (a *Allows) list() []policy.Request {
	var all []policy.Request
	if a == nil {
		return all
	}
	for r := range a.table {
		for b := range a.table[r] {
			for i := range allowSlots {
				if one := a.table[r][b].entries[i].Load(); one != nil {
					all = append(all, *one)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b policy.Request) int {
		return cmp.Or(a.Now.Compare(b.Now), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path))
	})
	return all
}

// adminAllows lists what the policy has allowed lately.
func (s *Server) adminAllows(c *gin.Context) error {
	found := newRecords()
	for _, r := range s.Allows.list() {
		found.add(r.Now, r)
	}
	writeJSON(c.Writer, http.StatusOK, "application/json", found.AdminRecorded)
	return nil
}
