package policy

import "slices"

// before returns the rules of the tree that have every path of the pattern, in
// order, each with its methods. It may miss rules that have them only together,
// but never names one that lacks a path.
func (n *node) before(pattern []string) []end {
	here, loops := []*node{n}, []*node{}
	for _, segment := range pattern {
		for _, place := range here {
			if place.any != nil && !slices.Contains(loops, place.any) {
				loops = append(loops, place.any)
			}
		}
		var next []*node
		for _, place := range slices.Concat(here, loops) {
			next = append(next, place.after(segment)...)
		}
		here = next
	}
	var ends []end
	for _, place := range here {
		ends = append(ends, place.ends...)
		if place.any != nil && !slices.Contains(loops, place.any) {
			loops = append(loops, place.any)
		}
	}
	for _, place := range loops {
		ends = append(ends, place.ends...)
	}
	slices.SortFunc(ends, func(a, b end) int { return a.rule - b.rule })
	return slices.Compact(ends)
}

// after returns the places that cover whatever the pattern's segment does. What
// ** covers, only ** does, and that stays where it is.
func (n *node) after(segment string) []*node {
	var places []*node
	if segment != anySegments && segment != "" && n.one != nil {
		places = append(places, n.one)
	}
	if segment != anySegments && segment != oneSegment && n.literal[segment] != nil {
		places = append(places, n.literal[segment])
	}
	return places
}
