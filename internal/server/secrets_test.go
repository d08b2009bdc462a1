package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/providers/providertest"
)

// tour does everything that people do, and much of what they should not.
func (h *house) tour(t *testing.T) {
	t.Helper()
	visitor := h.browser()
	_, way := visitor.visit(h.Wiki + "/x?note=query-canary")
	visitor.login(nobody("alice")).wants(http.StatusUnauthorized)
	c := visitor.connect("alice")
	body := h.alice.answers(c)
	visitor.post(h.Portal+"/.gateway/login", body).wants(http.StatusOK)
	visitor.post(h.Portal+"/.gateway/login", body).wants(http.StatusUnauthorized)
	visitor.visit(way[len(way)-1])
	visitor.visit(h.Board + "/y")
	visitor.visit(h.Wiki + "/admin/users")
	visitor.visit(h.Portal + "/")
	visitor.get(h.Portal + "/.gateway/connect").who()
	visitor.navigate(h.Portal + "/.gateway/sign-out").wants(http.StatusOK)
	session := visitor.session(h.Wiki)
	for _, dialect := range dialects {
		h.asks(dialect, h.about("/x?note=query-canary", session...)).wants(http.StatusOK)
		h.asks(dialect, h.about("/closed/x?note=query-canary", session...))
		h.asks(dialect, h.about("/x?note=query-canary"))
		h.asks(dialect, h.about("/a//b?note=query-canary", session...))
		h.asks(dialect, h.about("/x", append([]string{"Remote-User", "query-canary"}, session...)...))
	}
	_, token, _ := strings.Cut(session[1], "=")
	for _, name := range []string{"token", "access_token", "session"} {
		h.program().get(h.Portal + "/.gateway/connect?" + name + "=" + token)
		h.program().get(h.Portal + "/nowhere?" + name + "=" + token)
	}
	h.program().get(h.Wiki+"/x", "Cookie", session[1]+"; "+session[1])
	h.program().get(h.Wiki+"/x", "Cookie", flip(session[1], len(session[1])-2))
	h.program().get(h.Portal+"/.gateway/connect", session...)
	other := h.as(h.bob)
	code := other.code(h.Board + "/.gateway/sign-in?rd=/z?note=query-canary")
	h.browser().navigate(code)
	other.navigate(code)
	other.navigate(code)
	other.visit(h.Wiki + "/admin/users?note=query-canary")
	h.token(h.bob, "")
	h.program().get(h.Wiki+"/x", "Authorization", "Bearer "+h.token(h.bob, "wiki"))

	script := h.issues("bob", "wiki").Token
	for _, lines := range [][]string{bearer(script), basic("bob", script), {"Authorization", "Token <" + script + ">"}} {
		for _, path := range []string{"/x", "/closed/x", "/public/x"} {
			h.program().get(h.Wiki+path, lines...)
			for _, dialect := range dialects {
				h.asks(dialect, h.about(path, lines...))
			}
		}
		h.program().get(h.Portal+"/.gateway/connect", lines...)
	}
	h.command(http.MethodGet, "/tokens", nil).wants(http.StatusOK)

	foreign := h.browser()
	callback := foreign.leave("/.gateway/sign-out")
	foreign.navigate(callback)
	foreign.navigate(callback)
	h.browser().navigate(callback)
	h.corp.Bend(providertest.Bend{Claims: func(c map[string]any) { c["nonce"] = "another" }})
	h.browser().signInAt("corp", "/")
	h.corp.Bend(providertest.Bend{Token: func(answer map[string]any) { answer["id_token"] = "hello" }})
	h.browser().signInAt("corp", "/")
	h.corp.Bend(providertest.Bend{})
	p := h.program()
	asked := p.tokenChallenge("corp", "want", "token")
	id, err := h.corp.IDToken(asked.field("challenge"))
	h.must(err)
	login := object("auth_origin", "corp", "token", id, "challenge_id", asked.field("challenge_id"), "want", "token")
	p.post(h.Portal+"/.gateway/login", login).wants(http.StatusOK)
	p.post(h.Portal+"/.gateway/login", login).wants(http.StatusUnauthorized)
	p.post(h.Portal+"/.gateway/login", strings.Replace(login, `"token":"`, `"token":"x`, 1))

	page, _ := visitor.signInAt("corp", "/")
	_, rest, _ := strings.Cut(page.body, `name="ticket" value="`)
	ticket, _, _ := strings.Cut(rest, `"`)
	h.secret("ticket", ticket)
	visitor.post(h.Portal+"/.gateway/sign-in", url.Values{"ticket": {ticket}}.Encode(), "Content-Type", "application/x-www-form-urlencoded").wants(http.StatusOK)
	for _, path := range []string{"/users", "/users/alice", "/sessions"} {
		h.command(http.MethodGet, path, nil).wants(http.StatusOK)
	}
	h.command(http.MethodPost, "/users", map[string]any{"login": "erin", "email": "not an address"})
	h.command(http.MethodPost, "/users/bob/groups", map[string]any{"add": []string{"staff"}}).wants(http.StatusOK)
	h.clock.pass(2 * time.Hour)
	visitor.get(h.Portal + "/.gateway/connect")
	foreign.post(h.Portal+"/.gateway/logout", "")
	h.watch.failing.Store(true)
	h.corp.Stop()
	h.browser().navigate(h.Portal + "/.gateway/start/corp")
	h.program().get(h.site.origin("down."+h.site.wiki) + "/x?note=query-canary")
	h.must(h.store.Close())
	visitor.get(h.Portal + "/.gateway/connect")
	h.browser().post(h.Portal+"/.gateway/login", h.alice.answers(c))
	h.asks(forwardAuth, h.about("/x?note=query-canary", session...))
}

