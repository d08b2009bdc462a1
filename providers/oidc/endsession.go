package oidc

import (
	"fmt"
	"net/url"

	"gateway/internal/secret"
	"gateway/providers"
)

// EndSessionURL returns the provider's logout page for this session (OpenID
// Connect RP-Initiated Logout 1.0, section 2). It asks nobody:
// providers.ErrUnavailable while the provider has not been discovered.
func (p *Provider) EndSessionURL(hint secret.Text, returnTo string) (string, error) {
	m, err := p.metadata.peek()
	if err != nil {
		return "", err
	}
	if m.endSession == "" {
		return "", providers.ErrNoEndSession
	}
	u, err := url.Parse(m.endSession)
	if err != nil {
		return "", fmt.Errorf("%w: end_session_endpoint: %w", providers.ErrUnavailable, err)
	}
	query := u.Query()
	query.Set("client_id", p.c.ClientID)
	if returnTo != "" {
		query.Set("post_logout_redirect_uri", returnTo)
	}
	if !hint.Empty() {
		query.Set("id_token_hint", hint.Reveal())
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}
