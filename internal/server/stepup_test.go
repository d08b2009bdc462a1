package server_test

import (
	"context"
	"crypto/rand"
	"errors"
	"html"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/policy"
	"gateway/providers/providertest"
	"gateway/sessions"
)

// recent makes wiki ask for recent proofs: of 15 minutes for /admin/**, of 5 to
// send something to /transfer.
func (h *house) recent() {
	h.Helper()
	signedIn := &policy.Subjects{SignedIn: true}
	guard, err := policy.New(policy.Config{Apps: []policy.App{
		{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
			{Name: "public", Paths: []string{"/public/**"}, Allow: &policy.Subjects{Everyone: true}},
			{Name: "admin", Paths: []string{"/admin/**"}, Allow: signedIn, MaxAge: 15 * time.Minute},
			{Name: "transfer", Paths: []string{"/transfer"}, Methods: []string{"POST"}, Allow: signedIn, MaxAge: 5 * time.Minute},
			{Name: "two", Paths: []string{"/two"}, Allow: signedIn, Factors: 2, MaxAge: 15 * time.Minute},
			{Name: "rest", Allow: signedIn},
		}},
		{Name: "board", Host: h.site.board, Allow: signedIn},
	}})
	h.must(err)
	h.server.Policy.Store(guard)
}

// confirms fails the test unless a page asks somebody for another proof.
func (h *house) confirms(page answer, login string, local, corp bool) {
	h.Helper()
	page.wants(http.StatusOK)
	text := html.UnescapeString(page.body)
	for _, want := range []struct {
		part string
		have bool
	}{
		{"<h1>Confirm that it is you</h1>", true},
		{"<bdi>" + login + "</bdi>", true},
		{`value="` + login + `" readonly`, local},
		{`data-again="true"`, local},
		{"/.gateway/start/corp?rd=", corp},
		{"/.gateway/start/guests?rd=", false},
	} {
		if strings.Contains(text, want.part) != want.have {
			h.Errorf("%s: %q is there: %v, want %v", page.asked, want.part, !want.have, want.have)
		}
	}
}

// proves signs somebody in once more at the browser where they are signed in.
func (b *browser) proves(p person) answer {
	b.Helper()
	bare := "n=" + p.login + ",r=" + rand.Text()
	a := b.post(b.Portal+"/.gateway/connect", `{"client_first":"n,,`+bare+`","again":true}`).wants(http.StatusOK)
	c := challenge{id: a.field("challenge_id"), bare: bare, first: a.field("challenge"), answer: a}
	if c.id == "" {
		b.Fatalf("connect again: %s, want a challenge", a.body)
	}
	return b.post(b.Portal+"/.gateway/login", p.answers(c))
}

// A rule that asks for a recent proof leads whoever asks for a page to the
// sign-in, and from there to the page; all others are told.
func TestStepUpByPassword(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		h.clock.stop()
		b := h.as(h.bob)
		const there = "/admin/x?a=b%26c"
		page, _ := b.visit(h.Wiki + there)
		page.wants(http.StatusOK)
		b.visit(h.Board + "/")
		h.clock.pass(15*time.Minute + time.Second)
		portal, wiki := b.kept(h.Portal, h.site.sessionCookie), b.kept(h.Wiki, h.site.sessionCookie)

		sends := h.Wiki + "/.gateway/sign-in?rd=" + url.QueryEscape(there) + "&max_age=900"
		cookie := b.session(h.Wiki)
		for _, credential := range [][]string{cookie, {"Authorization", "Bearer " + wiki}} {
			for _, dialect := range dialects {
				a := h.asks(dialect, h.about(there, credential...))
				a.refuses(dialect, http.StatusUnauthorized, "FactorNeeded")
				a.says(dialect)
				h.stepsUp(a, sends, "900")
			}
			a := h.program().get(h.Wiki+there, credential...)
			a.refuses("own proxy", http.StatusUnauthorized, "FactorNeeded")
			h.stepsUp(a, sends, "900")
		}
		asPage := append([]string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, cookie...)
		if a := h.asks(forwardAuth, h.about(there, asPage...)).wants(http.StatusSeeOther); a.location() != sends {
			t.Errorf("forward-auth sends a page to %s, want %s", a.location(), sends)
		}
		h.asks(authRequest, h.about(there, asPage...)).refuses("auth-request, a page", http.StatusUnauthorized, "FactorNeeded")

		hits := h.echo.count()
		page, way := b.visit(h.Wiki + there)
		h.confirms(page, "bob", true, false)
		if len(way) != 4 || !strings.HasPrefix(way[3], h.Portal+"/.gateway/sign-in?rd=") {
			t.Fatalf("the way to the sign-in is %q", way)
		}
		if got := b.post(h.Portal+"/.gateway/connect", "").who().Login; got != "bob" {
			t.Errorf("connect says %q: only who asks for a challenge gets one", got)
		}
		b.proves(nobody("bob")).refuses("a wrong proof", http.StatusUnauthorized, "BadUserOrPassword")
		b.proves(h.alice).refuses("the proof of another", http.StatusBadRequest, "BadRequest")
		if got := b.kept(h.Portal, h.site.sessionCookie); got != portal {
			t.Error("a proof that is none has changed the session")
		}
		h.confirms(b.navigate(way[3]), "bob", true, false)
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the app", got)
		}

		b.proves(h.bob).wants(http.StatusOK)
		page, back := b.visit(way[3])
		page.wants(http.StatusOK)
		if got := h.echo.last(t); got.Target != there || back[len(back)-1] != h.Wiki+there {
			t.Errorf("%q leads to %s, want %s", back, got.Target, there)
		}
		if b.kept(h.Portal, h.site.sessionCookie) == portal || b.kept(h.Wiki, h.site.sessionCookie) == wiki {
			t.Error("a session has kept its id")
		}
		h.dead("the portal session of before", h.Portal, portal)
		h.dead("the session at the app of before", h.Wiki, wiki)
		if got := h.live(h.bob.id); got != 2 {
			t.Errorf("bob has %d sessions, want two", got)
		}
		page, way = b.visit(h.Board + "/") // its session has ended with the one from before
		if page.wants(http.StatusOK); page.header.Get(echoes) == "" || len(way) != 5 {
			t.Errorf("another app is reached by %q, want no page between", way)
		}
	})
}

// stepsUp fails the test unless a refusal says where to sign in again, and how
// recent a proof must be.
func (h *house) stepsUp(a answer, sends, age string) {
	h.Helper()
	if got := a.header.Get("X-Gateway-Sign-In"); got != sends {
		h.Errorf("%s: X-Gateway-Sign-In: %s, want %s", a.asked, got, sends)
	}
	if got, want := a.header.Get("Www-Authenticate"), `Bearer realm="gateway", error="insufficient_user_authentication", max_age="`+age+`"`; got != want {
		h.Errorf("%s: WWW-Authenticate: %s, want %s", a.asked, got, want)
	}
	if got, want := a.field("detail"), "This asks for a more recent sign-in. Sign in again at the address in X-Gateway-Sign-In."; got != want {
		h.Errorf("%s: %q, want %q", a.asked, got, want)
	}
}

