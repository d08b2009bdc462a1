// Package identity holds the words that every room shares: who somebody is
// (Key, Identity), who we know them as (User), and on whose behalf a request
// is made (Principal). It holds no behaviour beyond their validity and imports
// nothing but the standard library.
package identity

import (
	"slices"
	"strings"
	"time"
)

// Local is the issuer and the origin of people who sign in with a password.
const Local = "local"

// Key identifies a person for good: the issuer's identifier for the subject
// (OpenID Connect Core 1.0, section 5.7). Never an e-mail address, never a name.
type Key struct{ Issuer, Subject string }

// Identity is what a door found out about the person who came through it.
type Identity struct {
	Key
	Provider      string // the door: a provider's id, or Local
	Username      string // the name the issuer knows the person by
	Name          string
	Email         string
	EmailVerified bool
	Groups        []string // a provider's groups already read "origin:group", unless its configuration maps them
	AuthTime      time.Time
}

// Status says whether a user may sign in.
type Status string

// The statuses of a user. The empty status admits nobody.
const (
	Active     Status = "active"
	Waiting    Status = "waiting"    // registered, not yet approved
	Unverified Status = "unverified" // e-mail address not yet confirmed
	Disabled   Status = "disabled"
)

// User is our record of a person.
type User struct {
	ID            string // opaque, immutable: user_id
	Login         string // the name the person is known by; never reissued
	Name          string
	Email         string
	EmailVerified bool
	Groups        []string // our own groups, given by an admin
	Status        Status
	Created       time.Time
	Generation    int64 // grows with each change of the record
}

// Principal is the person a live session or app token speaks for at this moment:
// the user as recorded now, and how the session was opened.
type Principal struct {
	UserID        string
	Login         string
	Name          string
	Email         string
	EmailVerified bool
	Groups        []string // the user's own and those of the identity that opened the session, sorted, unique
	Origin        string   // the door the session was opened through
	AMR           []string // authentication methods (RFC 8176): the session's factors
	AuthTime      time.Time
	Token         bool // it is an app token that speaks: nobody has proved anything now
}

// ByToken is the authentication method of app tokens. It is no factor.
const ByToken = "token"

// Merge returns the union of group lists, sorted, without duplicates.
func Merge(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// ValidGroup reports whether name can be a group: not empty, at most 255
// bytes, without commas, control characters or surrounding space, since groups
// travel comma-joined in a header.
func ValidGroup(name string) bool {
	if name == "" || len(name) > 255 || strings.TrimSpace(name) != name {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r == ',' || r < 0x20 || r == 0x7f || r == '\uFFFD' })
}
