package server_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gateway/internal/proxy"
)

// named is an app that says its name, and how it was spoken to.
func named(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(echoes, name)
		if r.Header.Get("Upgrade") != "" {
			tunnels(w, r)
			return
		}
		_, _ = io.WriteString(w, name+" "+r.Proto+" "+r.RequestURI) //nolint:gosec // to a test
	}
}

// beside starts an app beside the others.
func (h *house) beside(name string, change ...func(*httptest.Server)) *httptest.Server {
	h.Helper()
	app := httptest.NewUnstartedServer(named(name))
	app.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that were meant to fail
	for _, c := range change {
		c(app)
	}
	if app.URL == "" {
		app.Start()
	}
	h.Cleanup(app.Close)
	return app
}

// An app may have several upstreams: the first that has the path which was
// decided on is asked, however the path was spelled.
func TestUpstreamsByPath(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		api, orders, web := h.beside("api"), h.beside("orders"), h.beside("web")
		h.leads("wiki", proxy.Upstream{URL: h.url(orders.URL), Paths: []string{"/api/orders", "/api/orders/**"}},
			proxy.Upstream{URL: h.url(api.URL), Paths: []string{"/api/**", "/health"}}, proxy.Upstream{URL: h.url(web.URL)})
		h.leads("board", proxy.Upstream{URL: h.url(api.URL), Paths: []string{"/api/**"}})
		bob := h.at(h.bob)
		for path, want := range map[string]string{
			"/":                   "web",
			"/x":                  "web",
			"/api":                "api", // ** is any number of segments, none as well
			"/api/":               "api",
			"/api/x":              "api",
			"/api/orders":         "orders",
			"/api/orders/1":       "orders",
			"/api/ordersx":        "api",
			"/%61pi/%6frders/1":   "orders",
			"/API/x":              "web",
			"/health":             "api",
			"/health/":            "web",
			"/x?a=/api/x":         "web",
			"/api/x?y=/../orders": "api",
		} {
			a := h.program().get(h.Wiki+path, bob...).wants(http.StatusOK)
			if got, _, _ := strings.Cut(a.body, " "); got != want {
				t.Errorf("%s: %s answers, want %s", path, got, want)
			}
		}
		b := h.as(h.bob)
		page, _ := b.visit(h.Board + "/api/x")
		if page.wants(http.StatusOK); !strings.HasPrefix(page.body, "api ") {
			t.Errorf("%s answers, want api", page.body)
		}
		b.get(h.Board+"/x").refuses("a path without upstream", http.StatusNotFound, "BadRequest")
	})
}

// What an https upstream has to show is a certificate that the authorities of
// the configuration vouch for, for the right name; then HTTP/2 is spoken, and
// HTTP/1.1 where a WebSocket needs it.
func TestUpstreamCertificates(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.watch.failing.Store(true)
	tlsToo := func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.StartTLS()
	}
	app, old := h.beside("app", tlsToo), h.beside("old", func(s *httptest.Server) { s.StartTLS() })
	file := func(name, text string) string {
		path := filepath.Join(h.dir, name)
		h.must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	ca := file("ca.pem", "the authority of the tests\n"+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw})))
	other := file("other.pem", otherAuthority(h))
	for _, row := range []struct {
		story string
		to    proxy.Upstream
		want  string // empty: nobody is asked
	}{
		{"its own authority", proxy.Upstream{URL: h.url(app.URL), CAFile: ca}, "app HTTP/2.0 /public/x"},
		{"by a name of the certificate", proxy.Upstream{URL: h.url(app.URL), CAFile: ca, ServerName: "example.com"}, "app HTTP/2.0 /public/x"},
		{"that knows HTTP/1.1 alone", proxy.Upstream{URL: h.url(old.URL), CAFile: ca}, "old HTTP/1.1 /public/x"},
		{"by another name", proxy.Upstream{URL: h.url(app.URL), CAFile: ca, ServerName: "app.internal"}, ""},
		{"an authority that nobody knows", proxy.Upstream{URL: h.url(app.URL)}, ""},
		{"another authority", proxy.Upstream{URL: h.url(app.URL), CAFile: other}, ""},
		{"TLS where plain is spoken", proxy.Upstream{URL: h.url(strings.Replace(h.echo.URL, "http", "https", 1)), CAFile: ca}, ""},
	} {
		h.leads("wiki", row.to)
		a := h.program().get(h.Wiki + "/public/x")
		if row.want == "" && a.header.Get(echoes) == "" {
			a.refuses(row.story, http.StatusBadGateway, "Unavailable")
		} else if row.want != a.body && (row.want != "" || a.status < 400) {
			t.Errorf("%s: %d %q, want %q", row.story, a.status, a.body, row.want)
		}
	}
	h.leads("wiki", proxy.Upstream{URL: h.url(app.URL), CAFile: ca})
	conn := h.dial()
	_, err := io.WriteString(conn, h.upgrades("/public/x", []string{"websocket"}))
	h.must(err)
	lines := bufio.NewReader(conn)
	for want := range strings.SplitSeq("HTTP/1.1 101 Switching Protocols\n\nthis is the app\nyou said hello", "\n") {
		line, err := lines.ReadString('\n')
		for err == nil && want == "" && line != "\r\n" { // the headers
			line, err = lines.ReadString('\n')
		}
		if strings.TrimRight(line, "\r\n") != want {
			t.Fatalf("a WebSocket: %q, %v, want %q", line, err, want)
		}
		if want == "this is the app" {
			_, _ = io.WriteString(conn, "hello\n")
		}
	}
	for story, wrong := range map[string]proxy.Upstream{
		"no such file":         {URL: h.url(app.URL), CAFile: filepath.Join(h.dir, "none.pem")},
		"no certificate in it": {URL: h.url(app.URL), CAFile: file("empty.pem", "-----BEGIN CERTIFICATE-----\n")},
		"no address":           {},
		"a path that is none":  {URL: h.url(app.URL), Paths: []string{"api"}},
		"a name for nothing":   {URL: h.url(h.echo.URL), ServerName: "app.internal"},
	} {
		if _, err := proxy.New([]proxy.Upstream{wrong}, h.server.UpstreamFailed, h.server.Log); err == nil || !strings.HasPrefix(err.Error(), "upstreams[0].") {
			t.Errorf("%s: New = %v, want a complaint", story, err)
		}
	}
}

