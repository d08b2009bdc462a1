package providers

import (
	"fmt"
	"net/url"
)

// Bounds of what a callback may carry, in bytes.
const (
	MaxState  = 16 << 10
	MaxCode   = 4 << 10
	MaxIssuer = 2 << 10
)

// Callback is what the provider sent back with the browser (RFC 6749, section
// 4.1.2; RFC 9207 for Issuer).
type Callback struct {
	State, Code, Issuer, Error string
	IssuerPresent              bool // an empty iss differs from none
}

// ParseCallback reads the query of a callback. A parameter we read that is
// there twice, both a code and an error, or one out of bounds is ErrNoRequest;
// other parameters are ignored (RFC 6749, section 4.1.2).
func ParseCallback(rawQuery string) (Callback, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Callback{}, fmt.Errorf("%w: malformed query", ErrNoRequest)
	}
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(query[name]) > 1 {
			return Callback{}, fmt.Errorf("%w: %s is there twice", ErrNoRequest, name)
		}
	}
	cb := Callback{
		State: query.Get("state"), Code: query.Get("code"),
		Issuer: query.Get("iss"), IssuerPresent: query.Has("iss"), Error: query.Get("error"),
	}
	return cb, cb.validate()
}

func (cb Callback) validate() error {
	switch {
	case cb.State == "":
		return fmt.Errorf("%w: no state", ErrNoRequest)
	case len(cb.State) > MaxState || len(cb.Code) > MaxCode || len(cb.Issuer) > MaxIssuer:
		return fmt.Errorf("%w: callback too long", ErrNoRequest)
	case cb.Code != "" && cb.Error != "":
		return fmt.Errorf("%w: both code and error", ErrNoRequest)
	case cb.Code == "" && cb.Error == "":
		return fmt.Errorf("%w: neither code nor error", ErrNoRequest)
	}
	return nil
}

// errorCode returns the provider's error code if it is spelled like one: a
// stranger chose it, and it ends in logs and pages.
func errorCode(raw string) string {
	if raw == "" || len(raw) > 64 {
		return "other"
	}
	for i := range len(raw) {
		if c := raw[i]; c != '_' && (c < 'a' || c > 'z') {
			return "other"
		}
	}
	return raw
}
