package oidc_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"gateway/internal/secret"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

// FuzzVerifyToken hands in tokens nobody signed: whatever they look like, none
// is taken, and none makes us ask the provider more than it may.
func FuzzVerifyToken(f *testing.F) {
	s, p := offline(f, func(c *oidc.Config) { c.TokenAudiences = []string{"https://api.example"} })
	claims := map[string]any{"iss": s.URL, "sub": "x", "aud": "https://api.example", "iat": at(0), "exp": at(60e9), "nonce": "n"}
	good, err := s.Token(nil, claims)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := p.VerifyToken(f.Context(), secret.New(good), ""); err != nil {
		f.Fatalf("the good one: %v", err)
	}
	for _, seed := range []string{
		good, "", ".", "..", "....", good + "\n", " " + good, good[:len(good)-1], spareBits(good), good + "." + good,
		b64(`{"alg":"none"}`) + "." + strings.Split(good, ".")[1] + ".",
		b64(`{"alg":"RS256","alg":"none"}`) + "." + b64(`{}`) + "." + b64("x"),
		b64(strings.Repeat("[", 100)) + "." + b64(strings.Repeat("{\"a\":", 100)) + "." + b64("x"),
		b64(`{"alg":"RS256","kid":"\ud800"}`) + "." + b64("{\"sub\":\"\xff\"}") + "." + b64("x"),
		`{"payload":"","signatures":[]}`,
	} {
		f.Add(seed, "n")
	}
	signed := good[:strings.LastIndexByte(good, '.')]
	f.Fuzz(func(t *testing.T, raw, nonce string) {
		a, err := p.VerifyToken(t.Context(), secret.New(raw), nonce)
		switch {
		case err == nil && (!strings.HasPrefix(raw, signed+".") || a.Identity.Subject != "x"):
			t.Errorf("VerifyToken(%q) = %+v, want ErrRefused", raw, a)
		case err != nil && !errors.Is(err, providers.ErrRefused):
			t.Errorf("VerifyToken(%q) = %v, want ErrRefused", raw, err)
		}
		if got := s.Count(providertest.JWKS); got > 2 {
			t.Errorf("%d fetches of keys at one moment, want 2 at most", got)
		}
	})
}

// FuzzClaims signs whatever claims there are: the provider's own key lends
// them no more than they say.
func FuzzClaims(f *testing.F) {
	s, p := offline(f)
	key := newKey(f)
	s.Bend(providertest.Bend{JWKS: func(set map[string]any) { set["keys"] = []any{key.JWK()} }})
	whole := `{"iss":"` + s.URL + `","sub":"x","aud":"gateway","nonce":"n","iat":1795348800,"exp":1795348860,"groups":["a"]}`
	for _, seed := range []string{
		whole, `{}`, `[]`, `null`, ``, strings.Replace(whole, `"x"`, `"x","sub":"y"`, 1), strings.Replace(whole, `"sub"`, `"SUB"`, 1),
		strings.Replace(whole, `"gateway"`, `["gateway","other"]`, 1), strings.Replace(whole, `1795348860`, `1e400`, 1), whole + "{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		input := b64(`{"alg":"ES256","kid":"`+key.ID+`"}`) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		signature, err := key.Sign(input)
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.VerifyToken(t.Context(), secret.New(input+"."+base64.RawURLEncoding.EncodeToString(signature)), "n")
		if err != nil {
			if !errors.Is(err, providers.ErrRefused) {
				t.Errorf("VerifyToken(%q) = %v, want ErrRefused", claims, err)
			}
			return
		}
		if who := a.Identity; who.Issuer != s.URL || who.Subject == "" || len(who.Subject) > 255 || a.Nonce != "n" {
			t.Errorf("VerifyToken(%q) = %+v, want a subject of our issuer", claims, who)
		}
		for _, group := range a.Identity.Groups {
			if !strings.HasPrefix(group, "corp:") {
				t.Errorf("group %q, want corp:…", group)
			}
		}
	})
}