// speaksOf says whether an answer may hold a secret outside of cookies and redirects.
func (a answer) speaksOf(what string) bool {
	at := func(paths ...string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return strings.Contains(a.asked, p) })
	}
	switch what {
	case "challenge": // where it was made, and where it is refused
		return at("/.gateway/connect", "/.gateway/login")
	case "token", "server signature": // where it was asked for
		return a.status == http.StatusOK && at("POST ", "/.gateway/login") || a.status == http.StatusCreated && at("http://admin/tokens")
	case "ticket":
		return at("/.gateway/callback/corp")
	case "e-mail address": // people see their own, apps see whom they serve, the owner of the machine sees all
		return a.status == http.StatusOK && at("/.gateway/connect", "/.gateway/login", forwardAuth, authRequest, extAuthz, "http://admin/users") || a.header.Get(echoes) != ""
	}
	return false
}

func TestSecretsStayWhereTheyBelong(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.watch.hearing = true
		h.tour(t)
		secrets := map[string]string{h.corp.ClientSecret: "client secret", aliceMail: "e-mail address", bobMail: "e-mail address", carolMail: "e-mail address", daveMail: "e-mail address"}
		maps.Copy(secrets, h.watch.secrets)
		kinds := map[string]bool{}
		for value, what := range secrets {
			kinds[what] = true
			for _, a := range h.watch.heard {
				if strings.HasPrefix(a.asked, "GET "+h.corp.URL) {
					continue // the provider's own answers
				}
				header := a.header.Clone()
				for _, name := range []string{"Set-Cookie", "Location", "X-Gateway-Jwt-Assertion"} {
					header.Del(name)
				}
				raw, err := json.Marshal(header)
				h.must(err)
				if strings.Contains(string(raw)+a.body, value) && !a.speaksOf(what) {
					t.Errorf("%.120s: the answer (%d) holds a secret: %s", a.asked, a.status, what)
				}
				for _, line := range a.header["Set-Cookie"] {
					if strings.Contains(line, value) && !strings.HasPrefix(what, "cookie ") {
						t.Errorf("%.120s: a cookie holds a secret: %s", a.asked, what)
					}
				}
				for _, location := range a.header["Location"] {
					if strings.Contains(location, value) && !slices.Contains([]string{"code", "state", "nonce", "code_challenge"}, what) {
						t.Errorf("%.120s: Location holds a secret: %s", a.asked, what)
					}
				}
			}
			for _, hit := range h.echo.seen() { // the assertion is the app's, and the address its visitor's
				if what == "e-mail address" {
					continue
				}
				raw, err := json.Marshal(hit)
				h.must(err)
				if strings.Contains(string(raw), value) {
					t.Errorf("an app sees a secret: %s", what)
				}
			}
			for _, path := range []string{providertest.Authorize, providertest.Token, providertest.JWKS, providertest.UserInfo, providertest.Discovery} {
				for _, r := range h.corp.Seen(path) {
					raw, err := json.Marshal(r)
					h.must(err)
					if strings.Contains(string(raw), value) && !slices.Contains([]string{"code", "state", "nonce", "code_challenge", "client secret"}, what) {
						t.Errorf("the provider sees a secret at %s: %s", path, what)
					}
				}
			}
		}
		for _, what := range []string{"cookie " + h.site.sessionCookie, "cookie " + h.site.pre, "code", "state", "challenge", "proof", "token", "foreign token", "ticket", "server signature"} {
			if !kinds[what] {
				t.Errorf("the tour has not come across a %s: %v", what, kinds)
			}
		}
		if log := h.log.String(); strings.Contains(log, "query-canary") || strings.Contains(log, "rd=") || strings.Contains(log, "code=") {
			t.Error("the log holds a query")
		}
	})
}

