package policy

import (
	"errors"
	"strings"

	"gateway/internal/canonical"
)

const (
	oneSegment  = "*"
	anySegments = "**"
)

// everyPath is the pattern of a rule without paths.
var everyPath = []string{anySegments}

// parsePattern returns the segments of a pattern; that of a trailing slash is empty.
func parsePattern(raw string) ([]string, error) {
	if !strings.HasPrefix(raw, "/") {
		return nil, errors.New("does not begin with a slash")
	}
	segments := strings.Split(raw[1:], "/")
	for i, s := range segments {
		switch {
		case s == "" && i == len(segments)-1, s == oneSegment:
		case s == anySegments:
			if i > 0 && segments[i-1] == anySegments {
				return nil, errors.New("** beside ** says nothing more")
			}
		case strings.Contains(s, "*"):
			return nil, errors.New("* and ** stand for whole segments: /a/*, not /a*")
		case strings.ContainsAny(s, "?#{}"):
			return nil, errors.New("patterns know * and ** only, and match the path without the query")
		case strings.Contains(s, "%") && canonical.CheckSegment(s) != nil:
			return nil, errors.New("percent-encoded: write the path decoded")
		default:
			if err := canonical.CheckSegment(s); err != nil {
				return nil, errors.New(reason(err) + ": no request has such a path")
			}
		}
	}
	return segments, nil
}

// node is a place in the tree of an app's patterns: the segments that led to
// it stand on the way from the root.
type node struct {
	literal map[string]*node
	one     *node // after *
	any     *node // after **: stays where it is, whatever segments follow
	ends    []end // the rules with a pattern that ends here, in order
	least   int   // the first rule that has a pattern through here
}

type end struct {
	rule    int
	methods methodSet
}

// add puts a pattern into the tree. Rules are added in order, and a pattern
// once for each rule.
func (n *node) add(pattern []string, e end) {
	for _, segment := range pattern {
		n = n.grow(segment, e.rule)
	}
	n.ends = append(n.ends, e)
}

// grow returns the place after the segment, made for the rule if it is new.
func (n *node) grow(segment string, rule int) *node {
	var next *node
	switch segment {
	case oneSegment:
		next = n.one
	case anySegments:
		next = n.any
	default:
		next = n.literal[segment]
	}
	if next != nil {
		return next
	}
	next = &node{least: rule}
	switch segment {
	case oneSegment:
		n.one = next
	case anySegments:
		n.any = next
	default:
		if n.literal == nil {
			n.literal = map[string]*node{}
		}
		n.literal[segment] = next
	}
	return next
}

// covers reports whether one of the rule's patterns has the path, pattern by
// pattern; none have all. Decide asks the tree instead.
func (a *app) covers(r *rule, path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	if a.fold {
		var sure bool
		if path, sure = folded(path); !sure {
			return false
		}
	}
	segments := strings.Split(path[1:], "/")
	for _, raw := range r.paths {
		if a.fold {
			raw, _ = folded(raw)
		}
		if pattern, err := parsePattern(raw); err == nil && matches(pattern, segments) {
			return true
		}
	}
	return len(r.paths) == 0
}

// matches goes along the path and marks how much of the pattern it has led to.
func matches(pattern, path []string) bool {
	reached := make([]bool, len(pattern)+1)
	reached[0] = true
	skip(pattern, reached)
	for _, segment := range path {
		next := make([]bool, len(reached))
		for i, p := range pattern {
			switch {
			case !reached[i]:
			case p == anySegments:
				next[i] = true
			case p == segment, p == oneSegment && segment != "":
				next[i+1] = true
			}
		}
		skip(pattern, next)
		reached = next
	}
	return reached[len(pattern)]
}

// skip marks what ** leads to by having no segment.
func skip(pattern []string, reached []bool) {
	for i, p := range pattern {
		if reached[i] && p == anySegments {
			reached[i+1] = true
		}
	}
}
