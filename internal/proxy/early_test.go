package proxy_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/proxy"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// passing passes requests on to an app.
func passing(t *testing.T, app http.HandlerFunc) http.Handler {
	t.Helper()
	behind := httptest.NewServer(app)
	t.Cleanup(behind.Close)
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New([]proxy.Upstream{{URL: to}}, func(w http.ResponseWriter, _ *http.Request, err error) {
		t.Errorf("the app has failed: %v", err)
		w.WriteHeader(http.StatusBadGateway)
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, err := canonical.ParseTarget(r.RequestURI)
		if err != nil {
			t.Error(err)
			return
		}
		p.Way(target.Path).Serve(new(proxy.Stream), w, r, proxy.Forward{Target: target, Host: "app.test", Scheme: "https", OwnCookie: func(string) bool { return false }})
	})
}

// before listens before an app.
func before(t *testing.T, app http.HandlerFunc) *httptest.Server {
	t.Helper()
	front := httptest.NewServer(passing(t, app))
	t.Cleanup(front.Close)
	return front
}

// gone is a body that net/http takes away as soon as it has ended, which it
// says with the last of it.
type gone struct{ rest *strings.Reader }

func (g gone) Read(p []byte) (int, error) {
	if g.rest.Len() == 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	n, _ := g.rest.Read(p)
	if g.rest.Len() == 0 {
		return n, io.EOF
	}
	return n, nil
}

// Nobody asks for more of a body that has ended.
func TestEndedBodies(t *testing.T) {
	t.Parallel()
	app := passing(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	for _, length := range []int64{5, -1} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x", gone{strings.NewReader("hello")})
		r.ContentLength = length
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.String() != "hello" || w.Header().Get("Connection") != "" {
			t.Errorf("length %d: %d %q %v, want what was sent, and nothing closed", length, w.Code, w.Body, w.Header())
		}
	}
}

// An app may answer, and go on, while the client still sends.
func TestAnswersBeforeTheBody(t *testing.T) {
	t.Parallel()
	front := before(t, func(w http.ResponseWriter, r *http.Request) {
		answer := http.NewResponseController(w)
		_ = answer.EnableFullDuplex()
		_, _ = io.WriteString(w, "welcome\n")
		_ = answer.Flush()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			_, _ = io.WriteString(w, "you said "+lines.Text()+"\n")
			_ = answer.Flush()
		}
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		_ = conn.Close()
		t.Fatalf("no answer before the body: %v", err)
	}
	defer func() { // the body alone would wait for its end
		_ = conn.Close()
		_ = resp.Body.Close()
	}()
	lines := bufio.NewReader(resp.Body)
	for _, want := range []string{"welcome\n", "you said hello\n", "you said hello\n"} {
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
		_, _ = io.WriteString(conn, "6\r\nhello\n\r\n")
	}
}

// However soon an app answers a request with a body, its answer arrives whole.
func TestEarlyAnswersArriveWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 8<<10)
	front := before(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		for range 4 {
			_, _ = io.WriteString(w, long)
			_ = http.NewResponseController(w).Flush()
		}
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 60 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+[]string{"/read", "/unread"}[i%2], strings.NewReader("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := front.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				if _ = resp.Body.Close(); err != nil || len(body) != 4*len(long) {
					t.Errorf("answer %d: %d bytes, %v, want %d", i, len(body), err, 4*len(long))
				}
			}
		})
	}
	all.Wait()
}
