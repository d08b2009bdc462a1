package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const corpSite = `providers:
  corp: {name: Corp, issuer: "http://127.0.0.1:%d", client_id: gateway, client_secret: "a secret of the tests"}
  other: {name: Other, issuer: "http://127.0.0.1:%d", client_id: gateway, client_secret: "a secret of the tests"}
apps:
  one: {host: one.localhost, upstream: "%s", allow: {groups: ["corp:engineering"]}}
  two: {host: two.other.localhost, upstream: "%s", allow: {email_domains: [corp.example]}}
`

// startProvider runs oidc-provider, an independent implementation.
func startProvider(t *testing.T, port int, redirects ...string) {
	t.Helper()
	p := start(t, need(t, "node"), append([]string{"op.mjs", fmt.Sprint(port)}, redirects...)...)
	eventually(t, "the provider is ready", func() bool { return strings.Contains(p.out.String(), "ready") })
}

// knows waits until the gateway has found a provider.
func (s *site) knows(origin string) {
	s.t.Helper()
	eventually(s.t, "the gateway has found "+origin, func() bool {
		resp, _ := visit(s.t, "GET", s.at("auth.localhost")+"/.gateway/start/"+origin, nil)
		return resp.StatusCode == http.StatusSeeOther
	})
}

// atProvider signs in on oidc-provider's own pages: name, any password, consent.
func (b *tab) atProvider(name string) {
	b.t.Helper()
	b.await("the provider's sign-in", `document.querySelector("input[name=login]")`)
	b.enter(`input[name="login"]`, name)
	b.enter(`input[name="password"]`, "anything")
	b.click(`button[type="submit"]`)
	b.await("the provider's consent", `document.body.innerText.includes("Continue") && !document.querySelector("input[name=login]")`)
	b.click(`button[type="submit"]`)
}

// A foreign person with the right group comes to the app as themselves; one
// whose address is not verified is not registered; a provider that is down
// harms only itself, and works again when it is back.
func TestForeignProvider(t *testing.T) { onEachWeb(t, foreignProvider) }

func foreignProvider(t *testing.T, w web) {
	t.Parallel()
	app := startEcho(t)
	port, down := freePort(t), freePort(t)
	s := w.newSite(t, false, fmt.Sprintf(corpSite, port, down, app.URL, app.URL))
	callback := s.at("auth.localhost") + "/.gateway/callback/"
	startProvider(t, port, callback+"corp")
	s.serve()
	s.knows("corp")

	b := browser(t)
	b.open(s.at("one.localhost") + "/deep/page")
	b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
	b.click(`a[href^="/.gateway/start/corp"]`)
	b.atProvider("erin")
	b.awaitAddress(s.at("one.localhost") + "/deep/page")
	got := app.last(t).Header
	if got.Get("Remote-Email") != "erin@corp.example" || got.Get("Remote-Groups") != "corp:engineering" {
		t.Errorf("the app sees %v", got)
	}
	if !strings.HasPrefix(got.Get("Remote-User"), "corp:") {
		t.Errorf("Remote-User = %q, want corp:…", got.Get("Remote-User"))
	}

	stranger := browser(t)
	stranger.open(s.at("auth.localhost") + "/")
	stranger.click(`a[href^="/.gateway/start/corp"]`)
	stranger.atProvider("frank")
	stranger.await("a refusal", `document.body.innerText.includes("not registered")`)
	if list := mustCLI(t, "", "user", "list", "--config", s.config); strings.Contains(list, "frank") {
		t.Errorf("frank became a user:\n%s", list)
	}

	stranger.open(s.at("auth.localhost") + "/.gateway/start/other")
	stranger.await("the other provider is down", `document.body.innerText.includes("does not answer")`)
	eventually(t, "the log says who is down", func() bool { return strings.Contains(s.out.String(), "provider cannot be used") })
	startProvider(t, down, callback+"other")
	eventually(t, "the other provider is back", func() bool {
		resp, _ := visit(t, "GET", s.at("auth.localhost")+"/.gateway/start/other", nil)
		return resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(resp.Header.Get("Location"), fmt.Sprintf("http://127.0.0.1:%d/", down))
	})
}

