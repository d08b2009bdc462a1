package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/client"
	"gateway/internal/config"
	"gateway/internal/secret"
	"gateway/internal/server"
)

// running is a gateway that serves in this process, from a folder of its own.
// An app is behind it.
type running struct {
	*testing.T
	*house
	folder string
	ports  *strings.Replacer // $LISTEN, $AUTHZ, $MANAGEMENT, $APP and $FOLDER in configurations
	hangup chan os.Signal
	ended  chan error // of reloads
	out    *book
}

// book is a log that can be read while it is written.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// runHouse starts a gateway, which ends with the test.
func runHouse(t *testing.T, text string) *running {
	t.Helper()
	r := prepare(t)
	r.start(text)
	return r
}

// prepare makes what a gateway needs before it starts.
func prepare(t *testing.T) *running {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(app.Close)
	r := &running{T: t, folder: t.TempDir(), hangup: make(chan os.Signal), ended: make(chan error), out: &book{}}
	words := []string{"$APP", app.URL, "$FOLDER", r.folder}
	for _, name := range []string{"$LISTEN", "$AUTHZ", "$MANAGEMENT", "$OTHER"} {
		words = append(words, name, r.port())
	}
	r.ports = strings.NewReplacer(words...)
	return r
}

func (r *running) start(text string) {
	r.Helper()
	t := r.T
	r.write("gateway.yaml", text)
	from := source{path: r.path("gateway.yaml")}
	cfg, err := from.load(r.out)
	if err != nil {
		t.Fatal(err)
	}
	if r.house, err = build(t.Context(), cfg, logsTo(r.out, cfg.Log)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r.reloaded = func(err error) {
		select {
		case r.ended <- err:
		case <-ctx.Done():
		}
	}
	served, open := make(chan error, 1), make(chan struct{})
	go func() { served <- r.serve(ctx, from, r.hangup, func() { close(open) }) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, r.close()); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-open:
	case err := <-served:
		served <- nil
		t.Fatal(err)
	}
}

func (r *running) port() string {
	r.Helper()
	port, l, err := freePort()
	if err != nil {
		r.Fatal(err)
	}
	_ = l.Close()
	return strconv.Itoa(port)
}

func (r *running) path(name string) string { return filepath.Join(r.folder, name) }

// write writes a file as programs do that do not rename.
func (r *running) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(r.path(name), []byte(r.ports.Replace(text)), 0o600); err != nil {
		r.Fatal(err)
	}
}

// reload makes the gateway read its configuration, and returns how that ended.
func (r *running) reload(text string) error {
	r.Helper()
	r.write("gateway.yaml", text)
	for {
		select {
		case r.hangup <- nil:
			return <-r.ended
		case err := <-r.ended:
			r.Log("a look that came before ended with", err)
		}
	}
}

func (r *running) mustReload(text string) {
	r.Helper()
	if err := r.reload(text); err != nil {
		r.Fatalf("reload: %v", err)
	}
}

// complaints returns what a reload complained about.
func (r *running) complaints(err error) string {
	r.Helper()
	if _, ok := errors.AsType[config.Complaints](err); !ok {
		r.Fatalf("reload = %v, want complaints", err)
	}
	return err.Error()
}

const alice, password = "alice", "four words and more"

// add adds alice, who signs in with the password.
func (r *running) add() {
	r.Helper()
	n := server.AdminNew{Login: alice}
	if err := derive(&n, secret.New(password)); err != nil {
		r.Fatal(err)
	}
	var u server.AdminUser
	if err := (&administrator{transport: inProcess{r.at(listenAdmin)}}).call(r.Context(), http.MethodPost, "/users", n, &u); err != nil {
		r.Fatal(err)
	}
}

// here finds every host on this machine; before is called before each request.
type here struct {
	*http.Transport
	before func(*http.Request)
}

func (r *running) here(before func(*http.Request)) here {
	way := r.way()
	r.Cleanup(way.CloseIdleConnections)
	return here{way, before}
}

func (r *running) way() *http.Transport {
	var d net.Dialer
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, network, loopback(port))
	}}
}

func (h here) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.before != nil {
		h.before(r)
	}
	return h.Transport.RoundTrip(r)
}

// token signs alice in and returns a token for an app.
func (r *running) token(pass, app string, before func(*http.Request)) (string, error) {
	r.Helper()
	c := &client.Client{Portal: r.portal, App: app, HTTP: &http.Client{Transport: r.here(before), Timeout: time.Minute}}
	s, err := c.LoginLocal(r.Context(), alice, secret.New(pass), client.WantToken)
	if err != nil {
		return "", err
	}
	return s.Token.Reveal(), nil
}

// ask sends a GET with a token, or none, and headers as name, value, and
// returns the status; 0 if nobody answers.
func (r *running) ask(url, token string, headers ...string) int {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.ports.Replace(url), http.NoBody)
	if err != nil {
		r.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], r.ports.Replace(headers[i+1]))
	}
	req.Close = true
	resp, err := r.way().RoundTrip(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