// h2c is HTTP/2 from the first byte, and nothing else.
func TestUpstreamsOfCleartextHTTP2(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.watch.failing.Store(true)
	app := h.beside("app", func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
	})
	h.leads("wiki", proxy.Upstream{URL: h.url(strings.Replace(app.URL, "http", "h2c", 1))})
	for range 3 {
		if a := h.program().get(h.Wiki + "/public/x?y").wants(http.StatusOK); a.body != "app HTTP/2.0 /public/x?y" {
			t.Errorf("%q", a.body)
		}
	}
	h.raw(h.upgrades("/public/x", []string{"websocket"})).refuses("a WebSocket: HTTP/2 has no Upgrade", http.StatusBadGateway, "Unavailable")
	h.leads("wiki", proxy.Upstream{URL: h.url(strings.Replace(h.echo.URL, "http", "h2c", 1))})
	h.program().get(h.Wiki+"/public/x").refuses("an app of HTTP/1.1", http.StatusBadGateway, "Unavailable")
}

// otherAuthority vouches for nobody here.
func otherAuthority(h *house) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	h.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	h.must(err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// Who asks before sending a body (RFC 9110, section 10.1.1) is answered by the
// app: it is told to go on, or why not before it has sent anything.
func TestExpectContinue(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		picky := h.beside("picky", func(s *httptest.Server) {
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(echoes, "picky")
				if r.URL.Path == "/public/no" {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				}
				body, _ := io.ReadAll(r.Body)
				_, _ = io.WriteString(w, "took "+string(body))
			})
		})
		h.leads("wiki", proxy.Upstream{URL: h.url(picky.URL)})
		for path, want := range map[string]string{
			"/public/yes": "HTTP/1.1 100 Continue\r\n",
			"/public/no":  "HTTP/1.1 413 Request Entity Too Large\r\n",
			"/private":    "HTTP/1.1 401 Unauthorized\r\n",
		} {
			conn := h.dial()
			text := posts(h.site.wiki, path, "Content-Length: 5", "Expect", "100-continue")
			_, err := io.WriteString(conn, text)
			h.must(err)
			r := bufio.NewReader(conn)
			if line, err := r.ReadString('\n'); err != nil || line != want {
				t.Errorf("%s: %q, %v, want %q", path, line, err, want)
				continue
			}
			if path != "/public/yes" {
				continue
			}
			_, _ = r.ReadString('\n')
			_, err = io.WriteString(conn, "hello")
			h.must(err)
			resp, err := http.ReadResponse(r, nil)
			h.must(err)
			body, err := io.ReadAll(resp.Body)
			if _ = resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK || string(body) != "took hello" {
				t.Errorf("%s: %d %q, %v", path, resp.StatusCode, body, err)
			}
		}
	})
}

// What an app sends is passed on at once, whether it says how much it will be
// or not, and of whatever type.
func TestPiecesArriveAtOnce(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		next := make(chan struct{})
		slow := h.beside("slow", func(s *httptest.Server) {
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(echoes, "slow")
				w.Header().Set("Content-Type", r.URL.Query().Get("type"))
				if r.URL.Query().Has("length") {
					w.Header().Set("Content-Length", "15")
				}
				for range 3 {
					_, _ = io.WriteString(w, "data\n")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-next:
					case <-r.Context().Done():
						return
					}
				}
			})
		})
		h.leads("wiki", proxy.Upstream{URL: h.url(slow.URL)})
		for _, query := range []string{"type=text/event-stream", "type=text/plain", "type=application/octet-stream&length", "type=text/event-stream;charset=utf-8&length"} {
			resp, err := h.program().client.Get(h.Wiki + "/public/x?" + query) //nolint:noctx // it ends by itself
			h.must(err)
			lines := bufio.NewReader(resp.Body)
			for range 3 {
				if line, err := lines.ReadString('\n'); err != nil || line != "data\n" {
					t.Errorf("%s: %q, %v", query, line, err)
				}
				next <- struct{}{}
			}
			h.must(resp.Body.Close())
		}
	})
}
