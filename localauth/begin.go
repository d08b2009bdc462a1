package localauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// Begin answers a client-first message with a challenge, for every name alike.
// browser is the value of the pre-session cookie; it is empty for WantToken and
// only then. The error is ErrMalformed, or the door cannot tell.
func (l *Local) Begin(ctx context.Context, browser, clientFirst string, want Want) (Challenge, error) {
	if err := l.ready(); err != nil {
		return Challenge{}, err
	}
	if !fits(browser, want) {
		return Challenge{}, errors.New("localauth: a cookie needs a browser to bind the challenge to, a token has none")
	}
	first, err := parseClientFirst(clientFirst)
	if err != nil {
		return Challenge{}, err
	}
	r, err := l.record(ctx, account(first.name))
	if err != nil {
		return Challenge{}, err
	}
	s := state{
		want: want, genuine: r.genuine, expires: l.now().Add(l.lifetime()),
		version: r.Version, iterations: r.Iterations, salt: r.Salt,
		browser: digest(browser), portal: digest(l.Portal),
		nonce: newNonce(), bare: first.bare,
	}
	return Challenge{ID: l.Seal.Seal(s.encode()), ServerFirst: serverFirst(first.nonce+s.nonce, s.salt, s.iterations)}, nil
}

// fits reports whether browser is what want needs.
func fits(browser string, want Want) bool {
	switch want {
	case WantCookie:
		return browser != ""
	case WantToken:
		return browser == ""
	}
	return false
}

// newNonce returns 192 random bits in nonceText characters.
func newNonce() string {
	b := make([]byte, nonceSize)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}
