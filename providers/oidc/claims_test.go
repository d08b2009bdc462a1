package oidc_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"gateway/internal/secret"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

// offline returns an honest provider without a network, its clock standing at
// noon, and ours for it.
func offline(t testing.TB, change ...func(*oidc.Config)) (*providertest.Server, *oidc.Provider) {
	t.Helper()
	s := providertest.Offline(t)
	s.Now = func() time.Time { return noon }
	change = append([]func(*oidc.Config){func(c *oidc.Config) { c.Transport = s }}, change...)
	return s, open(t, s, change...)
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) int64 { return noon.Add(d).Unix() }

// del is a claim that is left out.
type del struct{}

func TestClaims(t *testing.T) {
	const minute = time.Minute
	for _, row := range []struct {
		name, claim string
		value       any
		want        error
	}{
		{"another issuer", "iss", "https://evil.example", providers.ErrRefused},
		{"issuer with a slash", "iss", "http://127.0.0.1:1/", providers.ErrRefused},
		{"no issuer", "iss", del{}, providers.ErrRefused},
		{"another client", "aud", "somebody", providers.ErrRefused},
		{"no audience", "aud", del{}, providers.ErrRefused},
		{"empty audience", "aud", []string{}, providers.ErrRefused},
		{"our audience in an array", "aud", []string{"gateway"}, nil},
		{"several audiences, no azp", "aud", []string{"gateway", "other"}, providers.ErrRefused},
		{"audience with a number", "aud", []any{"gateway", 1}, providers.ErrRefused},
		{"azp is ours", "azp", "gateway", nil},
		{"azp is another", "azp", "other", providers.ErrRefused},
		{"azp is no string", "azp", []string{"gateway"}, providers.ErrRefused},
		{"no subject", "sub", del{}, providers.ErrRefused},
		{"empty subject", "sub", "", providers.ErrRefused},
		{"subject is a number", "sub", 1, providers.ErrRefused},
		{"subject is null", "sub", nil, providers.ErrRefused},
		{"subject not ASCII", "sub", "jäne", providers.ErrRefused},
		{"subject with a line break", "sub", "jane\n", providers.ErrRefused},
		{"longest subject", "sub", strings.Repeat("a", 255), nil},
		{"subject too long", "sub", strings.Repeat("a", 256), providers.ErrRefused},
		{"no nonce", "nonce", del{}, providers.ErrRefused},
		{"another nonce", "nonce", "another", providers.ErrRefused},
		{"empty nonce", "nonce", "", providers.ErrRefused},
		{"nonce in an array", "nonce", []string{"n"}, providers.ErrRefused},
		{"expired", "exp", at(-1 * time.Second), providers.ErrRefused},
		{"expires now", "exp", at(0), providers.ErrRefused},
		{"no exp", "exp", del{}, providers.ErrRefused},
		{"exp is a string", "exp", "1900000000", providers.ErrRefused},
		{"exp beyond time", "exp", 1e300, providers.ErrRefused},
		{"exp with a fraction", "exp", float64(at(minute)) + .5, nil},
		{"no iat", "iat", del{}, providers.ErrRefused},
		{"iat is a string", "iat", "1795348800", providers.ErrRefused},
		{"iat 1", "iat", 1, providers.ErrRefused},
		{"iat 30 s ahead", "iat", at(minute / 2), nil},
		{"iat 30 s ago", "iat", at(-minute / 2), nil},
		{"iat 10 min ahead", "iat", at(10 * minute), providers.ErrRefused},
		{"iat 10 min ago", "iat", at(-10 * minute), providers.ErrRefused},
		{"iat is exp", "iat", at(5 * minute), providers.ErrRefused},
		{"nbf 10 min ahead", "nbf", at(10 * minute), providers.ErrRefused},
		{"nbf 1 min ahead", "nbf", at(minute), nil},
		{"nbf is a string", "nbf", "1", providers.ErrRefused},
		{"auth_time an hour ahead", "auth_time", at(60 * minute), providers.ErrRefused},
		{"auth_time is a string", "auth_time", "1", providers.ErrRefused},
		{"no auth_time", "auth_time", del{}, nil},
		{"at_hash of another token", "at_hash", "AAAAAAAAAAAAAAAAAAAAAA", providers.ErrRefused},
		{"at_hash is a number", "at_hash", 1, providers.ErrRefused},
		{"no at_hash", "at_hash", del{}, nil},
		{"c_hash of another code", "c_hash", "AAAAAAAAAAAAAAAAAAAAAA", providers.ErrRefused},
		{"a name in another case does not count", "SUB", "root", nil},
		{"deep", "x", deep(40), providers.ErrRefused},
		{"large", "x", strings.Repeat("x", 12<<10), providers.ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{Claims: func(c map[string]any) {
				c[row.claim] = row.value
				if row.value == (del{}) {
					delete(c, row.claim)
				}
			}})
			got, err := providertest.SignIn(t, s, p)
			if !errors.Is(err, row.want) {
				t.Errorf("%s %v: %v, want %v", row.claim, row.value, err, row.want)
			}
			if err == nil && row.claim != "sub" && got.Identity.Subject != s.Person["sub"] {
				t.Errorf("subject = %q, want %q", got.Identity.Subject, s.Person["sub"])
			}
			if err != nil && (got.Identity.Subject != "" || !got.IDToken.Empty()) {
				t.Errorf("refused and still asserted: %+v", got)
			}
		})
	}
}

func deep(levels int) any {
	var v any = 1
	for range levels {
		v = []any{v}
	}
	return v
}

