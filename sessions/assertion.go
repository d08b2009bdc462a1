package sessions

import (
	"encoding/binary"
	"errors"
	"time"

	"gateway/internal/identity"
)

// MaxAssertion is the longest life of an assertion.
const MaxAssertion = 5 * time.Minute

// Asserter makes the signed assertions that tell an app who is there. Its
// fields are set before its first use and left alone. It is safe for
// concurrent use.
type Asserter struct {
	Signer   *Signer       // not that of the sessions: its public keys are published
	Issuer   string        // the portal URL: iss
	Lifetime time.Duration // 0 is MaxAssertion, which it never exceeds; seconds
	Held     int           // how many assertions are kept for reuse, about 1 KiB each; 0 is 65,536
	Now      func() time.Time

	made perRing[assertion] // by the tag of their fingerprint
}

// assertion that was made, with the times of its making and end.
type assertion struct {
	text          string
	made, expires time.Time
}

// assertionClaims are what apps read. They carry no sid: that is ours.
type assertionClaims struct {
	registered

	Login         string   `json:"login"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified"`
	Name          string   `json:"name,omitempty"`
	Groups        []string `json:"groups"`
	AMR           []string `json:"amr"`
	Origin        string   `json:"origin"`
}

// Assert returns an assertion (a JWT of type gateway-assertion+jwt, ES256)
// that p is at the app of that origin, and when it expires. The same p gets
// the same one, whatever the session, until half its life is over.
func (a *Asserter) Assert(p identity.Principal, audience string) (string, time.Time, error) {
	if p.UserID == "" || audience == "" {
		return "", time.Time{}, errors.New("sessions: an assertion wants a user and an audience")
	}
	held := a.Held
	if held <= 0 {
		held = 1 << 16
	}
	made := a.made.of(a.Signer.ring.Load(), held)
	key, now := made.tags.of(func(buf []byte) []byte { return fingerprint(buf, &p, audience) }), a.now()
	if old, ok := made.get(key); ok && !now.Before(old.made) && now.Sub(old.made) < old.expires.Sub(old.made)/2 {
		return old.text, old.expires, nil
	}
	fresh, err := a.assert(made.ring, &p, audience, now)
	if err != nil {
		return "", time.Time{}, err
	}
	made.put(key, fresh)
	return fresh.text, fresh.expires, nil
}

func (a *Asserter) assert(r *ring, p *identity.Principal, audience string, now time.Time) (assertion, error) {
	made := now.UTC().Truncate(time.Second)
	expires := made.Add(a.lifetime())
	text, err := r.sign(assertionType, &assertionClaims{
		registered: registered{
			Issuer: a.Issuer, Audience: audience, Subject: p.UserID,
			IssuedAt: made.Unix(), Expires: expires.Unix(),
		},
		Login: p.Login, Email: p.Email, EmailVerified: p.EmailVerified, Name: p.Name,
		Groups: append([]string{}, p.Groups...), AMR: append([]string{}, p.AMR...), Origin: p.Origin,
	})
	return assertion{text, made, expires}, err
}

// fingerprint appends everything that an assertion depends on, each with its
// length before it, so that no two different inputs read the same.
func fingerprint(buf []byte, p *identity.Principal, audience string) []byte {
	for _, s := range [...]string{audience, p.UserID, p.Login, p.Name, p.Email, p.Origin} {
		buf = appendText(buf, s)
	}
	verified := byte(0)
	if p.EmailVerified {
		verified = 1
	}
	buf = append(buf, verified)
	for _, list := range [...][]string{p.Groups, p.AMR} {
		buf = binary.AppendUvarint(buf, uint64(len(list)))
		for _, s := range list {
			buf = appendText(buf, s)
		}
	}
	return buf
}

func appendText(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

func (a *Asserter) lifetime() time.Duration {
	if a.Lifetime < time.Second || a.Lifetime > MaxAssertion {
		return MaxAssertion
	}
	return a.Lifetime.Truncate(time.Second)
}

func (a *Asserter) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}
