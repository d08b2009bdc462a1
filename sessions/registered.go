package sessions

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// registered are the claims that both kinds of our tokens have (RFC 7519,
// section 4.1). The audience is one text, never a list. The methods are how
// the JWT library reads claims.
type registered struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"` // seconds since 1970
	Expires  int64  `json:"exp"` // seconds since 1970
}

// GetIssuer returns iss.
func (r *registered) GetIssuer() (string, error) { return r.Issuer, nil }

// GetSubject returns sub.
func (r *registered) GetSubject() (string, error) { return r.Subject, nil }

// GetAudience returns aud.
func (r *registered) GetAudience() (jwt.ClaimStrings, error) {
	return jwt.ClaimStrings{r.Audience}, nil
}

// GetIssuedAt returns iat.
func (r *registered) GetIssuedAt() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(r.IssuedAt, 0)), nil
}

// GetExpirationTime returns exp.
func (r *registered) GetExpirationTime() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(r.Expires, 0)), nil
}

// GetNotBefore returns nothing: our tokens have no nbf.
func (*registered) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil }
