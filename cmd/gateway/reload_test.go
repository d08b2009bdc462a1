package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway/internal/config"
	"gateway/internal/demo"
	"gateway/internal/secret"
)

const portalOnly = `url: http://auth.localhost:$LISTEN
listen: 127.0.0.1:$LISTEN
authz: {listen: "127.0.0.1:$AUTHZ"}
management: 127.0.0.1:$MANAGEMENT
trusted_proxies: [127.0.0.1/32]
data: $FOLDER/data
`

const everybody = portalOnly + `apps:
  wiki: {host: wiki.localhost, upstream: "$APP", allow: signed-in}
`

// ways are those in which a request for the wiki is judged.
func (r *running) ways(token string) [3]int {
	r.Helper()
	return [3]int{
		r.ask("http://wiki.localhost:$LISTEN/", token),
		r.ask("http://127.0.0.1:$AUTHZ/.gateway/authz/forward-auth", token,
			"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "wiki.localhost:$LISTEN", "X-Forwarded-Uri", "/", "X-Forwarded-For", "192.0.2.1"),
		r.ask("http://127.0.0.1:$AUTHZ/.gateway/authz/auth-request", token,
			"X-Original-Method", "GET", "X-Original-Url", "http://wiki.localhost:$LISTEN/", "X-Forwarded-For", "192.0.2.1"),
	}
}

// Whoever may no longer pass is refused at the next check, in every dialect,
// and whoever may again passes, with the session from before.
func TestReloadCountsAtOnce(t *testing.T) {
	t.Parallel()
	r := runHouse(t, everybody)
	r.add()
	token, err := r.token(password, "http://wiki.localhost:"+r.ports.Replace("$LISTEN"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, text string
		want       [3]int
	}{
		{"as it began", everybody, [3]int{200, 200, 200}},
		{"others alone", strings.Replace(everybody, "signed-in", "{users: [bob]}", 1), [3]int{403, 403, 403}},
		{"her too", strings.Replace(everybody, "signed-in", "{users: [bob, alice]}", 1), [3]int{200, 200, 200}},
		{"another proxy", strings.Replace(everybody, "127.0.0.1/32", "192.0.2.7", 1), [3]int{200, 403, 403}},
		{"no such app", portalOnly, [3]int{421, 403, 403}},
		{"the door shut", everybody + "local: {enabled: false}\n", [3]int{401, 401, 401}},
		{"and open", everybody, [3]int{200, 200, 200}},
		{"sessions that end sooner", everybody + "sessions: {idle: 2m, lifetime: 5m}\n", [3]int{200, 200, 200}},
	} {
		r.mustReload(step.text)
		if got := r.ways(token); got != step.want {
			t.Errorf("%s: own proxy, forward-auth and auth-request answer %v, want %v", step.name, got, step.want)
		}
	}
}

// A configuration that is wrong in any way changes nothing, and the log says
// everything that is wrong with it.
func TestReloadRefuses(t *testing.T) {
	t.Parallel()
	r := runHouse(t, everybody)
	_, busy, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	r.write("stranger.pem", "no key")
	open := strings.Replace(everybody, "signed-in", "everyone", 1)
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"two unknown keys", open + "nonsense: 1\nmore: 2\n", []string{"gateway.yaml:9: nonsense: unknown key", "gateway.yaml:10: more: unknown key"}},
		{"no YAML", open + "\t", []string{"gateway.yaml:"}},
		{"nothing", "", []string{"gateway.yaml"}},
		{"another url", strings.Replace(open, "auth.localhost", "portal.localhost", 1), []string{"gateway.yaml:1: url: changing it needs a restart"}},
		{"other data", strings.Replace(open, "/data", "/other", 1), []string{"gateway.yaml:6: data: changing it needs a restart"}},
		{"both", strings.NewReplacer("auth.localhost", "portal.localhost", "/data", "/other").Replace(open), []string{"url: changing it needs a restart", "data: changing it needs a restart"}},
		{"a listener that is taken", strings.Replace(open, "127.0.0.1:$MANAGEMENT", busy.Addr().String(), 1), []string{"management", "address already in use"}},
		{"no secret", open + "providers:\n  corp: {issuer: \"http://127.0.0.1:1\", client_id: x, client_secret_file: none}\n", []string{"gateway.yaml:10: providers.corp.client_secret_file", "no such file"}},
		{"a rule for nobody", strings.Replace(open, "allow: everyone", "rules: []", 1), []string{"apps.wiki"}},
	} {
		err := r.reload(row.text)
		if err == nil {
			t.Errorf("%s: reloaded", row.name)
			continue
		}
		said := r.out.String()
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) || !strings.Contains(said, want) {
				t.Errorf("%s: the log does not say %q, the reload said: %v", row.name, want, err)
			}
		}
		if got := r.ask("http://wiki.localhost:$LISTEN/", ""); got != http.StatusUnauthorized {
			t.Errorf("%s: nobody is answered %d, want 401: the one from before stays in effect", row.name, got)
		}
		if got := r.ask("http://127.0.0.1:$MANAGEMENT/healthz", ""); got != http.StatusOK {
			t.Errorf("%s: /healthz answers %d", row.name, got)
		}
	}
	r.mustReload(open)
	if got := r.ask("http://wiki.localhost:$LISTEN/", ""); got != http.StatusOK {
		t.Errorf("nobody is answered %d, want 200: it is right again", got)
	}
}

