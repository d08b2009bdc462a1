package policy

import (
	"unicode"
	"unicode/utf8"
)

// folded returns a path in the one spelling that all cases of its letters
// share (Unicode's simple case folding). It is not sure of letters that turn
// into ASCII ones in some programs and not in others: the dotless and the
// dotted i of Turkish, the long s, the Kelvin sign. What is folded already is
// not copied.
func folded(path string) (lower string, sure bool) {
	i := 0
	for i < len(path) && path[i] < utf8.RuneSelf && (path[i] < 'A' || path[i] > 'Z') {
		i++
	}
	if i == len(path) {
		return path, true
	}
	buf := make([]byte, 0, len(path)+utf8.UTFMax)
	buf = append(buf, path[:i]...)
	for _, r := range path[i:] {
		switch r {
		case 'ı', 'İ', 'ſ', '\u212A':
			return path, false
		}
		buf = utf8.AppendRune(buf, least(r))
	}
	return string(buf), true
}

// least is the smallest letter that folds together with r; of ASCII letters
// the lower one.
func least(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	if r < utf8.RuneSelf {
		return r
	}
	small := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		small = min(small, next)
	}
	return small
}
