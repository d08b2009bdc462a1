package server_test

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/hostiletest"
)

// step follows one redirect, and returns where the next one leads.
func (b *browser) step(address string) string {
	b.Helper()
	return b.resolve(address, b.navigate(address).wants(http.StatusSeeOther).location())
}

// begin goes to an app's sign-in and returns where it leads at the portal.
func (b *browser) begin(address string) string {
	b.Helper()
	return b.step(address)
}

// code goes through an app's sign-in up to the hand-off, whose address it returns.
func (b *browser) code(address string) string {
	b.Helper()
	return b.step(b.step(address))
}

// flows returns the cookies of open flows at a host.
func (b *browser) flows(origin string) []*http.Cookie {
	b.Helper()
	return slices.DeleteFunc(b.cookies(origin), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, b.site.enters) })
}

func TestHandoff(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.browser()
		const there = "/x/y?b=c%26d&e=%2F..%2F#no"
		page, way := b.visit(h.Wiki + "/x/y?b=c%26d&e=%2F..%2F")
		page.wants(http.StatusOK)
		if !strings.Contains(page.body, `id="local"`) || page.header.Get(echoes) != "" {
			t.Fatalf("a stranger ends at %s: %.300s", way[len(way)-1], page.body)
		}
		for i, begins := range []string{h.Wiki + "/x/y?", h.Wiki + "/.gateway/sign-in?rd=", h.Portal + "/.gateway/authorize?req=", h.Portal + "/.gateway/sign-in?rd="} {
			if i >= len(way) || !strings.HasPrefix(way[i], begins) {
				t.Fatalf("the way is %q, want step %d to begin with %s", way, i, begins)
			}
		}
		if got := len(b.flows(h.Wiki)); got != 1 {
			t.Errorf("%d flows are open, want 1", got)
		}
		b.login(h.alice).wants(http.StatusOK)
		page, back := b.visit(way[len(way)-1]) // the page reloads, the server redirects
		page.wants(http.StatusOK)
		for i, begins := range []string{h.Portal + "/.gateway/sign-in?rd=", h.Portal + "/.gateway/authorize?req=", h.Wiki + "/.gateway/handoff?code=", h.Wiki + "/x/y?"} {
			if i >= len(back) || !strings.HasPrefix(back[i], begins) {
				t.Fatalf("the way back is %q, want step %d to begin with %s", back, i, begins)
			}
		}
		got := h.echo.last(t)
		if want, _, _ := strings.Cut(there, "#"); got.Target != want || got.Header.Get("Remote-User") != "alice" || got.Header.Get("Remote-Groups") != "admins" {
			t.Errorf("the app sees %s as %q in %q, want %s as alice", got.Target, got.Header.Get("Remote-User"), got.Header.Get("Remote-Groups"), want)
		}
		if got := len(b.flows(h.Wiki)); got != 0 {
			t.Errorf("%d flows are open, want none", got)
		}
		if portal, wiki := b.kept(h.Portal, h.site.sessionCookie), b.kept(h.Wiki, h.site.sessionCookie); portal == "" || wiki == "" || portal == wiki {
			t.Error("want a session at the portal and another at the app")
		}
		page, way = b.visit(h.Board + "/")
		if page.wants(http.StatusOK); page.header.Get(echoes) == "" || len(way) != 5 {
			t.Errorf("the second app is reached by %q, want no page between", way)
		}
		if got := h.live(h.alice.id); got != 3 {
			t.Errorf("alice has %d sessions, want one at the portal and two children", got)
		}
	})
}

// A session counts where it was made for alone.
func TestCookiesCountAtOneHost(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		kept := map[string]string{}
		for _, origin := range []string{h.Wiki, h.Board, h.Portal} {
			b.visit(origin + "/x")
			kept[origin] = b.kept(origin, h.site.sessionCookie)
		}
		assertion := h.echo.last(t).Header.Get("X-Gateway-Jwt-Assertion")
		hits := h.echo.count()
		for _, row := range []struct{ story, value, at string }{
			{"of wiki", kept[h.Wiki], h.Board},
			{"of board", kept[h.Board], h.Wiki},
			{"of the portal", kept[h.Portal], h.Wiki},
			{"an assertion", assertion, h.Board},
			{"an assertion", assertion, h.Wiki},
		} {
			h.program().get(row.at+"/x", "Cookie", h.site.sessionCookie+"="+row.value).refuses(row.story, http.StatusUnauthorized, "SessionExpired")
			h.program().get(row.at+"/x", "Authorization", "Bearer "+row.value).refuses(row.story, http.StatusUnauthorized, "SessionExpired")
			h.program().get(row.at+"/.gateway/connect", "Cookie", h.site.sessionCookie+"="+row.value).refuses(row.story, http.StatusBadRequest, "InvalidSession")
		}
		for story, value := range map[string]string{"of wiki": kept[h.Wiki], "of board": kept[h.Board], "an assertion": assertion} {
			h.program().get(h.Portal+"/.gateway/connect", "Cookie", h.site.sessionCookie+"="+value).refuses(story, http.StatusBadRequest, "InvalidSession")
		}
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the apps", got)
		}
	})
}

