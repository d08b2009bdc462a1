package server_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/providers/providertest"
)

// signInAt goes to a provider and comes back, and returns the page that comes
// last and the addresses on the way.
func (b *browser) signInAt(origin, there string) (answer, []string) {
	b.Helper()
	return b.visit(b.Portal + "/.gateway/start/" + origin + "?rd=" + url.QueryEscape(there))
}

// leave goes to the provider, and returns the address that it sends back to.
func (b *browser) leave(there string) (callback string) {
	b.Helper()
	out := b.navigate(b.Portal + "/.gateway/start/corp?rd=" + url.QueryEscape(there)).wants(http.StatusSeeOther)
	return b.navigate(out.location()).wants(http.StatusSeeOther).location()
}

func TestSignInAtAProvider(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.browser()
		start := b.navigate(h.Portal + "/.gateway/start/corp?rd=%2F.gateway%2Fsign-out").wants(http.StatusSeeOther)
		if got := start.location(); !strings.HasPrefix(got, h.corp.URL+"/authorize?") || !strings.Contains(got, url.QueryEscape(h.Portal+"/.gateway/callback/corp")) {
			t.Fatalf("start leads to %s", got)
		}
		if got := h.rows().sessions; len(got) != 0 {
			t.Errorf("a session before the sign-in: %v", got)
		}
		back := b.navigate(start.location()).wants(http.StatusSeeOther)
		done := b.navigate(back.location()).wants(http.StatusSeeOther)
		if got, want := done.location(), h.Portal+"/.gateway/sign-out"; got != want {
			t.Errorf("callback leads to %s, want %s", got, want)
		}
		if c := done.cookie(h.site.sessionCookie); c == nil || c.Value == "" {
			t.Errorf("Set-Cookie: %q, want a session", done.header["Set-Cookie"])
		}
		got := b.get(h.Portal + "/.gateway/connect").who()
		if got.Login != "dave" || got.UserID != h.dave || got.UserInfo.Origin != "corp" || got.UserInfo.AMR[0] != "fed" || got.UserInfo.Groups[0] != "corp:staff" {
			t.Errorf("signed in is %+v, want dave by corp", got)
		}
		first := b.kept(h.Portal, h.site.sessionCookie)
		b.signInAt("corp", "/")
		if again := b.kept(h.Portal, h.site.sessionCookie); again == first {
			t.Error("signing in again kept the session's id")
		}
		h.dead("the first sign-in", h.Portal, first)
		if got := h.live(h.dave); got != 1 {
			t.Errorf("dave has %d sessions, want 1", got)
		}
	})
}

