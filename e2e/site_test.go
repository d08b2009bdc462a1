package e2e

import (
	"crypto/sha1" //nolint:gosec // WebSockets ask for it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// echo is an app that answers with what it received, and counts.
type echo struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []received
	shared string // the origin whose pages may read its answers
}

type received struct {
	Method, Host, URI string
	Header            http.Header
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := received{r.Method, r.Host, r.RequestURI, r.Header}
		e.mu.Lock()
		e.seen = append(e.seen, got)
		shared := e.shared
		e.mu.Unlock()
		if shared != "" {
			w.Header().Set("Access-Control-Allow-Origin", shared)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Allow-Methods", "PUT")
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
			_ = json.NewEncoder(w).Encode(got)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<title>app</title><pre id=seen>")
		_ = json.NewEncoder(w).Encode(got)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *echo) hits() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.seen)
}

// shares makes the app let pages of an origin read what it answers, as JSON.
func (e *echo) shares(origin string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shared = origin
}

func (e *echo) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = nil
}

// asked reports whether a path that begins so ever came to the app.
func (e *echo) asked(prefix string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.seen {
		if strings.HasPrefix(r.URI, prefix) {
			return true
		}
	}
	return false
}

func (e *echo) last(t *testing.T) received {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seen) == 0 {
		t.Fatal("the app was never asked")
	}
	return e.seen[len(e.seen)-1]
}

// site is a gateway as somebody would run it, on a port of its own or behind a
// front proxy that has the public port.
type site struct {
	*process
	web
	t          *testing.T
	folder     string
	config     string // path
	cert, key  string // paths, in the secure web
	public     int    // where browsers come: the front proxy's port, or the gateway's
	listen     int
	authz      int
	management int
}

const siteConfig = `url: %s://auth.localhost:%d
listen: 127.0.0.1:%d
authz: {listen: "127.0.0.1:%d"}
management: 127.0.0.1:%d
trusted_proxies: [127.0.0.0/8]
data: %s
`

// newSite takes ports and writes the configuration: rest is everything below
// the listeners. behind says that a front proxy has the public port.
func newSite(t *testing.T, behind bool, rest string) *site {
	t.Helper()
	return plain.newSite(t, behind, rest)
}

// newSite is newSite in a web: the hosts in rest are those of the plain one.
func (w web) newSite(t *testing.T, behind bool, rest string) *site {
	t.Helper()
	s := &site{t: t, web: w, folder: t.TempDir(), public: freePort(t), listen: freePort(t), authz: freePort(t), management: freePort(t)}
	if !behind {
		s.public = s.listen
	}
	if w.scheme == "https" {
		v := vouches(t)
		s.cert, s.key = write(t, filepath.Join(s.folder, "cert.pem"), v.cert), write(t, filepath.Join(s.folder, "key.pem"), v.key)
		if !behind {
			rest = fmt.Sprintf("tls: {cert: %s, key: %s}\n", s.cert, s.key) + rest
		}
	}
	text := fmt.Sprintf(siteConfig, w.scheme, s.public, s.listen, s.authz, s.management, filepath.Join(s.folder, "data")) + rest
	s.config = write(t, filepath.Join(s.folder, "gateway.yaml"), w.hosts.Replace(text))
	return s
}

// serve starts the gateway and waits until it is ready.
func (s *site) serve() *site {
	s.t.Helper()
	s.process = start(s.t, program, "serve", "--config", s.config)
	eventually(s.t, "the gateway is ready", func() bool { return ready(s.t, s.management) })
	return s
}

// addAlice adds alice with the password of the tests, by the command line.
func (s *site) addAlice(args ...string) {
	s.t.Helper()
	mustCLI(s.t, password+"\n", append([]string{"user", "add", "alice", "--password-stdin", "--config", s.config}, args...)...)
}

func (s *site) at(host string) string {
	return s.scheme + "://" + net.JoinHostPort(s.hosts.Replace(host), fmt.Sprint(s.public))
}

// accept proves that a WebSocket's handshake was read (RFC 6455, section 4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // the protocol says so
	return base64.StdEncoding.EncodeToString(sum[:])
}

// startLax is an app that upgrades to whatever it is asked for.
func startLax(t *testing.T) *echo {
	t.Helper()
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := r.Header.Get("Upgrade")
		if up == "" {
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n", up, accept(r.Header.Get("Sec-WebSocket-Key")))
		_ = rw.Flush()
		_, _ = rw.ReadByte()
	}))
	t.Cleanup(e.Close)
	return e
}
