package server_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"gateway/internal/proxy"
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

// BenchmarkProxy is a short request through the own proxy to an app, beside the
// same through a bare ReverseProxy, without the network before them.
func BenchmarkProxy(b *testing.B) {
	h := open(b, plain)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	b.Cleanup(app.Close)
	h.leads("wiki", proxy.Upstream{URL: h.url(app.URL)})
	bare := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(h.url(app.URL)) }, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	for _, row := range []struct {
		name    string
		handler http.Handler
	}{{"gateway", h.server.Handler()}, {"bare", bare}} {
		b.Run(row.name, func(b *testing.B) {
			cookie := "gateway=" + h.token(h.alice, h.site.wiki)
			b.ReportAllocs()
			b.RunParallel(func(all *testing.PB) {
				for all.Next() {
					r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/page?x=1", nil)
					r.Host, r.RemoteAddr = h.site.wiki, "127.0.0.1:4711"
					r.Header = http.Header{"Accept": {"text/html"}, "User-Agent": {"bench"}, "Cookie": {cookie}}
					d := discard{header: make(http.Header, 12)}
					if row.handler.ServeHTTP(&d, r); d.status != http.StatusOK {
						b.Errorf("status %d", d.status)
						return
					}
				}
			})
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

// BenchmarkSignIn is connect and login together without the network. Of the
// server's CPU it tells which part the store's writes and the audit log take, by the profiler's
// samples: some thousand sign-ins say it to a few percent.
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
	var samples bytes.Buffer
	if err := pprof.StartCPUProfile(&samples); err != nil {
		b.Fatalf("%v: this benchmark makes a profile of its own", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c := challenge{bare: "n=alice,r=" + rand.Text()}
		a := send("connect", object("client_first", "n,,"+c.bare, "want", "token"))
		c.id, _ = a["challenge_id"].(string)
		c.first, _ = a["challenge"].(string)
		send("login", h.alice.answers(c, "want", "token"))
	}
	pprof.StopCPUProfile()

	server, parts := shares(b, &samples, "(*Server).guard", "sqlite.(*writer).do", "audit.(*Book).Write")
	b.ReportMetric(server/float64(b.N), "server-µs/op")
	b.ReportMetric(parts[0]/float64(b.N), "writes-µs/op")
	b.ReportMetric(parts[1]/float64(b.N), "book-µs/op")
	b.ReportMetric((server-parts[0]-parts[1])/float64(b.N), "beyond-writes-µs/op")
}

// shares returns how many microseconds of CPU a profile saw below one function,
// and below each of others that it called.
func shares(b *testing.B, samples *bytes.Buffer, outer string, inner ...string) (all float64, parts []float64) {
	p, err := profile.Parse(samples)
	if err != nil {
		b.Fatal(err)
	}
	below := func(s *profile.Sample, name string) bool {
		return slices.ContainsFunc(s.Location, func(l *profile.Location) bool {
			return slices.ContainsFunc(l.Line, func(l profile.Line) bool { return strings.Contains(l.Function.Name, name) })
		})
	}
	parts = make([]float64, len(inner))
	for _, s := range p.Sample {
		us := float64(s.Value[1]) / 1e3
		if !below(s, outer) {
			continue
		}
		all += us
		for i, name := range inner {
			if below(s, name) {
				parts[i] += us
			}
		}
	}
	for i, name := range inner {
		if parts[i] == 0 {
			b.Fatalf("the profile saw nothing of %s below %s", name, outer)
		}
	}
	return all, parts
}
