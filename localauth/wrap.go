package localauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// PepperSize is the length of a pepper in bytes.
const PepperSize = 32

// What a wrapped key is, so that none can stand for the other.
const (
	storedKey = "stored key"
	serverKey = "server key"
)

// wrappedSize is the length of a wrapped key: nonce, key, tag (NIST SP 800-38D).
const wrappedSize = 12 + keySize + 16

// Wrap encrypts the keys of a valid verifier for the store, AES-256-GCM under
// the pepper. They open only as what they are, and for the same user id and
// version: what leaks from the store alone tells nothing, and what is moved
// about in it does not count. The user id is not empty.
func Wrap(pepper []byte, userID string, version int64, v Verifier) (stored, server []byte, err error) {
	w, err := newWrapper(pepper)
	if err != nil {
		return nil, nil, err
	}
	if userID == "" {
		return nil, nil, errors.New("localauth: wrap: user id is empty")
	}
	if err := v.Validate(1); err != nil {
		return nil, nil, err
	}
	u := User{UserID: userID, Version: version}
	return w.seal(v.StoredKey, storedKey, u), w.seal(v.ServerKey, serverKey, u), nil
}

// Opens reports whether the verifiers of any of these users open with a pepper,
// or there are none. If not, it is not the pepper that they were wrapped with.
func Opens(pepper []byte, some []User) (bool, error) {
	w, err := newWrapper(pepper)
	if err != nil {
		return false, err
	}
	for _, u := range some {
		if _, ok := w.open(u.StoredKey, storedKey, u); ok == 1 {
			return true, nil
		}
	}
	return len(some) == 0, nil
}

// wrapper encrypts and opens the keys of verifiers.
type wrapper struct{ aead cipher.AEAD }

func newWrapper(pepper []byte) (wrapper, error) {
	if len(pepper) != PepperSize {
		return wrapper{}, fmt.Errorf("localauth: pepper has %d bytes, want %d", len(pepper), PepperSize)
	}
	key, err := hkdf.Key(sha256.New, pepper, nil, "gateway localauth verifier", PepperSize)
	if err != nil {
		return wrapper{}, fmt.Errorf("localauth: derive key from pepper: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return wrapper{}, fmt.Errorf("localauth: cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return wrapper{}, fmt.Errorf("localauth: mode: %w", err)
	}
	return wrapper{aead}, nil
}

func (w wrapper) seal(key []byte, kind string, u User) []byte {
	return w.aead.Seal(nil, nil, key, label(kind, u)) //nolint:gosec // G407: this mode draws its own nonce
}

// open returns the key, and 1 if it is one; otherwise zero bytes and 0.
func (w wrapper) open(wrapped []byte, kind string, u User) (key [keySize]byte, ok int) {
	plain, err := w.aead.Open(nil, nil, wrapped, label(kind, u))
	return key, one(err == nil && copy(key[:], plain) == keySize)
}

// label is what the wrapping of a key of u is bound to.
func label(kind string, u User) []byte {
	b := make([]byte, 0, 128)
	b = append(b, kind...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(u.Version)) //nolint:gosec // G115: the same bits either way
	return append(b, u.UserID...)
}

// one is 1 for true and 0 for false.
func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
