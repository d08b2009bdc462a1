package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// demo is a running `gateway demo`, or its like in the secure web.
type demo struct {
	*process
	web
	port      int
	passwords map[string]string
}

// stage starts the demo, which is plain, or what it shows over TLS.
func (w web) stage(t *testing.T) *demo {
	t.Helper()
	if w.scheme == "http" {
		return startDemo(t)
	}
	app := startEcho(t)
	s := w.newSite(t, false, fmt.Sprintf(`apps:
  whoami: {host: whoami.localhost, upstream: %[1]q, allow: signed-in}
  wiki:
    host: wiki.test.localhost
    upstream: %[1]q
    rules: [{paths: [/admin/**], allow: {groups: [gateway-admins]}}, {allow: {groups: [staff]}}]
log: {level: warn, format: text}
`, app.URL)).serve()
	s.addAlice("--email", "alice@demo.example", "--group", "staff", "--group", "gateway-admins")
	mustCLI(t, password+"\n", "user", "add", "bob", "--password-stdin", "--group", "staff", "--config", s.config)
	return &demo{process: s.process, web: w, port: s.public, passwords: map[string]string{"alice": password, "bob": password}}
}

func startDemo(t *testing.T) *demo {
	t.Helper()
	d := &demo{web: plain, port: freePort(t), passwords: map[string]string{}}
	d.process = start(t, program, "demo", "--listen", fmt.Sprintf("127.0.0.1:%d", d.port))
	eventually(t, "the demo is ready", func() bool { return strings.Contains(d.out.String(), "is running") })
	for _, m := range regexp.MustCompile(`(?m)^  (alice|bob) +(\S+)$`).FindAllStringSubmatch(d.out.String(), -1) {
		d.passwords[m[1]] = m[2]
	}
	if len(d.passwords) != 2 {
		t.Fatalf("the demo printed no two passwords:\n%s", d.out.String())
	}
	return d
}

func (d *demo) at(host string) string {
	return fmt.Sprintf("%s://%s:%d", d.scheme, d.hosts.Replace(host), d.port)
}

// cookie is what the session's cookie is called.
func (d *demo) cookie() string {
	if d.scheme == "https" {
		return "__Host-gateway"
	}
	return "gateway"
}

func (d *demo) portal() string { return d.at("auth.localhost") }
func (d *demo) whoami() string { return d.at("whoami.localhost") }
func (d *demo) wiki() string   { return d.at("wiki.test.localhost") }

// A person opens a protected app, signs in by password, lands in the app as
// themselves, goes to an app on another domain without being asked again, and
// signs out of everything at once.
func TestPasswordSignInServesEveryDomain(t *testing.T) { onEachWeb(t, passwordSignInServesEveryDomain) }

func passwordSignInServesEveryDomain(t *testing.T, w web) {
	t.Parallel()
	d := w.stage(t)
	b := browser(t)

	b.open(d.whoami() + "/hello?x=1&y=%2B")
	b.awaitAddress(d.portal() + "/.gateway/sign-in")
	b.signIn("alice", d.passwords["alice"])
	b.awaitAddress(d.whoami() + "/hello?x=1&y=%2B")
	if text := b.text(); !strings.Contains(text, "alice") || !strings.Contains(text, "alice@demo.example") {
		t.Errorf("whoami shows no alice:\n%s", text)
	}

	other := b.another()
	other.open(d.wiki() + "/admin/")
	other.awaitAddress(d.wiki() + "/admin/")
	if strings.Contains(other.address(), ".gateway") {
		t.Errorf("the second app asked again: %s", other.address())
	}

	for _, host := range []string{d.portal(), d.whoami(), d.wiki()} {
		c := b.cookie(host+"/", d.cookie())
		if strings.HasPrefix(c.Domain, ".") || c.Path != "/" || !c.HTTPOnly || c.Secure != (d.scheme == "https") || c.SameSite != network.CookieSameSiteLax {
			t.Errorf("the cookie of %s is %+v", host, c)
		}
	}

	b.open(d.portal() + "/")
	if text := b.text(); !strings.Contains(text, "whoami") || !strings.Contains(text, "wiki") {
		t.Errorf("the portal shows not both apps:\n%s", text)
	}
	b.open(d.portal() + "/.gateway/sign-out")
	b.click(`form button[type="submit"]`)
	b.await("signed out", `document.body.innerText.toLowerCase().includes("signed out")`)

	other.open(d.wiki() + "/admin/")
	other.awaitAddress(d.portal() + "/.gateway/sign-in")
	b.open(d.whoami() + "/")
	b.awaitAddress(d.portal() + "/.gateway/sign-in")
}

