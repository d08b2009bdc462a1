package sessions

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// An app token is gw_ and 56 letters and digits (A to Z, 2 to 7): 32 random
// bytes and 3 bytes of their checksum, so that a token has one spelling, what
// leaks can be found by its looks, and what is no token is told without asking
// the store. The checksum vouches for nothing.
const (
	appPrefix = "gw_"
	appRandom = 32
	appCheck  = 3
	appText   = 56 // letters of both
)

var appLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// newAppText returns a new token: 256 bits that nobody guesses.
func newAppText() string {
	var b [appRandom + appCheck]byte
	_, _ = rand.Read(b[:appRandom]) // never fails: crypto/rand ends the program instead
	check := appChecksum(b[:appRandom])
	copy(b[appRandom:], check[:])
	return appPrefix + appLetters.EncodeToString(b[:])
}

// IsAppToken reports whether a text says of itself that it is an app token. It
// vouches for nothing: it tells ours from those of the apps behind the gateway.
func IsAppToken(text string) bool { return strings.HasPrefix(text, appPrefix) }

// HoldsAppToken reports whether a whole app token stands anywhere in a text,
// whatever is around it. Chance makes none.
func HoldsAppToken(text string) bool {
	for {
		_, rest, found := strings.Cut(text, appPrefix)
		if !found || len(rest) < appText {
			return false
		}
		if soundAppText(appPrefix + rest[:appText]) {
			return true
		}
		text = rest
	}
}

// soundAppText reports whether a text has the form of an app token.
func soundAppText(text string) bool {
	letters, ok := strings.CutPrefix(text, appPrefix)
	if !ok || len(letters) != appText {
		return false
	}
	var b [appRandom + appCheck]byte
	n, err := appLetters.Decode(b[:], []byte(letters))
	return err == nil && n == len(b) && appChecksum(b[:appRandom]) == [appCheck]byte(b[appRandom:])
}

func appChecksum(b []byte) [appCheck]byte {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b))
	return [appCheck]byte(sum[:appCheck])
}
