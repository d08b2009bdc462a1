package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// recentApps ask for a proof of the last seconds; upstreams are empty behind a
// front proxy.
const recentApps = `apps:
  one: {host: one.localhost, %srules: [{paths: [/admin/**], allow: signed-in, max_age: 12s}, {allow: signed-in}]}
  two: {host: two.other.localhost, %sallow: signed-in}
`

// tooOld is true on a page of the app once the proof is: what is no page is told.
const tooOld = `(() => {
	const ask = new XMLHttpRequest();
	ask.open("GET", "/admin/fetched", false);
	ask.send();
	return ask.status === 401 && JSON.parse(ask.responseText).error === "FactorNeeded" && ask.getResponseHeader("X-Gateway-Sign-In").includes("/.gateway/sign-in?rd=%2Fadmin%2Ffetched");
})()`

// A page that asks for a recent proof leads to the portal, which asks whether it
// is still the same person, and back to the page; in several tabs, behind each
// front proxy and by the gateway's own.
func TestStepUp(t *testing.T) {
	own := front{"own proxy", nil}
	for _, f := range append([]front{own}, fronts...) {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			upstream := func(e *echo) string {
				if f.start != nil {
					return ""
				}
				return fmt.Sprintf("upstream: %q, ", e.URL)
			}
			s := newSite(t, f.start != nil, fmt.Sprintf(recentApps, upstream(app), upstream(other))).serve()
			if f.start != nil {
				f.start(t, s, app, other)
			}
			s.addAlice()
			b := browser(t)
			b.open(s.at("one.localhost") + "/admin/1")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
			b.signIn("alice", password)
			b.awaitAddress(s.at("one.localhost") + "/admin/1")
			b.await("the proof is too old", tooOld)
			app.forget()

			second := b.another()
			for _, tab := range []*tab{b, second} {
				tab.open(s.at("one.localhost") + "/admin/2?a=b")
				tab.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
				tab.await("whose proof it wants", `document.body.innerText.includes("Confirm that it is you") && document.querySelector("#user").value === "alice" && document.querySelector("#user").readOnly`)
				tab.await("where to begin", `document.activeElement === document.querySelector("#password")`)
			}
			b.do("narrow", chromedp.EmulateViewport(320, 640))
			b.await("nothing sticks out", `document.documentElement.scrollWidth <= 320`)
			b.enter("#password", "wrong horse battery staple")
			b.click("#submit")
			b.await("a refusal", `document.querySelector("#problem").textContent.includes("not right")`)
			if app.hits() != 0 {
				t.Fatalf("the app was asked %d times before the proof", app.hits())
			}
			b.enter("#password", password)
			b.click("#submit")
			b.awaitAddress(s.at("one.localhost") + "/admin/2?a=b")
			if !app.asked("/admin/2?a=b") || app.last(t).Header.Get("Remote-User") != "alice" {
				t.Errorf("the app sees %+v", app.last(t))
			}
			second.do("reload", chromedp.Reload())
			second.awaitAddress(s.at("one.localhost") + "/admin/2?a=b")
			second.open(s.at("two.other.localhost") + "/")
			second.awaitAddress(s.at("two.other.localhost") + "/")
			second.await("the other app", `document.querySelector("#seen")`)
		})
	}
}

// A provider that knows OpenID Connect asks the person again, and says so.
func TestStepUpAtAProvider(t *testing.T) {
	t.Parallel()
	app := startEcho(t)
	port := freePort(t)
	s := newSite(t, false, fmt.Sprintf("providers:\n  corp: {name: Corp, issuer: \"http://127.0.0.1:%d\", client_id: gateway, client_secret: \"a secret of the tests\"}\n", port)+
		fmt.Sprintf(recentApps, fmt.Sprintf("upstream: %q, ", app.URL), fmt.Sprintf("upstream: %q, ", app.URL)))
	startProvider(t, port, s.at("auth.localhost")+"/.gateway/callback/corp")
	s.serve()
	s.knows("corp")
	b := browser(t)
	b.open(s.at("one.localhost") + "/")
	b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
	b.click(`a[href^="/.gateway/start/corp"]`)
	b.atProvider("erin")
	b.awaitAddress(s.at("one.localhost") + "/")
	if got := app.last(t).Header.Get("Remote-Email"); got != "erin@corp.example" {
		t.Errorf("the app sees %q", got)
	}
	// This provider says when it asked only if it is asked for that: what it left
	// out at the first sign-in is no recent proof.
	b.open(s.at("one.localhost") + "/admin/1")
	b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
	b.await("whose proof it wants", `document.body.innerText.includes("Confirm that it is you") && !document.querySelector("#password")`)
	for i := range 2 {
		if i > 0 {
			b.await("the proof is too old", tooOld)
			b.open(s.at("one.localhost") + "/admin/1")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
			b.await("whose proof it wants", `document.body.innerText.includes("Confirm that it is you")`)
		}
		b.click(`a[href^="/.gateway/start/corp"]`)
		b.await("the provider asks again, or the app", `document.querySelector("input[name=login]") || document.querySelector("#seen")`)
		if !strings.HasPrefix(b.address(), s.at("one.localhost")) {
			b.enter(`input[name="login"]`, "erin")
			b.enter(`input[name="password"]`, "anything")
			b.click(`button[type="submit"]`)
		} else if i > 0 {
			t.Error("the provider did not ask again")
		}
		b.awaitAddress(s.at("one.localhost") + "/admin/1")
	}
	if got := strings.Count(mustCLI(t, "", "session", "list", "--config", s.config), "corp"); got == 0 {
		t.Error("no session by the provider is listed")
	}
}
