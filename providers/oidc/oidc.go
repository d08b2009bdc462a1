// Package oidc speaks with any OpenID Connect provider: discovery, the
// authorization code flow with PKCE, ID tokens handed in directly, userinfo
// and the provider's logout page. The provider is discovered when it is first
// needed and may be down for any time; whatever it answers is bounded, and
// every claim of an ID token is checked here as well, since go-oidc leaves sub,
// iat, azp, typ, nonce and at_hash to its callers.
package oidc

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"gateway/internal/secret"
)

// Config is one OpenID Connect provider and our registration with it.
type Config struct {
	ID             string // the origin: Identity.Provider and the prefix of groups
	Issuer         string // compared byte for byte
	ClientID       string
	ClientSecret   secret.Text // empty: public client
	RedirectURL    string      // our callback, sent as it stands
	Scopes         []string    // nil: openid profile email
	TokenAudiences []string    // audiences whose tokens VerifyToken takes without a nonce
	LoginClaim     string      // claim that becomes Identity.Username; empty: none does
	GroupsClaim    string      // empty: groups
	GroupMap       map[string]string
	Algorithms     []string // of providers.Algorithms; nil: all

	Timeout time.Duration    // of each answer of the provider, and of a whole Exchange; zero: 10 seconds
	RootCAs *x509.CertPool   // nil: the system's
	Now     func() time.Time // nil: time.Now

	// Watch, if set, is told of each request to the provider when it has ended.
	Watch func(ctx context.Context, began time.Time, err error)

	// Lookup and Dial reach the provider, by address once its policy is checked;
	// nil: the system's resolver and dialer. Transport replaces both, and with
	// them the address policy.
	Lookup    func(ctx context.Context, host string) ([]netip.Addr, error)
	Dial      func(ctx context.Context, network, address string) (net.Conn, error)
	Transport http.RoundTripper
}
