package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/secret"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

func TestDiscovery(t *testing.T) {
	for _, row := range []struct {
		name, member string
		value        any
		want         error
	}{
		{"another issuer", "issuer", "https://evil.example", providers.ErrUnavailable},
		{"issuer with a slash", "issuer", "http://127.0.0.1:1/", providers.ErrUnavailable},
		{"issuer by another name", "issuer", "http://localhost:1", providers.ErrUnavailable},
		{"no issuer", "issuer", nil, providers.ErrUnavailable},
		{"a name in another case does not count", "ISSUER", "https://evil.example", nil},
		{"no authorization_endpoint", "authorization_endpoint", nil, providers.ErrUnavailable},
		{"no token_endpoint", "token_endpoint", "", providers.ErrUnavailable},
		{"no jwks_uri", "jwks_uri", nil, providers.ErrUnavailable},
		{"no userinfo_endpoint", "userinfo_endpoint", nil, nil},
		{"no end_session_endpoint", "end_session_endpoint", nil, nil},
		{"script", "authorization_endpoint", "javascript:alert(1)", providers.ErrUnavailable},
		{"data", "authorization_endpoint", "data:text/html,x", providers.ErrUnavailable},
		{"file", "jwks_uri", "file:///etc/passwd", providers.ErrUnavailable},
		{"elsewhere, though the issuer is on loopback", "jwks_uri", "https://evil.example/", providers.ErrUnavailable},
		{"loopback on another port", "jwks_uri", "http://127.0.0.1:22/", providers.ErrUnavailable},
		{"loopback by name", "jwks_uri", "https://x.localhost/", providers.ErrUnavailable},
		{"metadata service", "token_endpoint", "https://169.254.169.254/", providers.ErrUnavailable},
		{"mapped", "token_endpoint", "https://[::ffff:7f00:1]/", providers.ErrUnavailable},
		{"unspecified", "token_endpoint", "https://0.0.0.0/", providers.ErrUnavailable},
		{"user in the URL", "token_endpoint", "https://127.0.0.1:1@evil.example/", providers.ErrUnavailable},
		{"fragment", "token_endpoint", "http://127.0.0.1:1/token#x", providers.ErrUnavailable},
		{"relative", "token_endpoint", "/token", providers.ErrUnavailable},
		{"too long", "token_endpoint", "http://127.0.0.1:1/" + strings.Repeat("a", 4096), providers.ErrUnavailable},
		{"HMAC alone", "id_token_signing_alg_values_supported", []string{"HS256", "none"}, providers.ErrUnavailable},
		{"our algorithm among them", "id_token_signing_alg_values_supported", []string{"HS256", "RS256"}, nil},
		{"no algorithms", "id_token_signing_alg_values_supported", nil, nil},
		{"no client secrets", "token_endpoint_auth_methods_supported", []string{"private_key_jwt"}, providers.ErrUnavailable},
		{"S256 not announced", "code_challenge_methods_supported", nil, nil},
		{"deep", "x", deep(1000), providers.ErrUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{Discovery: func(doc map[string]any) { doc[row.member] = row.value }})
			if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, row.want) {
				t.Errorf("AuthCodeURL = %v, want %v", err, row.want)
			}
			if ready := p.Ready(); !errors.Is(ready, row.want) {
				t.Errorf("Ready = %v, want %v", ready, row.want)
			}
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	for _, row := range []struct {
		name         string
		methods      any
		secret       string
		basic, param bool
	}{
		{"not announced: basic", nil, "s:3+cr&t", true, false},
		{"both: basic", []string{"client_secret_post", "client_secret_basic"}, "s:3+cr&t", true, false},
		{"post alone", []string{"client_secret_post"}, "s:3+cr&t", false, true},
		{"public client", []string{"none"}, "", false, false},
		{"public client where nothing is announced", nil, "", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := providertest.Offline(t)
			s.ClientSecret = row.secret
			p := open(t, s, func(c *oidc.Config) { c.Transport = s })
			s.Bend(providertest.Bend{Discovery: func(doc map[string]any) {
				doc["token_endpoint_auth_methods_supported"] = row.methods
			}})
			if _, err := providertest.SignIn(t, s, p); err != nil {
				t.Fatal(err)
			}
			sent := s.Seen(providertest.Token)
			if len(sent) != 1 {
				t.Fatalf("%d token requests, want 1", len(sent))
			}
			if got := sent[0].Header.Get("Authorization") != ""; got != row.basic {
				t.Errorf("basic = %v, want %v", got, row.basic)
			}
			if got := sent[0].Form.Has("client_secret"); got != row.param {
				t.Errorf("client_secret in the body = %v, want %v", got, row.param)
			}
			if got := sent[0].Form.Get("code_verifier"); len(got) < 43 {
				t.Errorf("code_verifier has %d characters, want 43 at least", len(got))
			}
		})
	}
}

func TestIssuerOfCallback(t *testing.T) {
	for _, row := range []struct {
		name      string
		announced any
		issuer    string
		present   bool
		want      error
	}{
		{"not announced, missing", false, "", false, nil},
		{"announced, missing", true, "", false, providers.ErrRefused},
		{"announced by a string counts for nothing", "true", "", false, nil},
		{"announced, ours", true, "http://127.0.0.1:1", true, nil},
		{"not announced, ours", false, "http://127.0.0.1:1", true, nil},
		{"another", false, "https://idp2.example", true, providers.ErrRefused},
		{"with a slash", false, "http://127.0.0.1:1/", true, providers.ErrRefused},
		{"empty", false, "", true, providers.ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{Discovery: func(doc map[string]any) {
				doc["authorization_response_iss_parameter_supported"] = row.announced
			}})
			if err := p.CheckIssuer(t.Context(), row.issuer, row.present); !errors.Is(err, row.want) {
				t.Errorf("CheckIssuer(%q, %v) = %v, want %v", row.issuer, row.present, err, row.want)
			}
		})
	}
}

