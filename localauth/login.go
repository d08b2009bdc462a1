package localauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// ErrLogin says that a text cannot be a login.
var ErrLogin = errors.New("localauth: not a login")

const (
	maxLogin = 64  // code points of a login
	maxName  = 256 // bytes of a name as sent
)

// CanonicalLogin returns the one spelling of a login: the PRECIS profile
// UsernameCaseMapped (RFC 8265, section 3.3), and beyond it 1 to 64 code
// points, neither ':' nor '@', and, unless all is ASCII, letters of one script
// (Unicode TS 39, section 5.1). The result maps to itself. The error is ErrLogin.
func CanonicalLogin(raw string) (string, error) {
	if raw == "" || len(raw) > maxName || !utf8.ValidString(raw) {
		return "", fmt.Errorf("%w: empty, too long, or not UTF-8", ErrLogin)
	}
	login, err := precis.UsernameCaseMapped.String(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrLogin, err)
	}
	switch again, err := precis.UsernameCaseMapped.String(login); {
	case err != nil || again != login: // RFC 8264, section 7: the rules may need more than one turn
		return "", fmt.Errorf("%w: has no stable spelling", ErrLogin)
	case login == "" || utf8.RuneCountInString(login) > maxLogin:
		return "", fmt.Errorf("%w: not 1 to %d characters", ErrLogin, maxLogin)
	case strings.ContainsAny(login, ":@"):
		return "", fmt.Errorf("%w: contains ':' or '@'", ErrLogin)
	case !oneScript(login):
		return "", fmt.Errorf("%w: mixes scripts", ErrLogin)
	}
	return login, nil
}

// together are the scripts that one writing system mixes (Unicode TS 39, table 1a).
var together = [][]*unicode.RangeTable{
	{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Common, unicode.Inherited},
	{unicode.Han, unicode.Hangul, unicode.Common, unicode.Inherited},
	{unicode.Han, unicode.Bopomofo, unicode.Common, unicode.Inherited},
}

// oneScript reports whether the letters of s belong to one writing system.
func oneScript(s string) bool {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return true
	}
	systems := together
	if table := firstScript(s); table != nil {
		systems = append(slices.Clip(systems), []*unicode.RangeTable{table, unicode.Common, unicode.Inherited})
	}
	return slices.ContainsFunc(systems, func(system []*unicode.RangeTable) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.In(r, system...) })
	})
}

// firstScript returns the script of the first letter of s that has one to itself.
func firstScript(s string) *unicode.RangeTable {
	for _, r := range s {
		if unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		for _, table := range unicode.Scripts {
			if unicode.Is(table, r) {
				return table
			}
		}
	}
	return nil
}

// account is the name under which a login that was sent is looked up and
// counted: its canonical spelling, or a name that nobody can have.
func account(sent string) string {
	login, err := CanonicalLogin(sent)
	if err != nil {
		return nobody(sent)
	}
	return login
}
