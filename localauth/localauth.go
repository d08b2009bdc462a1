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
	"fmt"
	"sync"
	"time"
)

// What the door answers when it says no. Any other error means that it cannot tell.
var (
	// ErrMalformed: the message is not one of this exchange.
	ErrMalformed = errors.New("localauth: malformed message")
	// ErrNoChallenge: the challenge is unknown, expired, spent, or made for
	// another login, browser, portal or purpose.
	ErrNoChallenge = errors.New("localauth: no such challenge")
	// ErrBadCredentials: the proof does not open the door. The error also is a *Refusal.
	ErrBadCredentials = errors.New("localauth: bad user or password")
	// ErrNoUser is how Users says that nobody signs in by password under a name.
	ErrNoUser = errors.New("localauth: no such user")
)

// SaltKeySize is the length of a salt key in bytes.
const SaltKeySize = 32

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

	once  sync.Once // guards what follows
	keys  wrapper
	decoy User
	err   error
}

// ready reports what is missing, and prepares what lasts.
func (l *Local) ready() error {
	l.once.Do(func() {
		switch {
		case l.Users == nil || l.Seal == nil || l.Spent == nil:
			l.err = errors.New("localauth: users, seal or spent is missing")
		case len(l.SaltKey) != SaltKeySize:
			l.err = fmt.Errorf("localauth: salt key has %d bytes, want %d", len(l.SaltKey), SaltKeySize)
		case l.Portal == "":
			l.err = errors.New("localauth: portal is missing")
		default:
			if l.keys, l.err = newWrapper(l.Pepper); l.err == nil {
				l.decoy = l.keys.newDecoy()
			}
		}
	})
	return l.err
}

// lifetime returns how long a challenge counts.
func (l *Local) lifetime() time.Duration {
	if l.Lifetime > 0 {
		return l.Lifetime
	}
	return 90 * time.Second
}

// now returns the time.
func (l *Local) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}