func TestCallbacksThatSignNobodyIn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		other := open(t, h.site)
		query := func(callback string, edit func(url.Values)) string {
			u, err := url.Parse(callback)
			h.must(err)
			q := u.Query()
			edit(q)
			u.RawQuery = q.Encode()
			return u.String()
		}
		for _, row := range []struct {
			story  string
			status int
			word   string
			bend   providertest.Bend
			walk   func(b *browser) answer
		}{
			{"used twice, by somebody whose session is over", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				callback := b.leave("/")
				b.navigate(callback).wants(http.StatusSeeOther)
				b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
				return b.get(callback)
			}},
			{"another browser", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				callback := b.leave("/")
				thief := h.browser()
				thief.connect("nosuch")
				return thief.get(callback)
			}},
			{"no browser", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer { return h.program().get(b.leave("/")) }},
			{"another origin", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				return b.get(strings.Replace(b.leave("/"), "/callback/corp", "/callback/guests", 1))
			}},
			{"an origin that is none", 400, "OriginUnknown", providertest.Bend{}, func(b *browser) answer {
				return b.get(strings.Replace(b.leave("/"), "/callback/corp", "/callback/evil", 1))
			}},
			{"another gateway's state", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer { return b.get(other.browser().leave("/")) }},
			{"the state changed", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				return b.get(query(b.leave("/"), func(q url.Values) { q.Set("state", flip(q.Get("state"), 40)) }))
			}},
			{"no state", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				return b.get(query(b.leave("/"), func(q url.Values) { q.Del("state") }))
			}},
			{"two states", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				return b.get(query(b.leave("/"), func(q url.Values) { q.Add("state", q.Get("state")) }))
			}},
			{"code and error", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				return b.get(query(b.leave("/"), func(q url.Values) { q.Set("error", "access_denied") }))
			}},
			{"a code of nobody's", 400, "InvalidSession", providertest.Bend{}, func(b *browser) answer {
				return b.get(query(b.leave("/"), func(q url.Values) { q.Set("code", "made-up") }))
			}},
			{"the provider said no", 400, "InvalidSession", providertest.Bend{Callback: func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }}, func(b *browser) answer { return b.get(b.leave("/")) }},
			{"another issuer", 400, "InvalidSession", providertest.Bend{Callback: func(q url.Values) { q.Set("iss", "https://evil.test") }}, func(b *browser) answer { return b.get(b.leave("/")) }},
			{"for another client", 400, "InvalidSession", providertest.Bend{Claims: func(c map[string]any) { c["aud"] = "other" }}, func(b *browser) answer { return b.get(b.leave("/")) }},
			{"another nonce", 400, "InvalidSession", providertest.Bend{Claims: func(c map[string]any) { c["nonce"] = "other" }}, func(b *browser) answer { return b.get(b.leave("/")) }},
			{"expired", 400, "InvalidSession", providertest.Bend{Claims: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }}, func(b *browser) answer { return b.get(b.leave("/")) }},
			{"not signed", 400, "InvalidSession", providertest.Bend{Header: func(m map[string]any) { m["alg"] = "none" }}, func(b *browser) answer { return b.get(b.leave("/")) }},
			{"too late", 401, "ChallengeNotFoundOrExpired", providertest.Bend{}, func(b *browser) answer {
				callback := b.leave("/")
				h.clock.pass(11 * time.Minute)
				return b.get(callback)
			}},
		} {
			before := h.rows()
			h.corp.Bend(row.bend)
			a := row.walk(h.browser())
			h.corp.Bend(providertest.Bend{})
			a.refuses(row.story, row.status, row.word)
			if c := a.cookie(h.site.sessionCookie); c != nil && c.Value != "" {
				t.Errorf("%s: a session: %q", row.story, a.header["Set-Cookie"])
			}
			if row.story != "used twice, by somebody whose session is over" { // the first use was dave's sign-in
				h.unchanged(row.story, before)
			}
		}
	})
}

// A tab that comes late, when another has signed in already, is let in too.
func TestTwoTabsAtTheProvider(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	one, two := b.leave("/.gateway/sign-out"), b.leave("/")
	b.navigate(one).wants(http.StatusSeeOther)
	b.navigate(two).wants(http.StatusSeeOther)
	if a := b.navigate(one).wants(http.StatusSeeOther); a.location() != h.Portal+"/.gateway/sign-out" || a.header["Set-Cookie"] != nil {
		t.Errorf("a stale tab: %s, %q, want where it was going, and no new session", a.location(), a.header["Set-Cookie"])
	}
	if got := h.live(h.dave); got != 1 {
		t.Errorf("dave has %d sessions, want 1", got)
	}
}

func TestTheRegisterSaysNo(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		erin := map[string]any{"sub": "erin-1", "preferred_username": "erin", "name": "Erin", "email": daveMail, "email_verified": true}
		status := func(s identity.Status) func() {
			return func() {
				_, err := h.server.Register.SetStatus(h.Context(), h.dave, s)
				h.must(err)
			}
		}
		h.server.Register.Origins["corp"] = accounts.Origin{Registration: accounts.Open, LoginClaim: true, RequireVerified: true}
		dave := maps.Clone(h.corp.Person)
		dave["email_verified"] = false
		for _, row := range []struct {
			story, origin, word string
			person              map[string]any
			before              func()
		}{
			{"registration is closed", "guests", "UserNotRegistered", erin, nil},
			{"disabled", "corp", "UserNotRegistered", dave, status(identity.Disabled)},
			{"address not confirmed", "corp", "UnverifiedUser", dave, status(identity.Unverified)},
		} {
			h.corp.Person = row.person
			h.corp.RedirectURL = h.Portal + "/.gateway/callback/" + row.origin
			if row.before != nil {
				row.before()
			}
			before := h.rows()
			b := h.browser()
			page, _ := b.signInAt(row.origin, "/")
			page.wants(http.StatusForbidden)
			c := b.tokenChallenge(row.origin)
			token, err := h.corp.IDToken(c.field("challenge"))
			h.must(err)
			b.post(h.Portal+"/.gateway/login", object("auth_origin", row.origin, "token", token, "challenge_id", c.field("challenge_id"))).refuses(row.story, http.StatusForbidden, row.word)
			h.unchanged(row.story, before)
		}
		if got := h.audited("reason", "disabled"); len(got) != 2 || got[0]["origin"] != "corp" || got[0]["outcome"] != "refused" {
			t.Errorf("the book says %v of who is disabled", got)
		}
	})
}

