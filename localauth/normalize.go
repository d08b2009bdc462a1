package localauth

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// letter is a code point with its canonical combining class.
type letter struct {
	rune  rune
	class uint8
}

// normalize returns s, which is valid UTF-8, in Normalization Form C (Unicode,
// section 3.11). norm.NFC alone does not do: it breaks up runs of more than 30
// combining marks by inserting U+034F, which a browser's normalize does not.
func normalize(s string) string {
	if norm.NFC.QuickSpanString(s) == len(s) {
		return s
	}
	letters := decompose(s)
	reorder(letters)
	return compose(letters)
}

// decompose returns the full canonical decomposition of s, code point by code point.
func decompose(s string) []letter {
	letters := make([]letter, 0, len(s))
	for _, whole := range s {
		for _, r := range norm.NFD.String(string(whole)) {
			letters = append(letters, letter{r, norm.NFD.PropertiesString(string(r)).CCC()})
		}
	}
	return letters
}

// reorder sorts each run of combining marks by class (Unicode, D108).
func reorder(letters []letter) {
	for i := 0; i < len(letters); i++ {
		start := i
		for i < len(letters) && letters[i].class != 0 {
			i++
		}
		slices.SortStableFunc(letters[start:i], func(a, b letter) int { return cmp.Compare(a.class, b.class) })
	}
}

// compose joins each starter with the marks that are not blocked from it (Unicode, D115 to D117).
func compose(letters []letter) string {
	out := make([]rune, 0, len(letters))
	starter, last := -1, uint8(0)
	for _, l := range letters {
		if starter >= 0 && (starter == len(out)-1 || last < l.class) {
			if whole, ok := primary(out[starter], l.rune); ok {
				out[starter] = whole
				continue
			}
		}
		if l.class == 0 {
			starter = len(out)
		}
		last = l.class
		out = append(out, l.rune)
	}
	return string(out)
}

// primary returns the primary composite of two code points, if they have one.
func primary(a, b rune) (rune, bool) {
	s := norm.NFC.String(string([]rune{a, b}))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
