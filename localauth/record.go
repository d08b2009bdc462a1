package localauth

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

// record is the verifier behind a login: a user's, or one made up.
type record struct {
	User
	genuine bool
	lacks   Reason // why it is not
}

// record finds the verifier for an account. Where there is none, or none that
// can be used, it is made up: the same salt and iterations for the same
// account each time, and keys that nobody has the password to.
func (l *Local) record(ctx context.Context, account string) (record, error) {
	made, err := l.madeUp(ctx, account)
	if err != nil {
		return record{}, err
	}
	u, err := l.Users.LocalUser(ctx, account)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return record{}, fmt.Errorf("localauth: look up user: %w", err)
	}
	switch {
	case err != nil:
		return record{User: made, lacks: Unknown}, nil
	case !usable(u):
		return record{User: made, lacks: Unreadable}, nil
	}
	return record{User: u, genuine: true}, nil
}

// usable reports whether a record is whole. What is not can verify nobody.
func usable(u User) bool {
	return u.UserID != "" && checkDerivation(u.Salt, u.Iterations, 1) == nil &&
		len(u.StoredKey) == wrappedSize && len(u.ServerKey) == wrappedSize
}

// madeUp is the verifier shown for an account that has none.
func (l *Local) madeUp(ctx context.Context, account string) (User, error) {
	seed := mac(l.SaltKey, account)
	u := l.decoy
	u.Salt = seed[:SaltSize]
	u.Iterations = orDefault(l.Iterations)
	if l.Live == nil {
		return u, nil
	}
	live, err := l.Live(ctx)
	if err != nil {
		return User{}, fmt.Errorf("localauth: iterations of real records: %w", err)
	}
	if len(live) > 0 {
		place, _ := bits.Mul64(binary.BigEndian.Uint64(seed[SaltSize:]), uint64(len(live)))
		u.Iterations = live[place]
	}
	return u, nil
}

// nobody is the account of a name that cannot be a login. No login contains ':'.
func nobody(name string) string {
	sum := digest(name)
	return ":" + hex.EncodeToString(sum[:])
}

// newDecoy returns the record that is unwrapped and compared for accounts that
// have none. Its keys are random: they come from no password.
func (w wrapper) newDecoy() User {
	u := User{UserID: rand.Text()}
	key := make([]byte, 2*keySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	u.StoredKey, u.ServerKey = w.seal(key[:keySize], storedKey, u), w.seal(key[keySize:], serverKey, u)
	return u
}

func orDefault(iterations int) int {
	if iterations == 0 {
		return DefaultIterations
	}
	return iterations
}
