package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"gateway/internal/proxy"
)

// rerouting are the headers that say that another request was made than this
// one, in the form that http.Header keeps them in.
var rerouting = []string{
	"Forwarded", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Original-Url", "X-Original-Uri", "X-Original-Method",
	"X-Original-Host", "X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Envoy-Original-Path",
}

// informational are headers that proxies send on the way, and that do no harm
// in a question.
var informational = []string{"X-Real-Ip", "X-Forwarded-Port", "Cf-Connecting-Ip", "True-Client-Ip", "X-Forwarded-Server", "X-Client-Ip", "X-Forwarded-Ssl", "Fastly-Client-Ip", "X-Scheme"}

// spoken are the headers in which a dialect itself says what was asked.
var spoken = map[string][]string{
	forwardAuth: {"X-Forwarded-Method", "X-Forwarded-Uri"},
	authRequest: {"X-Original-Method", "X-Original-Url"},
}

// values are what a client could want to be believed.
var values = []string{"/admin/users", "DELETE", "for=192.0.2.7;host=evil.test", "http://evil.test/", ""}

func TestTheSetOfRerouting(t *testing.T) {
	t.Parallel()
	for _, name := range rerouting {
		if !proxy.Rerouting(name) {
			t.Errorf("Rerouting(%q) = false", name)
		}
	}
	for _, name := range informational {
		if proxy.Rerouting(name) || !proxy.Forwarding(name) {
			t.Errorf("%q: rerouting is %v, forwarding %v", name, proxy.Rerouting(name), proxy.Forwarding(name))
		}
	}
}

// A front proxy's question is about one request: what speaks of another one is
// a client's, who means the app behind.
func TestQuestionsOfTwoRequests(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		for _, dialect := range dialects {
			want := noQuestion[dialect]
			for _, name := range rerouting {
				if slices.Contains(spoken[dialect], name) {
					continue
				}
				for _, line := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_")} {
					for _, value := range values {
						for target, headers := range map[string][]string{"/x": append([]string{line, value}, bob...), "/public/x": {line, value}} {
							a := h.asks(dialect, h.about(target, headers...))
							if a.status != want || !strings.Contains(a.field("detail"), "another request") {
								t.Errorf("%s of %s with %s: %q: status %d: %.200s", dialect, target, line, value, a.status, a.body)
							}
							a.says(line)
						}
					}
				}
			}
			for _, name := range spoken[dialect] { // one's own, said by the client too
				for _, value := range values {
					if a := h.asks(dialect, h.about("/x", append([]string{name, value}, bob...)...)); a.status != want {
						t.Errorf("%s with a second %s: %q: status %d, want %d", dialect, name, value, a.status, want)
					}
				}
			}
			for _, name := range informational {
				h.asks(dialect, h.about("/x", append([]string{name, "192.0.2.7"}, bob...)...)).wants(http.StatusOK).says(name, "bob", bobMail, "Bob", "")
				if a := h.asks(dialect, h.about("/office/x", name, "192.0.2.7")); a.status != http.StatusForbidden || a.header.Get("X-Gateway-Decision") == "" {
					t.Errorf("%s with %s: status %d, want the policy to say no: the office is elsewhere", dialect, name, a.status)
				}
			}
			h.asks(dialect, h.about("/x", bob...)).wants(http.StatusOK)
		}
	})
}

// The own proxy passes on the one request that was decided on, and nothing
// that speaks of another, whoever sends it.
func TestAppsHearOfOneRequest(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		for _, from := range []string{stranger, trusted} {
			for _, name := range slices.Concat(rerouting, informational) {
				for _, line := range []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_")} {
					for _, value := range values {
						lines := append([]string{line, value, line, "second-canary"}, bob...)
						h.rawTo(h.front.Listener.Addr(), from, h.page("/x?y=z", lines...)).wants(http.StatusOK)
						got := h.echo.last(t)
						if got.Method != http.MethodGet || got.Target != "/x?y=z" || got.Header.Get("Remote-User") != "bob" {
							t.Errorf("%s: %q: the app sees %s %s of %q", line, value, got.Method, got.Target, got.Header.Get("Remote-User"))
						}
						for key, sent := range got.Header {
							if proxy.Rerouting(key) || proxy.Alias(key) || slices.Contains(informational, key) || slices.Contains(sent, "second-canary") {
								t.Errorf("%s: %q: the app sees %s: %q", line, value, key, sent)
							}
						}
					}
				}
			}
		}
	})
}

// What a front proxy shows after its check said no: it may speak of the
// original request in its own dialect alone, and only where it is trusted.
func TestRefusalsOfTwoRequests(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		show := func(from string, lines ...string) answer {
			t.Helper()
			return h.rawTo(h.front.Listener.Addr(), from, h.page("/.gateway/refuse", lines...))
		}
		original := []string{"X-Original-Url", h.Wiki + "/x", "X-Original-Method", "GET"}
		html := []string{"Accept", "text/html"}
		for _, name := range rerouting {
			if slices.Contains(spoken[authRequest], name) {
				continue
			}
			for _, value := range values {
				show(trusted, append([]string{name, value}, original...)...).refuses(name, http.StatusBadRequest, "BadRequest")
				if a := show(trusted, slices.Concat([]string{name, value}, original, html)...); a.status != http.StatusBadRequest || a.location() != "" {
					t.Errorf("%s: %q: status %d, Location %q, want a page", name, value, a.status, a.location())
				}
			}
		}
		for _, name := range informational {
			show(trusted, append([]string{name, "192.0.2.7"}, original...)...).refuses(name, http.StatusUnauthorized, "SessionExpired")
		}
		for _, from := range []string{stranger, "127.0.0.1"} {
			for _, lines := range [][]string{original, original[:2], slices.Concat(original, html), slices.Concat(original, navigation), slices.Concat(original, html, h.at(h.bob)), {"X-Original-Url", "", "Accept", "text/html"}} {
				a := show(from, lines...)
				if a.status != http.StatusForbidden || a.location() != "" || !strings.Contains(a.body, "trusted_proxies") {
					t.Errorf("a proxy that is not trusted, %q: status %d, Location %q, %.400s, want 403 that names trusted_proxies", lines, a.status, a.location(), a.body)
				}
			}
		}
	})
}
