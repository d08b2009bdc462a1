package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"

	"gateway/providers"
)

const (
	maxKeys  = 100
	maxKeyID = 256 // bytes
)

var errNoKey = errors.New("no key of the provider fits")

// key is a public key that may verify one algorithm or, RSA, two.
type key struct {
	id, alg string // either may be empty
	public  any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// fits reports whether the key is of the kind the algorithm wants.
func (k key) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch k.public.(type) {
	case *rsa.PublicKey:
		return alg == "RS256" || alg == "PS256"
	case *ecdsa.PublicKey:
		return alg == "ES256"
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// fetchKeys fetches the provider's key set (RFC 7517, section 5).
func (p *Provider) fetchKeys(ctx context.Context) ([]key, error) {
	m, err := p.metadata.load(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := p.get(ctx, m.jwks)
	if err != nil {
		return nil, fmt.Errorf("%w: keys: %w", providers.ErrUnavailable, err)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(doc["keys"], &raw); err != nil {
		return nil, fmt.Errorf("%w: keys: no array", providers.ErrUnavailable)
	}
	return usableKeys(raw), nil
}

// usableKeys leaves out what is no key for signatures of ours: unknown kinds,
// private or symmetric ones, keys for encryption, weak ones, and all but the
// first of the same kind under one name.
func usableKeys(raw []json.RawMessage) []key {
	var all []key
	for _, r := range raw {
		k, err := parseKey(r)
		if err != nil || slices.ContainsFunc(all, func(o key) bool {
			return o.id != "" && o.id == k.id && o.fits(k.kind()) && k.fits(o.kind())
		}) {
			continue
		}
		if all = append(all, k); len(all) == maxKeys {
			break
		}
	}
	return all
}

// kind returns one algorithm the key fits.
func (k key) kind() string {
	for _, alg := range providers.Algorithms() {
		if k.fits(alg) {
			return alg
		}
	}
	return ""
}

func parseKey(raw json.RawMessage) (key, error) {
	o, err := parseObject(raw)
	if err != nil {
		return key{}, err
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := o[private]; ok {
			return key{}, errors.New("not a public key")
		}
	}
	if use, _ := o.text("use"); o.has("use") && use != "sig" {
		return key{}, errors.New("not for signatures")
	}
	if ops, _ := o.texts("key_ops", true); o.has("key_ops") && !slices.Contains(ops, "verify") {
		return key{}, errors.New("not for verification")
	}
	id, ok := o.text("kid")
	if o.has("kid") && !ok || len(id) > maxKeyID {
		return key{}, errors.New("bad kid")
	}
	alg, ok := o.text("alg")
	if o.has("alg") && (!ok || !slices.Contains(providers.Algorithms(), alg)) {
		return key{}, errors.New("unknown algorithm")
	}
	public, err := parsePublic(o)
	if err != nil {
		return key{}, err
	}
	k := key{id: id, alg: alg, public: public}
	if k.kind() == "" {
		return key{}, errors.New("algorithm and kind differ")
	}
	return k, nil
}

// parsePublic reads the key itself and nothing beside it: go-jose would also
// parse certificates.
func parsePublic(o object) (any, error) {
	bare := object{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if raw, ok := o[name]; ok {
			bare[name] = raw
		}
	}
	raw, err := json.Marshal(bare)
	if err != nil {
		return nil, err
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	switch public := jwk.Key.(type) {
	case *rsa.PublicKey: // NIST SP 800-131A: 2048 bits; go-jose takes 4096 at most, which keeps verification cheap
		if public.N.BitLen() < 2048 || public.E < 3 || public.E%2 == 0 {
			return nil, errors.New("weak or odd RSA key")
		}
		return public, nil
	case *ecdsa.PublicKey:
		if _, err := public.ECDH(); public.Curve != elliptic.P256() || err != nil {
			return nil, errors.New("not a point of P-256")
		}
		return public, nil
	case ed25519.PublicKey:
		return public, nil
	}
	return nil, errors.New("unknown kind")
}

// keySet verifies one signature with the provider's keys; go-oidc's own would
// ask the provider once for each bad token. It keeps its error, of which
// go-oidc passes on the text alone.
type keySet struct {
	keys       *remote[[]key]
	algorithms []string
	err        error
}

// VerifySignature implements go-oidc's KeySet. A key is chosen by name and
// kind; without a name in the token there must be a single key that fits. A
// token no key fits makes us look for new keys once (OpenID Connect Core 1.0,
// section 10.1.1).
func (s *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := s.verify(ctx, jwt)
	s.err = err
	return payload, err
}

func (s *keySet) verify(ctx context.Context, jwt string) ([]byte, error) {
	algorithms := make([]jose.SignatureAlgorithm, 0, len(s.algorithms))
	for _, alg := range s.algorithms {
		algorithms = append(algorithms, jose.SignatureAlgorithm(alg))
	}
	jws, err := jose.ParseSignedCompact(jwt, algorithms)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
	keys, err := s.keys.load(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := verify(jws, keys)
	named := jws.Signatures[0].Header.KeyID != ""
	if err == nil || named && !errors.Is(err, errNoKey) {
		return payload, err
	}
	if keys, err = s.keys.force(ctx); err != nil {
		return nil, err
	}
	return verify(jws, keys)
}

func verify(jws *jose.JSONWebSignature, keys []key) ([]byte, error) {
	header := jws.Signatures[0].Header
	var fitting []key
	for _, k := range keys {
		if k.fits(header.Algorithm) && (header.KeyID == "" || k.id == header.KeyID) {
			fitting = append(fitting, k)
		}
	}
	if len(fitting) != 1 {
		return nil, fmt.Errorf("%w: %d of %d", errNoKey, len(fitting), len(keys))
	}
	payload, err := jws.Verify(fitting[0].public)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return payload, nil
}