// What the provider says of the time of the proof counts, and that it says
// nothing: a sign-in that does not help ends at a page that says so.
func TestStepUpAtAProvider(t *testing.T) {
	at := func(ago time.Duration) func(*house, map[string]any) {
		return func(h *house, claims map[string]any) { claims["auth_time"] = h.clock.now().Add(-ago).Unix() }
	}
	for _, row := range []struct {
		story  string
		claims func(*house, map[string]any)
		status int // of the page at the end
		says   string
	}{
		{"proved just now", at(0), 200, ""},
		{"proved ten seconds ago", at(10 * time.Second), 200, ""},
		{"by a clock that is a little ahead", at(-30 * time.Second), 200, ""},
		{"proved too long ago", at(16 * time.Minute), 403, "You cannot open this page"},
		{"does not say when", func(_ *house, claims map[string]any) { delete(claims, "auth_time") }, 403, "You cannot open this page"},
		{"says null", func(_ *house, claims map[string]any) { claims["auth_time"] = nil }, 403, "You cannot open this page"},
		{"says it as text", func(h *house, claims map[string]any) { claims["auth_time"] = h.clock.now().Format(time.RFC3339) }, 400, "could not be accepted"},
		{"proved in an hour", at(-time.Hour), 400, "could not be accepted"},
	} {
		for _, s := range []site{https, plain} {
			t.Run(row.story+" "+s.scheme, func(t *testing.T) {
				t.Parallel()
				h := open(t, s)
				h.recent()
				b := h.daves()
				page, _ := b.visit(h.Wiki + "/admin/x")
				page.wants(http.StatusOK)
				h.clock.pass(16 * time.Minute)
				h.corp.Bend(providertest.Bend{Claims: func(claims map[string]any) { row.claims(h, claims) }})
				hits := h.echo.count()
				page, way := b.visit(h.Wiki + "/admin/x")
				h.confirms(page, "dave", false, true)
				page, way = b.visit(way[len(way)-1][:strings.Index(way[len(way)-1], "/.gateway/")] + h.button(page))
				if asked := h.corp.Seen(providertest.Authorize); asked[len(asked)-1].Form.Get("max_age") != "450" {
					t.Errorf("the provider is asked for max_age %q, want half of what is needed", asked[len(asked)-1].Form.Get("max_age"))
				}
				page.wants(row.status)
				if !strings.Contains(page.body, row.says) {
					t.Errorf("%q ends with %s", way, page.body)
				}
				if got := h.echo.count() - hits; (got == 1) != (row.status == 200) {
					t.Errorf("%d requests have reached the app", got)
				}
				b.get(h.Board + "/.gateway/connect") // whatever was said, nobody is lost
				if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "dave" {
					t.Errorf("the portal knows %q, want dave", got)
				}
				if row.status == http.StatusForbidden { // once more is offered, and is a page again
					again := h.button(page)
					page, _ = b.visit(again)
					h.confirms(page, "dave", false, true)
				}
			})
		}
	}
}

// button returns where the strong button of a page leads, else the first.
func (h *house) button(page answer) string {
	h.Helper()
	for _, before := range []string{`<a class="button strong" href="`, `<a class="button" href="`} {
		if _, rest, ok := strings.Cut(page.body, before); ok {
			link, _, _ := strings.Cut(rest, `"`)
			return html.UnescapeString(link)
		}
	}
	h.Fatalf("%s has no button: %s", page.asked, page.body)
	return ""
}

// Another person at the provider is asked whether to change who is signed in,
// and proves nothing for the one who is.
func TestStepUpByAnother(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		b := h.daves()
		page, _ := b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		h.clock.pass(16 * time.Minute)
		page, way := b.visit(h.Wiki + "/admin/x")
		h.confirms(page, "dave", false, true)
		before, session := h.rows(), b.kept(h.Portal, h.site.sessionCookie)
		h.corp.Bend(providertest.Bend{Claims: func(claims map[string]any) {
			maps.Copy(claims, map[string]any{"sub": "eve-1", "preferred_username": "eve", "email": "eve@example.com"})
		}})
		page, _ = b.visit(h.Portal + h.button(page))
		if page.wants(http.StatusOK); !strings.Contains(page.body, "Change who is signed in?") {
			t.Fatalf("another at the provider: %s", page.body)
		}
		if stay, _ := b.visit(h.Portal + h.button(page)); h.button(page) == "/" { // to where dave was going
			t.Error("whoever stays loses their way")
		} else {
			h.confirms(stay, "dave", false, true)
		}
		if got := b.kept(h.Portal, h.site.sessionCookie); got != session || len(h.rows().sessions) != len(before.sessions) {
			t.Error("the session has changed before anybody said so")
		}
		h.confirms(b.navigate(way[len(way)-1]), "dave", false, true)
		dave := visited{browser: b, login: "dave", portal: b.session(h.Portal), wiki: b.session(h.Wiki), code: b.code(h.Board + "/.gateway/sign-in?rd=/y")}

		_, ticket, _ := strings.Cut(page.body, `name="ticket" value="`)
		ticket, _, _ = strings.Cut(ticket, `"`)
		h.secret("ticket", ticket)
		h.corp.Bend(providertest.Bend{})
		b.post(h.Portal+"/.gateway/sign-in", url.Values{"ticket": {ticket}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin", "Origin", h.Portal).wants(http.StatusOK)
		page, way = b.visit(way[len(way)-1])
		if page.wants(http.StatusOK); way[len(way)-1] != h.Wiki+"/admin/x" || h.echo.last(t).Header.Get("Remote-User") != "eve" {
			t.Errorf("%q leads to the app as %q, want eve", way, h.echo.last(t).Header.Get("Remote-User"))
		}
		h.dead("dave's portal session", h.Portal, session)
		h.dead("dave's session at the app", h.Wiki, cookieValue(dave.wiki))
		page, way = b.visit(dave.code) // handed out to dave before
		if page.wants(http.StatusOK); h.echo.last(t).Header.Get("Remote-User") != "eve" {
			t.Errorf("a code of dave's leads by %q into the app as %q", way, h.echo.last(t).Header.Get("Remote-User"))
		}
	})
}

