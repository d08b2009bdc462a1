package server

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gateway/internal/canonical"
	"gateway/policy"
)

// The bounds of what is remembered of refusals: strangers, who cost nothing to
// be, crowd out nobody who is signed in.
const (
	maxRefusals = 5000 // of people, and as many of nobody
	maxKeptPath = 1024 // bytes; a longer path is not kept, only that it was refused
)

// Refused is a request that the policy refused.
type Refused struct {
	At       time.Time
	Request  policy.Request // without its path, if that was too long to keep
	Decision policy.Decision
	Token    string // id of the app token that was brought, if one is known
	Login    string // of its person
}

// Refusals remembers recent refusals by their decision_id, in memory alone. The
// zero value is ready. It outlasts reloads.
type Refusals struct {
	mu     sync.Mutex
	people shelf
	nobody shelf
}

// shelf is a ring with an index.
type shelf struct {
	ids  []string
	next int
	byID map[string]Refused
}

// Keep remembers a refusal in the place of the oldest of its kind.
func (f *Refusals) Keep(id string, one Refused) {
	if f == nil {
		return
	}
	if len(one.Request.Path) > maxKeptPath {
		one.Request.Path = ""
	}
	one.Request = apart(one.Request)
	if one.Request.Who != nil {
		who := *one.Request.Who
		who.Groups = slices.Clone(who.Groups)
		one.Request.Who = &who
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := &f.people
	if one.Request.Who == nil {
		kept = &f.nobody
	}
	kept.put(id, one)
}

// apart returns a request that is worth its own length: its text is no part of
// the header that it was read from, which may be a hundred times as long.
func apart(r policy.Request) policy.Request {
	r.Method, r.Host, r.Path = strings.Clone(r.Method), canonical.Host(strings.Clone(string(r.Host))), canonical.Path(strings.Clone(string(r.Path)))
	return r
}

func (s *shelf) put(id string, one Refused) {
	if s.byID == nil {
		s.byID = map[string]Refused{}
	}
	if len(s.ids) < maxRefusals {
		s.ids = append(s.ids, id)
	} else {
		delete(s.byID, s.ids[s.next])
		s.ids[s.next] = id
		s.next = (s.next + 1) % maxRefusals
	}
	s.byID[id] = one
}

// find returns a refusal by its decision_id.
func (f *Refusals) find(id string) (Refused, bool) {
	if f == nil {
		return Refused{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.people.byID[id]; ok {
		return one, true
	}
	one, ok := f.nobody.byID[id]
	return one, ok
}

// list returns all that is remembered, the oldest first.
func (f *Refusals) list() []Refused {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Concat(slices.Collect(maps.Values(f.people.byID)), slices.Collect(maps.Values(f.nobody.byID)))
	slices.SortFunc(all, func(a, b Refused) int { return a.At.Compare(b.At) })
	return all
}
