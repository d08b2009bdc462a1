package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pages is a site of its own, of another origin: all it has are empty pages.
func pages(t *testing.T, host string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><title>elsewhere</title>")
	}))
	t.Cleanup(s.Close)
	return "http://" + host + s.URL[strings.LastIndex(s.URL, ":"):]
}

// says returns what a script comes to.
func (b *tab) says(script string) string {
	b.t.Helper()
	said, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("(async () => {"+script+"})()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail("script at %s: %v", b.address(), err)
	}
	return said
}

// A sibling's page, which the browser gives the session to, neither writes nor
// listens in a person's name, behind whichever front proxy.
func TestSiblingsBehindFrontProxies(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			s := newSite(t, true, twoApps).serve()
			s.addAlice()
			f.start(t, s, app, other)
			b := browser(t)
			b.open(s.at("one.localhost") + "/page")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
			b.signIn("alice", password)
			b.awaitAddress(s.at("one.localhost") + "/page")

			tries := fmt.Sprintf(`
				const address = %q;
				await fetch(address + "/transfer", {method: "POST", mode: "no-cors", credentials: "include"});
				await new Promise(done => { const s = new WebSocket(address.replace("http", "ws") + "/transfer"); s.onopen = s.onerror = done; });
				await fetch(address + "/looked", {mode: "no-cors", credentials: "include"});
				return "tried";`, s.at("one.localhost"))
			b.says(tries)
			if !app.asked("/transfer") || app.last(t).Header.Get("Remote-User") != "alice" {
				t.Fatal("the app's own page cannot write either")
			}
			app.forget()
			b.open(pages(t, "sibling.one.localhost"))
			b.says(tries)
			if app.asked("/transfer") {
				t.Error("a sibling's page wrote, or listened")
			}
			if !app.asked("/looked") || app.last(t).Header.Get("Remote-User") != "alice" {
				t.Error("the browser gives the sibling no session: the test shows nothing")
			}

			b.says(fmt.Sprintf(`const f = document.createElement("form"); f.method = "POST"; f.action = %q; document.body.append(f); f.submit(); return "";`, s.at("one.localhost")+"/transfer"))
			b.await("a page that says why", `document.body.innerText.includes("another site")`)
			if app.asked("/transfer") {
				t.Error("a sibling's form wrote")
			}
		})
	}
}

// A page of an origin that the app lists asks for something, is told where to
// sign in, and goes on once somebody has: by the browser's own rules, through
// each way in. The page of another origin learns nothing.
func TestSinglePageApp(t *testing.T) {
	own := front{"own proxy", func(*testing.T, *site, *echo, *echo) {}}
	for _, f := range append([]front{own}, fronts...) {
		t.Run(f.name, func(t *testing.T) {
			spa, app := pages(t, "spa.one.localhost"), startEcho(t)
			app.shares(spa)
			config := "apps:\n  one:\n    host: one.localhost\n    allow: signed-in\n    cross_origin: [\"" + spa + "\"]\n"
			behind := f.name != own.name
			if !behind {
				config += "    upstream: " + app.URL + "\n"
			}
			s := newSite(t, behind, config).serve()
			s.addAlice()
			f.start(t, s, app, app)
			ask := fmt.Sprintf(`
				try {
					const answer = await fetch(%q, {method: "PUT", credentials: "include", headers: {"Content-Type": "application/json"}, body: "{}"});
					const said = await answer.json();
					return [answer.status, answer.headers.get("X-Gateway-Sign-In"), answer.headers.get("WWW-Authenticate")?.split(", ")[0], said.error || said.Header["Remote-User"][0]].join(" ");
				} catch (e) { return e.name; }`, s.at("one.localhost")+"/api/thing?x=1")

			b := browser(t)
			b.open(spa)
			// nginx says the WWW-Authenticate of the check, and of what it shows.
			want := "401 " + s.at("one.localhost") + `/.gateway/sign-in?rd=%2Fapi%2Fthing%3Fx%3D1 Bearer realm="gateway" SessionExpired`
			if got := b.says(ask); got != want {
				t.Errorf("nobody: the page is told %q, want %q", got, want)
			}
			b.open(s.at("one.localhost") + "/.gateway/sign-in?rd=/")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
			b.signIn("alice", password)
			b.awaitAddress(s.at("one.localhost") + "/")
			b.open(spa)
			if got := b.says(ask); got != "200   alice" {
				t.Errorf("signed in: the page is told %q", got)
			}
			app.forget()
			b.open(pages(t, "sibling.one.localhost"))
			if got := b.says(ask); got != "TypeError" || app.asked("/api") {
				t.Errorf("another page is told %q", got)
			}
		})
	}
}
