package oidc_test

import (
	"testing"

	"gateway/internal/secret"
	"gateway/providers"
	"gateway/providers/oidc"
)

func BenchmarkVerifyToken(b *testing.B) {
	for _, alg := range providers.Algorithms() {
		b.Run(alg, func(b *testing.B) {
			s, p := offline(b, func(c *oidc.Config) { c.TokenAudiences = []string{"https://api.example"} })
			if err := s.Rotate(alg, false); err != nil {
				b.Fatal(err)
			}
			raw, err := s.Token(nil, map[string]any{"iss": s.URL, "sub": "x", "aud": "https://api.example", "iat": at(0), "exp": at(60e9)})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := p.VerifyToken(b.Context(), secret.New(raw), ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
