package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
)

// asks are what strangers send, each with a word that nobody has sent before.
var asks = []struct {
	method, host, path, body string
	header                   http.Header
	want                     int
}{
	{"GET", "one.localhost", "/%s", "", http.Header{"Accept": {"text/html"}}, http.StatusSeeOther},
	{"GET", "one.localhost", "/%s", "", nil, http.StatusUnauthorized},
	{"GET", "one.localhost", "/public/%s", "", nil, http.StatusOK},
	{"GET", "one.localhost", "/.gateway/sign-in?rd=/%s", "", nil, http.StatusSeeOther},
	{"GET", "one.localhost", "/.gateway/handoff?code=%s.%[1]s", "", nil, http.StatusBadRequest},
	{"GET", "auth.localhost", "/.gateway/sign-in?rd=/%s", "", nil, http.StatusOK},
	{"GET", "auth.localhost", "/.gateway/start/%s", "", nil, http.StatusBadRequest},
	{"GET", "auth.localhost", "/%s", "", nil, http.StatusNotFound},
	{"GET", "auth.localhost", "/", "", http.Header{"Cookie": {"gateway=%s"}}, http.StatusOK},
	{"POST", "auth.localhost", "/.gateway/connect", `{"client_first":"n,,n=%s,r=%[1]s"}`, nil, http.StatusOK},
	{"POST", "auth.localhost", "/.gateway/connect", `{"client_first":"n,,n=%s,r=%[1]s","want":"token"}`, nil, http.StatusOK},
	{"POST", "auth.localhost", "/.gateway/login", `{"user":"%s","challenge_id":"%[1]s","challenge_reply":"c=biws,r=%[1]s,p=AAAA","want":"token"}`, nil, http.StatusBadRequest},
	{"GET", "%s.localhost", "/", "", nil, http.StatusMisdirectedRequest},
}

// Strangers leave nothing in memory, however many come and whatever they send:
// no request of theirs is remembered, and none is let in.
func TestFaultCrowdOfStrangers(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	t.Cleanup(app.Close)
	l := newSite(t, false, fmt.Sprintf("log: {level: error}\napps:\n  one: {host: one.localhost, upstream: %q, rules: [{paths: [/public/**], allow: everyone}, {allow: signed-in}]}\n", app.URL)).serve().load()
	each := 500
	if soak(t) > 0 {
		each = 100_000
	}
	l.strangers(500) // until every pool and cache is what it will be
	// The detector of races, in this program, has memory of its own that grows:
	// what is resident is no measure here, what the program itself took is.
	base, goroutines := l.metric("go_memstats_sys_bytes"), l.metric("go_goroutines")
	for range again(t, 2) {
		l.strangers(each)
		l.transport.CloseIdleConnections()
		eventually(t, "goroutines come back to base", func() bool { return l.metric("go_goroutines") <= goroutines+10 })
		if got := l.metric("go_memstats_sys_bytes"); got > base*1.5+32<<20 {
			t.Fatalf("%.0f MB of memory, %.0f MB after the first of them", got/1e6, base/1e6)
		}
		l.out.forget()
	}
	t.Logf("%.0f MB of memory, %.0f MB after the first of them", l.metric("go_memstats_sys_bytes")/1e6, base/1e6)
}

// strangers send each ask so many times.
func (l *load) strangers(times int) {
	l.t.Helper()
	var wrong atomic.Pointer[error]
	together(8, func(worker int) {
		for n := worker; n < times*len(asks) && wrong.Load() == nil; n += 8 {
			if err := l.stranger(n % len(asks)); err != nil {
				wrong.Store(&err)
			}
		}
	})
	if err := wrong.Load(); err != nil {
		l.t.Fatal(*err)
	}
}

func (l *load) stranger(which int) error {
	a, word := asks[which], rand.Text()
	say := func(format string) string {
		if !bytes.Contains([]byte(format), []byte("%")) {
			return format
		}
		return fmt.Sprintf(format, word)
	}
	address, err := url.Parse(l.at(say(a.host)) + say(a.path))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(l.t.Context(), a.method, address.String(), bytes.NewReader([]byte(say(a.body))))
	if err != nil {
		return err
	}
	for name, values := range a.header {
		req.Header.Set(name, say(values[0]))
	}
	if a.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Forwarded-For", somewhere())
	status, err := l.ask(req, "")
	if err == nil && status != a.want {
		err = errors.New("not as expected")
	}
	if err != nil {
		return fmt.Errorf("%s %s is answered %d, want %d: %w", a.method, address, status, a.want, err)
	}
	return nil
}