// Pages show what strangers say as text.
func TestPagesShowText(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	const evil = `"><script>alert(1)</script>{{7*7}}javascript:alert(1)`
	b := h.as(h.alice)
	page := append([]string{"Referer", "https://evil.test/" + evil}, navigation...)
	for _, address := range []string{
		h.Portal + "/.gateway/sign-in?rd=" + url.QueryEscape("/"+evil),
		h.Portal + "/.gateway/nowhere?" + url.QueryEscape(evil),
		h.Portal + "/" + url.PathEscape(evil),
		h.Portal + "/.gateway/start/" + url.PathEscape(evil),
		h.Portal + "/.gateway/callback/corp?error=" + url.QueryEscape(evil) + "&error_description=" + url.QueryEscape(evil) + "&state=" + url.QueryEscape(evil),
		h.Portal + "/.gateway/authorize?req=" + url.QueryEscape(evil),
		h.Wiki + "/.gateway/handoff?code=" + url.QueryEscape(evil),
		h.Wiki + "/closed/" + url.PathEscape(evil),
		h.Wiki + "/.gateway/sign-out?" + url.QueryEscape(evil),
	} {
		for _, each := range []*browser{b, h.browser()} {
			a := each.get(address, page...)
			if strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "49javascript") || strings.Contains(a.body, `href="javascript:`) {
				t.Errorf("%s: %s", address, a.body)
			}
		}
	}
	csp := b.navigate(h.Portal + "/").wants(http.StatusOK).header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, directive) {
			t.Errorf("Content-Security-Policy: %q, want %s", csp, directive)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
}

// Whatever a stranger says, the log stays one object a line, and short ones.
func TestLogLines(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	evil := "alice\n{\"level\":\"INFO\",\"msg\":\"login ok\"}\x1b[2J\u202e" + strings.Repeat("x", 20000)
	c := h.browser().connect("alice")
	h.browser().post(h.Portal+"/.gateway/login", object("user", evil, "challenge_id", c.id, "challenge_reply", h.alice.reply(c)))
	h.browser().post(h.Portal+"/.gateway/connect", object("client_first", "n,,n="+evil[:200]+",r=rOprNGfwEbeRWgbNEkqO"))
	h.program().get(h.Portal + "/" + url.PathEscape(evil))
	h.raw(h.page("/closed/"+url.PathEscape("x\u202e"+strings.Repeat("y", 6000)), "User-Agent", strings.Repeat("\u202e", 1000)))
	h.raw(h.page("/.gateway/connect", "User-Agent", "\x1b[2J"))
	h.asks(authRequest, h.about("/x", "X_Forwarded_"+strings.Repeat("User", 1000), "x"))
	h.asks(forwardAuth, h.about("/x", "Remote_User", evil[40:4000]))
	for line := range strings.Lines(h.log.String()) { // inspectLog asks for JSON
		if len(line) > 2048 || strings.ContainsAny(line, "\x1b") || strings.Contains(line, `"msg":"login ok"`) {
			t.Errorf("a line of %d bytes: %.300q", len(line), line)
		}
	}
}
