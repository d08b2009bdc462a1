// Package once names what may be used a single time. The store keeps the
// promise: the first caller that takes a hash wins, in the whole cluster.
package once

import (
	"crypto/sha256"
	"errors"
)

// ErrSpent says that somebody has already taken it.
var ErrSpent = errors.New("once: already taken")

// Hash returns the name under which a one-time text is taken; the text itself
// is never stored. The purpose keeps the texts of different rooms apart.
func Hash(purpose, text string) [32]byte {
	h := sha256.New()
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write([]byte(text))
	return [32]byte(h.Sum(nil))
}