// tokenChallenge asks for the challenge of a foreign token.
func (b *browser) tokenChallenge(origin string, more ...string) answer {
	b.Helper()
	a := b.post(b.Portal+"/.gateway/connect", object(append([]string{"auth_origin", origin}, more...)...)).wants(http.StatusOK)
	if len(a.field("challenge")) < 26 || strings.ContainsAny(a.field("challenge"), ",=") {
		b.Fatalf("%s, want a bare nonce", a.body)
	}
	return a
}

func TestSignInByForeignToken(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		login := h.Portal + "/.gateway/login"
		b := h.browser()
		c := b.tokenChallenge("corp")
		token, err := h.corp.IDToken(c.field("challenge"))
		h.must(err)
		body := object("auth_origin", "corp", "token", token, "challenge_id", c.field("challenge_id"))
		a := b.post(login, body)
		if got := a.who(); got.Login != "dave" || got.Token != "" || got.ServerFinal != "" {
			t.Errorf("login: %+v, want dave", got)
		}
		if a.cookie(h.site.sessionCookie+"-device") != nil {
			t.Error("the browser is known by a sign-in that was not by password")
		}
		before := h.rows()
		b.post(login, body).refuses("again", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")

		p := h.program()
		c = p.tokenChallenge("corp", "want", "token")
		if c.header["Set-Cookie"] != nil {
			t.Errorf("connect for a token sets %q", c.header["Set-Cookie"])
		}
		p.post(login, object("auth_origin", "corp", "token", token, "challenge_id", c.field("challenge_id"), "want", "token")).
			refuses("with another challenge's nonce", http.StatusBadRequest, "InvalidSession")
		p.post(login, object("auth_origin", "corp", "token", token, "want", "token")).refuses("without its challenge", http.StatusBadRequest, "InvalidSession")
		h.unchanged("refused", before)

		machine, err := h.corp.Token(nil, map[string]any{
			"iss": h.corp.URL, "aud": "machines", "sub": "dave-1", "iat": h.clock.now().Unix(), "exp": h.clock.now().Add(time.Hour).Unix(),
		})
		h.must(err)
		for range 2 {
			if got := p.post(login, object("auth_origin", "corp", "token", machine, "want", "token", "app", h.Wiki)).who(); got.Login != "dave" || got.Token == "" {
				t.Errorf("a token for machines: %+v, want a token of ours", got)
			}
		}
		h.clock.pass(2 * time.Hour)
		p.post(login, object("auth_origin", "corp", "token", machine, "want", "token")).refuses("expired", http.StatusBadRequest, "InvalidSession")
	})
}

func TestForeignTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	signed := h.as(h.alice)
	signed.visit(h.Wiki + "/x")
	ours := signed.kept(h.Portal, h.site.sessionCookie)
	assertion := h.echo.last(t).Header.Get("X-Gateway-Jwt-Assertion")
	for _, row := range []struct {
		story, word string
		status      int
		bend        providertest.Bend
		body        func(token, challenge string) string
	}{
		{"for another client", "InvalidSession", 400, providertest.Bend{Claims: func(c map[string]any) { c["aud"] = "other" }}, nil},
		{"for others too, azp not ours", "InvalidSession", 400, providertest.Bend{Claims: func(c map[string]any) { c["aud"], c["azp"] = []string{"gateway", "other"}, "other" }}, nil},
		{"only azp ours", "InvalidSession", 400, providertest.Bend{Claims: func(c map[string]any) { c["aud"], c["azp"] = "other", "gateway" }}, nil},
		{"not signed", "InvalidSession", 400, providertest.Bend{Header: func(m map[string]any) { m["alg"] = "none" }}, nil},
		{"signed by nobody", "InvalidSession", 400, providertest.Bend{Sign: func(string) []byte { return make([]byte, 256) }}, nil},
		{"no token", "InvalidSession", 400, providertest.Bend{}, func(_, c string) string { return object("auth_origin", "corp", "token", "hello", "challenge_id", c) }},
		{"our own session", "InvalidSession", 400, providertest.Bend{}, func(_, c string) string { return object("auth_origin", "corp", "token", ours, "challenge_id", c) }},
		{"our own assertion", "InvalidSession", 400, providertest.Bend{}, func(_, c string) string {
			return object("auth_origin", "corp", "token", assertion, "challenge_id", c)
		}},
		{"a challenge that is none", "ChallengeNotFoundOrExpired", 401, providertest.Bend{}, func(t, _ string) string { return object("auth_origin", "corp", "token", t, "challenge_id", "none") }},
		{"a challenge for a password", "ChallengeNotFoundOrExpired", 401, providertest.Bend{}, func(t, _ string) string {
			return object("auth_origin", "corp", "token", t, "challenge_id", h.browser().connect("alice").id)
		}},
		{"a challenge of another origin", "ChallengeNotFoundOrExpired", 401, providertest.Bend{}, func(t, c string) string { return object("auth_origin", "guests", "token", t, "challenge_id", c) }},
		{"an origin that is none", "OriginUnknown", 400, providertest.Bend{}, func(t, c string) string { return object("auth_origin", "CORP", "token", t, "challenge_id", c) }},
		{"both doors", "BadRequest", 400, providertest.Bend{}, func(t, c string) string {
			return object("auth_origin", "corp", "token", t, "challenge_id", c, "user", "alice")
		}},
		{"no token at all", "BadRequest", 400, providertest.Bend{}, func(_, c string) string { return object("auth_origin", "corp", "challenge_id", c) }},
		{"no origin", "BadRequest", 400, providertest.Bend{}, func(t, c string) string { return object("token", t, "challenge_id", c) }},
		{"an origin and a login in one", "BadRequest", 400, providertest.Bend{}, func(_, _ string) string { return object("auth_origin", "al", "user", "ice") }},
	} {
		before := h.rows()
		b := h.browser()
		c := b.tokenChallenge("corp")
		h.corp.Bend(row.bend)
		token, err := h.corp.IDToken(c.field("challenge"))
		h.must(err)
		h.corp.Bend(providertest.Bend{})
		body := object("auth_origin", "corp", "token", token, "challenge_id", c.field("challenge_id"))
		if row.body != nil {
			body = row.body(token, c.field("challenge_id"))
		}
		a := b.post(h.Portal+"/.gateway/login", body)
		a.refuses(row.story, row.status, row.word)
		switch row.word {
		case "InvalidSession":
			if a.field("reason") == "" || a.field("challenge_id") != "" {
				t.Errorf("%s: %s, want a reason, and nothing said of the challenge", row.story, a.body)
			}
		case "ChallengeNotFoundOrExpired":
			if id := a.field("challenge_id"); id == "" || !strings.Contains(body, id) {
				t.Errorf("%s: challenge_id %q, want the one that was sent", row.story, id)
			}
		}
		h.unchanged(row.story, before)
	}
}

// A foreign token changes nobody who is signed in: there is no page that could ask.
func TestForeignTokenOfSomebodyElse(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		session := b.kept(h.Portal, h.site.sessionCookie)
		c := b.post(h.Portal+"/.gateway/connect", `{"auth_origin":"corp","again":true}`).wants(http.StatusOK)
		token, err := h.corp.IDToken(c.field("challenge"))
		h.must(err)
		before := h.rows()
		b.post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", token, "challenge_id", c.field("challenge_id"))).
			refuses("dave's, where alice is signed in", http.StatusBadRequest, "BadRequest")
		if got := b.kept(h.Portal, h.site.sessionCookie); got != session || h.live(h.dave) != 0 || len(h.rows().sessions) != len(before.sessions) {
			t.Error("the session has changed")
		}
	})
}

// Nothing that a stranger says makes the gateway ask somebody.
func TestOriginsThatAreNone(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for _, origin := range []string{
		"https://evil.test", "http://169.254.169.254/latest", "google@evil.test", "CORP", "corp ", "../corp", "corp/../guests", "local", "*", strings.Repeat("c", 4096), "\x00",
	} {
		h.program().post(h.Portal+"/.gateway/connect", object("auth_origin", origin, "want", "token")).refuses(origin, http.StatusBadRequest, "OriginUnknown")
		h.program().post(h.Portal+"/.gateway/login", object("auth_origin", origin, "token", "x", "want", "token")).refuses(origin, http.StatusBadRequest, "OriginUnknown")
		if a := h.program().get(h.Portal + "/.gateway/start/" + url.PathEscape(origin)); a.status != http.StatusBadRequest && a.status != http.StatusNotFound {
			t.Errorf("start of %q: status %d", origin, a.status)
		}
	}
	if got := len(h.corp.Seen(providertest.Authorize)) + len(h.corp.Seen(providertest.Token)); got != 0 {
		t.Errorf("the provider was asked %d times", got)
	}
}

