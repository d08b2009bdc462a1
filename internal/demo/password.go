package demo

import (
	"crypto/rand"
	"strings"
)

// letters are the lower-case letters that nobody takes for another one.
const letters = "abcdefghjkmnpqrstuvwxyz"

// Password returns a fresh random password: four groups of five readable
// letters, 90 bits.
func Password() string {
	var groups [4]string
	for i := range groups {
		groups[i] = group(5)
	}
	return strings.Join(groups[:], "-")
}

// group returns n random letters, each equally likely.
func group(n int) string {
	const fair = 256 / len(letters) * len(letters) // bytes from here on would favour the first letters
	out := make([]byte, 0, n)
	var b [1]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails: crypto/rand
		if int(b[0]) < fair {
			out = append(out, letters[int(b[0])%len(letters)])
		}
	}
	return string(out)
}