// What the command line changes counts at once in the running gateway, and
// what was acknowledged outlives a kill.
func TestTheCommandLineCountsAtOnce(t *testing.T) { onEachWeb(t, commandLineCountsAtOnce) }

func commandLineCountsAtOnce(t *testing.T, w web) {
	t.Parallel()
	app := startEcho(t)
	s := w.newSite(t, false, fmt.Sprintf("apps:\n  one: {host: one.localhost, upstream: %q, rules: [{paths: [/ops/**], allow: {groups: [ops]}}, {allow: signed-in}]}\n", app.URL)).serve()
	s.addAlice()
	b := browser(t)
	b.open(s.at("one.localhost") + "/")
	b.awaitAddress(s.at("auth.localhost"))
	b.signIn("alice", password)
	b.awaitAddress(s.at("one.localhost") + "/")

	b.open(s.at("one.localhost") + "/ops/")
	b.await("a refusal", `!document.querySelector("#seen")`)
	mustCLI(t, "", "user", "groups", "alice", "--add", "ops", "--config", s.config)
	b.open(s.at("one.localhost") + "/ops/")
	b.await("the app", `document.querySelector("#seen")`)

	s.stop(syscall.SIGKILL)
	s.serve()
	b.open(s.at("one.localhost") + "/ops/")
	b.await("the app, after a kill", `document.querySelector("#seen")`)

	if list := mustCLI(t, "", "session", "list", "--user", "alice", "--config", s.config); strings.Count(list, "alice") != 2 {
		t.Errorf("session list, want the portal's and the app's:\n%s", list)
	}
	mustCLI(t, "", "session", "revoke", "--user", "alice", "--config", s.config)
	b.open(s.at("one.localhost") + "/ops/")
	b.awaitAddress(s.at("auth.localhost"))
	b.signIn("alice", password)
	b.awaitAddress(s.at("one.localhost") + "/ops/")

	mustCLI(t, "", "user", "disable", "alice", "--config", s.config)
	b.open(s.at("one.localhost") + "/ops/")
	b.awaitAddress(s.at("auth.localhost"))
	if out, err := cli(t, password+"\n", "user", "add", "alice", "--password-stdin", "--config", s.config); err == nil {
		t.Errorf("a second alice was added:\n%s", out)
	}
	mustCLI(t, "", "user", "delete", "alice", "--config", s.config)
	if out, err := cli(t, password+"\n", "user", "add", "alice", "--password-stdin", "--config", s.config); err == nil {
		t.Errorf("a login was reissued:\n%s", out)
	}
}

// Whoever has to be approved waits at a page that moves on by itself.
func TestApproval(t *testing.T) { onEachWeb(t, approval) }

func approval(t *testing.T, w web) {
	t.Parallel()
	app := startEcho(t)
	port := freePort(t)
	s := w.newSite(t, false, fmt.Sprintf(`providers:
  corp: {name: Corp, issuer: "http://127.0.0.1:%d", client_id: gateway, client_secret: "a secret of the tests", registration: approval}
apps:
  one: {host: one.localhost, upstream: "%s", allow: {groups: ["corp:engineering"]}}
`, port, app.URL))
	startProvider(t, port, s.at("auth.localhost")+"/.gateway/callback/corp")
	s.serve()
	s.knows("corp")

	b := browser(t)
	b.open(s.at("one.localhost") + "/deep/page")
	b.awaitAddress(s.at("auth.localhost") + "/.gateway/sign-in")
	b.click(`a[href^="/.gateway/start/corp"]`)
	b.atProvider("erin")
	b.awaitAddress(s.at("auth.localhost") + "/.gateway/wait")
	fields := strings.Fields(mustCLI(t, "", "user", "list", "--waiting", "--config", s.config))
	login := fields[6] // the first below the heads
	if !strings.HasPrefix(login, "corp:") {
		t.Fatalf("user list --waiting: %q", fields)
	}
	b.await("the page names the account", fmt.Sprintf(`document.querySelector("dd code").textContent === %q`, login))
	mustCLI(t, "", "user", "approve", login, "--config", s.config)
	b.awaitAddress(s.at("one.localhost") + "/deep/page")
	if got := app.last(t).Header.Get("Remote-User"); got != login {
		t.Errorf("Remote-User = %q, want %q", got, login)
	}
}