// cookieValue is the value of the cookie in a Cookie header.
func cookieValue(header []string) string {
	_, value, _ := strings.Cut(header[1], "=")
	return value
}

// Somebody at the provider whom nobody lets in proves nothing either, and costs
// the one who is signed in nothing.
func TestStepUpByAStranger(t *testing.T) {
	for _, row := range []struct {
		story  string
		origin accounts.Origin
		status int // of the page at the end
	}{
		{"who may not register", accounts.Origin{Registration: accounts.Closed, LoginClaim: true}, http.StatusForbidden},
		{"who waits for approval", accounts.Origin{Registration: accounts.Approval, LoginClaim: true}, http.StatusOK},
	} {
		for _, s := range []site{https, plain} {
			t.Run(row.story+" "+s.scheme, func(t *testing.T) {
				t.Parallel()
				h := open(t, s)
				h.recent()
				b := h.daves()
				h.clock.pass(16 * time.Minute)
				page, way := b.visit(h.Wiki + "/admin/x")
				h.confirms(page, "dave", false, true)
				session := b.kept(h.Portal, h.site.sessionCookie)
				h.between(func() { h.server.Register.Origins["corp"] = row.origin })
				h.comes("dora")
				end, _ := b.visit(h.Portal + h.button(page))
				end.wants(row.status)
				if got := b.kept(h.Portal, h.site.sessionCookie); got != session {
					t.Error("the session has changed")
				}
				h.confirms(b.navigate(way[len(way)-1]), "dave", false, true)
				b.get(h.Wiki+"/admin/x", b.session(h.Portal)...)
				if h.echo.count() != 0 {
					t.Error("the app was asked")
				}
			})
		}
	}
}

// What happens between the page and the proof counts.
func TestStepUpMeanwhile(t *testing.T) {
	for _, row := range []struct {
		story string
		do    func(h *house, b *browser)
		in    bool
	}{
		{"signed out", func(h *house, b *browser) { b.post(h.Portal+"/.gateway/logout", "").wants(200) }, true},
		{"signed out at the app", func(h *house, b *browser) { b.post(h.Wiki+"/.gateway/logout", "").wants(200) }, true},
		{"ended by the command line", func(h *house, _ *browser) { h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(200) }, true},
		{"idle for too long", func(h *house, _ *browser) { h.clock.pass(61 * time.Minute) }, true},
		{"disabled", func(h *house, _ *browser) { h.command(http.MethodPost, "/users/bob/disable", nil).wants(200) }, false},
		{"deleted", func(h *house, _ *browser) { h.command(http.MethodDelete, "/users/bob", nil).wants(200) }, false},
		{"the policy changes", func(h *house, _ *browser) { h.swap() }, false},
		{"the clock is set back", func(h *house, _ *browser) { h.clock.pass(-3 * time.Minute) }, true},
	} {
		for _, s := range []site{https, plain} {
			t.Run(row.story+" "+s.scheme, func(t *testing.T) {
				t.Parallel()
				h := open(t, s)
				h.recent()
				b := h.as(h.bob)
				page, _ := b.visit(h.Wiki + "/x")
				page.wants(http.StatusOK)
				h.clock.pass(16 * time.Minute)
				page, way := b.visit(h.Wiki + "/admin/x")
				h.confirms(page, "bob", true, false)
				old := b.kept(h.Wiki, h.site.sessionCookie)
				row.do(h, b)
				hits := h.echo.count()
				b.post(h.Portal+"/.gateway/connect", `{"again":true}`) // as the page does: what is over is told once
				bare := "n=bob,r=" + rand.Text()
				a := b.post(h.Portal+"/.gateway/connect", `{"client_first":"n,,`+bare+`","again":true}`).wants(http.StatusOK)
				a = b.post(h.Portal+"/.gateway/login", h.bob.answers(challenge{id: a.field("challenge_id"), bare: bare, first: a.field("challenge"), answer: a}))
				page, way = b.visit(way[len(way)-1])
				if in := a.status == http.StatusOK && page.status == http.StatusOK && way[len(way)-1] == h.Wiki+"/admin/x"; in != row.in {
					t.Errorf("the proof is answered %d, and %q ends with status %d; want bob in: %v", a.status, way, page.status, row.in)
				}
				if got := h.echo.count() - hits; (got == 1) != row.in {
					t.Errorf("%d requests have reached the app", got)
				}
				h.dead("the session at the app of before", h.Wiki, old)
			})
		}
	}
}

