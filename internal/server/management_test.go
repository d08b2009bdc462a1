package server_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gateway/providers"
	"gateway/sessions"
)

func TestManagement(t *testing.T) {
	t.Parallel()
	ask := func(h *house, path string) answer {
		b := &browser{h, nil, h.client(nil, "", h.management.Listener.Addr())}
		return b.get("http://management" + path)
	}
	h := open(t, https)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/users": 404, "/": 404, "/debug/pprof/": 404, "/.gateway/connect": 404, "/.gateway/authz/forward-auth": 404} {
		ask(h, path).wants(want)
	}
	h.server.Stop()
	h.watch.failing.Store(true)
	ask(h, "/readyz").wants(http.StatusServiceUnavailable)
	ask(h, "/healthz").wants(http.StatusOK)

	h = open(t, https)
	h.watch.failing.Store(true)
	h.must(h.store.Close())
	if a := ask(h, "/readyz").wants(http.StatusServiceUnavailable); strings.Contains(a.body, "sql") {
		t.Errorf("not ready: %s", a.body)
	}
	ask(h, "/healthz").wants(http.StatusOK)
}

// broken is a provider and a store of sessions that panic whatever they are asked.
type broken struct{ sessions.Store }

func (broken) AuthCodeURL(context.Context, providers.AuthRequest) (string, error) { panic("hunter22") }

func (broken) Exchange(context.Context, providers.AuthRequest, string) (providers.Assertion, error) {
	panic("hunter22")
}

// A panic is cannot-tell: it refuses, and the next request is answered.
func TestPanicsRefuse(t *testing.T) {
	t.Parallel()
	h := open(t, https, func(h *house) {
		h.server.Foreign.Providers = append(h.server.Foreign.Providers, providers.Named{ID: "broken", Name: "Broken", Provider: broken{}})
	})
	alice := h.at(h.alice)
	working := h.server.Sessions.Store
	h.asksOf(broken{})
	h.watch.failing.Store(true)
	h.watch.panics.Store(true)
	hits := h.echo.count()
	for story, a := range map[string]answer{
		"a provider":            h.program().get(h.Portal + "/.gateway/start/broken"),
		"the own proxy":         h.program().get(h.Wiki+"/x", alice...),
		"what everyone may":     h.program().get(h.Wiki+"/public/x", alice...),
		"forward-auth":          h.asks(forwardAuth, h.about("/x", alice...)),
		"auth-request":          h.asks(authRequest, h.about("/public/x", alice...)),
		"the command line":      h.command(http.MethodGet, "/sessions", nil),
		"connect":               h.program().get(h.Wiki+"/.gateway/connect", alice...),
		"logout":                h.program().post(h.Wiki+"/.gateway/logout", "", alice...),
		"the sign-in of an app": h.program().get(h.Wiki+"/.gateway/sign-in", alice...),
	} {
		if a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "hunter22") {
			t.Errorf("%s: status %d, %q, want 503", story, a.status, a.body)
		}
		for _, name := range managed {
			if a.header.Get(name) != "" {
				t.Errorf("%s: %s is %q", story, name, a.header.Get(name))
			}
		}
	}
	if got := h.echo.count() - hits; got != 0 {
		t.Errorf("%d requests have reached the app", got)
	}
	h.asksOf(working)
	h.program().get(h.Wiki+"/x", alice...).wants(http.StatusOK)
}

// However many ask at once, each is answered as who they are.
func TestNobodyGetsAnothersAnswer(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	people := map[string][]string{"alice": h.at(h.alice), "bob": h.at(h.bob), "": nil}
	client := h.client(nil, "", h.front.Listener.Addr())
	fronts := h.client(nil, trusted, h.authz.Listener.Addr())
	var all sync.WaitGroup
	for range 4 {
		for login, cookie := range people {
			all.Go(func() {
				for range 25 {
					r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+h.site.wiki+"/public/x", http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					q := h.about("/public/x")
					asked, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://authz"+forwardAuth, http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					for i, lines := 0, q.lines(forwardAuth); i < len(lines); i += 2 {
						asked.Header.Set(lines[i], lines[i+1])
					}
					if cookie != nil {
						r.Header.Set("Cookie", cookie[1])
						asked.Header.Set("Cookie", cookie[1])
					}
					proxied, err := client.Do(r)
					if err != nil {
						t.Error(err)
						return
					}
					var seen hit
					decode(t, proxied, &seen)
					checked, err := fronts.Do(asked)
					if err != nil {
						t.Error(err)
						return
					}
					_ = checked.Body.Close()
					if got := seen.Header.Get("Remote-User"); got != login {
						t.Errorf("the app of %q sees %q", login, got)
					}
					if got := checked.Header.Get("Remote-User"); got != login || checked.StatusCode != http.StatusOK {
						t.Errorf("the proxy of %q hears %d, %q", login, checked.StatusCode, got)
					}
				}
			})
		}
	}
	all.Wait()
}
