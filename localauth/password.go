package localauth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrPassword says that a text cannot be a password.
var ErrPassword = errors.New("localauth: not usable as a password")

// MaxPassword is the length of the longest password in code points, once mapped.
const MaxPassword = 1024

// MapPassword returns the form of a password that enters the key derivation.
// It follows OpaqueString (RFC 8265, section 4.2) as far as a browser can
// follow it with what it has built in:
//
//  1. A text with a control character (general category Cc), an unassigned
//     code point (Cn, noncharacters among them) or a lone surrogate (Cs) is refused.
//  2. Each space other than U+0020 (Zs) becomes U+0020.
//  3. The text is brought into Normalization Form C.
//  4. What is empty or longer than MaxPassword code points then is refused.
//
// In JavaScript: refuse if /[\p{Cc}\p{Cn}\p{Cs}]/u matches, then
// s.replace(/\p{Zs}/gu, ' ').normalize('NFC'). Both sides may know different
// versions of Unicode: then one may refuse what the other maps, but never do
// two map one text differently, since the form of assigned code points is
// stable. testdata/passwords.json holds texts for both. The error is ErrPassword.
func MapPassword(raw string) (string, error) {
	if !utf8.ValidString(raw) {
		return "", fmt.Errorf("%w: not valid Unicode", ErrPassword)
	}
	if strings.ContainsFunc(raw, refused) {
		return "", fmt.Errorf("%w: contains a control character or an unassigned code point", ErrPassword)
	}
	mapped := normalize(strings.Map(plainSpace, raw))
	switch n := utf8.RuneCountInString(mapped); {
	case n == 0:
		return "", fmt.Errorf("%w: empty", ErrPassword)
	case n > MaxPassword:
		return "", fmt.Errorf("%w: longer than %d characters", ErrPassword, MaxPassword)
	}
	return mapped, nil
}

func refused(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cn, unicode.Cs) }

func plainSpace(r rune) rune {
	if r >= utf8.RuneSelf && unicode.Is(unicode.Zs, r) {
		return ' '
	}
	return r
}
