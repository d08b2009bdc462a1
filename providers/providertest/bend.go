package providertest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// Bend changes what the provider says. A nil field leaves it honest; the
// functions get what an honest provider would say and change it in place.
type Bend struct {
	Discovery func(doc map[string]any)
	JWKS      func(set map[string]any)
	Header    func(header map[string]any)                       // of ID tokens
	Claims    func(claims map[string]any)                       // of ID tokens
	Sign      func(input string) []byte                         // the signature itself
	IDToken   func(raw string) string                           // the finished token
	Token     func(answer map[string]any)                       // of the token endpoint
	UserInfo  func(claims map[string]any)                       // of the userinfo endpoint
	Callback  func(query url.Values)                            // what the browser is sent back with
	HTTP      func(w http.ResponseWriter, r *http.Request) bool // any request; true: it has been answered
}

// Bend makes the provider lie from now on; Bend{} makes it honest again.
func (s *Server) Bend(b Bend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bend = b
}

// Rotate makes the provider sign with a new key. Keep says whether the old
// ones stay published.
func (s *Server) Rotate(alg string, keep bool) error {
	k, err := NewKey(alg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !keep {
		s.keys = nil
	}
	s.keys = append(s.keys, k)
	return nil
}

// Key returns the key that signs now.
func (s *Server) Key() Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1]
}

// IDToken returns a token for our client as the token endpoint would return
// it: bent, and with the nonce unless that is empty.
func (s *Server) IDToken(nonce string) (string, error) {
	return s.idToken(grant{nonce: nonce, clientID: s.ClientID}, "")
}

// Token returns a token with exactly these claims and a header of alg and kid
// to which header is added. Signatures are not bent.
func (s *Server) Token(header, claims map[string]any) (string, error) {
	k := s.Key()
	all := map[string]any{"alg": k.Alg, "kid": k.ID}
	maps.Copy(all, header)
	input, err := signingInput(all, claims)
	if err != nil {
		return "", err
	}
	signature, err := k.Sign(input)
	return input + "." + encode(signature), err
}

func (s *Server) idToken(g grant, accessToken string) (string, error) {
	k := s.Key()
	now := s.now()
	claims := map[string]any{
		"iss": s.URL, "aud": g.clientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"auth_time": now.Unix(), "sid": rand.Text(),
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if accessToken != "" {
		claims["at_hash"] = leftHalf(k.Alg, accessToken)
	}
	s.mu.Lock()
	maps.Copy(claims, s.Person)
	b := s.bend
	s.mu.Unlock()
	header := map[string]any{"alg": k.Alg, "kid": k.ID, "typ": "JWT"}
	apply(b.Claims, claims)
	apply(b.Header, header)
	input, err := signingInput(header, claims)
	if err != nil {
		return "", err
	}
	signature, err := k.Sign(input)
	if err != nil {
		return "", err
	}
	if b.Sign != nil {
		signature = b.Sign(input)
	}
	raw := input + "." + encode(signature)
	if b.IDToken != nil {
		raw = b.IDToken(raw)
	}
	return raw, nil
}

func signingInput(header, claims map[string]any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("header: %w", err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	return encode(h) + "." + encode(c), nil
}

func apply[T any](bend func(T), value T) {
	if bend != nil {
		bend(value)
	}
}