// One provider's failure affects only its own people.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.corp.Stop()
	h.watch.failing.Store(true)
	b := h.browser()
	a := b.get(h.Portal + "/.gateway/start/corp")
	a.refuses("the provider is down", http.StatusServiceUnavailable, "Unavailable")
	c := b.tokenChallenge("corp")
	b.post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", "x.y.z", "challenge_id", c.field("challenge_id"))).wants(http.StatusServiceUnavailable)
	page := b.navigate(h.Portal + "/.gateway/start/corp?rd=/.gateway/sign-out").wants(http.StatusServiceUnavailable)
	if !strings.Contains(page.body, "/.gateway/sign-in?rd=%2f.gateway%2fsign-out") && !strings.Contains(page.body, "/.gateway/sign-in?rd=%2F.gateway%2Fsign-out") {
		t.Errorf("the page does not say where to begin again: %s", page.body)
	}
	b.login(h.alice).wants(http.StatusOK)
	b.get(h.Portal + "/.gateway/connect").who()
}

// A sign-in that would change who is signed in asks first.
func TestSwitch(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		ask := func(b *browser) (ticket string) {
			t.Helper()
			page, _ := b.signInAt("corp", "/.gateway/sign-out")
			page.wants(http.StatusOK)
			if !strings.Contains(page.body, "alice") || !strings.Contains(page.body, "dave") {
				t.Fatalf("switch: %s, want both names", page.body)
			}
			_, rest, _ := strings.Cut(page.body, `name="ticket" value="`)
			ticket, _, found := strings.Cut(rest, `"`)
			if !found {
				t.Fatalf("no ticket: %s", page.body)
			}
			h.secret("ticket", ticket)
			return ticket
		}
		yes := func(b *browser, ticket string, more ...string) answer {
			t.Helper()
			form := url.Values{"ticket": {ticket}}.Encode()
			return b.post(h.Portal+"/.gateway/sign-in", form, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, more...)...)
		}
		b := h.as(h.alice)
		before := h.rows()
		ticket := ask(b)
		h.unchanged("asked", before)
		if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "alice" {
			t.Errorf("signed in is %q, want alice until there is a yes", got)
		}
		for _, row := range []struct {
			story string
			do    func() answer
			want  int
		}{
			{"another site says yes", func() answer { return yes(b, ticket, "Sec-Fetch-Site", "cross-site") }, 403},
			{"another browser says yes", func() answer { return yes(h.browser(), ticket) }, 400},
			{"another browser of alice says yes", func() answer { return yes(h.as(h.alice), ticket) }, 400},
			{"the ticket is changed", func() answer { return yes(b, flip(ticket, 30)) }, 400},
			{"no ticket", func() answer { return yes(b, "") }, 400},
			{"JSON", func() answer { return b.post(h.Portal+"/.gateway/sign-in", object("ticket", ticket)) }, 415},
			{"a field beside it", func() answer {
				return b.post(h.Portal+"/.gateway/sign-in", "x=1&ticket="+ticket, "Content-Type", "application/x-www-form-urlencoded")
			}, 400},
			{"two tickets", func() answer {
				return b.post(h.Portal+"/.gateway/sign-in", "ticket="+ticket+"&ticket="+ticket, "Content-Type", "application/x-www-form-urlencoded")
			}, 400},
		} {
			if a := row.do(); a.status != row.want {
				t.Errorf("%s: status %d, want %d: %s", row.story, a.status, row.want, a.body)
			}
		}
		session := b.kept(h.Portal, h.site.sessionCookie)
		yes(b, ticket, "Sec-Fetch-Site", "same-origin", "Origin", h.Portal).wants(http.StatusOK)
		if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "dave" {
			t.Errorf("signed in is %q, want dave", got)
		}
		h.dead("alice's", h.Portal, session)
		yes(b, ticket).wants(http.StatusBadRequest) // good once

		b = h.as(h.alice)
		ticket = ask(b)
		h.clock.pass(3 * time.Minute)
		yes(b, ticket).wants(http.StatusBadRequest)
		if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "alice" {
			t.Errorf("signed in is %q, want alice", got)
		}
	})
}

