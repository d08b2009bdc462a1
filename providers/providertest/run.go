package providertest

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway/providers"
)

// Run tests what every providers.Provider promises. open returns one that
// signs in at s; its back channel should give up within a second or so.
func Run(t *testing.T, open func(t *testing.T, s *Server) providers.Provider) {
	t.Helper()
	for _, promise := range []struct {
		name string
		test func(t *testing.T, s *Server, p providers.Provider)
	}{
		{"the request carries state, challenge and our redirect URL", testRequest},
		{"a code becomes an identity", testExchange},
		{"a code of another request is refused", testVerifier},
		{"a code is good once", testOnce},
		{"the token request is never repeated", testNoRetry},
		{"redirects are not followed", testRedirect},
		{"a provider that is down is unavailable, and comes back", testDown},
		{"a provider that hangs is unavailable", testHang},
		{"sign-ins at the same time do not mix", testTogether},
	} {
		t.Run(promise.name, func(t *testing.T) {
			s := New(t)
			promise.test(t, s, open(t, s))
		})
	}
}

// NewRequest returns an authorization request such as Foreign makes.
func NewRequest() providers.AuthRequest {
	return providers.AuthRequest{
		State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), Provider: "corp",
		Expires: time.Unix(1<<33, 0).UTC(),
	}
}

// SignIn goes the whole way from the request to the assertion.
func SignIn(t testing.TB, s *Server, p providers.Provider) (providers.Assertion, error) {
	t.Helper()
	req := NewRequest()
	return p.Exchange(t.Context(), req, code(t, s, p, req))
}

func code(t testing.TB, s *Server, p providers.Provider, req providers.AuthRequest) string {
	t.Helper()
	address, err := p.AuthCodeURL(t.Context(), req)
	if err != nil {
		t.Fatalf("AuthCodeURL: %v", err)
	}
	return s.Callback(t, address).Code
}

func testRequest(t *testing.T, s *Server, p providers.Provider) {
	req := NewRequest()
	address, err := p.AuthCodeURL(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"state": req.State, "redirect_uri": s.RedirectURL, "client_id": s.ClientID, "response_type": "code", "code_challenge_method": "S256",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := q.Get("code_challenge"); len(got) != 43 || strings.Contains(address, req.Verifier) {
		t.Errorf("code_challenge = %q, want 43 characters, and the verifier nowhere", got)
	}
}

func testExchange(t *testing.T, s *Server, p providers.Provider) {
	a, err := SignIn(t, s, p)
	if err != nil {
		t.Fatal(err)
	}
	who := a.Identity
	if who.Subject != s.Person["sub"] || who.Issuer == "" || who.Provider == "" || who.Email != "jane@example.com" || !who.EmailVerified {
		t.Errorf("Exchange = %+v, want the person who signed in", who)
	}
}

func testVerifier(t *testing.T, s *Server, p providers.Provider) {
	if _, err := p.Exchange(t.Context(), NewRequest(), code(t, s, p, NewRequest())); !errors.Is(err, providers.ErrRefused) {
		t.Errorf("Exchange of another request's code = %v, want ErrRefused", err)
	}
}

func testOnce(t *testing.T, s *Server, p providers.Provider) {
	req := NewRequest()
	c := code(t, s, p, req)
	if _, err := p.Exchange(t.Context(), req, c); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exchange(t.Context(), req, c); !errors.Is(err, providers.ErrRefused) {
		t.Errorf("second Exchange = %v, want ErrRefused", err)
	}
}

func testNoRetry(t *testing.T, s *Server, p providers.Provider) {
	for i, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		s.Fail(Token, status)
		want := providers.ErrUnavailable
		if status < http.StatusInternalServerError {
			want = providers.ErrRefused
		}
		if _, err := SignIn(t, s, p); !errors.Is(err, want) {
			t.Errorf("status %d: %v, want %v", status, err, want)
		}
		if got := s.Count(Token); got != i+1 {
			t.Errorf("status %d: %d token requests, want %d", status, got, i+1)
		}
	}
}

func testRedirect(t *testing.T, s *Server, p providers.Provider) {
	var hits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s.Bend(Bend{HTTP: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != Token {
				return false
			}
			http.Redirect(w, r, other.URL, status)
			return true
		}})
		if _, err := SignIn(t, s, p); !errors.Is(err, providers.ErrRefused) && !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("status %d: %v, want ErrRefused or ErrUnavailable", status, err)
		}
	}
	if got := hits.Load(); got != 0 {
		t.Errorf("followed %d redirects, want 0", got)
	}
}

func testDown(t *testing.T, s *Server, p providers.Provider) {
	req := NewRequest()
	c := code(t, s, p, req)
	failer, remembers := p.(providers.Failer)
	if remembers && !failer.Failed().IsZero() {
		t.Errorf("Failed = %v before anything failed, want never", failer.Failed())
	}
	s.Stop()
	if _, err := p.Exchange(t.Context(), req, c); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("Exchange = %v, want ErrUnavailable", err)
	}
	if remembers && failer.Failed().IsZero() {
		t.Error("Failed = never, after it was down")
	}
	s.Start(t)
	if _, err := SignIn(t, s, p); err != nil {
		t.Errorf("once it is back: %v, want nil", err)
	}
}

func testHang(t *testing.T, s *Server, p providers.Provider) {
	req := NewRequest()
	c := code(t, s, p, req)
	s.Delay(Token, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.Exchange(ctx, req, c); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("Exchange = %v, want ErrUnavailable", err)
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("it waited as long as it was let: %v", err)
	}
}

func testTogether(t *testing.T, s *Server, p providers.Provider) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := SignIn(t, s, p); err != nil { // verifier and nonce are checked
				t.Errorf("SignIn = %v, want nil", err)
			}
		})
	}
	all.Wait()
}