func TestHandoffCodes(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, row := range []struct {
			story string
			// use brings the address of a fresh hand-off of b somewhere; the code is good afterwards if kept is true.
			use  func(b *browser, address string) answer
			kept bool
		}{
			{"at another host", func(b *browser, a string) answer { return b.navigate(strings.Replace(a, h.Wiki, h.Board, 1)) }, true},
			{"at the portal", func(b *browser, a string) answer { return b.navigate(strings.Replace(a, h.Wiki, h.Portal, 1)) }, true},
			{"by another browser", func(_ *browser, a string) answer { return h.browser().navigate(a) }, true},
			{"by another person's browser", func(_ *browser, a string) answer { return h.as(h.bob).navigate(a) }, true},
			{"without cookies", func(_ *browser, a string) answer { return h.program().navigate(a) }, true},
			{"by another browser that has a flow", func(_ *browser, a string) answer {
				other := h.browser()
				other.begin(h.Wiki + "/.gateway/sign-in?rd=/y")
				return other.navigate(a)
			}, true},
			{"its flow changed", func(b *browser, a string) answer { return b.navigate(flip(a, strings.Index(a, "code=")+8)) }, true},
			{"no code", func(b *browser, _ string) answer { return b.navigate(h.Wiki + "/.gateway/handoff") }, true},
			{"an empty code", func(b *browser, _ string) answer { return b.navigate(h.Wiki + "/.gateway/handoff?code=") }, true},
			{"a code without a secret", func(b *browser, a string) answer { return b.navigate(a[:strings.LastIndexByte(a, '.')]) }, true},
			{"two codes", func(b *browser, a string) answer {
				_, query, _ := strings.Cut(a, "?")
				return b.navigate(a + "&" + query)
			}, true},
			{"two flows in one", func(b *browser, a string) answer { return b.navigate(strings.Replace(a, ".", "..", 1)) }, true},
			{"a long code", func(b *browser, a string) answer { return b.navigate(a + strings.Repeat("A", 4000)) }, false}, // the flow is given up
			{"with two sessions", func(b *browser, a string) answer {
				c := h.site.sessionCookie + "=x; " + h.site.sessionCookie + "=y; " + b.flows(h.Wiki)[0].String()
				return h.program().get(a, "Cookie", c)
			}, true},
			{"with two flows of one name", func(b *browser, a string) answer {
				c := b.flows(h.Wiki)[0].String()
				return h.program().get(a, "Cookie", c+"; "+c)
			}, true},
			{"the session has ended", func(b *browser, a string) answer {
				b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
				return b.navigate(a)
			}, false},
			{"the person was disabled", func(b *browser, a string) answer {
				h.command(http.MethodPost, "/users/alice/disable", nil).wants(http.StatusOK)
				defer h.command(http.MethodPost, "/users/alice/enable", nil)
				return b.navigate(a)
			}, false},
			{"too late", func(b *browser, a string) answer {
				h.clock.pass(61 * time.Second)
				return b.navigate(a)
			}, false},
			{"its secret changed", func(b *browser, a string) answer { return b.navigate(flip(a, len(a)-1)) }, false}, // so it is here
		} {
			b := h.as(h.alice)
			address := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
			before := h.live("")
			a := row.use(b, address)
			if a.status < 300 || a.cookie(h.site.sessionCookie) != nil && a.cookie(h.site.sessionCookie).Value != "" {
				t.Errorf("%s: status %d, %q", row.story, a.status, a.header["Set-Cookie"])
			}
			if got := h.live(""); got > before && row.story != "by another person's browser" {
				t.Errorf("%s: %d sessions, there were %d", row.story, got, before)
			}
			if a.status == http.StatusSeeOther && !strings.HasPrefix(a.location(), h.Portal+"/.gateway/authorize?req=") {
				t.Errorf("%s: leads to %s", row.story, a.location())
			}
			if !row.kept {
				continue
			}
			if a := b.navigate(address); a.location() != h.Wiki+"/x" {
				t.Errorf("%s: afterwards, the code leads its own browser to %q: %d", row.story, a.location(), a.status)
			}
		}
	})
}

