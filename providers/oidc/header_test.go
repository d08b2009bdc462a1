package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

func TestHeader(t *testing.T) {
	var hits atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer evil.Close()
	own, err := providertest.NewKey("ES256")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, member string
		value        any
		want         error
	}{
		{"none", "alg", "none", providers.ErrRefused},
		{"None", "alg", "None", providers.ErrRefused},
		{"empty alg", "alg", "", providers.ErrRefused},
		{"no alg", "alg", nil, providers.ErrRefused},
		{"alg of another key", "alg", "ES256", providers.ErrRefused},
		{"same key, other padding", "alg", "PS256", providers.ErrRefused},
		{"unknown alg", "alg", "RS1", providers.ErrRefused},
		{"crit", "crit", []string{"exp"}, providers.ErrRefused},
		{"crit of nothing", "crit", []string{}, providers.ErrRefused},
		{"b64", "b64", false, providers.ErrRefused},
		{"b64 as it is", "b64", true, providers.ErrRefused},
		{"zip", "zip", "DEF", providers.ErrRefused},
		{"its own key", "jwk", own.JWK(), providers.ErrRefused},
		{"address of a key", "jku", evil.URL, providers.ErrRefused},
		{"address of a certificate", "x5u", evil.URL, providers.ErrRefused},
		{"certificate", "x5c", []string{certificate(t)}, providers.ErrRefused},
		{"thumbprint is harmless", "x5t", "AAAA", nil},
		{"typ absent", "typ", del{}, nil},
		{"typ in lower case", "typ", "jwt", nil},
		{"typ in full", "typ", "application/jwt", nil},
		{"typ of access tokens", "typ", "at+jwt", providers.ErrRefused},
		{"typ of logout tokens", "typ", "logout+jwt", providers.ErrRefused},
		{"typ of our sessions", "typ", "gateway-session+jwt", providers.ErrRefused},
		{"typ is a number", "typ", 1, providers.ErrRefused},
		{"kid of a file", "kid", "../../../dev/null", providers.ErrRefused},
		{"kid of a query", "kid", "' OR 1=1--", providers.ErrRefused},
		{"kid is a number", "kid", 1, providers.ErrRefused},
		{"kid is an object", "kid", map[string]any{}, providers.ErrRefused},
		{"kid is empty", "kid", "", providers.ErrRefused},
		{"kid is huge", "kid", strings.Repeat("k", 1<<20), providers.ErrRefused},
		{"no kid, one key", "kid", del{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{Header: func(h map[string]any) {
				h[row.member] = row.value
				if row.value == (del{}) {
					delete(h, row.member)
				}
			}})
			if _, err := providertest.SignIn(t, s, p); !errors.Is(err, row.want) {
				t.Errorf("%s %.40v: %v, want %v", row.member, row.value, err, row.want)
			}
		})
	}
	if got := hits.Load(); got != 0 {
		t.Errorf("the header made us ask %d times, want never", got)
	}
}

func TestSpelling(t *testing.T) {
	part := func(raw string, i int) string { return strings.Split(raw, ".")[i] }
	for _, row := range []struct {
		name string
		bend func(raw string) string
	}{
		{"empty", func(string) string { return "" }},
		{"unsigned", func(raw string) string { return part(raw, 0) + "." + part(raw, 1) + "." }},
		{"two parts", func(raw string) string { return part(raw, 0) + "." + part(raw, 1) }},
		{"five parts", func(raw string) string { return raw + ".a.b" }},
		{"dots", func(string) string { return strings.Repeat(".", 10) }},
		{"many dots", func(string) string { return strings.Repeat(".", 1<<14) }},
		{"leading space", func(raw string) string { return " " + raw }},
		{"trailing line break", func(raw string) string { return raw + "\n" }},
		{"line break within", func(raw string) string { return raw[:5] + "\r\n" + raw[5:] }},
		{"padding", func(raw string) string { return raw + "==" }},
		{"spare bits", spareBits},
		{"another signature", func(raw string) string { return flip(raw, len(raw)-20) }},
		{"other claims", func(raw string) string {
			return part(raw, 0) + "." + b64(`{"sub":"root"}`) + "." + part(raw, 2)
		}},
		{"alg twice", func(raw string) string {
			return b64(`{"alg":"RS256","alg":"RS256"}`) + "." + part(raw, 1) + "." + part(raw, 2)
		}},
		{"JSON serialisation", func(raw string) string {
			j, err := json.Marshal(map[string]string{"protected": part(raw, 0), "payload": part(raw, 1), "signature": part(raw, 2)})
			if err != nil {
				return ""
			}
			return string(j)
		}},
		{"too long", func(raw string) string { return raw + strings.Repeat("A", 16<<10) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{IDToken: row.bend})
			if _, err := providertest.SignIn(t, s, p); !errors.Is(err, providers.ErrRefused) {
				t.Errorf("SignIn = %v, want ErrRefused", err)
			}
		})
	}
}

// A verifier that let the token choose would take our secret, or the public
// key as it is written, for the key of an HMAC.
func TestHMACIsRefused(t *testing.T) {
	s, p := offline(t)
	der, err := x509.MarshalPKIXPublicKey(s.Key().Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{
		"secret": []byte(s.ClientSecret), "public key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "empty": nil,
	} {
		s.Bend(providertest.Bend{
			Header: func(h map[string]any) { h["alg"] = "HS256" },
			Sign: func(input string) []byte {
				mac := hmac.New(sha256.New, key)
				mac.Write([]byte(input))
				return mac.Sum(nil)
			},
		})
		if _, err := providertest.SignIn(t, s, p); !errors.Is(err, providers.ErrRefused) {
			t.Errorf("HS256 by %s: %v, want ErrRefused", name, err)
		}
	}
}

func TestEveryAlgorithm(t *testing.T) {
	for _, alg := range providers.Algorithms() {
		for _, row := range []struct {
			name       string
			configured []string
			want       error
		}{
			{"all", nil, nil},
			{"this", []string{alg}, nil},
			{"another", []string{map[bool]string{true: "ES256", false: "RS256"}[alg == "RS256"]}, providers.ErrRefused},
		} {
			s, p := offline(t, func(c *oidc.Config) { c.Algorithms = row.configured })
			if err := s.Rotate(alg, false); err != nil {
				t.Fatal(err)
			}
			if _, err := providertest.SignIn(t, s, p); !errors.Is(err, row.want) {
				t.Errorf("%s, configured %s: %v, want %v", alg, row.name, err, row.want)
			}
		}
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// spareBits changes the last character in bits that a lax decoder throws away.
func spareBits(raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + string(alphabet[i^1])
}

func flip(raw string, i int) string {
	c := byte('A')
	if raw[i] == c {
		c = 'B'
	}
	return raw[:i] + string(c) + raw[i+1:]
}

// certificate returns what anybody can sign for themselves.
func certificate(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return base64.StdEncoding.EncodeToString(server.Certificate().Raw)
}
