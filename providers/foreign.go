package providers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// DefaultLifetime is how long a sign-in at a provider may take.
const DefaultLifetime = 10 * time.Minute

// MaxReturnTo bounds AuthRequest.ReturnTo in bytes: it travels in the state,
// and providers refuse addresses that grow too long.
const MaxReturnTo = 4 << 10

// Named is a Provider with the words people and paths know it by.
type Named struct {
	ID       string // the origin: [a-z][a-z0-9-]*, never "local"
	Name     string // shown on the chooser
	Provider Provider
}

// Foreign is the door. Seal and Spent are required; a zero Lifetime is
// DefaultLifetime, a nil Now is time.Now.
type Foreign struct {
	Providers []Named
	Seal      Sealer
	Spent     Spent
	Lifetime  time.Duration
	Now       func() time.Time
}

// Begin starts a sign-in at the provider and returns where to send the browser.
// browser is the value of its pre-session cookie and never empty; returnTo
// comes back with Finish; maxAge asks for a recent proof, if it is not zero.
// ErrUnknownOrigin, ErrNoRequest without a browser,
// ErrUnavailable.
func (f *Foreign) Begin(ctx context.Context, id, browser, returnTo string, maxAge time.Duration) (string, error) {
	named, err := f.named(id)
	if err != nil {
		return "", err
	}
	if browser == "" {
		return "", fmt.Errorf("%w: no browser to bind it to", ErrNoRequest)
	}
	if len(returnTo) > MaxReturnTo {
		return "", fmt.Errorf("providers: return address has %d bytes, at most %d", len(returnTo), MaxReturnTo)
	}
	w := waiting{
		Use: useCode, Origin: id, Browser: binding(browser), ReturnTo: returnTo,
		Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), Expires: f.now().Add(f.lifetime()).Unix(),
	}
	state, err := f.seal(w)
	if err != nil {
		return "", err
	}
	req := w.request(state)
	req.MaxAge = maxAge
	address, err := named.Provider.AuthCodeURL(ctx, req)
	if err != nil {
		return "", fmt.Errorf("origin %s: %w", id, err)
	}
	return address, nil
}

// Finish ends a sign-in: id is the origin of the callback's path, browser the
// value of the pre-session cookie. The request is opened and checked, taken
// once, and only then the code is spent. ErrUnknownOrigin, ErrNoRequest,
// ErrDenied, ErrRefused, ErrUnavailable; any other error means that it cannot
// tell. The AuthRequest is also returned with errors that came after it was
// found to be this browser's, so that the person can be offered to try again.
func (f *Foreign) Finish(ctx context.Context, id, browser string, cb Callback) (Assertion, AuthRequest, error) {
	named, err := f.named(id)
	if err != nil {
		return Assertion{}, AuthRequest{}, err
	}
	if browser == "" {
		return Assertion{}, AuthRequest{}, fmt.Errorf("%w: no browser it could belong to", ErrNoRequest)
	}
	if err := cb.validate(); err != nil {
		return Assertion{}, AuthRequest{}, err
	}
	w, err := f.open(cb.State, useCode, id, browser)
	if err != nil {
		return Assertion{}, AuthRequest{}, err
	}
	req := w.request(cb.State)
	if c, ok := named.Provider.(IssuerChecker); ok {
		if err := c.CheckIssuer(ctx, cb.Issuer, cb.IssuerPresent); err != nil {
			return Assertion{}, req, fmt.Errorf("origin %s: %w", id, err)
		}
	}
	if err := f.take(ctx, cb.State, w); err != nil {
		return Assertion{}, req, err
	}
	if cb.Error != "" {
		return Assertion{}, req, fmt.Errorf("origin %s: %w", id, &Denied{Code: errorCode(cb.Error)})
	}
	assertion, err := named.Provider.Exchange(ctx, req, cb.Code)
	if err != nil {
		return Assertion{}, req, fmt.Errorf("origin %s: %w", id, err)
	}
	if err := assertion.validate(id); err != nil {
		return Assertion{}, req, err
	}
	return assertion, req, nil
}

// named returns the provider with this id, or ErrUnknownOrigin.
func (f *Foreign) named(id string) (Named, error) {
	for _, n := range f.Providers {
		if n.ID == id && id != "" {
			return n, nil
		}
	}
	return Named{}, ErrUnknownOrigin
}

func (f *Foreign) lifetime() time.Duration {
	if f.Lifetime > 0 {
		return f.Lifetime
	}
	return DefaultLifetime
}

func (f *Foreign) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

func (w waiting) request(state string) AuthRequest {
	return AuthRequest{
		State: state, Nonce: w.Nonce, Verifier: w.Verifier, Browser: w.Browser,
		Provider: w.Origin, ReturnTo: w.ReturnTo, Expires: time.Unix(w.Expires, 0).UTC(),
	}
}

var errNobody = errors.New("nobody is named")

// validate refuses an assertion that names nobody or speaks for another door,
// whatever kind of provider made it.
func (a Assertion) validate(origin string) error {
	who := a.Identity
	if who.Issuer == "" || who.Subject == "" || who.Provider != origin {
		return fmt.Errorf("origin %s: %w: %w", origin, ErrRefused, errNobody)
	}
	return nil
}
