package sessions

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
)

// Signer signs tokens with its active key and knows the public keys of others
// that are still or soon valid. Sessions and assertions have a Signer each,
// with keys of their own. The zero Signer signs and knows nothing. It is safe
// for concurrent use.
type Signer struct{ ring atomic.Pointer[ring] }

// ring is a set of keys; it never changes.
type ring struct {
	id      string
	private *ecdsa.PrivateKey
	public  map[string]*ecdsa.PublicKey
	jwks    []byte
}

// NewSigner returns a Signer; see Replace.
func NewSigner(active Key, others map[string]crypto.PublicKey) (*Signer, error) {
	s := new(Signer)
	if err := s.Replace(active, others); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace makes active the key that signs and others, by ID, the keys that
// verify beside it: retired ones whose tokens still live, and the next one,
// which has to be in the JWKS before it signs. The tokens of every other key
// are void at once. It fails with ErrKey and changes nothing if a key is not
// ECDSA on P-256, or an ID invalid or used twice.
func (s *Signer) Replace(active Key, others map[string]crypto.PublicKey) error {
	private, err := active.private()
	if err != nil {
		return err
	}
	r := &ring{id: active.ID, private: private, public: map[string]*ecdsa.PublicKey{active.ID: &private.PublicKey}}
	for id, key := range others {
		public, ok := key.(*ecdsa.PublicKey)
		if !ok || public == nil || public.Curve != elliptic.P256() || !validID(id) {
			return fmt.Errorf("%w: public key %q", ErrKey, id)
		}
		if id == active.ID {
			return fmt.Errorf("%w: %q is both active and not", ErrKey, id)
		}
		r.public[id] = public
	}
	if r.jwks, err = jwks(r.public); err != nil {
		return err
	}
	s.ring.Store(r)
	return nil
}

// KeyID returns the ID of the active key.
func (s *Signer) KeyID() string {
	if r := s.ring.Load(); r != nil {
		return r.id
	}
	return ""
}

// JWKS returns the public keys as a JWK Set (RFC 7517, section 5). The same
// keys give the same bytes.
func (s *Signer) JWKS() []byte {
	if r := s.ring.Load(); r != nil {
		return bytes.Clone(r.jwks)
	}
	return []byte(`{"keys":[]}`)
}

// sign returns the claims as a signed token of the type.
func (r *ring) sign(typ string, claims jwt.Claims) (string, error) {
	if r == nil {
		return "", errors.New("sessions: signer has no key")
	}
	t := jwt.Token{Method: jwt.SigningMethodES256, Claims: claims, Header: map[string]any{"alg": jwt.SigningMethodES256.Alg(), "kid": r.id, "typ": typ}}
	text, err := t.SignedString(r.private)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", r.id, err)
	}
	return text, nil
}

// jwk is an elliptic curve public key (RFC 7518, section 6.2.1).
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

func jwks(public map[string]*ecdsa.PublicKey) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{}
	for _, id := range slices.Sorted(maps.Keys(public)) {
		point, err := public[id].Bytes() // SEC 1, section 2.3.3: 4, x, y
		if err != nil {
			return nil, fmt.Errorf("%w: public key %q: %w", ErrKey, id, err)
		}
		x, y := point[1:33], point[33:]
		set.Keys = append(set.Keys, jwk{
			Type: "EC", Use: "sig", Algorithm: "ES256", ID: id, Curve: "P-256",
			X: base64.RawURLEncoding.EncodeToString(x), Y: base64.RawURLEncoding.EncodeToString(y),
		})
	}
	return json.Marshal(set)
}

// perRing is a memo of what follows from a ring of keys; with other keys it is empty.
type perRing[V any] struct{ current atomic.Pointer[ringMemo[V]] }

type ringMemo[V any] struct {
	*memo[tag, V]
	tags *tagger
	ring *ring
}

func (p *perRing[V]) of(r *ring, limit int) *ringMemo[V] {
	held := p.current.Load()
	if held != nil && held.ring == r {
		return held
	}
	fresh := &ringMemo[V]{newMemo[tag, V](limit, byFirst), newTagger(), r}
	if p.current.CompareAndSwap(held, fresh) {
		return fresh
	}
	return p.of(r, limit)
}
