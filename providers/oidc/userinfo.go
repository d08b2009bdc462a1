package oidc

import (
	"context"
	"fmt"
	"net/http"

	"gateway/providers"
)

// userinfo asks the userinfo endpoint about the person of the ID token
// (OpenID Connect Core 1.0, section 5.3). An answer about another person, or
// about nobody, is ErrRefused. An endpoint that is down or answers anything
// but a JSON object, a signed one too, costs the person what the ID token
// leaves out and nothing more: the answer is nil.
func (p *Provider) userinfo(ctx context.Context, m *metadata, accessToken string, claims object) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.userinfo, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: userinfo: %w", providers.ErrUnavailable, err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	answer, err := p.do(req)
	if err != nil {
		return nil, nil // it goes without
	}
	subject, _ := claims.text("sub")
	if about, _ := answer.text("sub"); about == "" || about != subject {
		return nil, fmt.Errorf("%w: userinfo is about somebody else", providers.ErrRefused)
	}
	return answer, nil
}
