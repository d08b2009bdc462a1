package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"gateway/internal/secret"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

// Each bad key stands in front of the good one and under its name, so that
// taking it, or giving up over it, fails the sign-in.
func TestBadKeysAreIgnored(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(base map[string]any, change map[string]any) map[string]any {
		maps.Copy(base, change)
		return base
	}
	other := newRSA(t)
	rsaKey := func() map[string]any { return maps.Clone(other) }
	ecKey := func() map[string]any { return newKey(t).JWK() }
	for name, bad := range map[string]any{
		"no object":         "key",
		"null":              nil,
		"empty":             map[string]any{},
		"unknown kind":      map[string]any{"kty": "XYZ"},
		"symmetric":         map[string]any{"kty": "oct", "k": "AAAA"},
		"weak RSA":          with(rsaKey(), map[string]any{"n": b64int(weak.N)}),
		"e = 1":             with(rsaKey(), map[string]any{"e": "AQ"}),
		"e even":            with(rsaKey(), map[string]any{"e": "AQAA"}),
		"e huge":            with(rsaKey(), map[string]any{"e": b64int(new(big.Int).Lsh(big.NewInt(1), 80))}),
		"no modulus":        with(rsaKey(), map[string]any{"n": ""}),
		"huge modulus":      with(rsaKey(), map[string]any{"n": b64int(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 8200), big.NewInt(1)))}),
		"off the curve":     with(ecKey(), map[string]any{"x": b64int(big.NewInt(1)), "y": b64int(big.NewInt(1))}),
		"other curve":       map[string]any{"kty": "EC", "crv": "P-384", "x": b64int(p384.X), "y": b64int(p384.Y)},
		"unknown curve":     with(ecKey(), map[string]any{"crv": "secp256k1"}),
		"for encryption":    with(rsaKey(), map[string]any{"use": "enc"}),
		"to wrap keys":      with(rsaKey(), map[string]any{"key_ops": []string{"wrapKey"}}),
		"for another alg":   with(rsaKey(), map[string]any{"alg": "RSA-OAEP"}),
		"alg of other kind": with(rsaKey(), map[string]any{"alg": "ES256"}),
		"private":           with(rsaKey(), map[string]any{"d": "AAAA"}),
		"kid is a number":   with(rsaKey(), map[string]any{"kid": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, good := range []string{"RS256", "ES256"} {
				s, p := offline(t)
				if err := s.Rotate(good, false); err != nil {
					t.Fatal(err)
				}
				s.Bend(providertest.Bend{JWKS: func(set map[string]any) {
					if k, ok := bad.(map[string]any); ok && name != "kid is a number" {
						k["kid"] = s.Key().ID
					}
					all, _ := set["keys"].([]any)
					set["keys"] = append([]any{bad}, all...)
				}})
				if _, err := providertest.SignIn(t, s, p); err != nil {
					t.Errorf("beside %s: %v, want nil", good, err)
				}
			}
		})
	}
}

func TestKeySet(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(t *testing.T, good map[string]any) any
		want error
	}{
		{"empty", func(*testing.T, map[string]any) any { return []any{} }, providers.ErrRefused},
		{"no array", func(*testing.T, map[string]any) any { return "keys" }, providers.ErrUnavailable},
		{"null", func(*testing.T, map[string]any) any { return nil }, providers.ErrRefused},
		{"one of many", func(t *testing.T, good map[string]any) any {
			all := []any{good}
			for range 1500 {
				all = append(all, newKey(t).JWK())
			}
			return all
		}, nil},
		{"past the hundredth", func(t *testing.T, good map[string]any) any {
			var all []any
			for range 100 {
				all = append(all, newKey(t).JWK())
			}
			return append(all, good)
		}, providers.ErrRefused},
		{"the name twice: the first counts", func(t *testing.T, good map[string]any) any {
			other := newRSA(t)
			other["kid"] = good["kid"]
			return []any{good, other}
		}, nil},
		{"the name twice: the second does not", func(t *testing.T, good map[string]any) any {
			other := newRSA(t)
			other["kid"] = good["kid"]
			return []any{other, good}
		}, providers.ErrRefused},
		{"the name twice, of another kind", func(t *testing.T, good map[string]any) any {
			other := newKey(t).JWK()
			other["kid"] = good["kid"]
			return []any{other, good}
		}, nil},
		{"certificates are not read", func(_ *testing.T, good map[string]any) any {
			good["x5c"], good["x5t"], good["x5u"] = []string{"AAAA"}, 1, ":"
			return []any{good}
		}, nil},
		{"key without alg and use", func(_ *testing.T, good map[string]any) any {
			delete(good, "alg")
			delete(good, "use")
			return []any{good}
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{JWKS: func(set map[string]any) { set["keys"] = row.set(t, s.Key().JWK()) }})
			if _, err := providertest.SignIn(t, s, p); !errors.Is(err, row.want) {
				t.Errorf("SignIn = %v, want %v", err, row.want)
			}
		})
	}
}

func TestTokenWithoutKid(t *testing.T) {
	s, p := offline(t)
	s.Bend(providertest.Bend{Header: func(h map[string]any) { delete(h, "kid") }})
	if err := s.Rotate("ES256", true); err != nil {
		t.Fatal(err)
	}
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Errorf("one key of its kind: %v, want nil", err)
	}
	s.Bend(providertest.Bend{
		Header: func(h map[string]any) { delete(h, "kid") },
		JWKS:   func(set map[string]any) { set["keys"] = []any{s.Key().JWK(), newKey(t).JWK()} },
	})
	if err := s.Rotate("ES256", true); err != nil {
		t.Fatal(err)
	}
	if _, err := providertest.SignIn(t, s, p); !errors.Is(err, providers.ErrRefused) {
		t.Errorf("two keys of its kind: %v, want ErrRefused", err)
	}
}

