package accounts

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gateway/internal/identity"
)

// Bounds of what is recorded of a person, in bytes.
const (
	maxName    = 255
	maxEmail   = 254 // RFC 5321, section 4.5.3.1.3, without the brackets
	maxSubject = 255 // OpenID Connect Core 1.0, section 2
	maxIssuer  = 2048
	maxGroups  = 256
)

// sound returns the identity with a name, a username and an address that can
// be shown and sent in a header, or an error if it names nobody.
func sound(id identity.Identity) (identity.Identity, error) {
	switch {
	case id.Issuer == "" || len(id.Issuer) > maxIssuer || id.Subject == "" || len(id.Subject) > maxSubject:
		return id, fmt.Errorf("identity without issuer or subject: %w", ErrNotRegistered)
	case id.Provider == "" || (id.Provider == identity.Local) != (id.Issuer == identity.Local):
		return id, fmt.Errorf("identity of issuer %q through the door %q: %w", id.Issuer, id.Provider, ErrNotRegistered)
	}
	id.Name, id.Username = plain(id.Name), plain(id.Username)
	if !validEmail(id.Email) {
		id.Email = ""
	}
	id.EmailVerified = id.EmailVerified && id.Email != ""
	return id, nil
}

// plain returns the text without control characters and invalid UTF-8, cut
// after maxName bytes.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	for len(text) > maxName {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return strings.TrimSpace(text)
}

// validEmail reports whether the address can be kept and sent in a header.
// Whether mail arrives there, and whether a rule admits it, is asked elsewhere.
func validEmail(address string) bool {
	at := strings.IndexByte(address, '@')
	return at > 0 && at < len(address)-1 && len(address) <= maxEmail && utf8.ValidString(address) &&
		!strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == ',' })
}

// ownGroup returns nil if an admin may give the group: bare names only, since
// those with a colon are a provider's to give.
func ownGroup(name string) error {
	if !identity.ValidGroup(name) || !utf8.ValidString(name) || strings.Contains(name, ":") {
		return fmt.Errorf("group %q: %w", name, ErrInvalid)
	}
	return nil
}
