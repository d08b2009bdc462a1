package oidc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

var backChannel = []string{providertest.Discovery, providertest.Token, providertest.JWKS}

// Whatever an endpoint answers, the sign-in ends: with no or cannot tell.
func TestHostileAnswers(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":       func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>hello</html>") },
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"array":      func(w http.ResponseWriter, _ *http.Request) { write(w, "[]") },
		"null":       func(w http.ResponseWriter, _ *http.Request) { write(w, "null") },
		"two":        func(w http.ResponseWriter, _ *http.Request) { write(w, "{}{}") },
		"empty":      func(w http.ResponseWriter, _ *http.Request) { write(w, "{}") },
		"not UTF-8":  func(w http.ResponseWriter, _ *http.Request) { write(w, "{\"a\":\"\xff\"}") },
		"a form": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
			write(w, "access_token=a&token_type=Bearer&id_token=x")
		},
		"a million levels": func(w http.ResponseWriter, _ *http.Request) { write(w, strings.Repeat("[", 1<<20)) },
		"many objects":     func(w http.ResponseWriter, _ *http.Request) { write(w, strings.Repeat(`{"a":`, 100_000)) },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			chunk := bytes.Repeat([]byte("a"), 1<<16)
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
		"large": func(w http.ResponseWriter, _ *http.Request) { write(w, `{"a":"`+strings.Repeat("a", 1<<20)+`"}`) },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.CopyN(z, zeros{}, 4<<20)
			_ = z.Close()
		},
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			write(w, `{"a`)
		},
		"redirect to itself": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		},
		"redirect to the metadata service": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusTemporaryRedirect)
		},
		"teapot": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
	} {
		t.Run(name, func(t *testing.T) {
			s := providertest.New(t)
			for _, path := range backChannel {
				p := open(t, s, func(c *oidc.Config) { c.Timeout = 5 * time.Second })
				before := s.Count(path)
				s.Bend(providertest.Bend{HTTP: func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == path {
						answer(w, r)
					}
					return r.URL.Path == path
				}})
				req := providertest.NewRequest()
				address, err := p.AuthCodeURL(t.Context(), req)
				if err == nil {
					_, err = p.Exchange(t.Context(), req, s.Callback(t, address).Code)
				}
				if !errors.Is(err, providers.ErrRefused) && !errors.Is(err, providers.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrRefused or ErrUnavailable", path, err)
				}
				if err != nil && len(err.Error()) > 400 {
					t.Errorf("%s: the error has %d bytes: it repeats the answer", path, len(err.Error()))
				}
				if got := s.Count(path) - before; got > 2 {
					t.Errorf("%s: asked %d times", path, got)
				}
			}
		})
	}
}

func TestLargeHeader(t *testing.T) {
	s := providertest.New(t)
	s.Bend(providertest.Bend{HTTP: func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-Large", strings.Repeat("a", 1<<20))
		return false // and then says what it should
	}})
	if _, err := open(t, s).AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("AuthCodeURL = %v, want ErrUnavailable", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := providertest.New(t)
	s.Bend(providertest.Bend{HTTP: func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.CopyN(w, zeros{}, 100<<20)
		return true
	}})
	p := open(t, s)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("AuthCodeURL = %v, want ErrUnavailable", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("allocated %d MiB for an answer of 100 MiB, want 32 at most", got>>20)
	}
}

func TestTokenAnswer(t *testing.T) {
	for _, row := range []struct {
		name, member string
		value        any
		want         error
	}{
		{"lower case", "token_type", "bearer", nil},
		{"another type", "token_type", "mac", providers.ErrRefused},
		{"no type", "token_type", nil, providers.ErrRefused},
		{"no ID token", "id_token", nil, providers.ErrRefused},
		{"ID token is an object", "id_token", map[string]any{}, providers.ErrRefused},
		{"no access token", "access_token", "", providers.ErrRefused},
		{"expires_in is a string", "expires_in", "3600", nil},
		{"expires_in is negative", "expires_in", -1, nil},
		{"expires_in is null", "expires_in", nil, nil},
		{"expires_in beyond time", "expires_in", 1e308, providers.ErrRefused},
		{"an error in a success", "error", "access_denied", providers.ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := offline(t)
			s.Bend(providertest.Bend{Token: func(answer map[string]any) { answer[row.member] = row.value }})
			if _, err := providertest.SignIn(t, s, p); !errors.Is(err, row.want) {
				t.Errorf("SignIn = %v, want %v", err, row.want)
			}
		})
	}
}

func TestErrorsDoNotRepeatTheProvider(t *testing.T) {
	s, p := offline(t)
	s.Bend(providertest.Bend{HTTP: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != providertest.Token {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		write(w, `{"error":"invalid_grant","error_description":"the code canary-1 of canary-2"}`)
		return true
	}})
	_, err := providertest.SignIn(t, s, p)
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("SignIn = %v, want the code of the error and nothing else", err)
	}
}

// The whole exchange ends within the timeout, however its parts are slow, and
// nothing is left behind.
func TestSlowProvider(t *testing.T) {
	for _, path := range []string{providertest.Discovery, providertest.Token, providertest.JWKS, providertest.UserInfo} {
		synctest.Test(t, func(t *testing.T) {
			s := providertest.Offline(t)
			delete(s.Person, "name")
			p := open(t, s, func(c *oidc.Config) { c.Transport = s })
			s.Delay(path, time.Hour)
			begin := time.Now()
			req := providertest.NewRequest()
			address, err := p.AuthCodeURL(t.Context(), req)
			if err == nil {
				_, err = p.Exchange(t.Context(), req, s.Callback(t, address).Code)
			}
			want := providers.ErrUnavailable
			if path == providertest.UserInfo {
				want = nil // what it would have told is left out
			}
			if !errors.Is(err, want) {
				t.Errorf("%s hangs: %v, want %v", path, err, want)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("%s hangs: took %s, want 10 s at most", path, took)
			}
		})
	}
}

func TestAtMostTenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := providertest.Offline(t)
		var now, most atomic.Int32
		p := open(t, s, func(c *oidc.Config) {
			c.Transport = transport(func(r *http.Request) (*http.Response, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				time.Sleep(time.Second)
				return s.RoundTrip(r)
			})
		})
		if _, err := p.AuthCodeURL(t.Context(), providertest.NewRequest()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var refused, busy atomic.Int32
		for range 500 {
			all.Go(func() {
				_, err := p.Exchange(t.Context(), providertest.NewRequest(), "nobody's")
				switch {
				case errors.Is(err, providers.ErrRefused):
					refused.Add(1)
				case errors.Is(err, providers.ErrUnavailable):
					busy.Add(1)
				}
			})
		}
		all.Wait()
		if most.Load() > 10 {
			t.Errorf("%d requests at once, want 10 at most", most.Load())
		}
		if refused.Load()+busy.Load() != 500 || refused.Load() < 90 {
			t.Errorf("%d answered and %d told to come back, want 500 in all", refused.Load(), busy.Load())
		}
	})
}

func TestWhoLeavesIsNoFailure(t *testing.T) {
	s, p := offline(t)
	req := providertest.NewRequest()
	address, err := p.AuthCodeURL(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.Exchange(ctx, req, s.Callback(t, address).Code); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("Exchange = %v, want ErrUnavailable", err)
	}
	if err := p.Ready(); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// zeros is an endless text of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func write(w io.Writer, s string) { _, _ = io.WriteString(w, s) }
