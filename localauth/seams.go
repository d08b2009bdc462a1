package localauth

import (
	"context"
	"time"
)

// User is what a password is verified against. Who the person is, is the
// register's to say.
type User struct {
	UserID     string // not empty
	Disabled   bool   // anything but an active user
	Salt       []byte // 16 to 64 bytes
	Iterations int    // PBKDF2 rounds
	StoredKey  []byte // wrapped by Wrap
	ServerKey  []byte // wrapped by Wrap
	Version    int64  // of the verifier, as given to Wrap; grows with each change of it
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
