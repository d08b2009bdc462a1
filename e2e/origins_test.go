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
