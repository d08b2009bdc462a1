package sessions

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unique"

	"github.com/golang-jwt/jwt/v5"
)

// The typ of our tokens (RFC 8725, section 3.11): one kind never counts as the other.
const (
	sessionType   = "gateway-session+jwt"
	assertionType = "gateway-assertion+jwt"
)

const (
	maxToken = 4096             // bytes of a session token
	maxSkew  = 60 * time.Second // how far iat may be ahead of our clock
)

// claims of a session token. They inform; the record decides.
type claims struct {
	registered

	SessionID string   `json:"sid"`
	AuthTime  said     `json:"auth_time"`
	AMR       []string `json:"amr"`
}

// said is a time in seconds since 1970; 0: nobody said when.
type said int64

func saidAt(t time.Time) said {
	if t.IsZero() {
		return 0
	}
	return said(t.Unix())
}

// mint returns the token of a session.
func (r *ring) mint(issuer string, s *Session) (string, error) {
	text, err := r.sign(sessionType, &claims{
		registered: registered{
			Issuer: issuer, Audience: s.Audience, Subject: s.UserID,
			IssuedAt: s.Created.Unix(), Expires: s.Expires.Unix(),
		},
		SessionID: s.ID, AuthTime: saidAt(s.AuthTime), AMR: append([]string{}, s.AMR...),
	})
	if err != nil {
		return "", err
	}
	if len(text) > maxToken {
		return "", fmt.Errorf("sessions: token has %d bytes, more than %d", len(text), maxToken)
	}
	return text, nil
}

// parse returns the claims of a session token that one of our keys signed, or
// ErrMalformed. Whoever calls it judges the claims, the time above all.
func (r *ring) parse(text, issuer, audience string, now time.Time) (*claims, error) {
	if err := r.wellFormed(text); err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	c := new(claims)
	_, err := parser.ParseWithClaims(text, c, r.verifier)
	// The library verifies before it validates: what is merely expired is ours.
	if err != nil && !errors.Is(err, jwt.ErrTokenExpired) {
		return nil, fmt.Errorf("%w: signature or claims", ErrMalformed)
	}
	return c, nil
}

// verifier returns the public key that the token names.
func (r *ring) verifier(t *jwt.Token) (any, error) {
	id, ok := t.Header["kid"].(string)
	if !ok || r.public[id] == nil {
		return nil, ErrMalformed
	}
	return r.public[id], nil
}

// wellFormed refuses what the JWT library would overlook: more than three
// parts, line breaks, and a header that is not exactly ours. What it lets
// through still has to be verified.
func (r *ring) wellFormed(text string) error {
	if strings.Count(text, ".") != 2 {
		return fmt.Errorf("%w: parts", ErrMalformed)
	}
	for part := range strings.SplitSeq(text, ".") {
		if part == "" || !isBase64URL(part) {
			return fmt.Errorf("%w: encoding", ErrMalformed)
		}
	}
	h, err := parseHeader(text[:strings.IndexByte(text, '.')])
	if err != nil || h.Algorithm != jwt.SigningMethodES256.Alg() || h.Type != sessionType {
		return fmt.Errorf("%w: header", ErrMalformed)
	}
	if r == nil || r.public[h.KeyID] == nil {
		return fmt.Errorf("%w: key", ErrMalformed)
	}
	return nil
}

// judge decides about verified claims, at each use: ErrMalformed before ErrExpired.
func (c *claims) judge(issuer, audience string, now time.Time) error {
	switch {
	case issuer == "" || c.Issuer != issuer:
		return fmt.Errorf("%w: issuer", ErrMalformed)
	case audience == "" || c.Audience != audience:
		return fmt.Errorf("%w: audience", ErrMalformed)
	case c.Subject == "" || c.SessionID == "":
		return fmt.Errorf("%w: subject", ErrMalformed)
	case c.IssuedAt > now.Add(maxSkew).Unix():
		return fmt.Errorf("%w: issued in the future", ErrMalformed)
	case c.Expires <= now.Unix():
		return ErrExpired
	}
	return nil
}

// says reports whether a record says all that the claims say.
func (c *claims) says(s *Session) bool {
	return s.ID == c.SessionID && s.UserID == c.Subject && s.Audience == c.Audience &&
		s.Created.Unix() == c.IssuedAt && s.Expires.Equal(time.Unix(c.Expires, 0))
}

// compact returns the claims as they are remembered: what many tokens share is
// kept once, the rest side by side.
func (c *claims) compact() *claims {
	own := c.SessionID + c.Subject
	return &claims{
		registered: registered{
			Issuer: unique.Make(c.Issuer).Value(), Audience: unique.Make(c.Audience).Value(), Subject: own[len(c.SessionID):],
			IssuedAt: c.IssuedAt, Expires: c.Expires,
		},
		SessionID: own[:len(c.SessionID)],
	}
}
