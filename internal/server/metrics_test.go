package server_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample is one line of /metrics: what it is of, and how much.
var sample = regexp.MustCompile(`^([a-z_]+(?:\{[^}]*\})?) ([^ ]+)$`)

// metrics scrapes the front's metrics. They speak of panics and goroutines,
// which no other answer may.
func (h *house) metrics() map[string]float64 {
	h.Helper()
	page := httptest.NewRecorder()
	h.server.ManagementHandler().ServeHTTP(page, httptest.NewRequestWithContext(h.Context(), http.MethodGet, "/metrics", nil))
	if page.Code != http.StatusOK || page.Header().Get("Cache-Control") != "no-store" {
		h.Fatalf("/metrics: status %d, %v", page.Code, page.Header())
	}
	all := map[string]float64{}
	for line := range strings.Lines(page.Body.String()) {
		if m := sample.FindStringSubmatch(strings.TrimSpace(line)); m != nil && strings.HasPrefix(m[1], "gateway_") {
			value, err := strconv.ParseFloat(m[2], 64)
			h.must(err)
			all[m[1]] = value
		}
	}
	return all
}

// counted returns by how much counters have grown, leaving out those that have not.
func (h *house) counted(before map[string]float64) map[string]float64 {
	h.Helper()
	grown := map[string]float64{}
	for name, now := range h.metrics() {
		if now != before[name] && !strings.Contains(name, "_seconds_") && !strings.HasPrefix(name, "gateway_streams{") {
			grown[name] = now - before[name]
		}
	}
	return grown
}

func check(app, way, outcome string) string {
	return `gateway_checks_total{app="` + app + `",outcome="` + outcome + `",way="` + way + `"}`
}

func signIn(origin, outcome string) string {
	return `gateway_sign_ins_total{origin="` + origin + `",outcome="` + outcome + `"}`
}

// known is what the program says of its configuration.
func (h *house) known() {
	h.server.Metrics.Know([]string{"wiki", "board", "tools", "down"}, []string{"local", "corp", "guests"})
}

// A story of requests is counted exactly: each check once, by app, way in and
// outcome, and each sign-in.
func TestChecksAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	alice, bob := h.at(h.alice), h.at(h.bob)
	before := h.metrics()
	for way, dialect := range map[string]string{"forward_auth": forwardAuth, "auth_request": authRequest, "ext_authz": extAuthz} {
		h.asks(dialect, h.about("/public/x")).wants(http.StatusOK)
		h.asks(dialect, h.about("/x", alice...)).wants(http.StatusOK)
		h.asks(dialect, h.about("/x")).wants(http.StatusUnauthorized)
		h.asks(dialect, h.about("/admin/x", bob...)).wants(http.StatusForbidden)
		h.asks(dialect, h.about("/closed/x", alice...)).wants(http.StatusForbidden)
		elsewhere := h.about("/x", alice...)
		elsewhere.host = "nowhere.example.com"
		h.asks(dialect, elsewhere).wants(http.StatusForbidden)
		h.rawTo(h.authz.Listener.Addr(), trusted, h.about("/x").with(dialect))
		h.rawTo(h.authz.Listener.Addr(), stranger, h.about("/public/x").text(dialect)).wants(http.StatusForbidden)
		want := map[string]float64{
			check("wiki", way, "allowed"): 2, check("wiki", way, "sign_in"): 1, check("wiki", way, "refused"): 2,
			check("unknown", way, "refused"): 1, check("unknown", way, "malformed"): 1, "gateway_untrusted_peers_total": 1,
		}
		if got := h.counted(before); !maps.Equal(got, want) {
			t.Errorf("%s: counted %v, want %v", way, got, want)
		}
		before = h.metrics()
	}
	h.program().get(h.Wiki+"/x", alice...).wants(http.StatusOK)
	h.program().get(h.Wiki + "/x").wants(http.StatusUnauthorized)
	h.program().get(h.Wiki+"/admin/x", bob...).wants(http.StatusForbidden)
	h.program().get(h.Wiki + "/.gateway/connect").wants(http.StatusOK) // ours: no check
	h.raw(h.page("/a%2fb")).wants(http.StatusBadRequest)
	want := map[string]float64{
		check("wiki", "proxy", "allowed"): 1, check("wiki", "proxy", "sign_in"): 1, check("wiki", "proxy", "refused"): 1, check("unknown", "proxy", "malformed"): 1,
	}
	if got := h.counted(before); !maps.Equal(got, want) {
		t.Errorf("proxy: counted %v, want %v", got, want)
	}
	if m := h.metrics(); m[`gateway_check_duration_seconds_count{way="forward_auth"}`] != 7 || m[`gateway_check_duration_seconds_bucket{way="proxy",le="+Inf"}`] < 4 {
		t.Errorf("durations: %v", m)
	}
}

