package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"

	"gateway/providers"
)

const (
	maxSkew    = 5 * time.Minute  // between the provider's clock and ours
	maxWaiting = 15 * time.Minute // between an ID token's issue and its being handed in
	maxSubject = 255              // characters (OpenID Connect Core 1.0, section 2)
)

// expected is what one token must say beyond what all must.
type expected struct {
	nonce     string        // required of ID tokens, never empty for them
	resource  bool          // a token of token_audiences, not an ID token for us
	oldest    time.Duration // an ID token was issued at most this long ago
	code      string        // c_hash, where the token has one
	accessKey string        // at_hash, where the token has one
}

// verify returns the claims of a token once everything about it holds. What
// costs nothing is checked first: nobody makes us fetch keys for a token that
// cannot be ours. The error wraps ErrRefused, or ErrUnavailable without keys.
func (p *Provider) verify(ctx context.Context, m *metadata, raw string, t token, want expected) error {
	if err := p.check(t, want); err != nil {
		return fmt.Errorf("%w: %w", providers.ErrRefused, err)
	}
	keys := &keySet{keys: p.keys, algorithms: m.algorithms}
	verifier := goidc.NewVerifier(p.c.Issuer, keys, &goidc.Config{
		ClientID: p.c.ClientID, SkipClientIDCheck: want.resource,
		SupportedSigningAlgs: m.algorithms, Now: p.c.now,
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		if errors.Is(keys.err, providers.ErrUnavailable) {
			return keys.err
		}
		return fmt.Errorf("%w: %w", providers.ErrRefused, err)
	}
	return nil
}

// check judges what a token says (OpenID Connect Core 1.0, section 3.1.3.7),
// by exact names.
func (p *Provider) check(t token, want expected) error {
	c := t.claims
	if iss, _ := c.text("iss"); iss != p.c.Issuer {
		return errors.New("iss is another issuer")
	}
	if !validSubject(c) {
		return fmt.Errorf("sub is missing or not 1 to %d printable ASCII characters", maxSubject)
	}
	if err := p.checkAudience(t, want); err != nil {
		return err
	}
	if err := p.checkTimes(c, want); err != nil {
		return err
	}
	if want.resource {
		return nil
	}
	nonce, ok := c.text("nonce")
	if !ok || want.nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(want.nonce)) != 1 {
		return errors.New("nonce is not that of the request")
	}
	if err := checkHash(t, "at_hash", want.accessKey); err != nil {
		return err
	}
	return checkHash(t, "c_hash", want.code)
}

func validSubject(c object) bool {
	sub, ok := c.text("sub")
	if !ok || sub == "" || len(sub) > maxSubject {
		return false
	}
	for i := range len(sub) {
		if sub[i] < 0x20 || sub[i] > 0x7e {
			return false
		}
	}
	return true
}

// checkAudience refuses tokens made for somebody else, and tokens of another
// type (RFC 8725, section 3.11).
func (p *Provider) checkAudience(t token, want expected) error {
	aud, ok := t.claims.texts("aud", false)
	if !ok {
		return errors.New("aud is missing")
	}
	if want.resource {
		if t.typ != "" && t.typ != "jwt" && t.typ != "at+jwt" {
			return errors.New("typ is not that of an access token")
		}
		if !slices.ContainsFunc(aud, p.takes) {
			return errors.New("aud is neither our client nor one of token_audiences")
		}
		return nil
	}
	if t.typ != "" && t.typ != "jwt" {
		return errors.New("typ is not that of an ID token")
	}
	azp, named := t.claims.text("azp")
	switch {
	case !slices.Contains(aud, p.c.ClientID):
		return errors.New("aud is another client")
	case t.claims.has("azp") && (!named || azp != p.c.ClientID):
		return errors.New("azp is another client")
	case len(aud) > 1 && !named:
		return errors.New("aud has several audiences and azp is missing")
	}
	return nil
}

// takes reports whether an audience is one of token_audiences.
func (p *Provider) takes(aud string) bool {
	return aud != "" && slices.Contains(p.c.TokenAudiences, aud)
}

func (p *Provider) checkTimes(c object, want expected) error {
	now := p.c.now()
	exp, ok := c.seconds("exp")
	if !ok || !now.Before(time.Unix(exp, 0)) {
		return errors.New("exp is missing or past (if it should not be: compare the clocks)")
	}
	iat, ok := c.seconds("iat")
	if !ok || iat >= exp {
		return errors.New("iat is missing or not before exp")
	}
	age := now.Sub(time.Unix(iat, 0))
	if age < -maxSkew || !want.resource && age > want.oldest {
		return fmt.Errorf("iat is %s from now: clock skew, or an old token", age.Round(time.Second))
	}
	nbf, ok := c.seconds("nbf")
	if _, there := c["nbf"]; there && (!ok || time.Unix(nbf, 0).Sub(now) > maxSkew) {
		return errors.New("nbf is in the future (if it should not be: compare the clocks)")
	}
	auth, ok := c.seconds("auth_time")
	if c.has("auth_time") && (!ok || time.Unix(auth, 0).Sub(now) > maxSkew) {
		return errors.New("auth_time is no time or in the future")
	}
	return nil
}

// checkHash compares at_hash or c_hash, where the token has it: the left half
// of the hash that goes with its algorithm (OpenID Connect Core 1.0, section
// 3.1.3.6). Nothing is compared where we hold no value.
func checkHash(t token, name, value string) error {
	if _, there := t.claims[name]; !there || value == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(value))
	half := sum[:len(sum)/2]
	if t.alg == "EdDSA" { // Ed25519 goes with SHA-512
		sum := sha512.Sum512([]byte(value))
		half = sum[:len(sum)/2]
	}
	got, _ := t.claims.text(name)
	if subtle.ConstantTimeCompare([]byte(got), []byte(base64.RawURLEncoding.EncodeToString(half))) != 1 {
		return fmt.Errorf("%s does not fit", name)
	}
	return nil
}
