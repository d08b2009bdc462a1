package server_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// discard is an answer that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkCheck is the forward-auth check without the network.
func BenchmarkCheck(b *testing.B) {
	h := open(b, plain)
	handler := h.server.AuthzHandler()
	token := h.token(h.alice, h.site.wiki)
	for _, row := range []struct{ name, uri, cookie string }{
		{"authorised", "/page?x=1", "gateway=" + token},
		{"anonymous", "/public/page", ""},
	} {
		b.Run(row.name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/.gateway/authz/forward-auth", nil)
			r.RemoteAddr = trusted + ":4711"
			r.Header = http.Header{
				"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {h.site.wiki + ":8080"},
				"X-Forwarded-Uri": {row.uri}, "X-Forwarded-For": {"192.0.2.7"}, "Accept": {"text/html"}, "User-Agent": {"bench"},
			}
			if row.cookie != "" {
				r.Header["Cookie"] = []string{row.cookie}
			}
			b.ReportAllocs()
			for b.Loop() {
				d := discard{header: make(http.Header, 12)}
				if handler.ServeHTTP(&d, r); d.status != http.StatusOK {
					b.Fatalf("status %d", d.status)
				}
			}
		})
	}
}

// memory is an answer that is kept.
type memory struct {
	discard
	body []byte
}

func (m *memory) Write(b []byte) (int, error) {
	m.body = append(m.body, b...)
	return len(b), nil
}

// BenchmarkSignIn is connect and login together without the network, the
// store's writes included.
func BenchmarkSignIn(b *testing.B) {
	h := open(b, plain)
	handler := h.server.Handler()
	send := func(path, body string) map[string]any {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, h.Portal+"/.gateway/"+path, strings.NewReader(body))
		r.RequestURI = "/.gateway/" + path
		r.RemoteAddr = "127.0.0.1:4711"
		r.Header.Set("Content-Type", "application/json")
		m := memory{discard: discard{header: http.Header{}}}
		handler.ServeHTTP(&m, r)
		var answer map[string]any
		if err := json.Unmarshal(m.body, &answer); err != nil || m.status != http.StatusOK {
			b.Fatalf("%s: %d %s", path, m.status, m.body)
		}
		return answer
	}
	b.ReportAllocs()
	for b.Loop() {
		c := challenge{bare: "n=alice,r=" + rand.Text()}
		a := send("connect", object("client_first", "n,,"+c.bare, "want", "token"))
		c.id, _ = a["challenge_id"].(string)
		c.first, _ = a["challenge"].(string)
		send("login", h.alice.answers(c, "want", "token"))
	}
}
