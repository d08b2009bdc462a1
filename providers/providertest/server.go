// Package providertest is an OpenID Connect provider that can lie, over real
// HTTP and with real keys, and the promises of providers.Provider as tests.
// Honest, it is strict: it compares the redirect URI, the code challenge and
// the client's secret, and a code is good once. Bend makes it lie.
package providertest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"gateway/internal/secret"
	"gateway/providers"
)

// The endpoints, as paths below the issuer.
const (
	Discovery  = "/.well-known/openid-configuration"
	Authorize  = "/authorize"
	Token      = "/token"
	JWKS       = "/jwks"
	UserInfo   = "/userinfo"
	EndSession = "/end-session"
)

// RedirectURL is the callback the provider knows unless told otherwise.
const RedirectURL = "https://auth.example.com/.gateway/callback/corp"

// Server is the provider. Set its fields before the first request.
type Server struct {
	URL          string // the issuer
	ClientID     string
	ClientSecret string // empty: a public client
	RedirectURL  string
	Person       map[string]any // claims about whoever signs in, sub among them
	Now          func() time.Time

	address string
	mu      sync.Mutex
	http    *httptest.Server
	keys    []Key
	bend    Bend
	status  map[string]int
	delay   map[string]time.Duration
	codes   map[string]grant
	access  map[string]bool
	seen    []Request
}

// Request is what the provider received.
type Request struct {
	Method, Path string
	Header       http.Header
	Form         url.Values // query and body
}

// New starts a provider on loopback that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := Offline(t)
	s.Start(t)
	s.URL = s.http.URL
	t.Cleanup(s.Stop)
	return s
}

// Offline returns a provider without a listener, to be used as a
// http.RoundTripper: for synctest, where real connections never rest.
func Offline(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		URL: "http://127.0.0.1:1", ClientID: "gateway", ClientSecret: "tr0ub4dor&3", RedirectURL: RedirectURL,
		Person: map[string]any{
			"sub": "248289761001", "name": "Jane Doe", "email": "jane@example.com", "email_verified": true,
			"groups": []string{"staff"}, "preferred_username": "jane",
		},
		status: map[string]int{}, delay: map[string]time.Duration{}, codes: map[string]grant{}, access: map[string]bool{},
	}
	if err := s.Rotate("RS256", false); err != nil {
		t.Fatal(err)
	}
	return s
}

// Config returns what a configuration would hold for this provider.
func (s *Server) Config() providers.Config {
	return providers.Config{Issuer: s.URL, ClientID: s.ClientID, ClientSecret: secret.New(s.ClientSecret)}
}

// Start listens again, on the same address, after Stop.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	server := httptest.NewUnstartedServer(s)
	if s.address != "" {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Listener.Close(); err != nil {
			t.Fatal(err)
		}
		server.Listener = listener
	}
	s.address = server.Listener.Addr().String()
	server.Start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http = server
}

// Stop refuses connections from now on.
func (s *Server) Stop() {
	s.mu.Lock()
	server := s.http
	s.http = nil
	s.mu.Unlock()
	if server != nil {
		server.CloseClientConnections()
		server.Close()
	}
}

// Fail makes an endpoint answer with this status and nothing else; 0 ends it.
func (s *Server) Fail(path string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[path] = status
}

// Delay makes an endpoint wait before it does anything; 0 ends it.
func (s *Server) Delay(path string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay[path] = wait
}

// Seen returns what an endpoint has received, in order.
func (s *Server) Seen(path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Request
	for _, r := range s.seen {
		if r.Path == path {
			all = append(all, r)
		}
	}
	return all
}

// Count returns how many requests an endpoint has received.
func (s *Server) Count(path string) int { return len(s.Seen(path)) }

// Callback visits the authorization request as a browser would, signs in as
// Person at once, and returns what the browser is sent back with.
func (s *Server) Callback(t testing.TB, authURL string) providers.Callback {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, authURL, http.NoBody)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	location, err := w.Result().Location()
	if err != nil {
		t.Fatalf("authorize: status %d: %s", w.Code, w.Body)
	}
	cb, err := providers.ParseCallback(location.RawQuery)
	if err != nil {
		t.Fatalf("callback %s: %v", location, err)
	}
	return cb
}

// RoundTrip answers without a connection.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
