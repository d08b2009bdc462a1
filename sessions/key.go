package sessions

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ErrKey says that something is no signing key of ours: not ECDSA on P-256, or without a valid ID.
var ErrKey = errors.New("sessions: not a signing key")

// Key is a private key that signs tokens with ES256 (RFC 7518, section 3.4).
type Key struct {
	ID      string        // the tokens' kid: random, at most 64 of A-Z a-z 0-9 - _
	Private crypto.Signer // *ecdsa.PrivateKey on P-256
}

// The form of a key at rest: PKCS#8 (RFC 5958) in PEM (RFC 7468) with the ID in a header.
const (
	pemType   = "PRIVATE KEY"
	pemHeader = "Kid"
)

// NewKey returns a fresh key with a random ID.
func NewKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate P-256 key: %w", err)
	}
	return Key{ID: rand.Text(), Private: private}, nil
}

// ParseKey reads what MarshalPEM wrote: exactly one block and nothing beside
// it, or ErrKey.
func ParseKey(text []byte) (Key, error) {
	text = bytes.TrimSpace(text)
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(rest) != 0 || !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return Key{}, fmt.Errorf("%w: want one PEM block of type %s", ErrKey, pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("%w: PKCS #8: %w", ErrKey, err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("%w: want ECDSA on P-256", ErrKey)
	}
	k := Key{ID: block.Headers[pemHeader], Private: private}
	if _, err := k.private(); err != nil {
		return Key{}, err
	}
	return k, nil
}

// MarshalPEM returns the private key for a file that only its owner reads.
func (k Key) MarshalPEM() ([]byte, error) {
	private, err := k.private()
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("marshal key %s: %w", k.ID, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Headers: map[string]string{pemHeader: k.ID}, Bytes: raw}), nil
}

// String names the key and hides it from fmt.
func (k Key) String() string { return "key " + k.ID }

// MarshalText names the key and hides it from encoders and slog.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// private returns the key as the algorithm wants it, or ErrKey.
func (k Key) private() (*ecdsa.PrivateKey, error) {
	if !validID(k.ID) {
		return nil, fmt.Errorf("%w: its ID is missing or not of A-Z a-z 0-9 - _", ErrKey)
	}
	private, ok := k.Private.(*ecdsa.PrivateKey)
	if !ok || private == nil || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: want ECDSA on P-256", ErrKey)
	}
	return private, nil
}

// validID reports whether id is 1 to 64 of A-Z a-z 0-9 - _.
func validID(id string) bool {
	return id != "" && len(id) <= 64 && isBase64URL(id)
}

// isBase64URL reports whether s has only letters of base64url (RFC 4648, section 5).
func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
