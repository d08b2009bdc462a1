package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gateway/internal/secret"
)

// Lifetimes of what the provider gives out.
const (
	codeLifetime  = time.Minute
	tokenLifetime = 10 * time.Minute // of ID tokens and access tokens
)

// Client is the one relying party that the provider serves.
type Client struct {
	ID          string
	Secret      secret.Text
	RedirectURI string // compared as a whole string
	LogoutURI   string // where a logout may lead back to; empty: nowhere
}

// Provider is an OpenID Connect provider that stands for a foreign one. It
// speaks the authorization code flow with PKCE (OpenID Connect Core 1.0,
// RFC 6749, RFC 7636), names itself on the callback (RFC 9207) and ends
// sessions (RP-Initiated Logout 1.0). Whoever opens its page chooses who to
// be. It is safe for concurrent use.
type Provider struct {
	Now func() time.Time // nil means time.Now

	issuer string
	base   string // the path of the issuer, without a slash at the end
	client Client
	people []Person
	key    *ecdsa.PrivateKey
	kid    string
	codes  pouch[grant]
	tokens pouch[Person]
	mux    *http.ServeMux
}

// NewProvider returns a provider with a key of its own that calls itself
// issuer: an http or https URL without query, fragment or slash at the end.
// Requests reach it with the issuer's path in front.
func NewProvider(issuer string, client Client) (*Provider, error) {
	u, err := url.Parse(issuer)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(issuer, "/") {
		return nil, fmt.Errorf("demo: %q cannot be an issuer", issuer)
	}
	if client.ID == "" || client.Secret.Empty() || client.RedirectURI == "" {
		return nil, fmt.Errorf("demo: client %q lacks an id, a secret or a redirect URI", client.ID)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("demo: make the provider's key: %w", err)
	}
	p := &Provider{issuer: issuer, base: u.Path, client: client, people: People(), key: key, kid: rand.Text()}
	p.mux = http.NewServeMux()
	p.mux.HandleFunc("GET "+u.Path+"/.well-known/openid-configuration", p.discovery)
	p.mux.HandleFunc("GET "+u.Path+"/jwks", p.jwks)
	p.mux.HandleFunc("GET "+u.Path+"/authorize", p.authorize)
	p.mux.HandleFunc("POST "+u.Path+"/authorize", p.choose)
	p.mux.HandleFunc("POST "+u.Path+"/token", p.token)
	p.mux.HandleFunc("GET "+u.Path+"/userinfo", p.userinfo)
	p.mux.HandleFunc("POST "+u.Path+"/userinfo", p.userinfo)
	p.mux.HandleFunc("GET "+u.Path+"/end-session", p.endSession)
	p.mux.HandleFunc("POST "+u.Path+"/end-session", p.endSession)
	return p, nil
}

// maxRequest bounds what the provider reads of a request's body, in bytes.
const maxRequest = 64 << 10

// ServeHTTP answers below the issuer's path.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	w.Header().Set("Cache-Control", "no-store")
	p.mux.ServeHTTP(w, r)
}

func (p *Provider) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

func (p *Provider) person(subject string) (Person, bool) {
	for _, person := range p.people {
		if person.Subject == subject {
			return person, true
		}
	}
	return Person{}, false
}
