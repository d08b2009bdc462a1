package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"gateway/internal/once"
	"gateway/internal/secret"
)

// The bounds of a hand-off.
const (
	CodeLifetime = 60 * time.Second
	maxTarget    = 8 << 10 // bytes
	codePurpose  = "sessions handoff"
)

// Grant returns a hand-off code `<flow>.<secret>` with which the app host at
// audience gets a child of a live portal session: once, within CodeLifetime,
// and only beside the nonce whose hash is given. Target, at most 8 KiB, comes
// back from Redeem. ErrNone: the parent is not live, or no portal session.
// ErrTooLongAgo: the app asks for a newer sign-in.
func (m *Manager) Grant(ctx context.Context, parentID, audience, flow string, nonce [32]byte, target string) (secret.Text, error) {
	switch {
	case audience == "" || audience == m.Issuer:
		return secret.Text{}, errors.New("sessions: a code wants the origin of an app")
	case !validID(flow) || nonce == [32]byte{}:
		return secret.Text{}, errors.New("sessions: a code wants a flow and a nonce")
	case len(target) > maxTarget:
		return secret.Text{}, fmt.Errorf("sessions: target has %d bytes, more than %d", len(target), maxTarget)
	}
	now := m.now()
	switch parent, err := m.portal(ctx, parentID, now); {
	case err != nil:
		return secret.Text{}, err
	case !m.Admits(parent, audience):
		return secret.Text{}, ErrTooLongAgo
	}
	code := flow + "." + rand.Text()
	err := m.Codes.PutCode(ctx, Code{
		Hash: once.Hash(codePurpose, code), Flow: flow, Audience: audience, Parent: parentID,
		Nonce: nonce, Target: target, Expires: now.Add(CodeLifetime),
	})
	if err != nil {
		return secret.Text{}, fmt.Errorf("store hand-off code: %w", err)
	}
	return secret.New(code), nil
}

// Redeem takes a hand-off code, opens the child session it stands for and
// returns it with its token and the target. ErrNoCode: never made, used,
// expired, or of another audience or nonce; the latter leave it for whom it
// was made. ErrNone: its portal session has ended, and the code is used up.
// ErrTooLongAgo: likewise, for the app asks for a newer sign-in.
func (m *Manager) Redeem(ctx context.Context, code secret.Text, audience string, nonce [32]byte) (Session, secret.Text, string, error) {
	flow, ok := Flow(code)
	if !ok || audience == "" || nonce == [32]byte{} {
		return Session{}, secret.Text{}, "", ErrNoCode
	}
	now := m.now()
	c, err := m.Codes.TakeCode(ctx, once.Hash(codePurpose, code.Reveal()), audience, nonce, now)
	if err != nil {
		return Session{}, secret.Text{}, "", fmt.Errorf("take hand-off code: %w", err)
	}
	if c.Flow != flow || c.Audience != audience || c.Nonce != nonce || !now.Before(c.Expires) {
		return Session{}, secret.Text{}, "", fmt.Errorf("%w: the record is of another", ErrNoCode)
	}
	s, token, err := m.IssueChild(ctx, c.Parent, audience)
	if err != nil {
		return Session{}, secret.Text{}, "", fmt.Errorf("hand-off: %w", err)
	}
	return s, token, c.Target, nil
}

// Flow returns the sign-in flow that a code claims to answer, so that the app
// host knows which of its nonces belongs to it; ok is false for what cannot be
// a code.
func Flow(code secret.Text) (flow string, ok bool) {
	flow, rest, ok := strings.Cut(code.Reveal(), ".")
	if !ok || !validID(flow) || !validID(rest) {
		return "", false
	}
	return flow, true
}
