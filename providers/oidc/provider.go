package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gateway/providers"
)

// How long what we know of a provider counts: fresh it is used as it is, stale
// only while the provider cannot be asked.
const (
	metadataFresh = time.Hour
	keysFresh     = 15 * time.Minute
	maxStale      = 24 * time.Hour
)

// Provider is one OpenID Connect provider. It is safe for concurrent use.
type Provider struct {
	c        Config
	dialer   *dialer
	client   *http.Client
	metadata *remote[*metadata]
	keys     *remote[[]key]
}

var (
	_ providers.Provider      = (*Provider)(nil)
	_ providers.IssuerChecker = (*Provider)(nil)
	_ providers.TokenVerifier = (*Provider)(nil)
	_ providers.EndSessioner  = (*Provider)(nil)
	_ providers.Checker       = (*Provider)(nil)
	_ providers.Failer        = (*Provider)(nil)
	_ providers.Keeper        = (*Provider)(nil)
)

// New returns the provider without asking it anything.
func New(c Config) (*Provider, error) {
	issuer, err := providers.ParseIssuer(c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if c.ID == "" || c.ClientID == "" || c.RedirectURL == "" {
		return nil, errors.New("oidc: needs an id, a client id and a redirect URL")
	}
	p := &Provider{c: c, dialer: newDialer(c, issuer)}
	p.client = newClient(c, p.dialer)
	p.metadata = &remote[*metadata]{fetch: p.discover, fresh: metadataFresh, stale: maxStale, now: p.c.now}
	p.keys = &remote[[]key]{fetch: p.fetchKeys, fresh: keysFresh, stale: maxStale, now: p.c.now}
	return p, nil
}

// Of returns what the configuration of the provider with this id means here.
// redirectURL is the portal's callback for it.
func Of(id string, c providers.Config, redirectURL string) Config {
	c = c.WithDefaults(id)
	return Config{
		ID: id, Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, RedirectURL: redirectURL,
		Scopes: c.Scopes, TokenAudiences: c.TokenAudiences, LoginClaim: c.LoginClaim,
		GroupsClaim: c.GroupsClaim, GroupMap: c.GroupMap, Algorithms: c.Algorithms,
	}
}

// AuthCodeURL returns the authorization request (OpenID Connect Core 1.0,
// section 3.1.2.1) with state, nonce and an S256 code challenge, and max_age
// where the proof must be recent. It discovers the provider if that has not
// happened yet.
func (p *Provider) AuthCodeURL(ctx context.Context, req providers.AuthRequest) (string, error) {
	if req.State == "" || req.Nonce == "" || req.Verifier == "" {
		return "", errors.New("oidc: request without state, nonce or verifier")
	}
	m, err := p.metadata.load(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{goidc.Nonce(req.Nonce), oauth2.S256ChallengeOption(req.Verifier)}
	if req.MaxAge > 0 {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.FormatInt(int64(req.MaxAge/time.Second), 10)))
	}
	return p.oauth(m).AuthCodeURL(req.State, options...), nil
}

// CheckIssuer compares the iss of a callback with our issuer; it may only be
// missing where the provider does not announce it (RFC 9207, section 2.4).
func (p *Provider) CheckIssuer(ctx context.Context, issuer string, present bool) error {
	if present {
		if issuer != p.c.Issuer {
			return fmt.Errorf("%w: the callback is another issuer's", providers.ErrRefused)
		}
		return nil
	}
	m, err := p.metadata.load(ctx)
	if err != nil {
		return err
	}
	if m.issParameter {
		return fmt.Errorf("%w: the callback lacks iss", providers.ErrRefused)
	}
	return nil
}

// Ready says whether the provider answered when it was last asked.
func (p *Provider) Ready() error { return p.metadata.ready() }

// Failed is when the provider last did not answer as it should.
func (p *Provider) Failed() time.Time {
	metadata, keys := p.metadata.lastFailed(), p.keys.lastFailed()
	if keys.After(metadata) {
		return keys
	}
	return metadata
}

// watch is how often Keep looks whether something is due; nothing is sent for it.
const watch = time.Second

// Keep discovers the provider, at once and again whenever that is due, and
// with pauses of 1 to 10 seconds while the provider is down.
func (p *Provider) Keep(ctx context.Context) {
	tick := time.NewTicker(watch)
	defer tick.Stop()
	for {
		if _, err := p.metadata.load(ctx); err == nil {
			_, _ = p.keys.load(ctx) // Ready does not depend on it, and who needs keys asks again
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close lets go of connections that nobody uses, those that are in use once
// they are not. The provider can still be used.
func (p *Provider) Close() { p.client.CloseIdleConnections() }

// oauth returns our registration without the secret.
func (p *Provider) oauth(m *metadata) *oauth2.Config {
	return &oauth2.Config{
		ClientID:    p.c.ClientID,
		RedirectURL: p.c.RedirectURL,
		Scopes:      p.c.scopes(),
		Endpoint:    oauth2.Endpoint{AuthURL: m.authorization, TokenURL: m.token, AuthStyle: m.style},
	}
}

func (c Config) scopes() []string {
	if len(c.Scopes) > 0 {
		return c.Scopes
	}
	return []string{"openid", "profile", "email"}
}

func (c Config) groupsClaim() string {
	if c.GroupsClaim != "" {
		return c.GroupsClaim
	}
	return "groups"
}

// algorithms returns a list of the caller's own.
func (c Config) algorithms() []string {
	if len(c.Algorithms) > 0 {
		return slices.Clone(c.Algorithms)
	}
	return providers.Algorithms()
}

func (c Config) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

func (c Config) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
