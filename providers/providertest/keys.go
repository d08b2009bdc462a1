package providertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"sync"
)

// Key is a signing key of the provider.
type Key struct {
	ID, Alg string // Alg is RS256, PS256, ES256 or EdDSA
	Private crypto.Signer
}

// rsaKey is the one RSA key of a test program: making one takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// NewKey returns a key for the algorithm with a fresh random id. All RSA keys
// of a program are the same key under different ids.
func NewKey(alg string) (Key, error) {
	k := Key{ID: rand.Text(), Alg: alg}
	var err error
	switch alg {
	case "RS256", "PS256":
		k.Private, err = rsaKey()
	case "ES256":
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("no keys for %q", alg)
	}
	return k, err
}

// JWK returns the public half (RFC 7517).
func (k Key) JWK() map[string]any {
	jwk := map[string]any{"kid": k.ID, "alg": k.Alg, "use": "sig"}
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x, y
		if err == nil {
			jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", "P-256", encode(point[1:33]), encode(point[33:])
		}
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", encode(public)
	}
	return jwk
}

// Sign returns the signature of a JWS signing input (RFC 7518, section 3).
func (k Key) Sign(input string) ([]byte, error) {
	sum := sha256.Sum256([]byte(input))
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		if k.Alg == "PS256" {
			return rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(input)), nil
	}
	return nil, fmt.Errorf("no signatures by %T", k.Private)
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
