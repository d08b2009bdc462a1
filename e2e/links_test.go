package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// oneTime runs a command that prints a one-time link, and returns it.
func oneTime(t *testing.T, s *site, args ...string) string {
	t.Helper()
	for line := range strings.Lines(mustCLI(t, "", append(args, "--config", s.config)...)) {
		if strings.HasPrefix(line, "http://auth.localhost:") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("gateway %s printed no link", strings.Join(args, " "))
	return ""
}

// chooses fills in the form that a link opens.
func (b *tab) chooses(password string) {
	b.t.Helper()
	b.await("the form is ready", `document.querySelector("form[data-ready] fieldset:not(:disabled)")`)
	b.enter(`input[autocomplete="new-password"]`, password)
	b.click(`form button[type="submit"]`)
}

// A person whom an administrator has added chooses the password by a link and
// is signed in; another link lets them choose another, and ends the first
// session. The gateway never sees either.
func TestChoosingAPassword(t *testing.T) {
	t.Parallel()
	app := startEcho(t)
	s := newSite(t, false, fmt.Sprintf("local: {registration: invite}\napps:\n  one: {host: one.localhost, upstream: %q, allow: {groups: [ops]}}\n", app.URL)).serve()
	first := oneTime(t, s, "user", "add", "erin", "--invite", "--group", "ops")

	b := browser(t)
	b.open(first)
	b.await("who it is for", `document.getElementById("user").value === "erin" && document.getElementById("user").readOnly`)
	b.chooses("too short")
	b.await("it is too short", `document.querySelector('[role="alert"]').textContent.includes("too short")`)
	b.enter(`input[autocomplete="new-password"]`, " but now it is long enough")
	b.click(`form button[type="submit"]`)
	b.await("the apps", `document.title.startsWith("Your apps")`)
	b.open(s.at("one.localhost") + "/")
	b.await("the app", `document.querySelector("#seen")`)
	if got := app.last(t).Header.Get("Remote-User"); got != "erin" {
		t.Errorf("Remote-User = %q, want erin", got)
	}

	again := browser(t)
	again.open(first)
	again.await("the link is used", `document.body.innerText.includes("was used already")`)
	again.open(oneTime(t, s, "user", "reset", "erin"))
	again.await("what it does", `document.body.innerText.includes("signed out everywhere else")`)
	again.chooses("aaaaaaaaaaaaaaaaaaaa")
	again.await("it is too simple", `document.querySelector('[role="alert"]').textContent.includes("repeats")`)
	again.do("clear the field", chromedp.Clear(chromedp.CSS(`input[autocomplete="new-password"]`)))
	again.chooses("another four words for the door")
	again.await("the apps", `document.title.startsWith("Your apps")`)
	b.open(s.at("one.localhost") + "/")
	b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
	b.signIn("erin", "too short but now it is long enough")
	b.await("the old password is over", `document.querySelector('[role="alert"]').textContent.includes("not right")`)
	if text := s.out.String(); strings.Contains(text, "long enough") || strings.Contains(text, "four words") || strings.Contains(text, "code=") {
		t.Error("the log holds a password or a link")
	}
}

// Whoever holds an invitation comes in by the provider that it names, in the
// groups that it gives.
func TestInvitation(t *testing.T) {
	t.Parallel()
	app := startEcho(t)
	port := freePort(t)
	s := newSite(t, false, fmt.Sprintf(`providers:
  corp: {name: Corp, issuer: "http://127.0.0.1:%d", client_id: gateway, client_secret: "a secret of the tests", registration: invite}
apps:
  one: {host: one.localhost, upstream: "%s", allow: {groups: [guests]}}
`, port, app.URL))
	startProvider(t, port, s.at("auth.localhost")+"/.gateway/callback/corp")
	s.serve()
	b := browser(t)
	b.open(oneTime(t, s, "user", "invite", "--group", "guests", "--email", "erin@corp.example"))
	b.click(`form button[type="submit"]`)
	b.atProvider("erin")
	b.await("the apps", `document.title.startsWith("Your apps")`)
	b.open(s.at("one.localhost") + "/")
	b.await("the app", `document.querySelector("#seen")`)
	if got := app.last(t).Header; !strings.HasPrefix(got.Get("Remote-User"), "corp:") || got.Get("Remote-Groups") != "corp:engineering,guests" {
		t.Errorf("the app sees %v", got)
	}
	if list := mustCLI(t, "", "user", "invite", "list", "--config", s.config); strings.Contains(list, "erin") {
		t.Errorf("the invitation is left:\n%s", list)
	}
}