// What only a request shows, the answer to it says: the sign-in asks for it.
func TestStepUpForAMethod(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		b := h.as(h.bob)
		page, _ := b.visit(h.Wiki + "/transfer")
		page.wants(http.StatusOK)
		h.clock.pass(6 * time.Minute)
		b.navigate(h.Wiki + "/transfer").wants(http.StatusOK)
		a := b.post(h.Wiki+"/transfer", "{}")
		a.refuses("a proof of six minutes ago", http.StatusUnauthorized, "FactorNeeded")
		h.stepsUp(a, h.Wiki+"/.gateway/sign-in?rd=%2Ftransfer&max_age=300", "300")
		page, way := b.visit(a.header.Get("X-Gateway-Sign-In"))
		h.confirms(page, "bob", true, false)
		b.proves(h.bob).wants(http.StatusOK)
		page, _ = b.visit(way[len(way)-1])
		page.wants(http.StatusOK)
		b.post(h.Wiki+"/transfer", "{}").wants(http.StatusOK)
		page, _ = b.visit(a.header.Get("X-Gateway-Sign-In")) // recent enough
		if page.wants(http.StatusOK); page.header.Get(echoes) == "" {
			t.Errorf("asked for another proof: %s", page.body)
		}
	})
}

// The sign-in of an app asks for a recent proof where its address says so, and
// for nothing else that an address can say.
func TestStepUpByAddress(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		h.clock.stop()
		b := h.as(h.bob)
		b.visit(h.Wiki + "/x")
		h.clock.pass(10 * time.Minute)
		for query, confirm := range map[string]bool{
			"rd=/x":                          false,
			"rd=/x&max_age=599":              true,
			"rd=/x&max_age=600":              false,
			"rd=/x&max_age=1":                true,
			"rd=/x&max_age=700":              false,
			"rd=/x&max_age=0":                false,
			"rd=/x&max_age=-1":               false,
			"rd=/x&max_age=1e3":              false,
			"rd=/x&max_age=4294967295":       false,
			"rd=/x&max_age=99999999999":      false,
			"rd=/x&max_age=1&max_age=1":      false,
			"rd=//evil.test/x&max_age=1":     true,
			"rd=https://evil.test&max_age=1": true,
		} {
			page, way := b.visit(h.Wiki + "/.gateway/sign-in?" + query)
			if confirm {
				h.confirms(page, "bob", true, false)
			} else if page.wants(http.StatusOK); page.header.Get(echoes) == "" {
				t.Errorf("%s ends at %s, want the app", query, way[len(way)-1])
			}
			for _, address := range way {
				if !strings.HasPrefix(address, h.Wiki+"/") && !strings.HasPrefix(address, h.Portal+"/") {
					t.Errorf("%s leads to %s", query, address)
				}
			}
		}
		h.clock.pass(6 * time.Minute) // what a rule says of the address needs no more words
		if got := b.navigate(h.Wiki + "/.gateway/sign-in?rd=/admin/x").location(); !strings.HasPrefix(got, h.Portal+"/.gateway/authorize?") {
			t.Errorf("the sign-in for /admin/x leads to %s", got)
		}
	})
}

// A flow that begins anew, since its code came too late, asks for what it asked
// for before.
func TestStepUpByAddressBegunAnew(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		b := h.as(h.bob)
		late := b.code(h.Wiki + "/.gateway/sign-in?rd=/x&max_age=300")
		h.clock.pass(6 * time.Minute)
		page, way := b.visit(late)
		h.confirms(page, "bob", true, false)
		b.proves(h.bob).wants(http.StatusOK)
		page, back := b.visit(way[len(way)-1])
		if page.wants(http.StatusOK); back[len(back)-1] != h.Wiki+"/x" {
			t.Errorf("it ends at %q", back)
		}
	})
}

