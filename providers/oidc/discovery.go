package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"gateway/providers"
)

// metadata is what we use of a discovery document (OpenID Connect Discovery
// 1.0, section 3).
type metadata struct {
	authorization, token, jwks, userinfo, endSession string // the last two may be empty
	algorithms                                       []string
	style                                            oauth2.AuthStyle
	issParameter                                     bool // RFC 9207: callbacks name their issuer
}

// discover fetches and checks the discovery document.
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	doc, err := p.get(ctx, strings.TrimSuffix(p.c.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, fmt.Errorf("%w: discovery: %w", providers.ErrUnavailable, err)
	}
	m, err := p.read(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: discovery: %w", providers.ErrUnavailable, err)
	}
	return m, nil
}

func (p *Provider) read(doc object) (*metadata, error) {
	if issuer, _ := doc.text("issuer"); issuer != p.c.Issuer {
		return nil, fmt.Errorf("the provider calls itself %.200q, configured is %q", issuer, p.c.Issuer)
	}
	m := &metadata{issParameter: doc.truth("authorization_response_iss_parameter_supported")}
	for _, e := range []struct {
		name   string
		to     *string
		needed bool
	}{
		{"authorization_endpoint", &m.authorization, true},
		{"token_endpoint", &m.token, true},
		{"jwks_uri", &m.jwks, true},
		{"userinfo_endpoint", &m.userinfo, false},
		{"end_session_endpoint", &m.endSession, false},
	} {
		if !e.needed && !doc.has(e.name) {
			continue
		}
		raw, _ := doc.text(e.name)
		if err := p.checkEndpoint(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		*e.to = raw
	}
	var err error
	if m.algorithms, err = p.commonAlgorithms(doc); err != nil {
		return nil, err
	}
	m.style, err = p.authStyle(doc)
	return m, err
}

// checkEndpoint refuses what no endpoint may be, whoever calls it: the browser
// or we. Names are judged again by the address they lead to.
func (p *Provider) checkEndpoint(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > providers.MaxIssuer:
		return errors.New("not a URL")
	case u.Hostname() == "" || u.Opaque != "" || u.User != nil || strings.Contains(raw, "#"):
		return errors.New("missing, or not an absolute URL without user and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || p.dialer.issuer.Scheme != "http"):
		return errors.New("must be https")
	}
	own := authority(u) == authority(p.dialer.issuer)
	if own {
		return nil
	}
	if p.dialer.private.Load() {
		return fmt.Errorf("%w: the issuer's address is not public, so its own host and port only", errAddress)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if providers.Loopback(u.Hostname()) || err == nil && !public(ip) {
		return fmt.Errorf("%w: the issuer's address is public, this one is not", errAddress)
	}
	return nil
}

// commonAlgorithms returns what both sides take. A provider that announces
// nothing is taken to know them all.
func (p *Provider) commonAlgorithms(doc object) ([]string, error) {
	offered, ok := doc.texts("id_token_signing_alg_values_supported", true)
	if !ok {
		return p.c.algorithms(), nil
	}
	common := slices.DeleteFunc(p.c.algorithms(), func(alg string) bool { return !slices.Contains(offered, alg) })
	if len(common) == 0 {
		return nil, fmt.Errorf("it signs ID tokens by none of %s", strings.Join(p.c.algorithms(), ", "))
	}
	return common, nil
}

// authStyle chooses how we show who we are (OpenID Connect Core 1.0, section 9).
func (p *Provider) authStyle(doc object) (oauth2.AuthStyle, error) {
	methods, ok := doc.texts("token_endpoint_auth_methods_supported", true)
	switch {
	case p.c.ClientSecret.Empty():
		return oauth2.AuthStyleInParams, nil // public client: the id alone, proven by PKCE
	case !ok, slices.Contains(methods, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, nil
	case slices.Contains(methods, "client_secret_post"):
		return oauth2.AuthStyleInParams, nil
	}
	return 0, errors.New("it takes neither client_secret_basic nor client_secret_post")
}

// get fetches a JSON object.
func (p *Provider) get(ctx context.Context, address string) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	return p.do(req)
}

func (p *Provider) do(req *http.Request) (object, error) {
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseObject(body)
}