// Nobody stays in who came through a door that is shut by now.
func TestShutDoors(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		dave := h.browser()
		dave.signInAt("corp", "/")
		page, _ := dave.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		alice := h.as(h.alice)
		page, _ = alice.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		stays := func(b *browser) bool {
			t.Helper()
			h.asks(forwardAuth, h.about("/public/x", b.session(h.Wiki)...)).wants(http.StatusOK)
			own := h.program().get(h.Wiki+"/x", b.session(h.Wiki)...).decision()
			for _, dialect := range dialects {
				if got := h.asks(dialect, h.about("/x", b.session(h.Wiki)...)).decision(); got != own {
					t.Errorf("own proxy: %s, %s: %s", own, dialect, got)
				}
			}
			return own == "allow"
		}
		if !stays(dave) || !stays(alice) {
			t.Fatal("want both signed in")
		}
		h.between(func() { h.server.Foreign.Providers = h.server.Foreign.Providers[1:] }) // guests
		if stays(dave) || !stays(alice) {
			t.Error("corp is shut: want alice alone signed in")
		}
		h.between(func() { h.server.Local = nil })
		if stays(dave) || stays(alice) {
			t.Error("the password is switched off: want nobody signed in")
		}
		h.browser().post(h.Portal+"/.gateway/connect", `{"client_first":"n,,n=alice,r=rOprNGfwEbeRWgbNEkqO"}`).refuses("no passwords", http.StatusBadRequest, "OriginUnknown")
		h.browser().post(h.Portal+"/.gateway/login", object("user", "alice", "challenge_id", "x", "challenge_reply", "y")).refuses("no passwords", http.StatusBadRequest, "OriginUnknown")
		h.between(func() { h.server.Foreign = nil })
		for _, path := range []string{"/.gateway/start/corp", "/.gateway/callback/corp?code=x&state=y"} {
			h.browser().get(h.Portal+path).refuses("no doors", http.StatusBadRequest, "OriginUnknown")
		}
		h.browser().post(h.Portal+"/.gateway/connect", `{"auth_origin":"corp"}`).refuses("no doors", http.StatusBadRequest, "OriginUnknown")
		h.browser().post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", "x")).refuses("no doors", http.StatusBadRequest, "OriginUnknown")
		h.browser().navigate(h.Portal + "/").wants(http.StatusOK)
	})
}

// Callbacks are guesses too.
func TestCallbacksAreThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	b := h.browser()
	callback := b.leave("/")
	for range 100 {
		h.program().get(h.Portal+"/.gateway/callback/corp?code=x&state=y").refuses("a guess", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	}
	a := b.get(callback)
	a.refuses("the hundred and first", http.StatusTooManyRequests, "TooManyAttempts")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", a.header.Get("Retry-After"))
	}
	h.clock.pass(time.Second)
	b.get(callback).wants(http.StatusSeeOther) // it was not spent
}

// Foreign tokens are guesses too, but for those that are good.
func TestForeignTokensAreThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	p, login := h.program(), h.Portal+"/.gateway/login"
	machine, err := h.corp.Token(nil, map[string]any{
		"iss": h.corp.URL, "aud": "machines", "sub": "dave-1", "iat": h.clock.now().Unix(), "exp": h.clock.now().Add(time.Hour).Unix(),
	})
	h.must(err)
	good, guess := object("auth_origin", "corp", "token", machine, "want", "token"), object("auth_origin", "corp", "token", "hello", "want", "token")
	for range 99 {
		p.post(login, guess).refuses("a guess", http.StatusBadRequest, "InvalidSession")
	}
	for range 3 {
		p.post(login, good).wants(http.StatusOK)
	}
	p.post(login, guess).refuses("the hundredth", http.StatusBadRequest, "InvalidSession")
	for _, body := range []string{guess, good} {
		a := p.post(login, body)
		if a.refuses("too many", http.StatusTooManyRequests, "TooManyAttempts"); a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After: %q", a.header.Get("Retry-After"))
		}
	}
	if got := h.audited("reason", "TooManyAttempts"); len(got) != 2 || got[0]["origin"] != "corp" || got[0]["outcome"] != "refused" {
		t.Errorf("the book says %v", got)
	}
	h.clock.pass(time.Second)
	p.post(login, good).wants(http.StatusOK)
}
