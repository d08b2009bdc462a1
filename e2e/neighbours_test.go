package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// neighbour is a provider or an app that behaves, until it is told otherwise.
type neighbour struct {
	*httptest.Server
	bad   atomic.Bool
	conns atomic.Int32 // that are open
}

// startNeighbour runs one that answers by good or by bad.
func startNeighbour(t *testing.T, good, bad http.HandlerFunc) *neighbour {
	t.Helper()
	n := &neighbour{}
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.bad.Load() {
			bad(w, r)
			return
		}
		good(w, r)
	}))
	n.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			n.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			n.conns.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	n.Start()
	t.Cleanup(func() {
		n.bad.Store(false)
		n.CloseClientConnections()
		n.Close()
	})
	return n
}

// The ways in which a neighbour behaves badly.
var (
	hangs = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drips = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			_, _ = fmt.Fprint(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	hangsUp = func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
	}
	fails  = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	floods = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"issuer":"`)
		for line := strings.Repeat("a", 1<<16); ; {
			if _, err := fmt.Fprint(w, line); err != nil {
				return
			}
		}
	}
	floodsHead = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Huge", strings.Repeat("a", 1<<20)) }
	sendsAway  = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere"+r.URL.Path, http.StatusFound)
	}
	babbles = func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }
)

// discovery is the answer of a provider that behaves, under its name or another.
func discovery(w http.ResponseWriter, r *http.Request, name string) {
	own := "http://" + r.Host
	_ = json.NewEncoder(w).Encode(map[string]any{
		"issuer": name, "authorization_endpoint": own + "/authorize", "token_endpoint": own + "/token", "jwks_uri": own + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "keys": []any{},
	})
}

var (
	behaves = func(w http.ResponseWriter, r *http.Request) { discovery(w, r, "http://"+r.Host) }
	lies    = func(w http.ResponseWriter, r *http.Request) { discovery(w, r, "https://accounts.example.com") }
)

// A provider or an app that is down, slow or lying harms itself alone: the
// others, and everybody who is signed in, go on as before; what waits for it is
// bounded, and gone when it is; and it works again as soon as it behaves.
func TestFaultNeighbours(t *testing.T) {
	t.Parallel()
	answers := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	doors := map[string]*neighbour{}
	for name, bad := range map[string]http.HandlerFunc{"hangs": hangs, "drips": drips, "floods": floods, "sendsaway": sendsAway, "babbles": babbles, "lies": lies, "fails": fails, "hangsup": hangsUp} {
		doors[name] = startNeighbour(t, behaves, bad)
	}
	apps := map[string]*neighbour{}
	want := map[string]int{"hangs": 0, "drips": 0, "hangsup": http.StatusBadGateway, "floodshead": http.StatusBadGateway} // 0: none in the time of this test
	for name, bad := range map[string]http.HandlerFunc{"hangs": hangs, "drips": drips, "hangsup": hangsUp, "floodshead": floodsHead} {
		apps[name] = startNeighbour(t, answers, bad)
	}
	one := startNeighbour(t, answers, answers)
	config := &strings.Builder{}
	config.WriteString("log: {level: warn}\nproviders:\n")
	for name, p := range doors {
		fmt.Fprintf(config, "  %s: {name: %s, issuer: %q, client_id: gateway, client_secret: a-secret-of-the-tests}\n", name, name, p.URL)
	}
	fmt.Fprintf(config, "apps:\n  one: {host: one.localhost, upstream: %q, allow: signed-in}\n", one.URL)
	for name, a := range apps {
		fmt.Fprintf(config, "  %s: {host: %s.localhost, upstream: %q, rules: [{paths: [/public/**], allow: everyone}, {allow: signed-in}]}\n", name, name, a.URL)
	}
	l := newSite(t, false, config.String()).load()
	behave := func(well bool) {
		for _, all := range []map[string]*neighbour{doors, apps} {
			for _, n := range all {
				n.bad.Store(!well)
			}
		}
	}
	for n := range again(t, 1) {
		behave(false)
		l.serve()
		if n == 0 {
			mustCLI(t, password+"\n", "user", "add", "alice", "--password-stdin", "--config", l.config)
		}
		l.sufferNeighbours(doors, apps, want, behave)
		if t.Failed() {
			return
		}
		l.stop(syscall.SIGTERM)
		l.out.forget()
	}
}

func (l *load) sufferNeighbours(doors, apps map[string]*neighbour, want map[string]int, behave func(bool)) {
	const visitors = 10 // of each neighbour
	t := l.t
	t.Helper()
	alice := newPerson(t, "alice")
	token := l.mustSignIn(alice)
	l.transport.CloseIdleConnections()
	base := l.metric("go_goroutines")

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var guests sync.WaitGroup
	for name := range apps {
		for range visitors {
			guests.Go(func() {
				status, err := l.open(ctx, name+".localhost", "/public/page", "")
				if err == nil && status != want[name] {
					t.Errorf("app that %s: answered %d, want %d", name, status, want[name])
				}
			})
		}
	}
	for name := range doors {
		for range visitors {
			guests.Go(func() {
				if status, err := l.open(ctx, "auth.localhost", "/.gateway/start/"+name, ""); err != nil || status != http.StatusServiceUnavailable {
					t.Errorf("provider that %s: answered %d, %v; want 503", name, status, err)
				}
			})
		}
	}
	eventually(t, "the slow ones are waited for", func() bool { return apps["hangs"].conns.Load() == visitors && doors["hangs"].conns.Load() > 0 })
	for range 50 {
		l.mustPass(token, "a session beside bad neighbours")
		l.mustNotPass("", "nobody beside bad neighbours")
	}
	l.mustOpen("one.localhost", token, http.StatusOK)
	l.mustPass(l.mustSignIn(alice), "a session that began beside bad neighbours")
	for name := range apps {
		l.mustOpen(name+".localhost", "", http.StatusUnauthorized) // who may not pass does not wait for an app
	}
	if got, most := l.metric("go_goroutines"), base+10*visitors*float64(len(doors)+len(apps)); got > most {
		t.Errorf("%v goroutines, at most %v", got, most)
	}
	for name, p := range doors {
		if got := p.conns.Load(); got > 2 {
			t.Errorf("provider that %s: %d connections for %d people", name, got, visitors)
		}
	}
	if got := l.metric(`gateway_provider_up{origin="lies"}`); got != 0 {
		t.Errorf("a provider that lies is up: %v", got)
	}

	behave(true)
	for name := range doors {
		eventually(t, "a provider that behaves again ("+name+") is used", func() bool {
			status, err := l.open(t.Context(), "auth.localhost", "/.gateway/start/"+name, "")
			return err == nil && status == http.StatusSeeOther
		})
	}
	leave()
	guests.Wait()
	for name := range apps {
		if got, err := l.open(t.Context(), name+".localhost", "/public/page", ""); err != nil || got != http.StatusOK {
			t.Errorf("an app that behaves again (%s) is answered %d, %v; want 200", name, got, err)
		}
	}
	l.transport.CloseIdleConnections()
	eventually(t, "nothing waits any more", func() bool {
		l.transport.CloseIdleConnections()
		return l.metric("go_goroutines") <= base+2*float64(len(doors)+len(apps)+5) // connections to them that are kept
	})
}
