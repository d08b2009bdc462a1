package server_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// echoes marks what the app answers.
const echoes = "X-Echo"

// upstream is a real app: it tells what it got, or does what its query says.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	hits []hit
	play map[string]http.HandlerFunc // by the query's "play"
}

// hit is a request as the app saw it.
type hit struct {
	Method, Target, Host, Body string
	Header, Trailer            http.Header
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	u := &upstream{play: map[string]http.HandlerFunc{}}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

// ServeHTTP writes the request down and tells it to the client.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a client that is cut off has sent what it has sent
	h := hit{Method: r.Method, Target: r.RequestURI, Host: r.Host, Body: string(body), Header: r.Header, Trailer: r.Trailer}
	u.mu.Lock()
	u.hits = append(u.hits, h)
	play := u.play[r.URL.Query().Get("play")]
	u.mu.Unlock()
	w.Header().Set(echoes, "1")
	if play != nil {
		play(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(h)
}

// seen returns what has reached the app so far.
func (u *upstream) seen() []hit {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]hit(nil), u.hits...)
}

// count returns how many requests have reached the app so far.
func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.hits)
}

// last returns what reached the app last.
func (u *upstream) last(t testing.TB) hit {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.hits) == 0 {
		t.Fatal("nothing has reached the app")
	}
	return u.hits[len(u.hits)-1]
}

// forget lets go of what has reached the app: fuzzing goes on for hours.
func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hits = nil
}

func (u *upstream) plays(name string, do http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.play[name] = do
}

// shout answers an upgrade, and sends back each line that comes.
func shout(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + echoes + ": 1\r\n\r\n")
	_ = rw.Flush()
	for lines := bufio.NewScanner(rw); lines.Scan(); {
		_, _ = rw.WriteString("you said " + lines.Text() + "\n")
		_ = rw.Flush()
	}
}
