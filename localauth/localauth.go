// Package localauth is the Local door: people who sign in with a password that
// never leaves their browser. It verifies SCRAM-SHA-256 (RFC 5802, RFC 7677)
// over two requests and keeps nothing between them: what has to be remembered
// travels sealed in the challenge, and the store only learns, when the answer
// comes, that the challenge is spent.
//
// The exchange differs from RFC 5802 in this much: the client-first message is
// exactly "n,,n=<name>,r=<nonce>" (no channel binding, no authorization
// identity, no extensions), nonces have bounds, and what a person's record
// keeps of the password is wrapped under a pepper that is not in the store.
// Passwords are mapped by MapPassword, not by SASLprep.
//
// Unknown, disabled and foreign-only logins and wrong passwords take the same
// path through Begin, Open and Finish and end in the same error. What can
// still be seen from outside: the salt of a real login changes when its
// password does, and its iterations when its record is upgraded.
package localauth

import (
	"context"
	"errors"
	"time"

	"gateway/internal/identity"
)

// What the door answers when it says no. Any other error means that it cannot tell.
var (
	// ErrMalformed: the message is not one of this exchange.
	ErrMalformed = errors.New("localauth: malformed message")
	// ErrNoChallenge: the challenge is unknown, expired, spent, or made for
	// another login, browser, portal or purpose.
	ErrNoChallenge = errors.New("localauth: no such challenge")
	// ErrBadCredentials: the proof does not open the door. The error is a *Refusal.
	ErrBadCredentials = errors.New("localauth: bad user or password")
	// ErrNoUser is how Users says that nobody signs in by password under a name.
	ErrNoUser = errors.New("localauth: no such user")
)

// User is what the store keeps of a person who signs in by password.
type User struct {
	Identity   identity.Identity // name, address and groups; the door fills in Key, Provider, Username and AuthTime
	UserID     string            // not empty
	Disabled   bool              // anything but an active user
	Salt       []byte            // 16 to 64 bytes
	Iterations int               // PBKDF2 rounds
	StoredKey  []byte            // wrapped by Wrap
	ServerKey  []byte            // wrapped by Wrap
	Version    int64             // of the verifier, as given to Wrap; grows with each change of it
}

// Users finds people by their login.
type Users interface {
	// LocalUser returns the user whose login equals the canonical username. It
	// returns an error that is ErrNoUser where nobody has that login, and where
	// whoever has it has no password.
	LocalUser(ctx context.Context, username string) (User, error)
}

// Spent remembers what may be used a single time.
type Spent interface {
	// Take succeeds for the first caller in the whole cluster, and is
	// once.ErrSpent for everybody after. It remembers hash until expires at least.
	Take(ctx context.Context, hash [32]byte, expires time.Time) error
}

// Sealer encrypts and authenticates what travels in strangers' hands; seal.Box is one.
type Sealer interface {
	Seal(plaintext []byte) string
	Open(sealed string) ([]byte, error)
}

// Local is the door. It is used by pointer and safe for concurrent use once its
// fields are set.
type Local struct {
	Users   Users
	Seal    Sealer // for challenges alone; every node has the same key
	Spent   Spent
	Pepper  []byte // 32 bytes, outside the store: what Wrap wrapped with
	SaltKey []byte // 32 bytes: made-up salts come from it; lasts, and is the same on every node
	Portal  string // the portal's URL; challenges of another one do not count

	Iterations int           // of unknown names; 0 means DefaultIterations
	Lifetime   time.Duration // of a challenge; 0 means 90 seconds
	Now        func() time.Time

	// Live tells the iterations that real records have, each as often as it
	// occurs among them (or in proportion), in an order that lasts. Unknown
	// names draw from them. It is called for every challenge, so it should
	// answer from memory. Nil or no answer: all have Iterations.
	Live func(ctx context.Context) ([]int, error)

}

// Want says what a sign-in is to be redeemed for.
type Want uint8

// What a sign-in can be redeemed for.
const (
	WantCookie Want = iota // a session cookie: the challenge is bound to a browser
	WantToken              // a token in the answer: there is no browser
)

// Challenge answers a client-first message.
type Challenge struct {
	ID          string // the sealed state; its length is the same for everybody
	ServerFirst string // RFC 5802, section 7: server-first-message
}

// Reply is what comes back.
type Reply struct {
	Username    string // canonicalises to the login that the challenge was made for
	ChallengeID string
	ClientFinal string // RFC 5802, section 7: client-final-message
}

// Outcome is a sign-in that succeeded.
type Outcome struct {
	Identity    identity.Identity
	UserID      string
	ServerFinal string // RFC 5802, section 7: proves to the client that we know its verifier
}

// now returns the time.
func (l *Local) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}