// encoding/json, and so go-oidc, takes "AUD" for "aud" and the last of both,
// and reads past what is no UTF-8.
func TestWhatOthersReadAnotherWay(t *testing.T) {
	for _, row := range []struct {
		claim string
		value any
		tail  string // behind the other claims
		want  error
	}{
		{"x", 1, `,"y":1`, nil},
		{"iss", "https://evil.example", `,"ISS":"http://127.0.0.1:1"`, providers.ErrRefused},
		{"aud", "other", `,"AUD":"gateway"`, providers.ErrRefused},
		{"exp", at(-1), `,"EXP":1795348860`, providers.ErrRefused},
		{"sub", nil, `,"SUB":"x"`, providers.ErrRefused},
		{"nonce", "another", `,"x":{"nonce":"n"}`, providers.ErrRefused},
		{"x", 1, ",\"name\":\"\xff\"", providers.ErrRefused},
		{"x", 1, `,"x":1`, providers.ErrRefused},
		{"x", 1, `,"y":{"a":[{"b":1,"b":1}]}`, providers.ErrRefused},
		{"x", 1, `}{"y":1`, providers.ErrRefused},
	} {
		s, p := offline(t)
		s.Bend(providertest.Bend{
			Claims: func(c map[string]any) { c[row.claim] = row.value },
			IDToken: func(raw string) string {
				parts := strings.Split(raw, ".")
				claims, err := base64.RawURLEncoding.DecodeString(parts[1])
				if err != nil {
					return ""
				}
				input := parts[0] + "." + b64(strings.TrimSuffix(string(claims), "}")+row.tail+"}")
				signature, err := s.Key().Sign(input)
				if err != nil {
					return ""
				}
				return input + "." + base64.RawURLEncoding.EncodeToString(signature)
			},
		})
		if _, err := providertest.SignIn(t, s, p); !errors.Is(err, row.want) {
			t.Errorf("%s %v, then %s: %v, want %v", row.claim, row.value, row.tail, err, row.want)
		}
	}
}

func TestSeveralAudiencesNeedOurAzp(t *testing.T) {
	s, p := offline(t)
	s.Bend(providertest.Bend{Claims: func(c map[string]any) { c["aud"], c["azp"] = []string{"other", "gateway"}, "gateway" }})
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Errorf("SignIn = %v, want nil", err)
	}
}

func TestVerifyToken(t *testing.T) {
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": "http://127.0.0.1:1", "sub": "robot", "aud": "https://api.example", "iat": at(0), "exp": at(time.Hour)}
		maps.Copy(c, change)
		return c
	}
	for _, row := range []struct {
		name           string
		header, claims map[string]any
		nonce          string
		want           error
	}{
		{"for a token audience", nil, nil, "", nil},
		{"among others", nil, map[string]any{"aud": []string{"account", "https://api.example"}}, "", nil},
		{"typed as access token", map[string]any{"typ": "at+jwt"}, nil, "", nil},
		{"typed in full", map[string]any{"typ": "application/AT+JWT"}, nil, "", nil},
		{"hours old", nil, map[string]any{"iat": at(-6 * time.Hour)}, "", nil},
		{"with a challenge all the same", nil, nil, "n", nil},
		{"expired", nil, map[string]any{"iat": at(-time.Hour), "exp": at(-time.Minute)}, "", providers.ErrRefused},
		{"from the future", nil, map[string]any{"iat": at(10 * time.Minute)}, "", providers.ErrRefused},
		{"logout token", map[string]any{"typ": "logout+jwt"}, nil, "", providers.ErrRefused},
		{"for another audience", nil, map[string]any{"aud": "https://other.example"}, "", providers.ErrRefused},
		{"for nobody", nil, map[string]any{"aud": nil}, "", providers.ErrRefused},
		{"no subject", nil, map[string]any{"sub": nil}, "", providers.ErrRefused},
		{"another issuer", nil, map[string]any{"iss": "https://evil.example"}, "", providers.ErrRefused},
		{"for us, with the nonce", nil, map[string]any{"aud": "gateway", "nonce": "n"}, "n", nil},
		{"for us, ten minutes old", nil, map[string]any{"aud": "gateway", "nonce": "n", "iat": at(-10 * time.Minute)}, "n", nil},
		{"for us, an hour old", nil, map[string]any{"aud": "gateway", "nonce": "n", "iat": at(-time.Hour)}, "n", providers.ErrRefused},
		{"for us, without a challenge", nil, map[string]any{"aud": "gateway", "nonce": "n"}, "", providers.ErrRefused},
		{"for us, never two empty nonces", nil, map[string]any{"aud": "gateway", "nonce": ""}, "", providers.ErrRefused},
		{"for us, another nonce", nil, map[string]any{"aud": "gateway", "nonce": "m"}, "n", providers.ErrRefused},
		{"for us and a token audience", nil, map[string]any{"aud": []string{"gateway", "https://api.example"}}, "", providers.ErrRefused},
		{"for us, typed as access token", map[string]any{"typ": "at+jwt"}, map[string]any{"aud": "gateway", "nonce": "n"}, "n", providers.ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t, func(c *oidc.Config) { c.TokenAudiences = []string{"https://api.example"} })
			raw, err := s.Token(row.header, claims(row.claims))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.VerifyToken(t.Context(), secret.New(raw), row.nonce)
			if !errors.Is(err, row.want) {
				t.Errorf("VerifyToken = %v, want %v", err, row.want)
			}
			if err == nil && (got.Identity.Subject != "robot" || got.Expires.IsZero()) {
				t.Errorf("VerifyToken = %+v, want robot and an end", got)
			}
			if bound := got.Nonce != ""; err == nil && bound != (row.claims["aud"] == "gateway") {
				t.Errorf("bound to a nonce: %v, want %v", bound, !bound)
			}
		})
	}
}
