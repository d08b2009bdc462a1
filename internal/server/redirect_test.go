package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The plain listener sends to https on the same host and page, if the host is
// ours, and nowhere else, and takes nothing.
func TestRedirect(t *testing.T) {
	h := open(t, https)
	for _, row := range []struct {
		name, method, host, target string
		status                     int
		to                         string
	}{
		{"the portal", "GET", https.portal, "/", 308, h.Portal + "/"},
		{"an app", "GET", https.wiki, "/a/b?x=1&y=%2F", 308, h.Wiki + "/a/b?x=1&y=%2F"},
		{"HEAD", "HEAD", https.wiki, "/", 308, h.Wiki + "/"},
		{"any port", "GET", https.wiki + ":80", "/", 308, h.Wiki + "/"},
		{"any case, with a dot", "GET", strings.ToUpper(https.wiki) + ".", "/", 308, h.Wiki + "/"},
		{"our own paths too", "GET", https.wiki, "/.gateway/sign-in?rd=%2F", 308, h.Wiki + "/.gateway/sign-in?rd=%2F"},
		{"a stranger", "GET", "evil.test", "/", 421, ""},
		{"a stranger below", "GET", https.wiki + ".evil.test", "/", 421, ""},
		{"an address", "GET", "127.0.0.1", "/", 421, ""},
		{"nobody", "GET", "", "/", 421, ""},
		{"two hosts", "GET", https.wiki + "," + https.portal, "/", 421, ""},
		{"another host in the target", "GET", https.wiki, "//evil.test/", 400, ""},
		{"a backslash", "GET", https.wiki, `/\evil.test`, 400, ""},
		{"an absolute target", "GET", https.wiki, "http://evil.test/", 400, ""},
		{"a line's end", "GET", https.wiki, "/%0d%0aSet-Cookie:%20a=b", 400, ""},
		{"up", "GET", https.wiki, "/../x", 400, ""},
		{"POST", "POST", https.portal, "/.gateway/login", 405, ""},
		{"PUT", "PUT", https.wiki, "/", 405, ""},
		{"OPTIONS", "OPTIONS", https.wiki, "/", 405, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), row.method, "/", http.NoBody)
		r.Host, r.RequestURI = row.host, row.target
		r.Header.Set("X-Forwarded-Host", "evil.test")
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		h.server.RedirectHandler().ServeHTTP(w, r)
		got := w.Result()
		if got.StatusCode != row.status || got.Header.Get("Location") != row.to {
			t.Errorf("%s: %d to %q, want %d to %q", row.name, got.StatusCode, got.Header.Get("Location"), row.status, row.to)
		}
		if got.Header.Get("Strict-Transport-Security") != "" || len(got.Cookies()) != 0 || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", row.name, got.Header)
		}
	}
}