// Files tell by themselves that they have changed, once.
func TestReloadByItself(t *testing.T) {
	t.Parallel()
	r := runHouse(t, everybody)
	r.write("gateway.yaml", everybody+"nonsense: 1\n")
	r.complaints(<-r.ended)
	time.Sleep(3 * lookEvery) // tried again and again, told once
	if n := strings.Count(r.out.String(), "unknown key"); n != 1 {
		t.Errorf("the complaint is told %d times, want once", n)
	}
	r.write("gateway.yaml", portalOnly)
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	if got := r.ask("http://wiki.localhost:$LISTEN/", ""); got != http.StatusMisdirectedRequest {
		t.Errorf("an app that is gone answers %d", got)
	}
	if err := os.WriteFile(r.path("new"), []byte(r.ports.Replace(everybody)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(r.path("new"), r.path("gateway.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
}

// A sign-in that has begun goes on, by password and at a provider, and a
// provider that stays is not asked again what it has said; throttles count on.
func TestReloadKeepsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	r := runHouse(t, everybody)
	r.add()
	reloads := 0
	again := func() {
		reloads++
		r.mustReload(everybody + fmt.Sprintf("sessions: {idle: %dm}\n", 10+reloads))
	}
	if _, err := r.token(password, "", func(req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/login") {
			again()
		}
	}); err != nil || reloads != 1 {
		t.Errorf("a sign-in over %d reloads: %v, want one, and it goes on", reloads, err)
	}
	for range 100 { // a reload after each wrong one: they add up all the same
		_, err := r.token("wrong", "", nil)
		if err != nil && strings.Contains(err.Error(), "TooManyAttempts") {
			return
		}
		again()
	}
	t.Error("a hundred wrong passwords, and no throttle")
}

// A provider that stays as it was is not asked again, and a sign-in at it goes
// on; one that changes is asked anew, and one that goes leaves nothing running.
func TestReloadKeepsProviders(t *testing.T) {
	t.Parallel()
	r := runHouse(t, portalOnly)
	issuer := "http://127.0.0.1:" + r.ports.Replace("$OTHER")
	corp, err := demo.NewProvider(issuer, demo.Client{ID: "gateway", Secret: secret.New("s"), RedirectURI: r.portal + "/.gateway/callback/corp", LogoutURI: r.portal + "/"})
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	socket, err := bind(t.Context(), "tcp", strings.TrimPrefix(issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/openid-configuration") {
			asked.Add(1)
		}
		corp.ServeHTTP(w, req)
	}))
	_ = provider.Listener.Close()
	provider.Listener = socket
	provider.Start()
	t.Cleanup(provider.Close)
	with := everybody + "providers:\n  corp: {issuer: \"http://127.0.0.1:$OTHER\", client_id: gateway, client_secret: s}\n"
	r.mustReload(with)

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Transport: r.here(nil), Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(address string, form url.Values) (status int, location string) {
		t.Helper()
		method, body := http.MethodGet, ""
		if form != nil {
			method, body = http.MethodPost, form.Encode()
		}
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Location")
	}
	_, begun := visit(r.portal+"/.gateway/start/corp", nil)
	at, err := url.Parse(begun)
	if err != nil || !strings.HasPrefix(begun, issuer) {
		t.Fatalf("the sign-in leads to %q, want the provider", begun)
	}
	r.mustReload(with + "sessions: {idle: 10m}\n")
	choice := at.Query()
	choice.Set("person", "c4r01")
	_, back := visit(issuer+"/authorize", choice)
	r.mustReload(with)
	if status, to := visit(back, nil); status != http.StatusSeeOther || !strings.HasPrefix(to, r.portal) {
		t.Errorf("the callback is answered %d to %q, want 303 into the portal", status, to)
	}
	if status, _ := visit(r.portal+"/.gateway/connect", nil); status != http.StatusOK {
		t.Errorf("connect is answered %d", status)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the provider was asked %d times who it is, want once", n)
	}
	r.mustReload(strings.Replace(with, "client_secret: s", "client_secret: other", 1))
	eventuallyTrue(t, "the provider is asked again under another registration", func() bool { return asked.Load() == 2 })
}

