// Package providers is the Foreign door: people who prove who they are to
// somebody else. A Provider sends a browser away with an authorization request
// and turns the code that comes back into an Assertion; Foreign keeps the
// promises that hold for every kind of provider: the request travels sealed in
// the state, belongs to one browser and one provider, ends after minutes and
// is good once, taken before the code is spent. Nothing is stored when a
// sign-in begins, so strangers fill no table and tabs do not disturb each other.
package providers

import (
	"context"
	"errors"
	"time"

	"gateway/internal/identity"
	"gateway/internal/secret"
)

// The answers of this door. Every other error means that it cannot tell.
var (
	// ErrUnknownOrigin says that no provider has this id.
	ErrUnknownOrigin = errors.New("providers: no such origin")
	// ErrNoRequest says that the state or challenge is missing, forged,
	// expired, used, of another browser or of another origin.
	ErrNoRequest = errors.New("providers: no such authorization request")
	// ErrDenied says that the provider sent the person back without a code.
	// The error is a *Denied.
	ErrDenied = errors.New("providers: the provider said no")
	// ErrRefused says that what the provider or the client handed in is not sound.
	ErrRefused = errors.New("providers: assertion refused")
	// ErrUnavailable says that the provider cannot be reached or used now.
	ErrUnavailable = errors.New("providers: provider unavailable")
	// ErrNoEndSession says that the provider has no logout page.
	ErrNoEndSession = errors.New("providers: the provider has no end session endpoint")
)

// Denied is the provider's error answer (RFC 6749, section 4.1.2.1).
type Denied struct{ Code string } // access_denied, login_required, server_error …; "other" where it was no error code

// Error names the provider's error code.
func (d *Denied) Error() string { return ErrDenied.Error() + ": " + d.Code }

// Unwrap makes the error an ErrDenied.
func (d *Denied) Unwrap() error { return ErrDenied }

// Provider is an OAuth 2.0 or OpenID Connect provider: values in, values out.
// It is safe for concurrent use and keeps nothing of a sign-in: all of it is
// in the AuthRequest. Its errors wrap ErrRefused or ErrUnavailable.
type Provider interface {
	// AuthCodeURL returns where the browser is sent to (RFC 6749, section 4.1.1).
	AuthCodeURL(ctx context.Context, req AuthRequest) (string, error)
	// Exchange spends the code, once and without a retry, and returns what the
	// provider asserts about the person.
	Exchange(ctx context.Context, req AuthRequest, code string) (Assertion, error)
}

// EndSessioner is a Provider with a logout page (OpenID Connect RP-Initiated
// Logout 1.0). EndSessionURL returns its address; hint is the ID token of the
// session that ends or empty, returnTo the registered address to come back to
// or empty. ErrNoEndSession where the provider has none.
type EndSessioner interface {
	EndSessionURL(hint secret.Text, returnTo string) (string, error)
}

// IssuerChecker is a Provider that knows whether a callback must name its
// issuer, and which (RFC 9207, section 2.4). ErrRefused if it does not.
type IssuerChecker interface {
	CheckIssuer(ctx context.Context, issuer string, present bool) error
}

// TokenVerifier is a Provider whose tokens may be handed in directly. A token
// for our client must carry the nonce; one for an audience of token_audiences
// is taken with an empty nonce as well. ErrRefused if it is not sound.
type TokenVerifier interface {
	VerifyToken(ctx context.Context, token secret.Text, nonce string) (Assertion, error)
}

// Checker is a Provider that knows whether it can be used now; Ready never
// waits. The error says why not.
type Checker interface{ Ready() error }

// Failer is a Provider that remembers when it last could not be used; the zero
// time is never.
type Failer interface{ Failed() time.Time }

// Keeper is a Provider that has something to keep up to date. Keep returns
// when the context is done.
type Keeper interface{ Keep(ctx context.Context) }

// AuthRequest is one authorization request. It travels sealed as State.
type AuthRequest struct {
	State    string    // the sealed request itself: the OAuth 2.0 state
	Nonce    string    // bound into the ID token
	Verifier string    // PKCE code verifier (RFC 7636), 52 unreserved characters
	Browser  string    // SHA-256 of the pre-session cookie, base64url
	Provider string    // the origin the browser was sent to
	ReturnTo string    // where the person wanted to go, at most MaxReturnTo bytes
	Expires  time.Time // UTC, whole seconds

	// MaxAge is how long ago the person may have proved who they are (OpenID
	// Connect Core 1.0, section 3.1.2.1); zero: however long. It does not travel:
	// what the provider then says of the time is for others to judge.
	MaxAge time.Duration
}

// Assertion is what a provider says about a person (the word of NIST SP
// 800-63C), after all checks.
type Assertion struct {
	Identity  identity.Identity
	SessionID string      // the provider's session (sid), may be empty
	IDToken   secret.Text // hint for the provider's logout page, may be empty
	Expires   time.Time   // of the token; zero if it has none
	Nonce     string      // the nonce the token was bound to; empty for tokens of token_audiences
}
