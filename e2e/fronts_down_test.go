package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A gateway that is down lets nothing pass, public pages included, behind each
// front proxy.
func TestGatewayDown(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			app := startEcho(t)
			s := newSite(t, true, twoApps).serve()
			f.start(t, s, app, app)
			s.stop(syscall.SIGTERM)
			for _, path := range []string{"/public/x", "/", "/.gateway/sign-in"} {
				resp, _ := visit(t, "GET", s.at("one.localhost")+path, nil)
				if resp.StatusCode < 500 {
					t.Errorf("%s = %d while the gateway is down", path, resp.StatusCode)
				}
				eventually(t, "nobody waits for the refusal of "+path, func() bool {
					began := time.Now()
					resp, _ := visit(t, "GET", s.at("one.localhost")+path, nil)
					return resp.StatusCode >= 500 && time.Since(began) < time.Second
				})
			}
			if app.hits() != 0 {
				t.Error("the app was reached")
			}
			s.serve()
			eventually(t, "the gateway is back", func() bool {
				resp, _ := visit(t, "GET", s.at("one.localhost")+"/public/x", nil)
				return resp.StatusCode == http.StatusOK && app.hits() > 0
			})
		})
	}
}

// impostor is what answers at a site's authz in place of a gateway. What its
// listen answers is no page.
func impostor(t *testing.T, answer http.HandlerFunc) *site {
	t.Helper()
	fake := httptest.NewServer(answer)
	t.Cleanup(fake.Close)
	mute := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(mute.Close)
	s := &site{t: t, web: plain, folder: t.TempDir(), public: freePort(t)}
	for url, port := range map[string]*int{fake.URL: &s.authz, mute.URL: &s.listen} {
		if _, err := fmt.Sscanf(url, "http://127.0.0.1:%d", port); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// allow says that somebody may pass, in groups.
func allow(h http.Header, groups string) {
	for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "X-Gateway-Jwt-Assertion"} {
		h.Set(name, "alice")
	}
	h.Set("Remote-Groups", groups)
}

// HAProxy's question is a program of ours, so every answer but one that is whole
// is tried on it.
func TestHAProxyTakesAWholeAnswer(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		want   int
	}{
		{"whole", func(w http.ResponseWriter, _ *http.Request) { allow(w.Header(), "staff") }, 200},
		{"nobody", func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Gateway-Jwt-Assertion"} {
				w.Header().Set(name, "")
			}
		}, 200},
		{"without groups", func(w http.ResponseWriter, _ *http.Request) { allow(w.Header(), ""); w.Header().Del("Remote-Groups") }, 503},
		{"two users", func(w http.ResponseWriter, _ *http.Request) {
			allow(w.Header(), "")
			w.Header().Add("Remote-User", "bob")
		}, 503},
		{"created", func(w http.ResponseWriter, _ *http.Request) { allow(w.Header(), ""); w.WriteHeader(http.StatusCreated) }, 503},
		{"no content", func(w http.ResponseWriter, _ *http.Request) {
			allow(w.Header(), "")
			w.WriteHeader(http.StatusNoContent)
		}, 503},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/allowed", http.StatusFound) }, 503},
		{"an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, 503},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nRemote-User: alice\r\n")
				_ = c.Close()
			}
		}, 503},
		{"silence", func(_ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			app := startEcho(t)
			s := impostor(t, row.answer)
			startHAProxy(t, s, app, app)
			resp, _ := visit(t, "GET", s.at("one.localhost")+"/x", map[string]string{"Remote-User": "mallory"})
			if passed := row.want == http.StatusOK; resp.StatusCode != row.want || (app.hits() > 0) != passed {
				t.Errorf("status %d, want %d; the app was reached %d times", resp.StatusCode, row.want, app.hits())
			}
		})
	}
}

// Who uploads may be in many groups: there is room for long headers beside the
// beginning of a body.
func TestHAProxyUploads(t *testing.T) {
	groups := strings.Repeat("staff,", 2000)
	type arrived struct {
		bytes  int64
		groups []string
	}
	seen := make(chan arrived, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		seen <- arrived{n, r.Header["Remote-Groups"]}
	}))
	t.Cleanup(app.Close)
	s := impostor(t, func(w http.ResponseWriter, _ *http.Request) { allow(w.Header(), groups) })
	startHAProxy(t, s, &echo{Server: app}, &echo{Server: app})
	for _, length := range []int64{0, 1, 32 << 10, 64 << 10, 10 << 20} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.at("one.localhost")+"/upload", io.LimitReader(zeros{}, length))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Remote-Groups", "ops")
		resp, err := (&http.Transport{DialContext: onlyHere, DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%d bytes: status %d, %v", length, resp.StatusCode, err)
		}
		got := <-seen
		if got.bytes != length {
			t.Errorf("%d of %d bytes arrived", got.bytes, length)
		}
		if want := []string{groups}; !slices.Equal(got.groups, want) {
			t.Errorf("%d bytes: groups of %d bytes, want %d", length, len(strings.Join(got.groups, "")), len(groups))
		}
	}
}
