package oidc_test

import (
	"testing"
	"time"

	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

func TestPromises(t *testing.T) {
	providertest.Run(t, func(t *testing.T, s *providertest.Server) providers.Provider {
		return open(t, s, func(c *oidc.Config) { c.Timeout = time.Second })
	})
}

// open returns the provider that signs in at s, configured as change says.
func open(t testing.TB, s *providertest.Server, change ...func(*oidc.Config)) *oidc.Provider {
	t.Helper()
	c := oidc.Of("corp", s.Config(), s.RedirectURL)
	c.Now = s.Now
	for _, f := range change {
		f(&c)
	}
	p, err := oidc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
