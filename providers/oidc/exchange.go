package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"gateway/internal/secret"
	"gateway/providers"
)

// Exchange spends the code at the token endpoint, once, verifies the ID token
// and asks userinfo for what it leaves out. All of it ends within the timeout.
func (p *Provider) Exchange(ctx context.Context, req providers.AuthRequest, code string) (providers.Assertion, error) {
	ctx, cancel := context.WithTimeout(ctx, p.c.timeout())
	defer cancel()
	m, err := p.metadata.load(ctx)
	if err != nil {
		return providers.Assertion{}, err
	}
	answer, err := p.redeem(ctx, m, code, req.Verifier)
	if err != nil {
		return providers.Assertion{}, err
	}
	raw, _ := answer.Extra("id_token").(string)
	t, err := parseToken(raw, m.algorithms)
	if err != nil {
		return providers.Assertion{}, fmt.Errorf("%w: ID token: %w", providers.ErrRefused, err)
	}
	err = p.verify(ctx, m, raw, t, expected{nonce: req.Nonce, oldest: maxSkew, code: code, accessKey: answer.AccessToken})
	if err != nil {
		return providers.Assertion{}, fmt.Errorf("ID token: %w", err)
	}
	var userinfo object
	if m.userinfo != "" && p.wanting(t.claims) {
		if userinfo, err = p.userinfo(ctx, m, answer.AccessToken, t.claims); err != nil {
			return providers.Assertion{}, err
		}
	}
	return p.assertion(raw, t, userinfo, req.Nonce), nil
}

// VerifyToken verifies a token that somebody hands in: an ID token for our
// client, which must carry the nonce, or a token for one of token_audiences.
// An opaque token is refused.
func (p *Provider) VerifyToken(ctx context.Context, handed secret.Text, nonce string) (providers.Assertion, error) {
	ctx, cancel := context.WithTimeout(ctx, p.c.timeout())
	defer cancel()
	m, err := p.metadata.load(ctx)
	if err != nil {
		return providers.Assertion{}, err
	}
	raw := handed.Reveal()
	t, err := parseToken(raw, m.algorithms)
	if err != nil {
		return providers.Assertion{}, fmt.Errorf("%w: %w", providers.ErrRefused, err)
	}
	want := expected{nonce: nonce, oldest: maxWaiting}
	if aud, _ := t.claims.texts("aud", false); !slices.Contains(aud, p.c.ClientID) {
		want, nonce = expected{resource: true}, ""
	}
	if err := p.verify(ctx, m, raw, t, want); err != nil {
		return providers.Assertion{}, err
	}
	return p.assertion(raw, t, nil, nonce), nil
}

func (p *Provider) assertion(raw string, t token, userinfo object, nonce string) providers.Assertion {
	exp, _ := t.claims.seconds("exp")
	return providers.Assertion{
		Identity:  p.person(t.claims, userinfo),
		SessionID: plain(t.claims, "sid"),
		IDToken:   secret.New(raw),
		Expires:   time.Unix(exp, 0).UTC(),
		Nonce:     nonce,
	}
}

// redeem sends the token request (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
func (p *Provider) redeem(ctx context.Context, m *metadata, code, verifier string) (*oauth2.Token, error) {
	config := p.oauth(m)
	config.ClientSecret = p.c.ClientSecret.Reveal()
	answer, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, p.tokenError(err)
	}
	if !strings.EqualFold(answer.TokenType, "Bearer") { // OpenID Connect Core 1.0, section 3.1.3.3
		return nil, fmt.Errorf("%w: token_type is not Bearer", providers.ErrRefused)
	}
	return answer, nil
}

// tokenError tells no from cannot tell, and keeps the provider's words out of
// ours: of its error answer only the status is passed on and, if it is one of
// RFC 6749, the code.
func (p *Provider) tokenError(err error) error {
	var said *oauth2.RetrieveError
	var broken *url.Error
	switch {
	case errors.As(err, &said):
		status := said.Response.StatusCode
		code := "no known error code"
		if slices.Contains(tokenErrors, said.ErrorCode) {
			code = said.ErrorCode
		}
		if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			return p.gone(fmt.Errorf("token request: status %d, %s", status, code))
		}
		return fmt.Errorf("%w: token request: status %d, %s", providers.ErrRefused, status, code)
	case errors.As(err, &broken) && !errors.Is(err, errUnsound):
		return p.gone(fmt.Errorf("token request: %w", err))
	}
	return fmt.Errorf("%w: token request: %w", providers.ErrRefused, err)
}

// gone notes that the provider could not be reached, unless it was the person
// who went away.
func (p *Provider) gone(cause error) error {
	err := fmt.Errorf("%w: %w", providers.ErrUnavailable, cause)
	if !errors.Is(cause, context.Canceled) {
		p.metadata.suspect(err)
	}
	return err
}

// tokenErrors are the codes of RFC 6749, section 5.2.
var tokenErrors = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
}