func TestDownAtStart(t *testing.T) {
	s, p, c := moving(t)
	s.Fail(providertest.Discovery, http.StatusInternalServerError)
	if err := p.Ready(); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("never asked: Ready = %v, want ErrUnavailable", err)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, providers.ErrUnavailable) {
				t.Errorf("down: %v, want ErrUnavailable", err)
			}
		})
	}
	all.Wait()
	if got := s.Count(providertest.Discovery); got != 1 {
		t.Errorf("%d requests for 100 people, want 1", got)
	}
	s.Fail(providertest.Discovery, 0)
	c.pass(time.Second)
	if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); err != nil {
		t.Errorf("a second after it is back: %v, want nil", err)
	}
	if err := p.Ready(); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
}

// The first to ask may leave; the answer is everybody's.
func TestDiscoveryOutlivesWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := providertest.Offline(t)
		p := open(t, s, func(c *oidc.Config) { c.Transport = s })
		s.Delay(providertest.Discovery, 2*time.Second)
		first, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = p.AuthCodeURL(first, providertest.NewRequest()) })
		synctest.Wait()
		leave()
		all.Go(func() {
			if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); err != nil {
				t.Errorf("the second: %v, want nil", err)
			}
		})
		all.Wait()
		if got := s.Count(providertest.Discovery); got != 1 {
			t.Errorf("%d requests, want 1", got)
		}
	})
}

func TestKeepNoticesThatItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := providertest.Offline(t)
		p := open(t, s, func(c *oidc.Config) { c.Transport = s })
		s.Fail(providertest.Discovery, http.StatusBadGateway)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { p.Keep(ctx) })
		time.Sleep(10 * time.Minute)
		if err := p.Ready(); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("down: Ready = %v, want ErrUnavailable", err)
		}
		if got := s.Count(providertest.Discovery); got > 70 {
			t.Errorf("%d requests in ten minutes, want at most one per 10 s and the first few", got)
		}
		s.Fail(providertest.Discovery, 0)
		time.Sleep(12 * time.Second)
		if err := p.Ready(); err != nil {
			t.Errorf("12 s after it is back: Ready = %v, want nil", err)
		}
		before := s.Count(providertest.Discovery)
		time.Sleep(50 * time.Minute)
		if got := s.Count(providertest.Discovery) - before; got != 0 {
			t.Errorf("%d requests while fresh, want 0", got)
		}
		s.Fail(providertest.Token, http.StatusBadGateway)
		s.Fail(providertest.Discovery, http.StatusBadGateway)
		if _, err := providertest.SignIn(t, s, p); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("token endpoint down: %v, want ErrUnavailable", err)
		}
		time.Sleep(12 * time.Second)
		if err := p.Ready(); err == nil {
			t.Error("Ready = nil although nothing answers, want an error")
		}
		s.Fail(providertest.Discovery, 0)
		time.Sleep(12 * time.Second)
		if err := p.Ready(); err != nil {
			t.Errorf("back again: Ready = %v, want nil", err)
		}
		stop()
		all.Wait()
	})
}

func TestEndSession(t *testing.T) {
	s, p := offline(t)
	if _, err := p.EndSessionURL(secret.Text{}, ""); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("not discovered: %v, want ErrUnavailable", err)
	}
	s.Bend(providertest.Bend{Discovery: func(doc map[string]any) { doc["end_session_endpoint"] = s.URL + "/bye?tenant=1" }})
	if _, err := providertest.SignIn(t, s, p); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		hint           secret.Text
		returnTo, want string
	}{
		{secret.Text{}, "", s.URL + "/bye?client_id=gateway&tenant=1"},
		{secret.New("a.b.c"), "https://auth.example.com/?x=1", s.URL + "/bye?client_id=gateway&id_token_hint=a.b.c&post_logout_redirect_uri=https%3A%2F%2Fauth.example.com%2F%3Fx%3D1&tenant=1"},
	} {
		if got, err := p.EndSessionURL(row.hint, row.returnTo); got != row.want || err != nil {
			t.Errorf("EndSessionURL = %s, %v, want %s", got, err, row.want)
		}
	}

	s, p = offline(t)
	s.Bend(providertest.Bend{Discovery: func(doc map[string]any) { delete(doc, "end_session_endpoint") }})
	if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.EndSessionURL(secret.Text{}, ""); !errors.Is(err, providers.ErrNoEndSession) {
		t.Errorf("without one: %v, want ErrNoEndSession", err)
	}
}

func TestNew(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(*oidc.Config)
	}{
		{"no id", func(c *oidc.Config) { c.ID = "" }},
		{"no client", func(c *oidc.Config) { c.ClientID = "" }},
		{"no redirect URL", func(c *oidc.Config) { c.RedirectURL = "" }},
		{"no issuer", func(c *oidc.Config) { c.Issuer = "" }},
		{"plain http", func(c *oidc.Config) { c.Issuer = "http://id.example" }},
	} {
		c := oidc.Config{ID: "corp", Issuer: "https://id.example", ClientID: "gateway", RedirectURL: "https://auth.example/cb"}
		row.spoil(&c)
		if _, err := oidc.New(c); err == nil {
			t.Errorf("%s: nil, want an error", row.name)
		}
	}
}