// What no door can bring is refused, and nobody is sent anywhere for it.
func TestStepUpThatCannotHelp(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		b := h.as(h.bob)
		b.visit(h.Wiki + "/x")
		for _, ago := range []time.Duration{0, 20 * time.Minute} {
			h.clock.pass(ago)
			page, way := b.visit(h.Wiki + "/two")
			if page.wants(http.StatusForbidden); len(way) != 1 {
				t.Errorf("two factors: the way is %q", way)
			}
			b.get(h.Wiki+"/two").refuses("two factors", http.StatusForbidden, "FactorNeeded")
			page, way = b.visit(h.Wiki + "/.gateway/sign-in?rd=/two&max_age=1")
			if page.wants(http.StatusForbidden); ago > 0 && !strings.HasPrefix(way[len(way)-1], h.Portal+"/.gateway/authorize?") {
				t.Errorf("two factors, and a recent proof: the way is %q", way)
			}
		}
	})
}

// An app's limits ask for the same: what has ended by them begins with a proof.
func TestStepUpByLimits(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.limits(sessions.Limits{Idle: 15 * time.Minute, Lifetime: time.Hour})
		for _, who := range []string{"bob", "dave"} {
			b := h.as(h.bob)
			if who == "dave" {
				b = h.daves()
			}
			page, _ := b.visit(h.Wiki + "/x")
			page.wants(http.StatusOK)
			h.clock.pass(15 * time.Minute)
			b.get(h.Wiki+"/x").refuses("idle", http.StatusUnauthorized, "SessionExpired")
			page, way := b.visit(h.Wiki + "/x")
			h.confirms(page, who, who == "bob", who == "dave")
			if who == "bob" {
				b.proves(h.bob).wants(http.StatusOK)
				page, _ = b.visit(way[len(way)-1])
			} else { // a provider that does not say when is believed here: it was asked
				h.corp.Bend(providertest.Bend{Claims: func(claims map[string]any) { delete(claims, "auth_time") }})
				page, _ = b.visit(h.Portal + h.button(page))
				asked := h.corp.Seen(providertest.Authorize)
				if got := asked[len(asked)-1].Form.Get("max_age"); got != "450" {
					t.Errorf("the provider is asked for max_age %q", got)
				}
			}
			if page.wants(http.StatusOK); page.header.Get(echoes) == "" {
				t.Errorf("%s ends at %s", who, page.body)
			}
		}
	})
}

// A provider that asks nobody again is asked once, and its old proof opens no
// session at an app that wants a newer one.
func TestStepUpByLimitsAndAnOldProof(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.limits(sessions.Limits{Idle: 15 * time.Minute})
		b := h.daves()
		proved := h.clock.now().Unix()
		page, _ := b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		h.clock.pass(15 * time.Minute)
		h.corp.Bend(providertest.Bend{Claims: func(claims map[string]any) { claims["auth_time"] = proved }})
		page, _ = b.visit(h.Wiki + "/x")
		h.confirms(page, "dave", false, true)
		asked, hits := len(h.corp.Seen(providertest.Authorize)), h.echo.count()
		page, _ = b.visit(h.Portal + h.button(page))
		if page.wants(http.StatusForbidden); !strings.Contains(page.body, "You cannot open this page") {
			t.Errorf("an old proof: %s", page.body)
		}
		if got := len(h.corp.Seen(providertest.Authorize)) - asked; got != 1 || h.echo.count() != hits {
			t.Errorf("the provider is asked %d times, the app %d times", got, h.echo.count()-hits)
		}
		if got := h.audited("reason", "session-too-old"); len(got) != 1 || got[0]["login"] != "dave" {
			t.Errorf("the book says %v", got)
		}
		page, _ = b.visit(h.Board + "/x") // which asks for nothing
		page.wants(http.StatusOK)
	})
}

// A proof at one app opens others that ask for one, by a session of their own.
func TestStepUpCountsAtOtherApps(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		h.limits(sessions.Limits{Lifetime: 20 * time.Minute})
		b := h.as(h.bob)
		page, _ := b.visit(h.Board + "/x")
		page.wants(http.StatusOK)
		h.clock.pass(21 * time.Minute)
		page, way := b.visit(h.Wiki + "/x")
		h.confirms(page, "bob", true, false)
		board := b.kept(h.Board, h.site.sessionCookie)
		b.proves(h.bob).wants(http.StatusOK)
		h.dead("the session at another app", h.Board, board)
		for _, address := range []string{way[len(way)-1], h.Wiki + "/admin/x", h.Board + "/x"} {
			page, back := b.visit(address)
			if page.wants(http.StatusOK); page.header.Get(echoes) == "" {
				t.Errorf("%q ends at %s", back, page.body)
			}
		}
		if got := h.live(h.bob.id); got != 3 {
			t.Errorf("bob has %d sessions, want three", got)
		}
	})
}

