package demo

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gateway/internal/secret"
)

// challengeLength is the length of an S256 code challenge (RFC 7636, section 4.2).
const challengeLength = 43

// grant is what a code stands for.
type grant struct {
	ask
	person Person
	at     time.Time // when the person was chosen
}

// tokens is the token endpoint's answer (OpenID Connect Core 1.0, section 3.1.3.3).
type tokens struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	IDToken     string `json:"id_token"`
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, refusal{"invalid_request", "the form cannot be read"})
		return
	}
	for name, all := range r.PostForm {
		if len(all) > 1 {
			answer(w, http.StatusBadRequest, refusal{"invalid_request", name + " is there twice"})
			return
		}
	}
	if !p.authenticated(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="demo"`)
		answer(w, http.StatusUnauthorized, refusal{Code: "invalid_client"})
		return
	}
	if r.PostForm.Get("grant_type") != "authorization_code" {
		answer(w, http.StatusBadRequest, refusal{Code: "unsupported_grant_type"})
		return
	}
	now := p.now()
	g, ok := p.codes.take(r.PostForm.Get("code"), now) // whatever comes of it, the code is spent
	if !ok || r.PostForm.Get("redirect_uri") != p.client.RedirectURI || !g.proves(r.PostForm.Get("code_verifier")) {
		answer(w, http.StatusBadRequest, refusal{Code: "invalid_grant"})
		return
	}
	access := p.tokens.put(g.person, now, now.Add(tokenLifetime))
	id, err := p.idToken(g, access, now)
	if err != nil {
		answer(w, http.StatusInternalServerError, refusal{Code: "server_error"})
		return
	}
	answer(w, http.StatusOK, tokens{access, "Bearer", int(tokenLifetime.Seconds()), id})
}

// authenticated reports whether the client proved itself in one of the two
// ways (RFC 6749, section 2.3.1), not in both.
func (p *Provider) authenticated(r *http.Request) bool {
	id, password, basic := r.BasicAuth()
	inBody := r.PostForm.Has("client_secret")
	switch {
	case basic && inBody:
		return false
	case basic:
		id, password = unescape(id), unescape(password)
	default:
		id, password = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return id == p.client.ID && p.client.Secret.Equal(secret.New(password))
}

// unescape undoes the form encoding of Basic credentials; what is not encoded
// so is nothing.
func unescape(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return ""
	}
	return plain
}

// proves reports whether the verifier fits the challenge (RFC 7636, section 4.6).
func (g grant) proves(verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(g.challenge)) == 1
}

func (p *Provider) idToken(g grant, access string, now time.Time) (string, error) {
	sum := sha256.Sum256([]byte(access))
	claims := jwt.MapClaims{
		"iss":       p.issuer,
		"aud":       p.client.ID,
		"iat":       now.Unix(),
		"exp":       now.Add(tokenLifetime).Unix(),
		"auth_time": g.at.Unix(),
		"at_hash":   base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]), // OpenID Connect Core 1.0, section 3.1.3.6
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	maps.Copy(claims, g.person.claims())
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	t.Header["kid"] = p.kid
	return t.SignedString(p.key)
}

// claims says who the person is (OpenID Connect Core 1.0, section 5.1).
func (p Person) claims() map[string]any {
	claims := map[string]any{
		"sub":                p.Subject,
		"name":               p.Name,
		"preferred_username": p.Login,
		"email":              p.Email,
		"email_verified":     true,
	}
	if len(p.Groups) > 0 {
		claims["groups"] = p.Groups
	}
	return claims
}

// userinfo says who the access token stands for (OpenID Connect Core 1.0, section 5.3).
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	scheme, access, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	person, ok := p.tokens.look(access, p.now())
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="demo", error="invalid_token"`)
		answer(w, http.StatusUnauthorized, refusal{Code: "invalid_token"})
		return
	}
	answer(w, http.StatusOK, person.claims())
}