// A key serves the algorithm it names and no other.
func TestAlgorithmOfKey(t *testing.T) {
	for alg, want := range map[any]error{"PS256": nil, nil: nil, "RS256": providers.ErrRefused, "RS512": providers.ErrRefused, 1: providers.ErrRefused} {
		s, p := offline(t)
		if err := s.Rotate("PS256", false); err != nil {
			t.Fatal(err)
		}
		s.Bend(providertest.Bend{JWKS: func(set map[string]any) {
			jwk := s.Key().JWK()
			jwk["alg"] = alg
			set["keys"] = []any{jwk}
		}})
		if _, err := providertest.SignIn(t, s, p); !errors.Is(err, want) {
			t.Errorf("PS256 by a key for %v: %v, want %v", alg, err, want)
		}
	}
}

// clock is a clock that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// moving returns a provider that shares a clock with us.
func moving(t *testing.T) (*providertest.Server, *oidc.Provider, *clock) {
	t.Helper()
	c := &clock{t: noon}
	s := providertest.Offline(t)
	s.Now = c.now
	return s, open(t, s, func(cfg *oidc.Config) { cfg.Transport = s }), c
}

func TestRotation(t *testing.T) {
	s, p, c := moving(t)
	for i, step := range []struct {
		name    string
		after   time.Duration
		rotate  bool
		want    error
		fetches int
	}{
		{"first", 0, false, nil, 1},
		{"same key", time.Second, false, nil, 1},
		{"new key", time.Second, true, nil, 2},
		{"another at once", time.Second, true, providers.ErrRefused, 2},
		{"once the rest is over", 10 * time.Second, false, nil, 3},
		{"still fresh", 14 * time.Minute, false, nil, 3},
		{"no longer fresh", time.Minute, false, nil, 4},
	} {
		c.pass(step.after)
		if step.rotate {
			if err := s.Rotate("RS256", false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := providertest.SignIn(t, s, p); !errors.Is(err, step.want) {
			t.Errorf("%d %s: %v, want %v", i, step.name, err, step.want)
		}
		if got := s.Count(providertest.JWKS); got != step.fetches {
			t.Errorf("%d %s: %d fetches, want %d", i, step.name, got, step.fetches)
		}
	}
}

func TestStrangersCauseNoFetches(t *testing.T) {
	s, p, c := moving(t)
	if err := s.Rotate("ES256", false); err != nil {
		t.Fatal(err)
	}
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		c.pass(60 * time.Millisecond) // a minute in all
		raw, err := s.Token(map[string]any{"kid": fmt.Sprint(i)}, map[string]any{
			"iss": s.URL, "sub": "x", "aud": s.ClientID, "nonce": "n", "iat": c.now().Unix(), "exp": c.now().Unix() + 60,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.VerifyToken(t.Context(), secret.New(raw), "n"); !errors.Is(err, providers.ErrRefused) {
			t.Fatalf("unknown key: %v, want ErrRefused", err)
		}
	}
	if got := s.Count(providertest.JWKS); got > 7 {
		t.Errorf("%d fetches in a minute, want one per 10 s", got)
	}
}

func TestKeysOutlastTheirEndpoint(t *testing.T) {
	s, p, c := moving(t)
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Fatal(err)
	}
	s.Fail(providertest.JWKS, http.StatusServiceUnavailable)
	for _, step := range []struct {
		after time.Duration
		want  error
	}{
		{time.Minute, nil},
		{time.Hour, nil},
		{22 * time.Hour, nil},
		{time.Hour, providers.ErrUnavailable},
	} {
		c.pass(step.after)
		if _, err := providertest.SignIn(t, s, p); !errors.Is(err, step.want) {
			t.Errorf("after %s more: %v, want %v", step.after, err, step.want)
		}
	}
	s.Fail(providertest.JWKS, 0)
	c.pass(10 * time.Second)
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Errorf("once it is back: %v, want nil", err)
	}
}

func TestClockSteps(t *testing.T) {
	s, p, c := moving(t)
	for i, step := range []time.Duration{0, 48 * time.Hour, -48 * time.Hour, -time.Hour, 400 * 24 * time.Hour} {
		c.pass(step)
		if _, err := providertest.SignIn(t, s, p); err != nil {
			t.Errorf("after a step of %s: %v, want nil", step, err)
		}
		if got := s.Count(providertest.Discovery); got != i+1 {
			t.Errorf("after a step of %s: discovered %d times, want %d", step, got, i+1)
		}
	}
}

func TestClockThatStepsBackEndsTheRest(t *testing.T) {
	s, p, c := moving(t)
	s.Fail(providertest.Discovery, http.StatusBadGateway)
	if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("down: %v, want ErrUnavailable", err)
	}
	s.Fail(providertest.Discovery, 0)
	c.pass(-time.Hour)
	if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); err != nil {
		t.Errorf("an hour before: %v, want nil", err)
	}
}

func newKey(t testing.TB) providertest.Key {
	t.Helper()
	k, err := providertest.NewKey("ES256")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newRSA returns an RSA key that is not the one all providers share.
func newRSA(t testing.TB) map[string]any {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "n": b64int(private.N), "e": b64int(big.NewInt(int64(private.E)))}
}

func b64int(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
