package proxy_test

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/proxy"
)

// try sends a request through a proxy to an address, and returns the answer and
// what it failed of.
func try(t *testing.T, p func(proxy.Failed) *proxy.Proxy, r *http.Request) (*httptest.ResponseRecorder, error) {
	t.Helper()
	var why error
	target, err := canonical.ParseTarget(r.RequestURI)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p(func(w http.ResponseWriter, _ *http.Request, err error) {
		why = err
		w.WriteHeader(http.StatusBadGateway)
	}).Way(target.Path).Serve(new(proxy.Stream), w, r, proxy.Forward{Target: target, Host: "app.test", Scheme: "https", OwnCookie: func(string) bool { return false }})
	return w, why
}

// to leads to one upstream.
func to(t *testing.T, u proxy.Upstream) func(proxy.Failed) *proxy.Proxy {
	return func(failed proxy.Failed) *proxy.Proxy {
		p, err := proxy.New([]proxy.Upstream{u}, failed, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
}

func request(t *testing.T, method, body string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, "/x", strings.NewReader(body))
}

// Who cannot be connected to is tried again, if the request may be repeated.
func TestAppsThatRestart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, body string
		tries        int
	}{
		{http.MethodGet, "", 3},
		{http.MethodHead, "", 3},
		{http.MethodOptions, "", 3},
		{http.MethodPut, "", 3},
		{http.MethodDelete, "", 3},
		{http.MethodPost, "", 1},
		{http.MethodPatch, "", 1},
		{"PROPFIND", "", 1},
		{http.MethodGet, "x", 1},
		{http.MethodPut, "x", 1},
		{http.MethodDelete, "x", 1},
	} {
		address := nobody
		begun := 0
		r := request(t, row.method, row.body)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{ConnectStart: func(string, string) { begun++ }}))
		w, err := try(t, to(t, proxy.Upstream{URL: &url.URL{Scheme: "http", Host: address}}), r)
		if w.Code != http.StatusBadGateway || begun != row.tries || err == nil || !strings.Contains(err.Error(), "http://"+address) {
			t.Errorf("%s %q: %d after %d tries, %v, want %d tries and the address", row.method, row.body, w.Code, begun, err, row.tries)
		}
	}
}

// An app that is back for the second try has missed nothing.
func TestAppsThatAreBack(t *testing.T) {
	t.Parallel()
	address := kept(t)
	app := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "back") })}
	defer app.Close()
	var once sync.Once
	var serving sync.WaitGroup
	defer serving.Wait()
	defer app.Close()
	r := request(t, http.MethodGet, "")
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{ConnectDone: func(_, _ string, err error) {
		if err == nil {
			return
		}
		once.Do(func() {
			l := listen(t, address)
			serving.Go(func() { _ = app.Serve(l) })
		})
	}}))
	if w, err := try(t, to(t, proxy.Upstream{URL: &url.URL{Scheme: "http", Host: address}}), r); w.Code != http.StatusOK || w.Body.String() != "back" {
		t.Errorf("%d %q, %v, want the answer of the app that is back", w.Code, w.Body, err)
	}
}

// nobody is an address where nobody listens.
const nobody = "127.0.0.1:1"

// kept returns an address that is free now and later: it lies below those that
// systems give away.
func kept(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(30_000+rand.IntN(2_000)))
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.WithoutCancel(t.Context()), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A connection that has died while nobody used it costs no request; but what
// the app may have begun to do, it is not told to do twice.
func TestConnectionsThatHaveDied(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, body string
		want         []string // what the app sees
		status       int
	}{
		{http.MethodGet, "", []string{"GET", "GET", "GET"}, http.StatusOK},
		{http.MethodPost, "", []string{"GET", "POST"}, http.StatusBadGateway},
		{http.MethodPost, "x", []string{"GET", "POST"}, http.StatusBadGateway},
		{http.MethodPut, "x", []string{"GET", "PUT"}, http.StatusBadGateway},
	} {
		l := listen(t, "127.0.0.1:0")
		var seen []string
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				for reader := bufio.NewReader(conn); ; { // the second request of a connection gets no answer
					r, err := http.ReadRequest(reader)
					if err != nil {
						break
					}
					seen = append(seen, r.Method)
					if len(seen) == 2 {
						break
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
				_ = conn.Close()
			}
		})
		var p *proxy.Proxy
		var why error
		p = to(t, proxy.Upstream{URL: &url.URL{Scheme: "http", Host: l.Addr().String()}})(func(w http.ResponseWriter, _ *http.Request, err error) {
			why = err
			w.WriteHeader(http.StatusBadGateway)
		})
		serve := func(method, body string) int {
			w := httptest.NewRecorder()
			p.Way("/x").Serve(new(proxy.Stream), w, request(t, method, body), proxy.Forward{Target: canonical.Target{Path: "/x", Raw: "/x"}, Host: "app.test", Scheme: "https", OwnCookie: func(string) bool { return false }})
			return w.Code
		}
		if got := serve(http.MethodGet, ""); got != http.StatusOK {
			t.Fatalf("the first request: %d, %v", got, why)
		}
		got := serve(row.method, row.body)
		p.Close()
		_ = l.Close()
		serving.Wait()
		if got != row.status || strings.Join(seen, " ") != strings.Join(row.want, " ") {
			t.Errorf("%s %q: %d, %v, the app sees %q, want %d and %q", row.method, row.body, got, why, seen, row.status, row.want)
		}
	}
}