// Tabs that wait for the same proof all arrive by one.
func TestStepUpInSeveralTabs(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		b := h.as(h.bob)
		b.visit(h.Wiki + "/admin/x")
		h.clock.pass(16 * time.Minute)
		var tabs []string
		for _, there := range []string{"/admin/1", "/admin/2", "/admin/3"} {
			page, way := b.visit(h.Wiki + there)
			h.confirms(page, "bob", true, false)
			tabs = append(tabs, way[len(way)-1])
		}
		b.proves(h.bob).wants(http.StatusOK)
		for _, tab := range tabs[:2] {
			page, _ := b.visit(tab)
			page.wants(http.StatusOK)
		}
		b.proves(h.bob).wants(http.StatusOK) // in the third, too
		page, way := b.visit(tabs[2])
		if page.wants(http.StatusOK); way[len(way)-1] != h.Wiki+"/admin/3" {
			t.Errorf("the third tab ends at %q", way)
		}
		page, _ = b.visit(h.Wiki + "/admin/1")
		page.wants(http.StatusOK)
		h.clock.pass(11 * time.Minute)
		page, _ = b.visit(tabs[0]) // a stale tab begins anew
		page.wants(http.StatusOK)

		h.clock.pass(16 * time.Minute)
		_, way = b.visit(h.Wiki + "/admin/1")
		h.clock.pass(11 * time.Minute)
		page, again := b.visit(way[len(way)-1]) // so does one where nobody has proved anything yet
		if h.confirms(page, "bob", true, false); again[len(again)-1] == way[len(way)-1] {
			t.Errorf("the stale tab stays at %s", again[len(again)-1])
		}
	})
}

// Whoever has a session from before the proof has nothing.
func TestStepUpLeavesNothingToSteal(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		h.recent()
		b := h.as(h.bob)
		h.clock.pass(16 * time.Minute)
		stolen := b.visits("bob")
		thief := h.browser()
		thief.keep(h.Portal, h.site.sessionCookie, b.kept(h.Portal, h.site.sessionCookie))
		page, way := thief.visit(h.Wiki + "/admin/x")
		h.confirms(page, "bob", true, false)
		thief.proves(nobody("bob")).refuses("a guess", http.StatusUnauthorized, "BadUserOrPassword")
		for range 5 {
			thief.proves(nobody("bob"))
		}
		thief.proves(nobody("bob")).refuses("one guess too many", http.StatusTooManyRequests, "TooManyAttempts")
		h.confirms(thief.navigate(way[len(way)-1]), "bob", true, false)
		b.proves(h.bob).wants(http.StatusOK) // the guesses of a browser that nobody knows do not slow it down
		stolen.browser = thief
		stolen.isOut("the session from before")
	})
}

// A challenge for who is signed in costs the session nothing, and a session that
// is over is told as ever.
func TestConnectAgain(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.bob)
		before := h.rows()
		for _, body := range []string{`{"client_first":"n,,n=bob,r=rOprNGfwEbeRWgbNEkqO","again":true}`, `{"auth_origin":"corp","again":true}`, `{"again":true}`} {
			a := b.post(h.Portal+"/.gateway/connect", body).wants(http.StatusOK)
			if has := a.field("challenge_id") != ""; has != (body != `{"again":true}`) || a.field("user_id") != "" {
				t.Errorf("%s: %s", body, a.body)
			}
		}
		if diff := h.rows().diff(before); diff != "" {
			t.Errorf("connect has changed the store: %s", diff)
		}
		for _, body := range []string{`{"again":"true"}`, `{"again":1}`, `{"again":null,"again":true}`} {
			b.post(h.Portal+"/.gateway/connect", body).refuses(body, http.StatusBadRequest, "BadRequest")
		}
		if got := b.post(h.Portal+"/.gateway/connect", `{"again":false}`).wants(http.StatusOK).field("login"); got != "bob" {
			t.Errorf("who am I: %q", got)
		}
		h.clock.pass(25 * time.Hour)
		b.post(h.Portal+"/.gateway/connect", `{"again":true}`).refuses("a session that is over", http.StatusUnauthorized, "SessionExpired")
	})
}

