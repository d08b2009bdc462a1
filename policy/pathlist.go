package policy

import (
	"fmt"
	"strings"

	"gateway/internal/canonical"
)

// Paths are patterns of paths, as rules have them: for whoever has to decide by
// path what is no matter of permission. The zero Paths have every path.
type Paths struct{ patterns [][]string }

// ParsePaths reads patterns. Its error begins with the place of the first one
// that is none, as in "[2]: ".
func ParsePaths(patterns []string) (Paths, error) {
	var all Paths
	for i, raw := range patterns {
		segments, err := parsePattern(raw)
		if err != nil {
			return Paths{}, fmt.Errorf("[%d]: %w", i, err)
		}
		all.patterns = append(all.patterns, segments)
	}
	return all, nil
}

// Have reports whether one of the patterns matches the path.
func (p Paths) Have(path canonical.Path) bool {
	if len(p.patterns) == 0 {
		return true
	}
	segments := strings.Split(strings.TrimPrefix(string(path), "/"), "/")
	for _, pattern := range p.patterns {
		if matches(pattern, segments) {
			return true
		}
	}
	return false
}