func TestHandoffCodesAreGoodOnce(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		address := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
		cookie := b.flows(h.Wiki)[0].String()
		b.navigate(address).wants(http.StatusSeeOther)
		before := h.rows()
		// The cookie of the flow, kept by hand, helps nobody.
		a := h.program().get(address, "Cookie", cookie).wants(http.StatusSeeOther)
		if c := a.cookie(h.site.sessionCookie); c != nil || !strings.HasPrefix(a.location(), h.Portal+"/.gateway/authorize?") {
			t.Errorf("a code used twice: %q, %s", a.header["Set-Cookie"], a.location())
		}
		// Whoever has a session by now is let through.
		if a := b.navigate(address).wants(http.StatusSeeOther); a.cookie(h.site.sessionCookie) != nil || a.location() != h.Wiki+"/" {
			t.Errorf("a page reloaded: %q, %s", a.header["Set-Cookie"], a.location())
		}
		session := h.site.sessionCookie + "=" + b.kept(h.Wiki, h.site.sessionCookie)
		if a := h.program().get(address, "Cookie", cookie+"; "+session).wants(http.StatusSeeOther); a.cookie(h.site.sessionCookie) != nil || a.location() != h.Wiki+"/x" {
			t.Errorf("a stale tab: %q, %s, want its target", a.header["Set-Cookie"], a.location())
		}
		h.unchanged("used twice", before)
	})
}

// A hand-off that cannot succeed ends with a page that explains, not in a loop.
func TestHandoffEnds(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		address := h.Wiki + "/.gateway/sign-in?rd=/x"
		var way []string
		for range 10 {
			if strings.Contains(address, "/.gateway/handoff?") {
				h.clock.pass(61 * time.Second) // every code comes too late
			}
			a := b.navigate(address)
			way = append(way, address)
			if a.status == http.StatusSeeOther {
				address = a.location()
				continue
			}
			a.wants(http.StatusBadRequest)
			if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "Open the app again") || !strings.Contains(a.body, `href="/x"`) {
				t.Errorf("the page does not help: %s", a.body)
			}
			break
		}
		if len(way) != 5 { // sign-in, authorize, handoff, and once again the latter two
			t.Errorf("the way is %q", way)
		}
		page, _ := b.visit(h.Wiki + "/x") // another try is another try
		page.wants(http.StatusOK)
	})
}

// A browser that keeps no cookies is told so, and soon.
func TestHandoffWithoutCookies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	begun := h.program().begin(h.Wiki + "/.gateway/sign-in?rd=/x") // the app's cookie is lost
	handoff := b.step(begun)
	if a := b.navigate(handoff).wants(http.StatusBadRequest); !strings.Contains(a.body, "cookies") {
		t.Errorf("the page does not help: %s", a.body)
	}
	page, way := h.program().visit(h.Wiki + "/x")
	if page.wants(http.StatusOK); len(way) != 4 || !strings.Contains(page.body, `id="local"`) {
		t.Errorf("without cookies: %q, %.200s", way, page.body)
	}
	page, way = h.program().signInAt("corp", "/")
	if page.wants(http.StatusUnauthorized); len(way) != 3 {
		t.Errorf("without cookies, at the provider: %q", way)
	}
}

// However many tabs are open, a browser keeps few cookies for us.
func TestManyFlows(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, target := range []string{"/x", "/" + strings.Repeat("long/", 100), "/?" + strings.Repeat("a=b&", 120), "/" + strings.Repeat("longer/", 350)} {
			b := h.as(h.alice)
			var begun []string
			for range 20 {
				begun = append(begun, b.begin(h.Wiki+"/.gateway/sign-in?rd="+url.QueryEscape(target)))
				size := 0
				for _, c := range b.flows(h.Wiki) {
					size += len(c.Name) + len(c.Value)
					if len(c.Name)+len(c.Value) > 4096 {
						t.Errorf("a cookie of %d bytes", len(c.Name)+len(c.Value))
					}
				}
				if got := len(b.flows(h.Wiki)); got > 16 || size > 6144 {
					t.Fatalf("%d cookies of %d bytes", got, size)
				}
			}
			if got := len(b.flows(h.Wiki)); got < 4 {
				t.Errorf("%d flows are open, want some", got)
			}
			page, _ := b.visit(begun[19])
			if page.wants(http.StatusOK); page.header.Get(echoes) == "" || h.echo.last(t).Target != target {
				t.Errorf("the last flow leads to %.100s", h.echo.last(t).Target)
			}
			page, _ = b.visit(begun[18]) // and so does the one before
			if page.wants(http.StatusOK); h.echo.last(t).Target != target {
				t.Errorf("the last but one leads to %.100s", h.echo.last(t).Target)
			}
			page, _ = b.visit(begun[0]) // what was forgotten arrives at the app all the same
			if page.wants(http.StatusOK); page.header.Get(echoes) == "" {
				t.Errorf("the first flow leads to %.100s", page.body)
			}
		}
	})
}

