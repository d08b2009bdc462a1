// Package accounts is the register: it knows whose an identity is. Both doors
// end here. A key that is known leads to its user; one that is not makes a new
// user where its origin is open and some rule could ever admit the person.
//
// What the check needs of a user is read through a cache that every change of
// the register writes through, so a change holds for all that is asked after
// it returned. One process owns the store; the register is its only writer.
package accounts

import (
	"errors"
	"fmt"
	"time"

	"gateway/internal/identity"
)

// What the register answers when it says no. Any other error means that it
// cannot tell.
var (
	// ErrNone: there is no such user.
	ErrNone = errors.New("accounts: no such user")
	// ErrNotRegistered: nobody has the identity and it makes no new user,
	// since its origin is closed or no rule could ever admit the person.
	ErrNotRegistered = errors.New("accounts: not registered")
	// ErrDisabled: an admin has shut the user out.
	ErrDisabled = errors.New("accounts: user is disabled")
	// ErrUnverified: the user's e-mail address is not yet confirmed.
	ErrUnverified = errors.New("accounts: e-mail address is not confirmed")
	// ErrWaiting: nobody has approved the user yet.
	ErrWaiting = errors.New("accounts: waiting for approval")
	// ErrFull: as many as may have asked to be let in. It also is ErrNotRegistered.
	ErrFull = errors.New("accounts: too many have asked to be let in")
	// ErrLoginTaken: somebody has the login, or had it once.
	ErrLoginTaken = errors.New("accounts: login is taken")
	// ErrInvalid: what was given cannot be a login, a group, a name, an address
	// or a status. The message says which.
	ErrInvalid = errors.New("accounts: not valid")

	// ErrLinked is how a Store says that somebody has the key already.
	ErrLinked = errors.New("accounts: key is linked already")
	// ErrConflict is how a Store says that a record has changed since it was read.
	ErrConflict = errors.New("accounts: record has changed")
)

// Account is a user with what only the register has to know.
type Account struct {
	identity.User

	NameSet  bool // by an admin: signing in leaves it as it is
	EmailSet bool // by an admin: signing in leaves it as it is
}

// Link is one way to come in as a user: a foreign key, or the password door
// with the user's id as the subject.
type Link struct {
	identity.Key

	UserID     string
	Provider   string // the door it was last used through: a provider's id, or identity.Local
	Username   string // the issuer's name for the person at the last sign-in
	Email      string // the issuer's address for the person at the last sign-in
	Linked     time.Time
	LastSignIn time.Time // exact to a minute; zero if never used
}

// Verifier is what a password is verified against. To the register it is
// opaque; localauth made it and wrapped its keys.
type Verifier struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
	Version    int64
}

// empty reports whether a part of the verifier is missing.
func (v Verifier) empty() bool {
	return len(v.Salt) == 0 || v.Iterations <= 0 || len(v.StoredKey) == 0 || len(v.ServerKey) == 0
}

// admitted returns nil for a status that may sign in, or what keeps it out.
func admitted(s identity.Status) error {
	switch s {
	case identity.Active:
		return nil
	case identity.Waiting:
		return ErrWaiting
	case identity.Unverified:
		return ErrUnverified
	case identity.Disabled:
		return ErrDisabled
	default:
		return fmt.Errorf("status %q: %w", s, ErrDisabled)
	}
}
