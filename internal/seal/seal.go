// Package seal lets state travel through strangers' hands: a Box encrypts and
// authenticates it, so that nothing has to be stored until it comes back.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// KeySize is the length of a root key in bytes.
const KeySize = 32

// ErrForged says that a sealed text is not ours: cut, changed, encoded in
// another way, or sealed for another purpose.
var ErrForged = errors.New("seal: not sealed here")

// Box seals and opens texts for one purpose with AES-256-GCM (NIST SP 800-38D)
// and random nonces. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// New derives the Box for a purpose from the root key by HKDF-SHA-256
// (RFC 5869). Boxes for different purposes cannot open each other's texts.
func New(root []byte, purpose string) (*Box, error) {
	if len(root) != KeySize {
		return nil, fmt.Errorf("seal: root key has %d bytes, want %d", len(root), KeySize)
	}
	if purpose == "" {
		return nil, errors.New("seal: purpose is empty")
	}
	key, err := hkdf.Key(sha256.New, root, nil, "gateway seal "+purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("seal: derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: mode: %w", err)
	}
	return &Box{aead}, nil
}

// encoding refuses line breaks and stray bits, so that each sealed text has
// one spelling.
var encoding = base64.RawURLEncoding.Strict()

// Seal returns plaintext sealed, in base64url without padding.
func (b *Box) Seal(plaintext []byte) string {
	return encoding.EncodeToString(b.aead.Seal(nil, nil, plaintext, nil))
}

// Open returns what Seal was given, or ErrForged.
func (b *Box) Open(sealed string) ([]byte, error) {
	for i := range len(sealed) {
		if sealed[i] == '\n' || sealed[i] == '\r' { // encoding/base64 would skip them
			return nil, ErrForged
		}
	}
	raw, err := encoding.DecodeString(sealed)
	if err != nil {
		return nil, ErrForged
	}
	plaintext, err := b.aead.Open(nil, nil, raw, nil)
	if err != nil {
		return nil, ErrForged
	}
	return plaintext, nil
}
