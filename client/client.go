// Package client speaks the gateway's session protocol from a program: connect,
// sign in, sign out. A password never leaves it: it answers the challenge, and
// it believes the portal only once that has proved to know the password's
// verifier.
//
// It speaks https, or plain http with the machine itself, follows no redirects
// and bounds what it reads.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"gateway/localauth/scram"
)

// ErrWaiting says that the person is registered, and waits for approval.
var ErrWaiting = errors.New("client: waiting for approval")

// Client is a portal as seen from a program. It is used by pointer and safe for
// concurrent use once its fields are set.
type Client struct {
	// Portal is the portal's URL: https://auth.example.com. Plain http is for
	// localhost, *.localhost and loopback addresses alone.
	Portal string
	// HTTP carries the requests; nil means a client with a limit of 30 seconds
	// that finds *.localhost on this machine. Its Jar holds the session where a
	// cookie is wanted. Its CheckRedirect is not used.
	HTTP *http.Client
	// App is the origin of the app that tokens are for; empty means the portal itself.
	App string
	// MinIterations are the fewest PBKDF2 rounds that the portal may ask for; 0
	// means localauth.DefaultIterations.
	MinIterations int

	once sync.Once
	own  *http.Client // stands in for a nil HTTP
}

// Connect asks who is signed in, or for a challenge. Where the request wants a
// token it carries no cookies. The error is a *Problem where the portal says no.
func (c *Client) Connect(ctx context.Context, r ConnectRequest) (Answer, error) {
	var a Answer
	x := exchange{method: http.MethodPost, path: "connect", cookies: c.jarred(r.Want), out: &a}
	if r != (ConnectRequest{}) {
		x.in = r
	}
	set, err := c.send(ctx, x)
	c.keep(r.Want, set)
	if err != nil {
		return Answer{}, fmt.Errorf("client: connect: %w", err)
	}
	return a, nil
}

// LoginLocal signs in with a password. With WantToken the session holds the
// token; with WantCookie the cookie is in the Jar of HTTP. Nothing is returned
// or kept before the portal has proved that it knows the verifier:
// scram.ErrSignature says that it does not. The error is a *Problem where the
// portal says no, ErrWaiting where it says not yet.
func (c *Client) LoginLocal(ctx context.Context, user string, password Secret, want Want) (Session, error) {
	if want == WantCookie && (c.HTTP == nil || c.HTTP.Jar == nil) {
		return Session{}, errors.New("client: a cookie is wanted, but HTTP has no Jar to keep it in")
	}
	talk := &scram.Client{Username: user, Password: password, MinIterations: c.MinIterations}
	first, err := talk.First()
	if err != nil {
		return Session{}, err
	}
	var a Answer
	pre, err := c.send(ctx, exchange{
		method: http.MethodPost, path: "connect", in: ConnectRequest{ClientFirst: first, Want: want}, out: &a,
	})
	if err != nil {
		return Session{}, fmt.Errorf("client: connect: %w", err)
	}
	final, err := talk.Final(a.Challenge)
	if err != nil {
		return Session{}, fmt.Errorf("client: challenge: %w", err)
	}
	var s Session
	set, err := c.send(ctx, exchange{
		method: http.MethodPost, path: "login", cookies: live(pre), out: &s,
		in: LoginRequest{User: user, ChallengeID: a.ChallengeID, ChallengeReply: final, Want: want, App: c.app(want)},
	})
	if err != nil {
		return Session{UserID: s.UserID}, fmt.Errorf("client: login: %w", err)
	}
	if err := talk.Verify(s.ServerFinal); err != nil {
		return Session{}, fmt.Errorf("client: login: %w", err)
	}
	c.keep(want, set)
	return s, s.has(want)
}

// LoginToken signs in with a token of a foreign provider that needs no
// challenge, and returns a session with a token of ours. For an ID token that
// has to carry a nonce, ask Connect for it and hand both to Login.
func (c *Client) LoginToken(ctx context.Context, origin string, token Secret) (Session, error) {
	return c.Login(ctx, LoginRequest{AuthOrigin: origin, Token: token, Want: WantToken, App: c.App})
}

// Login hands in an answer to a challenge, or a foreign token, as it is. The
// caller judges ServerFinal. Errors are those of LoginLocal.
func (c *Client) Login(ctx context.Context, r LoginRequest) (Session, error) {
	var s Session
	set, err := c.send(ctx, exchange{method: http.MethodPost, path: "login", in: r, cookies: c.jarred(r.Want), out: &s})
	if err != nil {
		return Session{UserID: s.UserID}, fmt.Errorf("client: login: %w", err)
	}
	c.keep(r.Want, set)
	return s, s.has(r.Want)
}

// Logout ends the session of a token, or, with none, the one in the Jar of
// HTTP. It returns the address of the provider's logout page, if there is one.
// Ending what has ended is no error.
func (c *Client) Logout(ctx context.Context, token Secret) (endSession string, err error) {
	var a Answer
	x := exchange{method: http.MethodPost, path: "logout", bearer: token, out: &a}
	want := WantToken
	if token.Empty() {
		want = WantCookie
		x.cookies = c.jarred(want)
	}
	set, err := c.send(ctx, x)
	c.keep(want, set)
	if err != nil {
		return "", fmt.Errorf("client: logout: %w", err)
	}
	return a.EndSession, nil
}

// app is what login names as the audience.
func (c *Client) app(want Want) string {
	if want == WantToken {
		return c.App
	}
	return ""
}
