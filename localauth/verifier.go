package localauth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	// DefaultIterations are the PBKDF2 rounds of a new verifier, and the fewest
	// that our clients accept.
	DefaultIterations = 600_000
	// MaxIterations are the most PBKDF2 rounds of a verifier, and the most that
	// our clients accept.
	MaxIterations = 10_000_000
	// MinPassword is NIST SP 800-63B-4's length for a password that stands alone,
	// in code points. Only clients can enforce it.
	MinPassword = 15
	// SaltSize is the length of a new salt in bytes. Real salts should have it:
	// made-up ones do.
	SaltSize = 16

	maxSalt = 64
	keySize = sha256.Size
)

// ErrVerifier says that a verifier is not one to keep.
var ErrVerifier = errors.New("localauth: unusable verifier")

// Verifier is what a client derives from a password, and all that we ever learn of it.
type Verifier struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte // SHA-256 of the client key
	ServerKey  []byte
}

// SaltedPassword derives the key from which all others of RFC 5802, section 3,
// come: PBKDF2-HMAC-SHA-256 over the mapped password. It takes as long as the
// iterations demand; the caller has judged whether they are enough.
func SaltedPassword(password string, salt []byte, iterations int) ([]byte, error) {
	if err := checkDerivation(salt, iterations, 1); err != nil {
		return nil, err
	}
	mapped, err := MapPassword(password)
	if err != nil {
		return nil, err
	}
	salted, err := pbkdf2.Key(sha256.New, mapped, salt, iterations, keySize)
	if err != nil {
		return nil, fmt.Errorf("localauth: derive key: %w", err)
	}
	return salted, nil
}

// Derive returns the verifier of a password. The salt has 16 to 64 random
// bytes, the iterations are 1 to MaxIterations.
func Derive(password string, salt []byte, iterations int) (Verifier, error) {
	salted, err := SaltedPassword(password, salt, iterations)
	if err != nil {
		return Verifier{}, err
	}
	defer clear(salted)
	client := mac(salted, "Client Key")
	defer clear(client[:])
	stored, server := sha256.Sum256(client[:]), mac(salted, "Server Key")
	return Verifier{Salt: bytes.Clone(salt), Iterations: iterations, StoredKey: stored[:], ServerKey: server[:]}, nil
}

// Validate returns ErrVerifier unless v could come from a password: keys of 32
// bytes, not zero and not the same, a salt of 16 to 64 bytes, and iterations
// from fewest to MaxIterations.
func (v Verifier) Validate(fewest int) error {
	if err := checkDerivation(v.Salt, v.Iterations, max(fewest, 1)); err != nil {
		return err
	}
	switch zero := make([]byte, keySize); {
	case len(v.StoredKey) != keySize || len(v.ServerKey) != keySize:
		return fmt.Errorf("%w: keys do not have %d bytes", ErrVerifier, keySize)
	case hmac.Equal(v.StoredKey, zero) || hmac.Equal(v.ServerKey, zero):
		return fmt.Errorf("%w: a key is zero", ErrVerifier)
	case hmac.Equal(v.StoredKey, v.ServerKey):
		return fmt.Errorf("%w: both keys are the same", ErrVerifier)
	}
	return nil
}

func checkDerivation(salt []byte, iterations, fewest int) error {
	if len(salt) < SaltSize || len(salt) > maxSalt {
		return fmt.Errorf("%w: salt has %d bytes, want %d to %d", ErrVerifier, len(salt), SaltSize, maxSalt)
	}
	if iterations < fewest || iterations > MaxIterations {
		return fmt.Errorf("%w: %d iterations, want %d to %d", ErrVerifier, iterations, fewest, MaxIterations)
	}
	return nil
}

// mac is HMAC-SHA-256 (RFC 2104).
func mac(key []byte, text string) [keySize]byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return [keySize]byte(h.Sum(nil))
}
