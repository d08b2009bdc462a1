package policy

import (
	"slices"
	"strings"
)

// walk follows all patterns of a tree along a path at once. Its cost is that of
// the path's segments times the patterns that still agree with it.
type walk struct {
	method methodSet
	best   int     // the first rule found so far
	here   []*node // the places that the segments so far lead to
	loops  []*node // the places after ** passed so far: each stays
}

// first returns the first rule that has a pattern for the path and the method,
// or none. The path begins with a slash.
func (n *node) first(path string, method methodSet, none int) int {
	var a, b, c [8]*node // longer lists are rare enough to be allocated
	w, spare := walk{method: method, best: none, here: a[:0], loops: b[:0]}, c[:0]
	w = w.enter(n)
	for rest, more := path[1:], true; more && len(w.here)+len(w.loops) > 0; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		from, loops := w.here, w.loops
		w.here = spare[:0]
		for _, place := range from {
			w = w.step(place, segment)
		}
		for _, place := range loops {
			w = w.step(place, segment)
		}
		spare = from
	}
	for _, place := range w.here {
		w = w.end(place)
	}
	return w.best
}

// step goes on from a place by a segment; the empty one is that of a trailing
// slash, which only patterns with a trailing slash and ** cover.
func (w walk) step(place *node, segment string) walk {
	if place.least >= w.best {
		return w
	}
	if next := place.literal[segment]; next != nil {
		w = w.enter(next)
	}
	if place.one != nil && segment != "" {
		w = w.enter(place.one)
	}
	return w
}

// enter arrives at a place, and at what ** covers from there.
func (w walk) enter(place *node) walk {
	if place.least >= w.best {
		return w
	}
	w.here = append(w.here, place)
	if place.any == nil {
		return w
	}
	w = w.end(place.any)
	if (place.any.literal != nil || place.any.one != nil) && !slices.Contains(w.loops, place.any) {
		w.loops = append(w.loops, place.any)
	}
	return w
}

// end takes note of a rule that ends at the place and has the method.
func (w walk) end(place *node) walk {
	for _, e := range place.ends {
		if e.rule >= w.best {
			break
		}
		if e.methods&w.method != 0 {
			w.best = e.rule
			break
		}
	}
	return w
}