// Several tabs that wait for one sign-in all arrive.
func TestTabs(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.browser()
		targets := map[string]string{"/one": "", "/two?x=1": "", "/three/": "", "/public/../x": ""}
		delete(targets, "/public/../x")
		for target := range targets {
			page, way := b.visit(h.Wiki + target)
			page.wants(http.StatusOK)
			targets[target] = way[len(way)-1]
		}
		b.login(h.bob).wants(http.StatusOK)
		for target, waits := range targets {
			page, _ := b.visit(waits)
			if page.wants(http.StatusOK); h.echo.last(t).Target != target {
				t.Errorf("the tab for %s arrives at %s", target, h.echo.last(t).Target)
			}
		}
		if got := h.live(h.bob.id); got != 2 { // each hand-off ends the child before it
			t.Errorf("bob has %d sessions, want a parent and a child", got)
		}
	})
}

// A tab that waited too long begins anew by itself.
func TestStaleRequests(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.browser()
		_, way := b.visit(h.Wiki + "/x?y=z")
		h.clock.pass(11 * time.Minute)
		b.login(h.alice).wants(http.StatusOK)
		page, back := b.visit(way[len(way)-1])
		if page.wants(http.StatusOK); h.echo.last(t).Target != "/x?y=z" || !slices.Contains(back, h.Wiki+"/.gateway/sign-in?rd=%2Fx%3Fy%3Dz") {
			t.Errorf("the way is %q", back)
		}
	})
}

func TestHandoffRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	other := open(t, https)
	b := h.as(h.alice)
	good := b.begin(h.Wiki + "/.gateway/sign-in?rd=/x")
	_, req, _ := strings.Cut(good, "req=")
	at := h.Portal + "/.gateway/authorize"
	addresses := []string{
		at, at + "?req=", at + "?req=hello", at + "?req=" + req + "&req=" + req, at + "?req=" + req + "A", at + "?req=" + req[:len(req)-4], at + "?req=" + req + "%0a",
		at + "?req=" + b.flows(h.Wiki)[0].Value, at + "?req=" + b.connectBox(), other.browser().begin(other.Wiki + "/.gateway/sign-in?rd=/x"),
	}
	for i := 0; i < len(req); i += 7 {
		addresses = append(addresses, at+"?req="+flip(req, i))
	}
	for _, address := range addresses {
		if a := b.navigate(address); a.status != http.StatusBadRequest || a.location() != "" {
			t.Errorf("%s: status %d, %s", address, a.status, a.location())
		}
	}
	b.navigate(good).wants(http.StatusSeeOther)
}

// connectBox returns something sealed for another purpose.
func (b *browser) connectBox() string {
	b.Helper()
	return b.house.browser().connect("bob").id
}

// Whom the policy does not admit is told so by the portal, and gets no code.
func TestHandoffAsksThePolicy(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.bob)
		before := h.rows()
		for _, address := range []string{h.Wiki + "/admin/users", h.site.origin("tools."+h.site.wiki) + "/.gateway/sign-in?rd=/x", h.Wiki + "/.gateway/sign-in?rd=/closed/x", h.Wiki + "/.gateway/sign-in?rd=/office/x"} {
			page, way := b.visit(address)
			if page.wants(http.StatusForbidden); !strings.Contains(page.body, "bob") || page.header.Get("X-Gateway-Decision") == "" || !strings.HasPrefix(way[len(way)-1], h.Portal) {
				t.Errorf("%s leads by %q to %.300s", address, way, page.body)
			}
		}
		h.unchanged("refused", before)
	})
}

