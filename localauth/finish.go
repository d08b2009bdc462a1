package localauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"gateway/internal/identity"
	"gateway/internal/once"
)

// keep is how long past its expiry a spent challenge is remembered, so that a
// clock set back by less does not revive it.
const keep = 10 * time.Minute

// Finish takes the challenge, whatever comes of it, and then looks at the
// proof. The error is ErrNoChallenge where it was taken before or the reply
// named another login, and a *Refusal, which is ErrBadCredentials, where the
// proof is wrong or the user may not sign in. Any other error: cannot tell.
func (l *Local) Finish(ctx context.Context, p Pending) (Outcome, error) {
	if p.Login == "" {
		return Outcome{}, fmt.Errorf("%w: nothing was opened", ErrNoChallenge)
	}
	if err := l.ready(); err != nil {
		return Outcome{}, err
	}
	switch err := l.Spent.Take(ctx, p.hash, p.state.expires.Add(keep)); {
	case errors.Is(err, once.ErrSpent):
		return Outcome{}, fmt.Errorf("%w: %w", ErrNoChallenge, err)
	case err != nil:
		return Outcome{}, fmt.Errorf("localauth: take challenge: %w", err)
	case p.other:
		return Outcome{}, fmt.Errorf("%w: made for another login", ErrNoChallenge)
	}
	r, err := l.record(ctx, p.Login)
	if err != nil {
		return Outcome{}, err
	}
	return l.judge(p, r)
}

// judge compares the proof with the record. Every record takes the same way:
// two keys unwrapped, two HMACs, all comparisons, and one decision.
func (l *Local) judge(p Pending, r record) (Outcome, error) {
	stored, readable := l.keys.open(r.StoredKey, storedKey, r.User)
	server, whole := l.keys.open(r.ServerKey, serverKey, r.User)
	readable &= whole
	same := subtle.ConstantTimeCompare(p.state.salt, r.Salt) &
		subtle.ConstantTimeEq(int32(p.state.iterations), int32(r.Iterations)) & //nolint:gosec // G115: at most MaxIterations
		one(p.state.version == r.Version)
	eligible := one(p.state.genuine) & one(r.genuine) & one(!r.Disabled) & readable & same

	nonce := p.first.nonce + p.state.nonce
	message := authMessage(p.first.bare, serverFirst(nonce, p.state.salt, p.state.iterations), nonce)
	signature := mac(server[:], message)
	equal := proves(stored, message, p.final.proof) &
		subtle.ConstantTimeCompare([]byte(p.final.nonce), []byte(nonce))

	if eligible&equal != 1 {
		return Outcome{}, refusal(p, r, readable, same)
	}
	return Outcome{
		Identity: l.identity(r.UserID, p.Login), UserID: r.UserID,
		ServerFinal: "v=" + base64.StdEncoding.EncodeToString(signature[:]),
	}, nil
}

// proves is 1 if proof comes from the client key whose hash is stored (RFC 5802, section 3).
func proves(stored [keySize]byte, message string, proof []byte) int {
	client := mac(stored[:], message)
	defer clear(client[:])
	subtle.XORBytes(client[:], client[:], proof)
	hash := sha256.Sum256(client[:])
	return subtle.ConstantTimeCompare(hash[:], stored[:]) & one(len(proof) == keySize)
}

// identity says who came through the door, and when.
func (l *Local) identity(userID, login string) identity.Identity {
	return identity.Identity{
		Key:      identity.Key{Issuer: identity.Local, Subject: userID},
		Provider: identity.Local, Username: login, AuthTime: l.now(),
	}
}