// A thousand reloads, half of them of what is wrong, leave nothing behind, and
// nobody who asks meanwhile is told that something is wrong.
func TestThousandReloads(t *testing.T) {
	r := runHouse(t, everybody)
	r.add()
	token, err := r.token(password, "http://wiki.localhost:"+r.ports.Replace("$LISTEN"), nil)
	if err != nil {
		t.Fatal(err)
	}
	variants := []string{
		everybody + "sessions: {idle: 10m}\n",
		everybody + "nonsense: 1\n",
		strings.Replace(everybody, "$MANAGEMENT", "$OTHER", 1) + "providers:\n  corp: {issuer: \"http://127.0.0.1:1\", client_id: x}\n",
		strings.Replace(everybody, "$FOLDER/data", "$FOLDER/elsewhere", 1),
		everybody + "  more: {host: more.localhost, upstream: \"$APP/\", allow: everyone}\nlog: {format: text}\n",
		everybody + "providers:\n  corp: {issuer: \"nonsense\", client_id: x}\n",
	}
	round := func() {
		for i, text := range variants {
			if err := r.reload(text); (err != nil) != (i%2 == 1) {
				t.Fatalf("variant %d: %v", i, err)
			}
			r.ask("http://more.localhost:$LISTEN/", "")
		}
	}
	for range 5 {
		round()
	}
	r.mustReload(portalOnly) // no app: no connections to one
	goroutines, before := runtime.NumGoroutine(), heap()
	r.mustReload(everybody)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	var answers sync.Map
	for range 2 {
		asking.Go(func() {
			for ctx.Err() == nil {
				answers.Store(r.ways(token), true)
			}
		})
	}
	for range 1000 / len(variants) {
		round()
	}
	stop()
	asking.Wait()
	for got := range answers.Range {
		if got != [3]int{200, 200, 200} {
			t.Errorf("a person who may pass is answered %v", got)
		}
	}
	r.mustReload(portalOnly)
	eventuallyTrue(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventuallyTrue(t, "the heap comes back to what it was", func() bool { return heap() <= before+8<<20 })
}

// heap is what the process holds, without what is garbage.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func eventuallyTrue(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Listeners move, also to a place that overlaps the one they have, and stay
// where the new place is not to be had.
func TestReloadMovesListeners(t *testing.T) {
	t.Parallel()
	r := runHouse(t, portalOnly)
	_, busy, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	const health, other = "http://127.0.0.1:$MANAGEMENT/healthz", "http://127.0.0.1:$OTHER/healthz"
	at := func(address string) string {
		return strings.Replace(portalOnly, "127.0.0.1:$MANAGEMENT", `"`+address+`"`, 1)
	}
	for _, step := range []struct {
		name, text     string
		health, others int
		refused        bool
	}{
		{"where it was", portalOnly, 200, 0, false},
		{"elsewhere", at("127.0.0.1:$OTHER"), 0, 200, false},
		{"back", portalOnly, 200, 0, false},
		{"wider", at(":$MANAGEMENT"), 200, 0, false},
		{"narrower", portalOnly, 200, 0, false},
		{"a place that is taken", at(busy.Addr().String()), 200, 0, true},
		{"one wider, one taken", strings.Replace(at(":$MANAGEMENT"), "127.0.0.1:$AUTHZ", busy.Addr().String(), 1), 200, 0, true},
		{"two that change places", strings.NewReplacer("$MANAGEMENT", "$AUTHZ", "$AUTHZ", "$MANAGEMENT").Replace(portalOnly), 404, 0, false},
		{"and back", portalOnly, 200, 0, false},
		{"no check", strings.Replace(portalOnly, "authz:", "#", 1), 200, 0, false},
	} {
		if err := r.reload(step.text); (err != nil) != step.refused {
			t.Errorf("%s: reload = %v, want refused: %t", step.name, err, step.refused)
		}
		if got := r.ask(health, ""); got != step.health {
			t.Errorf("%s: %s answers %d, want %d", step.name, health, got, step.health)
		}
		if got := r.ask(other, ""); got != step.others {
			t.Errorf("%s: %s answers %d, want %d", step.name, other, got, step.others)
		}
		if got := r.ask("http://auth.localhost:$LISTEN/.gateway/connect", ""); got != http.StatusOK {
			t.Errorf("%s: the portal answers %d", step.name, got)
		}
	}
	if got := r.ask("http://127.0.0.1:$AUTHZ/", ""); got != 0 {
		t.Errorf("a listener that is off answers %d", got)
	}
}

// The log changes its form and level with the configuration, also under
// loggers that were derived before.
func TestReloadLog(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := logsTo(&out, config.Log{Format: config.JSON})
	early := l.logger().With(slog.String("room", "store")).WithGroup("of")
	early.Debug("too low")
	early.Info("first", slog.Int("n", 1))
	l.shape(config.Log{Format: config.Text, Level: slog.LevelDebug})
	early.Debug("second", slog.Int("n", 2))
	l.shape(config.Log{Format: config.Text, Level: slog.LevelWarn})
	early.Info("too low")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], `"msg":"first","room":"store","of":{"n":1}}`) || !strings.HasSuffix(lines[1], "level=DEBUG msg=second room=store of.n=2") {
		t.Errorf("the log reads %q", lines)
	}
}