// What stood in the way is told apart.
func TestFailures(t *testing.T) {
	t.Parallel()
	silent := listen(t, "127.0.0.1:0") // takes connections, says nothing
	defer silent.Close()
	gone, leave := context.WithCancel(t.Context())
	leave()
	short := 30 * time.Millisecond
	at := func(scheme string, l net.Listener) *url.URL { return &url.URL{Scheme: scheme, Host: l.Addr().String()} }
	for _, row := range []struct {
		story string
		to    proxy.Upstream
		r     *http.Request
		want  error // nil: none of ours
	}{
		{"nobody listens", proxy.Upstream{URL: &url.URL{Scheme: "http", Host: nobody}}, request(t, "GET", ""), nil},
		{"no such name", proxy.Upstream{URL: &url.URL{Scheme: "http", Host: "nowhere.invalid"}}, request(t, "GET", ""), nil},
		{"no answer", proxy.Upstream{URL: at("http", silent), HeaderTimeout: short}, request(t, "GET", ""), proxy.ErrLate},
		{"no answer to a body", proxy.Upstream{URL: at("http", silent), HeaderTimeout: short}, request(t, "POST", "hello"), proxy.ErrLate},
		{"no handshake", proxy.Upstream{URL: at("https", silent), ConnectTimeout: short}, request(t, "GET", ""), proxy.ErrLate},
		{"no HTTP/2", proxy.Upstream{URL: at("h2c", silent), HeaderTimeout: short}, request(t, "GET", ""), proxy.ErrLate},
		{"the client left", proxy.Upstream{URL: at("http", silent)}, request(t, "GET", "").WithContext(gone), proxy.ErrLeft},
		{"half a body", proxy.Upstream{URL: at("http", silent)}, httptest.NewRequestWithContext(t.Context(), "POST", "/x", io.MultiReader(strings.NewReader("half"), broken{})), proxy.ErrBody},
	} {
		w, err := try(t, to(t, row.to), row.r)
		if w.Code != http.StatusBadGateway || err == nil {
			t.Errorf("%s: %d, %v", row.story, w.Code, err)
		}
		for _, kind := range []error{proxy.ErrLate, proxy.ErrLeft, proxy.ErrBody} {
			if errors.Is(err, kind) != (kind == row.want) { //nolint:errorlint // the row's own
				t.Errorf("%s: %v, want %v", row.story, err, row.want)
			}
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A proxy is the same as another one while what it was made of is, what its
// files hold included.
func TestSame(t *testing.T) {
	t.Parallel()
	app := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(app.Close)
	address, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	holds := func(comment string) {
		text := append([]byte(comment+"\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: app.Certificate().Raw})...)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made := func(u ...proxy.Upstream) *proxy.Proxy {
		p, err := proxy.New(u, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one, two := proxy.Upstream{URL: address, CAFile: file, Paths: []string{"/a"}}, proxy.Upstream{URL: address}
	holds("old")
	p := made(one, two)
	if !p.Same(made(one, two)) {
		t.Error("nothing has changed, but they are not the same")
	}
	late := one
	late.HeaderTimeout = time.Hour
	for story, other := range map[string][]proxy.Upstream{"other paths": {two, two}, "the order": {two, one}, "one less": {one}, "a limit": {late, two}} {
		if p.Same(made(other...)) {
			t.Errorf("%s: they are the same", story)
		}
	}
	holds("new")
	if p.Same(made(one, two)) {
		t.Error("the file of authorities has changed, but they are the same")
	}
}