// What is stored of a hand-off is of no use to who reads it.
func TestStoreHoldsNoCodes(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	code := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
	b.visit(h.Board + "/")
	c := h.browser().connect("bob")
	files, err := filepath.Glob(filepath.Join(h.dir, "*"))
	h.must(err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		h.must(err)
		for what, value := range map[string]string{
			"a code": code[strings.Index(code, "code=")+5:], "the secret of a code": code[strings.LastIndexByte(code, '.')+1:], "a challenge": c.id,
			"a flow": b.flows(h.Wiki)[0].Value, "a session": b.kept(h.Portal, h.site.sessionCookie), "a child": b.kept(h.Board, h.site.sessionCookie),
			"a browser": b.kept(h.Portal, h.site.pre), "the client secret": h.corp.ClientSecret, "a key": string(h.alice.client), "a server key": string(h.alice.signing), "the pepper": string(h.server.Pepper),
		} {
			if bytes.Contains(raw, []byte(value)) {
				t.Errorf("%s holds %s", filepath.Base(file), what)
			}
		}
	}
	if len(files) == 0 {
		t.Error("no files")
	}
}

// Return addresses that lead away lead to the default page instead.
func TestHostileReturnAddresses(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		lines := append(hostiletest.Lines(t, "addresses"), strings.Repeat("/", 10<<10), "/"+strings.Repeat("a", 10<<10))
		b, foreign := h.as(h.alice), h.browser()
		for _, line := range lines {
			rd := url.QueryEscape(line)
			if a := b.navigate(h.Portal + "/.gateway/sign-in?rd=" + rd); a.status != http.StatusSeeOther || a.location() != h.Portal+"/" {
				t.Errorf("sign-in?rd=%q: status %d, %s", line, a.status, a.location())
			}
			page, _ := b.visit(h.Wiki + "/.gateway/sign-in?rd=" + rd)
			if page.wants(http.StatusOK); page.header.Get(echoes) == "" || h.echo.last(t).Target != "/" || h.echo.last(t).Host != strings.TrimPrefix(strings.TrimPrefix(h.Wiki, "https://"), "http://") {
				t.Errorf("the app's sign-in?rd=%q: %s", line, h.echo.last(t).Target)
			}
			b.forget(h.Wiki, h.site.sessionCookie)
			if got := foreign.step(foreign.step(foreign.step(h.Portal + "/.gateway/start/corp?rd=" + rd))); got != h.Portal+"/" {
				t.Errorf("start?rd=%q: the callback leads to %s", line, got)
			}
		}
		stranger := h.browser()
		for _, line := range lines { // as they stand, on the wire; what is looked for is looked for in every answer
			for _, name := range []string{"rd", "next", "rd%5B%5D"} {
				h.raw("GET /.gateway/sign-in?" + name + "=" + line + " HTTP/1.1\r\nHost: " + h.site.portal + "\r\nReferer: " + line + "\r\nConnection: close\r\n\r\n")
			}
			page := stranger.navigate(h.Portal + "/.gateway/sign-in?rd=" + url.QueryEscape(line)).wants(http.StatusOK)
			if strings.Contains(page.body, "evil") {
				t.Errorf("the page for rd=%q says evil", line)
			}
		}
		for _, query := range []string{"rd=//evil.test&rd=/good", "rd=/good&rd=//evil.test", "rd=/good&rd=/good"} {
			if a := b.navigate(h.Portal + "/.gateway/sign-in?" + query); a.location() != h.Portal+"/" {
				t.Errorf("sign-in?%s leads to %s", query, a.location())
			}
		}
	})
}

// Addresses that are merely long are kept as long as they can be; beyond that
// the person arrives at the app's own first page.
func TestLongReturnAddresses(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, length := range []int{100, 1000, 2000, 2500, 2800, 3000, 3500, 4000, 4096, 4097, 8000} {
			for _, target := range []string{"/" + strings.Repeat("a", length-1), "/x?" + strings.Repeat("a=b&", length/4)[:length-3]} {
				b := h.browser()
				page, way := b.visit(h.Wiki + target)
				page.wants(http.StatusOK)
				b.login(h.alice).wants(http.StatusOK)
				page, back := b.visit(way[len(way)-1])
				got := h.echo.last(t).Target
				if page.wants(http.StatusOK); page.header.Get(echoes) == "" || (got != target && got != "/") || (got != target && length <= 2500) {
					t.Errorf("%d bytes: arrives at %.60s, %.60s", length, back[len(back)-1], got)
				}
			}
		}
	})
}
