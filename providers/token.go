package providers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"gateway/internal/once"
	"gateway/internal/secret"
)

// BeginToken starts a token login: the client obtains an ID token that carries
// the nonce and hands it in with the challenge. browser is the value of the
// pre-session cookie; it is empty only for clients that get their session as a
// token, and such a challenge can never be redeemed by a browser. Nothing is
// stored. ErrUnknownOrigin; ErrRefused if the provider takes no tokens.
func (f *Foreign) BeginToken(_ context.Context, id, browser string) (challengeID, nonce string, err error) {
	if _, err := f.verifier(id); err != nil {
		return "", "", err
	}
	w := waiting{
		Use: useToken, Origin: id, Browser: binding(browser),
		Nonce: rand.Text(), Expires: f.now().Add(f.lifetime()).Unix(),
	}
	challengeID, err = f.seal(w)
	if err != nil {
		return "", "", err
	}
	return challengeID, w.Nonce, nil
}

// FinishToken ends a token login. With a challenge, the challenge is taken
// before the token is looked at, the token must carry its nonce, and is good
// once. Without one only a token for an audience of token_audiences counts,
// as often as it is handed in until it expires. ErrUnknownOrigin, ErrNoRequest
// (the challenge), ErrRefused (the token), ErrUnavailable; any other error
// means that it cannot tell.
func (f *Foreign) FinishToken(ctx context.Context, id, browser, challengeID string, token secret.Text) (Assertion, error) {
	v, err := f.verifier(id)
	if err != nil {
		return Assertion{}, err
	}
	var nonce string
	if challengeID != "" {
		w, err := f.open(challengeID, useToken, id, browser)
		if err != nil {
			return Assertion{}, err
		}
		if err := f.take(ctx, challengeID, w); err != nil {
			return Assertion{}, err
		}
		nonce = w.Nonce
	}
	assertion, err := v.VerifyToken(ctx, token, nonce)
	if err != nil {
		return Assertion{}, fmt.Errorf("origin %s: %w", id, err)
	}
	if err := assertion.validate(id); err != nil {
		return Assertion{}, err
	}
	if assertion.Nonce == "" { // a token of token_audiences
		return assertion, nil
	}
	if nonce == "" {
		return Assertion{}, fmt.Errorf("origin %s: %w: it needs a challenge", id, ErrRefused)
	}
	if err := f.spend(ctx, token, assertion); err != nil {
		return Assertion{}, err
	}
	return assertion, nil
}

// spend makes an ID token good once. What counts is what was signed: the same
// token may have several signatures.
func (f *Foreign) spend(ctx context.Context, token secret.Text, a Assertion) error {
	signed := token.Reveal()
	if i := strings.LastIndexByte(signed, '.'); i >= 0 {
		signed = signed[:i]
	}
	err := f.Spent.Take(ctx, once.Hash("providers id token", signed), a.Expires)
	if errors.Is(err, once.ErrSpent) {
		return fmt.Errorf("%w: token already used", ErrRefused)
	}
	if err != nil {
		return fmt.Errorf("take token: %w", err)
	}
	return nil
}

func (f *Foreign) verifier(id string) (TokenVerifier, error) {
	named, err := f.named(id)
	if err != nil {
		return nil, err
	}
	v, ok := named.Provider.(TokenVerifier)
	if !ok {
		return nil, fmt.Errorf("origin %s: %w: it takes no tokens", id, ErrRefused)
	}
	return v, nil
}