// Where an age can be said in seconds, it is, and pages that the app lists may
// read it.
func TestStepUpSaysHowRecent(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		listing(h)
		h.clock.stop()
		for age, says := range map[time.Duration]string{time.Second / 2: "", time.Second: "1", 90*time.Second + time.Second/2: "90"} {
			guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{{Allow: &policy.Subjects{SignedIn: true}, MaxAge: age}}}}})
			h.must(err)
			h.server.Policy.Store(guard)
			cookie := h.at(h.bob)
			h.clock.pass(2 * time.Minute)
			sends, needs := h.Wiki+"/.gateway/sign-in?rd=%2Fx", `Bearer realm="gateway", error="insufficient_user_authentication"`
			if a := h.asks(forwardAuth, h.about("/x")).wants(http.StatusUnauthorized); a.header.Get("X-Gateway-Sign-In") != sends {
				t.Errorf("%v: nobody is sent to %s, want %s", age, a.header.Get("X-Gateway-Sign-In"), sends)
			}
			if says != "" {
				sends, needs = sends+"&max_age="+says, needs+`, max_age="`+says+`"`
			}
			a := h.asks(forwardAuth, h.about("/x", append(cookie, "Origin", spa)...))
			a.refuses(age.String(), http.StatusUnauthorized, "FactorNeeded")
			for name, want := range map[string]string{"X-Gateway-Sign-In": sends, "Www-Authenticate": needs, "Access-Control-Allow-Origin": spa} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%v: %s: %s, want %s", age, name, got, want)
				}
			}
		}
	})
}

// Whoever signs in for the first time does so as recently as the app wants it.
func TestFirstSignInIsRecentEnough(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.recent()
		asks := func(path string) string {
			t.Helper()
			b := h.browser()
			_, way := b.visit(h.Wiki + path)
			b.navigate(b.navigate(strings.Replace(way[len(way)-1], "/sign-in?", "/start/corp?", 1)).wants(http.StatusSeeOther).location())
			asked := h.corp.Seen(providertest.Authorize)
			return asked[len(asked)-1].Form.Get("max_age")
		}
		for path, want := range map[string]string{"/x": "", "/admin/x": "450"} {
			if got := asks(path); got != want {
				t.Errorf("%s: the provider is asked for max_age %q, want %q", path, got, want)
			}
		}
		h.between(func() { h.server.Sessions.Limits = nil })
		if got := asks("/admin/x"); got != "450" {
			t.Errorf("without limits: the provider is asked for max_age %q", got)
		}
	})
}

// linked is a register's store in which everybody has another way in, or where
// nobody can tell which.
type linked struct {
	accounts.Store

	too  string
	says error
}

func (l linked) Links(ctx context.Context, userID string) ([]accounts.Link, error) {
	all, err := l.Store.Links(ctx, userID)
	return append(all, accounts.Link{UserID: userID, Provider: l.too}), errors.Join(err, l.says)
}

// Somebody with several ways in is shown those that the app takes; where that
// cannot be told, nothing is.
func TestStepUpShowsTheDoorsThatHelp(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		for _, row := range []struct {
			origins     []string
			local, corp bool
		}{{nil, true, true}, {[]string{"corp"}, false, true}, {[]string{"corp", "local"}, true, true}} {
			guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Origins: row.origins, Rules: []policy.Rule{{Allow: &policy.Subjects{SignedIn: true}, MaxAge: time.Minute}}}}})
			h.must(err)
			h.server.Policy.Store(guard)
			h.server.Register.Store = linked{h.store, "local", nil}
			b := h.daves()
			b.visit(h.Wiki + "/x")
			h.clock.pass(2 * time.Minute)
			page, way := b.visit(h.Wiki + "/x")
			h.confirms(page, "dave", row.local, row.corp)
			h.server.Register.Store = linked{h.store, "local", errors.New("the disk is on fire")}
			h.watch.failing.Store(true)
			b.navigate(way[len(way)-1]).wants(http.StatusServiceUnavailable)
		}
	})
}
