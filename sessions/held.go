package sessions

import (
	"slices"
	"sync/atomic"
	"time"
	"unique"
)

// held is a session in memory. Whoever has one asks it whether it still counts;
// so a token that was verified leads to its session, and that to its root,
// without a search.
//
// What a check reads lies side by side: with a hundred thousand sessions, each
// place that it has to look at is one that the processor does not have at hand.
type held struct {
	seen atomic.Int64         // microseconds since 1970; that of the record is as it was
	gone atomic.Bool          // over, or given up: the store knows
	root atomic.Pointer[held] // of a child: its portal session, if it was held when it was last wanted

	Session

	few [3]string // what the lists of the record name, if they name no more
}

// hold returns a session as it is held: what many share is there once, the rest
// side by side. A child shares with its root, which may be nil.
func hold(s Session, root *held) *held {
	h := &held{Session: s}
	h.seen.Store(s.Seen.UnixMicro())
	h.root.Store(root)
	var from Session
	if root != nil {
		from = root.Session
	}
	mine := []*string{&h.ID}
	for _, text := range []struct {
		own    *string
		shared string
	}{{&h.Parent, from.ID}, {&h.UserID, from.UserID}, {&h.Key.Subject, from.Key.Subject}, {&h.ForeignID, from.ForeignID}, {&h.Address, from.Address}} {
		if *text.own == text.shared {
			*text.own = text.shared
		} else {
			mine = append(mine, text.own)
		}
	}
	sideBySide(mine...)
	for _, text := range []*string{&h.Audience, &h.Key.Issuer, &h.Provider, &h.UserAgent} {
		*text = unique.Make(*text).Value()
	}
	few := h.few[:0]
	for _, list := range []*[]string{&h.Groups, &h.AMR} {
		if len(few)+len(*list) > cap(few) {
			*list = slices.Clone(*list)
		} else {
			few = append(few, *list...)
			*list = slices.Clip(few[len(few)-len(*list):])
		}
		for i, name := range *list {
			(*list)[i] = unique.Make(name).Value()
		}
	}
	return h
}

// sideBySide makes the texts parts of one.
func sideBySide(texts ...*string) {
	var all []byte
	for _, text := range texts {
		all = append(all, *text...)
	}
	rest := string(all)
	for _, text := range texts {
		*text, rest = rest[:len(*text)], rest[len(*text):]
	}
}

// loose returns a session that is not held: who meets it again asks the store.
func loose(s Session) *held {
	h := &held{Session: s}
	h.seen.Store(s.Seen.UnixMicro())
	h.gone.Store(true)
	return h
}

// origin returns the root of a session, which may be itself, or nil if it is
// unknown or no longer held.
func (h *held) origin() *held {
	if h.Parent == "" {
		return h
	}
	if root := h.root.Load(); root != nil && !root.gone.Load() {
		return root
	}
	return nil
}

// now returns the session as it is now.
func (h *held) now() Session {
	s := h.Session
	s.Seen = h.used()
	return s
}

// used is when the session was last used, as far as is written down.
func (h *held) used() time.Time { return time.UnixMicro(h.seen.Load()).UTC() }
