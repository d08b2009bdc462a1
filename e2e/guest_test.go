package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Somebody without an account opens a link, presses its button, and sees what
// it names, behind each front proxy, until it is ended.
func TestGuest(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			s := newSite(t, true, twoApps).serve()
			f.start(t, s, app, other)
			made := mustCLI(t, "", "guest", "create", "auditors", "--host", "one.localhost", "--path", "/reports/**", "--config", s.config)
			link := strings.TrimSpace(made[strings.Index(made, "http://"):])

			b := browser(t)
			b.open(link)
			b.await("what it is", `document.body.innerText.includes("/reports/**") && document.body.innerText.includes("one.localhost")`)
			b.do("narrow", chromedp.EmulateViewport(320, 640))
			b.await("nothing sticks out", `document.documentElement.scrollWidth <= 320`)
			if app.hits() != 0 {
				t.Fatal("opening the link asked the app")
			}
			b.click(`form button[type="submit"]`)
			b.awaitAddress(s.at("one.localhost") + "/reports/")
			got := app.last(t)
			if got.URI != "/reports/" || got.Header.Get("Remote-User") != "" || got.Header.Get("X-Gateway-Jwt-Assertion") != "" {
				t.Errorf("the app sees %+v", got)
			}
			b.open(s.at("one.localhost") + "/other")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")

			_, id, _ := strings.Cut(made, "guest revoke ")
			mustCLI(t, "", "guest", "revoke", strings.Fields(id)[0], "--config", s.config)
			app.forget()
			b.open(s.at("one.localhost") + "/reports/2026")
			b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
			if app.asked("/reports") {
				t.Error("the link was ended, and the app asked")
			}
		})
	}
}