// The same with the provider that stands for a foreign one.
func TestForeignSignIn(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := browser(t)
	b.open(d.wiki() + "/")
	b.awaitAddress(d.portal() + "/.gateway/sign-in")
	b.click(`a[href^="/.gateway/start/demo"]`)
	b.await("the provider's page", `document.body.innerText.includes("Carol")`)
	b.click(`button[value="c4r01"]`)
	b.awaitAddress(d.wiki() + "/")
	if text := b.text(); !strings.Contains(text, "Carol") {
		t.Errorf("the wiki does not greet Carol:\n%s", text)
	}
}

// Several tabs begin a sign-in each; one person signs in once, and all arrive.
func TestSeveralTabsArrive(t *testing.T) { onEachWeb(t, severalTabsArrive) }

func severalTabsArrive(t *testing.T, w web) {
	t.Parallel()
	d := w.stage(t)
	first := browser(t)
	tabs := map[*tab]string{first: d.whoami() + "/one"}
	tabs[first.another()] = d.whoami() + "/two"
	tabs[first.another()] = d.wiki() + "/"
	for b, there := range tabs {
		b.open(there)
		b.awaitAddress(d.portal() + "/.gateway/sign-in")
	}
	first.signIn("bob", d.passwords["bob"])
	first.awaitAddress(tabs[first])
	for b, there := range tabs {
		if b != first {
			b.open(b.address()) // what a person does with a stale tab: reload
			b.awaitAddress(there)
		}
	}
}

// What a person may not see is refused with an id that the log knows.
func TestRefusalCarriesADecisionID(t *testing.T) { onEachWeb(t, refusalCarriesADecisionID) }

func refusalCarriesADecisionID(t *testing.T, w web) {
	t.Parallel()
	d := w.stage(t)
	b := browser(t)
	b.open(d.portal() + "/")
	b.signIn("bob", d.passwords["bob"])
	b.await("my apps", `document.body.innerText.includes("whoami")`)
	b.open(d.wiki() + "/")
	b.awaitAddress(d.wiki() + "/")
	b.open(d.wiki() + "/admin/")
	id := regexp.MustCompile(`[A-Z2-7]{26}`).FindString(b.text())
	if id == "" {
		b.fail("no decision_id on the refusal:\n%s", b.text())
	}
	eventually(t, "the log knows "+id, func() bool { return strings.Contains(d.out.String(), "decision_id="+id) })
}

// A wrong password is told in words, on the page, and nothing else changes.
func TestWrongPassword(t *testing.T) { onEachWeb(t, wrongPassword) }

func wrongPassword(t *testing.T, w web) {
	t.Parallel()
	d := w.stage(t)
	b := browser(t)
	b.open(d.portal() + "/")
	b.signIn("alice", "not the right password")
	b.await("a word about it", `[...document.querySelectorAll("[role=alert],[aria-live]")].some(e => e.textContent.trim() !== "")`)
	if b.address() != d.portal()+"/" {
		t.Errorf("went to %s", b.address())
	}
}

// The demo listens on loopback only.
func TestDemoRefusesOtherAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080", "localhost", "127.0.0.1:0", ""} {
		if out, err := cli(t, "", "demo", "--listen", address); err == nil || !strings.Contains(out, "loopback") {
			t.Errorf("demo --listen %q = %v\n%s", address, err, out)
		}
	}
}