// What cannot be told is counted as such, a panic too.
func TestWhatCannotBeToldIsCounted(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	alice := h.at(h.alice)
	before := h.metrics()
	h.watch.failing.Store(true)
	h.watch.panics.Store(true)
	working := h.server.Sessions.Store
	h.asksOf(broken{})
	h.asks(forwardAuth, h.about("/x", alice...)).wants(http.StatusServiceUnavailable)
	h.asksOf(working)
	h.uncached()
	h.must(h.store.Close())
	h.asks(authRequest, h.about("/x", alice...)).wants(http.StatusServiceUnavailable)
	want := map[string]float64{
		check("unknown", "forward_auth", "unavailable"): 1, "gateway_panics_total": 1, check("wiki", "auth_request", "unavailable"): 1,
	}
	if got := h.counted(before); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestSignInsAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	h.clock.stop()
	before := h.metrics()
	h.as(h.alice)
	h.daves()
	b := h.browser()
	for range 5 {
		b.login(nobody("bob")).wants(http.StatusUnauthorized)
	}
	b.login(nobody("bob")).wants(http.StatusTooManyRequests)
	for _, origin := range []string{"corp", "nowhere", "alice@mail.example"} {
		b.post(h.Portal+"/.gateway/login", object("auth_origin", origin, "token", "x.y.z"))
	}
	h.clock.pass(24 * time.Hour)
	b = h.browser()
	body := nobody("bob").answers(b.connect("bob"))
	h.watch.failing.Store(true)
	h.must(h.store.Close())
	b.post(h.Portal+"/.gateway/login", body).wants(http.StatusServiceUnavailable)
	want := map[string]float64{
		signIn("local", "done"): 1, signIn("corp", "done"): 1, signIn("local", "refused"): 5, signIn("local", "throttled"): 1,
		signIn("corp", "refused"): 1, signIn("unknown", "refused"): 2, signIn("local", "failed"): 1,
	}
	got := h.counted(before)
	maps.DeleteFunc(got, func(name string, _ float64) bool { return strings.HasPrefix(name, "gateway_checks_total") })
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// Whatever strangers send, no label has a value that was not known before.
func TestStrangersMakeNoLabels(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	labels := func() []string { return slices.Sorted(maps.Keys(h.metrics())) }
	before := labels()
	for _, evil := range []string{"evil.example", "wiki.example.net.evil.example", "x\"} 1", "*.wiki.example.net", strings.Repeat("a", 300), "[::1]", "auth.example.com"} {
		for _, dialect := range dialects {
			q := h.about("/"+evil, "Cookie", h.site.sessionCookie+"="+evil, "Authorization", "Bearer "+evil)
			q.host = evil
			h.asks(dialect, q)
			q = h.about("/x/"+evil, "User-Agent", evil)
			q.method = evil
			h.asks(dialect, q)
		}
		h.raw(strings.Replace(get("/"+evil), "Host: authz", "Host: "+evil, 1))
		h.program().post(h.Portal+"/.gateway/login", object("auth_origin", evil, "token", "no.such.token"))
		h.program().get(h.Portal + "/.gateway/start/corp?rd=/" + strings.Repeat("b", 20))
		b := h.browser()
		b.login(nobody("evil" + strconv.Itoa(len(evil))))
	}
	if after := labels(); !slices.Equal(after, before) {
		t.Errorf("before: %q\nafter: %q", before, after)
	}
}

// Counters of a configuration that has gone stay, so that none falls.
func TestCountersNeverFall(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	h.asks(forwardAuth, h.about("/public/x")).wants(http.StatusOK)
	h.server.Metrics.Know([]string{"wiki", "new"}, []string{"local"})
	h.asks(forwardAuth, h.about("/public/x")).wants(http.StatusOK)
	m := h.metrics()
	_, fresh := m[check("new", "proxy", "allowed")]
	if _, old := m[check("tools", "proxy", "allowed")]; !fresh || !old || m[check("wiki", "forward_auth", "allowed")] != 2 {
		t.Errorf("after another configuration: %v", m)
	}
}

// What is under way is shown by its app, for as long as it is, and nothing
// stays: not of who has left, nor of who was cut, said goodbye to or not.
func TestStreamsAreShown(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	app := &lasting{}
	app.behind(h)
	_, bob := h.child(h.bob)
	shows := func(story string, wiki, board float64) {
		t.Helper()
		want := map[string]float64{`gateway_streams{app="wiki"}`: wiki, `gateway_streams{app="board"}`: board, `gateway_streams{app="tools"}`: 0, `gateway_streams{app="down"}`: 0}
		var got map[string]float64
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			got = h.metrics()
			maps.DeleteFunc(got, func(name string, _ float64) bool { return !strings.HasPrefix(name, "gateway_streams") })
			if maps.Equal(got, want) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: shown are %v, want %v", story, got, want)
			}
		}
	}
	shows("nobody has come", 0, 0)
	left := h.lasts("events", "/public/x", bob...)
	h.lasts("websocket", "/x", bob...)
	h.lasts("poll", "/x", bob...)
	h.shakes("accept=x&say=810568656c6c6f", 7, append(handshake13, bob...)...) // and its client does not answer the farewell
	shows("four", 4, 0)
	h.must(left.conn.Close())
	shows("one has left", 3, 0)
	h.must(h.server.Sessions.Revoke(t.Context(), h.rows().sessionOf(h.bob.id)))
	shows("the session has ended", 0, 0)
}
