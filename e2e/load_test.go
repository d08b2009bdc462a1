package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// again counts the rounds of a test that does the same again and again: few
// of them, or as many as fit the time that GATEWAY_SOAK names.
func again(t *testing.T, few int) iter.Seq[int] {
	t.Helper()
	end := time.Now().Add(soak(t))
	return func(yield func(int) bool) {
		for n := 0; n < few || time.Now().Before(end); n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// soak is how long rounds go on; zero in everyday runs.
func soak(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("GATEWAY_SOAK")
	if text == "" {
		return 0
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("GATEWAY_SOAK: %v", err)
	}
	return long
}

// refusedError is an answer of the gateway's that says no.
type refusedError struct {
	status int
	text   string
}

func (e refusedError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

// post sends JSON and reads JSON, or says why it cannot.
func post(ctx context.Context, transport http.RoundTripper, address string, body, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	shared(req)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", somewhere()) // for the throttle, which counts attempts that a kill leaves open as failures
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return refusedError{resp.StatusCode, string(text)}
	}
	return json.Unmarshal(text, answer)
}

// shared lets requests for every host of a site go over the same connections.
func shared(req *http.Request) {
	req.Host, req.URL.Host = req.URL.Host, "127.0.0.1:"+req.URL.Port()
}

// somewhere is an address of the internet.
func somewhere() string {
	n := rand.Uint32()
	return fmt.Sprintf("198.%d.%d.%d", 18+n>>24&1, n>>16&255, n>>8&255)
}

// person signs in by an implementation of SCRAM that is not ours and derives
// its key once.
type person struct {
	login string
	scram *scram.Client
}

func newPerson(t testing.TB, login string) person {
	t.Helper()
	client, err := scram.SHA256.NewClient(login, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return person{login, client}
}

// signIn returns a token for an app's host, or for the portal.
func signIn(ctx context.Context, transport http.RoundTripper, port int, p person, app string) (string, error) {
	talk := p.scram.NewConversation()
	first, err := talk.Step("")
	if err != nil {
		return "", err
	}
	var needed struct {
		ChallengeID string `json:"challenge_id"`
		Challenge   string `json:"challenge"`
	}
	portal := fmt.Sprintf("http://auth.localhost:%d/.gateway/", port)
	if err := post(ctx, transport, portal+"connect", map[string]string{"client_first": first, "want": "token"}, &needed); err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	final, err := talk.Step(needed.Challenge)
	if err != nil {
		return "", err
	}
	var ok struct {
		ServerFinal string `json:"server_final"`
		Token       string `json:"token"`
	}
	reply := map[string]string{"user": p.login, "challenge_id": needed.ChallengeID, "challenge_reply": final, "want": "token"}
	if app != "" {
		reply["app"] = app
	}
	if err := post(ctx, transport, portal+"login", reply, &ok); err != nil {
		return "", fmt.Errorf("login: %w", err)
	}
	if _, err := talk.Step(ok.ServerFinal); err != nil || ok.Token == "" {
		return "", fmt.Errorf("login: token %q, %w", ok.Token, err)
	}
	return ok.Token, nil
}

// load is what clients do at a site, over connections that they keep.
type load struct {
	*site
	transport *http.Transport
	lines     lines // instead of the transport's connections
}

func (s *site) load() *load {
	l := &load{site: s, transport: &http.Transport{DialContext: onlyHere, MaxIdleConnsPerHost: 16}}
	s.t.Cleanup(l.transport.CloseIdleConnections)
	return l
}

// lines are a connection to each of some ports. Unlike a transport, which on a
// busy machine gives up a connection that answers before it knows that it has
// asked, they open no other one.
type lines map[string]*line

type line struct {
	net.Conn
	in *bufio.Reader
}

func (l lines) RoundTrip(req *http.Request) (*http.Response, error) {
	one := l[req.URL.Port()]
	if one == nil {
		return nil, fmt.Errorf("no line to %s", req.URL.Host)
	}
	if err := req.Write(one); err != nil {
		return nil, err
	}
	return http.ReadResponse(one.in, req)
}

// over is the same load over connections that are open from now on.
func (l *load) over(ports ...int) *load {
	l.t.Helper()
	kept := &load{l.site, l.transport, lines{}}
	for _, port := range ports {
		c, err := onlyHere(l.t.Context(), "tcp", fmt.Sprintf("localhost:%d", port))
		if err != nil {
			l.t.Fatal(err)
		}
		kept.lines[fmt.Sprint(port)] = &line{c, bufio.NewReader(c)}
	}
	return kept
}

// close ends the connections.
func (l lines) close() {
	for _, one := range l {
		_ = one.Close()
	}
}

// person adds somebody who signs in by password.
func (l *load) person(login string) person {
	l.t.Helper()
	mustCLI(l.t, password+"\n", "user", "add", login, "--password-stdin", "--config", l.config)
	return newPerson(l.t, login)
}

// signIn returns a token for app one.
func (l *load) signIn(p person) (string, error) {
	return signIn(l.t.Context(), l.transport, l.listen, p, "one.localhost")
}

// mustSignIn is signIn for what has to work.
func (l *load) mustSignIn(p person) string {
	l.t.Helper()
	token, err := l.signIn(p)
	if err != nil {
		l.t.Fatalf("%s signs in: %v", p.login, err)
	}
	return token
}

// check asks as a front proxy does whether a token may pass at app one. With
// none it asks for nobody.
func (l *load) check(token string) (int, error) {
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/.gateway/authz/forward-auth", l.authz), nil)
	if err != nil {
		return 0, err
	}
	req.Header = http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Uri": {"/page"},
		"X-Forwarded-Host": {fmt.Sprintf("one.localhost:%d", l.public)},
	}
	return l.ask(req, token)
}

// open asks for a page of an app, through the gateway's own proxy.
func (l *load) open(ctx context.Context, host, path, token string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.at(host)+path, nil)
	if err != nil {
		return 0, err
	}
	return l.ask(req, token)
}

// signOut ends the session of a token of app one.
func (l *load) signOut(token string) (int, error) {
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.at("one.localhost")+"/.gateway/logout", nil)
	if err != nil {
		return 0, err
	}
	return l.ask(req, token)
}

func (l *load) ask(req *http.Request, token string) (int, error) {
	shared(req)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	var by http.RoundTripper = l.transport
	if l.lines != nil {
		by = l.lines
	}
	resp, err := by.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// mustPass tests that a token passes at app one.
func (l *load) mustPass(token, who string) {
	l.t.Helper()
	if got, err := l.check(token); err != nil || got != http.StatusOK {
		l.t.Errorf("%s is answered %d, %v; want 200", who, got, err)
	}
}

// mustNotPass tests that a token does not pass at app one, for certain.
func (l *load) mustNotPass(token, who string) {
	l.t.Helper()
	if got, err := l.check(token); err != nil || got != http.StatusUnauthorized {
		l.t.Errorf("%s is answered %d, %v; want 401", who, got, err)
	}
}

// metric reads a metric without labels, or with them as they are written.
func (s *site) metric(name string) float64 {
	s.t.Helper()
	_, page := visit(s.t, "GET", fmt.Sprintf("http://localhost:%d/metrics", s.management), nil)
	for line := range strings.Lines(page) {
		var value float64
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				s.t.Fatalf("metric %q: %v", line, err)
			}
			return value
		}
	}
	s.t.Fatalf("no metric %s in\n%s", name, page)
	return 0
}

// together runs workers at once and waits for all of them.
func together(n int, work func(worker int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { work(i) })
	}
	all.Wait()
}
