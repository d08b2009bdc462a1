package server_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"gateway/internal/server"
	"gateway/policy"
)

// everyWay asks the same by every way in, as it goes over the wire, and returns
// what was decided and of whom: a refusal of whatever kind is "no".
func (h *house) everyWay(q question) map[string]string {
	h.Helper()
	all := map[string]string{}
	said := func(way string, a answer, who func() string) {
		all[way] = "no"
		if a.status == http.StatusOK {
			all[way] = "yes " + who()
		}
	}
	for _, dialect := range dialects {
		a := h.rawTo(h.authz.Listener.Addr(), trusted, q.text(dialect))
		said(dialect, a, func() string { return strings.Join(a.header["Remote-User"], "|") })
	}
	text := strings.Replace(strings.Replace(get("/", q.headers...), "Host: authz", "Host: "+q.host, 1), "GET / ", q.method+" "+q.target+" ", 1)
	hits := h.echo.count()
	a := h.rawTo(h.front.Listener.Addr(), trusted, strings.Replace(text, "\r\n\r\n", "\r\nX-Forwarded-For: "+q.client+"\r\n\r\n", 1))
	said("own proxy", a, func() string { return strings.Join(h.echo.last(h).Header["Remote-User"], "|") })
	if a.status != http.StatusOK && h.echo.count() != hits {
		all["own proxy"] = "no, but the app has seen it"
	}
	return all
}

// What somebody might try who wants to be somebody else, or to get where they
// may not, has one answer by every way in.
func TestAttacks(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice, bob := h.at(h.alice), h.at(h.bob)
		h.watch.failing.Store(true)
		name := h.site.sessionCookie
		_, alices, _ := strings.Cut(alice[1], "=")
		_, bobs, _ := strings.Cut(bob[1], "=")
		cookies := func(lines ...string) (all []string) {
			for _, line := range lines {
				all = append(all, "Cookie", line)
			}
			return all
		}
		authorization := func(value string, more ...string) []string { return append([]string{"Authorization", value}, more...) }
		sealed := h.issues("bob", "board").Token
		for _, row := range []struct {
			story   string
			method  string // empty: GET
			host    string // empty: wiki
			target  string
			headers []string
			want    string
		}{
			// Whose session is it?
			{"bob", "", "", "/x", bob, "yes bob"},
			{"bob among other cookies on lines of their own", "", "", "/x", cookies("a=1", bob[1], "b=2"), "yes bob"},
			{"two sessions on one line", "", "", "/x", cookies(bob[1] + "; " + alice[1]), "no"},
			{"two sessions on two lines", "", "", "/x", cookies(bob[1], alice[1]), "no"},
			{"the same session on two lines", "", "", "/x", cookies(bob[1], bob[1]), "no"},
			{"an empty one before it", "", "", "/x", cookies(name + "=; " + bob[1]), "no"},
			{"one without a sign before it", "", "", "/x", cookies(name + "; " + bob[1]), "no"},
			{"by a comma", "", "", "/x", cookies(bob[1] + ", " + alice[1]), "no"},
			{"a name in other case", "", "", "/x", cookies(strings.ToUpper(name) + "=" + alices), "no"},
			{"a name in other case, beside bob's", "", "", "/x", cookies(strings.ToUpper(name)+"="+alices, bob[1]), "yes bob"},
			{"a name with a space", "", "", "/x", cookies(name + " =" + alices), "no"},
			{"in quotes", "", "", "/x", cookies(name + `="` + alices + `"`), "no"},
			{"with spaces around it", "", "", "/x", cookies(" \t " + bob[1] + " \t "), "yes bob"},
			{"percent-encoded", "", "", "/x", cookies(name + "=" + strings.Replace(alices, ".", "%2E", 1)), "no"},
			{"two halves of different people", "", "", "/x", cookies(name + "=" + alices[:strings.LastIndexByte(alices, '.')] + bobs[strings.LastIndexByte(bobs, '.'):]), "no"},
			{"in the query", "", "", "/x?" + name + "=" + alices + "&access_token=" + alices + "&token=" + alices, nil, "no"},
			{"Bearer", "", "", "/x", authorization("Bearer " + bobs), "yes bob"},
			{"bearer, in another case", "", "", "/x", authorization("bEARER  " + bobs), "yes bob"},
			{"Bearer of one, cookie of another", "", "", "/admin/x", authorization("Bearer "+alices, bob...), "no"},
			{"two Authorizations", "", "", "/x", authorization("Bearer "+bobs, "Authorization", "Bearer "+bobs), "no"},
			{"two Authorizations, one of them the app's", "", "", "/x", authorization("Basic eDp5", "Authorization", "Bearer "+bobs), "no"},
			{"Bearer by a comma", "", "", "/x", authorization("Bearer " + bobs + ", Bearer " + alices), "no"},
			{"Bearer with a tab", "", "", "/x", authorization("Bearer\t" + alices), "no"},
			{"another scheme", "", "", "/x", authorization("Token " + alices), "no"},
			{"a session as the password of Basic", "", "", "/x", authorization("Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+alices))), "no"},
			{"Proxy-Authorization", "", "", "/x", []string{"Proxy-Authorization", "Bearer " + alices}, "no"},
			{"an app token of another app", "", "", "/x", authorization("Bearer " + sealed), "no"},
			{"an app token of another app, beside a session", "", "", "/x", authorization("Bearer "+sealed, bob...), "no"},
			{"an app token as a cookie", "", "", "/x", cookies(name + "=" + sealed), "no"},

			// Nobody becomes somebody by saying so.
			{"hop by hop", "", "", "/x", []string{"Connection", "Remote-User, Cookie", "Cookie", bob[1]}, "yes bob"},
			{"hop by hop, to be nobody's page", "POST", "", "/x", append([]string{"Connection", "Origin, Sec-Fetch-Site", "Origin", sibling, "Sec-Fetch-Site", "cross-site", "Content-Length", "0"}, bob...), "no"},
			{"a page that says it is none", "POST", "", "/x", append([]string{"Sec-Fetch-Site", "", "Content-Length", "0"}, bob...), "no"},
			{"a page in other case", "POST", "", "/x", append([]string{"Sec-Fetch-Site", "Same-Origin", "Content-Length", "0"}, bob...), "no"},
			{"a page that says both", "POST", "", "/x", append([]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site", "Content-Length", "0"}, bob...), "no"},
			{"a preflight that is a handshake", "OPTIONS", "", "/x", []string{"Origin", spa, "Access-Control-Request-Method", "GET", "Upgrade", "websocket"}, "no"},
			{"a preflight of nobody's", "OPTIONS", "", "/x", []string{"Origin", h.Wiki, "Access-Control-Request-Method", "GET"}, "no"},

			// The same path for policy and app.
			{"encoded letters", "", "", "/%61dmin/x", bob, "no"},
			{"dot segments", "", "", "/public/../admin/x", nil, "no"},
			{"encoded dot segments", "", "", "/public/%2e%2e/admin/x", nil, "no"},
			{"half encoded", "", "", "/public/.%2e/admin/x", nil, "no"},
			{"an encoded slash", "", "", "/public%2f..%2fadmin/x", nil, "no"},
			{"twice encoded", "", "", "/public/%252e%252e/admin/x", nil, "no"},
			{"thrice encoded", "", "", "/public/%25252e%25252e/admin/x", nil, "no"},
			{"overlong UTF-8", "", "", "/public/%c0%ae%c0%ae/admin/x", nil, "no"},
			{"a parameter", "", "", "/public/..;/admin/x", nil, "no"},
			{"an encoded parameter", "", "", "/public/..%3b/admin/x", nil, "no"},
			{"a backslash", "", "", `/public\..\admin\x`, nil, "no"},
			{"an encoded backslash", "", "", "/public/..%5cadmin/x", nil, "no"},
			{"two slashes", "", "", "//admin/x", bob, "no"},
			{"slashes after what is public", "", "", "/public//../admin/x", nil, "no"},
			{"a fragment", "", "", "/admin/x#/public/x", nil, "no"},
			{"a NUL", "", "", "/public/%00/../admin/x", nil, "no"},
			{"a line feed", "", "", "/public/%0a", nil, "no"},
			{"a space at the end", "", "", "/admin%20/x", bob, "no"},
			{"another request behind a question mark", "", "", "/admin/x?/public/x", nil, "no"},
			{"an encoded question mark", "", "", "/admin/x%3f/public/x", nil, "no"},
			{"another host in the path", "", "", "http://" + h.site.board + "/x", bob, "no"},
			{"no slash", "", "", "public/x", nil, "no"},

			// The same host.
			{"in capitals", "", strings.ToUpper(h.site.wiki), "/x", bob, "yes bob"},
			{"with a dot", "", h.site.wiki + ".", "/x", bob, "yes bob"},
			{"with a port", "", h.site.wiki + ":8443", "/x", bob, "yes bob"},
			{"with a dot and a port", "", h.site.wiki + ".:8443", "/x", bob, "yes bob"},
			{"with two dots", "", h.site.wiki + "..", "/x", bob, "no"},
			{"with two ports", "", h.site.wiki + ":1:2", "/x", bob, "no"},
			{"with an octal port", "", h.site.wiki + ":0443", "/x", bob, "no"},
			{"with a port and a name", "", h.site.wiki + ":1@" + h.site.board, "/x", bob, "no"},
			{"in brackets", "", "[" + h.site.wiki + "]", "/x", bob, "no"},
			{"with a zone", "", "[fe80::1%25" + h.site.wiki + "]", "/x", bob, "no"},
			{"by another dot", "", strings.Replace(h.site.wiki, ".", "\u3002", 1), "/x", bob, "no"},
			{"in wide letters", "", "\uff57" + h.site.wiki[1:], "/x", bob, "no"},
			{"as an A-label that is none", "", "xn--" + h.site.wiki, "/x", bob, "no"},
			{"the session of another app", "", h.site.board, "/x", bob, "no"},
			{"below the app's", "", "x." + h.site.wiki, "/x", bob, "no"},
		} {
			q := h.about(row.target, row.headers...)
			if row.method != "" {
				q.method = row.method
			}
			if row.host != "" {
				q.host = row.host
			}
			for way, got := range h.everyWay(q) {
				if got != row.want {
					t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
				}
			}
		}
	})
}

// A page of a sibling does nothing by what a browser remembers for its user,
// whichever of them it is: a session, the password of Basic, a guest link.
func TestWhatBrowsersRemember(t *testing.T) {
	t.Parallel()
	h := open(t, https, func(h *house) {
		app := h.server.Apps["wiki"]
		app.Basic = true
		h.server.Apps["wiki"] = app
	})
	guest := h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/**"}, Methods: []string{"GET", "POST"}}).Link)
	allows, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{{Allow: &policy.Subjects{SignedIn: true}}}}}})
	h.must(err)
	h.server.Policy.Store(allows)
	token := h.issues("bob", "wiki").Token
	for story, row := range map[string]struct {
		brings []string
		asks   string
	}{
		"a session":    {h.at(h.bob), "yes bob"},
		"Basic":        {basic("bob", token), "yes bob"},
		"a guest link": {guest, "yes "},
	} {
		for sender, want := range map[string]string{"same-origin": row.asks, "same-site": "no", "cross-site": "no"} {
			q := h.about("/x", slices.Concat(row.brings, sends(map[string]string{"same-origin": h.Wiki}[sender]+map[string]string{"same-site": sibling, "cross-site": "https://evil.test"}[sender], sender), []string{"Content-Length", "0"})...)
			q.method = http.MethodPost
			for way, got := range h.everyWay(q) {
				if got != want {
					t.Errorf("%s, asked by %s, %s: %s, want %s", story, sender, way, got, want)
				}
			}
		}
	}
	q := h.about("/x", slices.Concat([]string{"Authorization", "Bearer " + token}, sends(sibling, "same-site"), []string{"Content-Length", "0"})...)
	q.method = http.MethodPost
	for way, got := range h.everyWay(q) { // which no page knows
		if got != "yes bob" {
			t.Errorf("Bearer, %s: %s, want bob", way, got)
		}
	}
}

// A code that two browsers and two hosts race for opens one session, where it
// was meant to.
func TestCodesAreRacedFor(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		code := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
		flow := b.flows(h.Wiki)[0]
		u, err := url.Parse(code)
		h.must(err)
		before := h.live(h.alice.id)
		var all sync.WaitGroup
		opened := make([]answer, 40)
		for i := range opened {
			all.Go(func() {
				at := []string{h.Wiki, h.Board}[i%2]
				opened[i] = h.program().navigateAs(at+"/.gateway/handoff?"+u.RawQuery, []string{"Cookie", flow.Name + "=" + flow.Value})
			})
		}
		all.Wait()
		n := 0
		for i, a := range opened {
			if c := a.cookie(h.site.sessionCookie); c != nil && c.Value != "" {
				if n++; i%2 == 1 {
					t.Errorf("a session at %s", h.Board)
				}
			}
		}
		if got := h.live(h.alice.id) - before; n != 1 || got != 1 {
			t.Errorf("%d browsers have a session, %d sessions are there; want 1", n, got)
		}
	})
}

// Basic is heard in one spelling, and what means to be an app token goes to no
// app, however it is written.
func TestBasicInOneSpelling(t *testing.T) {
	t.Parallel()
	h := open(t, https, func(h *house) {
		app := h.server.Apps["wiki"]
		app.Basic = true
		h.server.Apps["wiki"] = app
	})
	token, session := h.issues("alice", "wiki").Token, h.token(h.alice, "wiki")
	encode := func(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }
	good := encode("alice:" + token)
	if !strings.HasSuffix(good, "=") {
		t.Fatalf("%q has no padding", good)
	}
	for story, row := range map[string]struct{ value, want string }{
		"as it is":                  {"Basic " + good, "yes alice"},
		"of no user":                {"basic " + encode(":"+token), "yes alice"},
		"without padding":           {"Basic " + strings.TrimRight(good, "="), "no"},
		"with more of it":           {"Basic " + good + "=", "no"},
		"without a colon":           {"Basic " + encode(token), "no"},
		"followed by a colon":       {"Basic " + encode("alice:"+token+":"), "no"},
		"as the user":               {"Basic " + encode(token+":x"), "no"},
		"of another user":           {"Basic " + encode("bob:"+token), "no"},
		"of the user in other case": {"Basic " + encode("Alice:"+token), "no"},
		"behind a second colon":     {"Basic " + encode("alice:x:"+token), "no"},
		"by another scheme":         {"Negotiate " + good, "no"},
		"as it is, unencoded":       {"Basic alice:" + token, "no"},
		"with a blank for a colon":  {"Basic " + encode("alice "+token), "no"},
		"with a letter before it":   {"Basic " + encode("alice:x"+token), "no"},
		"before another":            {"Basic " + good + ", Basic " + encode("a:b"), "no"},
		"behind another":            {"Basic " + encode("a:b") + "," + strings.TrimRight(good, "="), "no"},
		"as another scheme":         {"Token " + good, "no"},
		"as a Bearer":               {"Bearer " + good, "no"},
		"with a session":            {"Basic " + encode("alice:"+session), "no"},
		"in angle brackets":         {"Bearer <" + token + ">", "no"},
		"in braces":                 {"Bearer {" + token + "}", "no"},
		"in other people's quotes":  {"Bearer \u2018" + token + "\u2019", "no"},
		"behind a dollar":           {"Bearer $" + token, "no"},
		"half of it, in brackets":   {"Bearer [" + token[:30] + "]", "no"},
		"in a path":                 {"Bearer token/" + token, "no"},
		"as part of another":        {"Bearer abc." + token + ".def", "no"},
		"a session behind a tab":    {"Bearer\t" + session, "no"},
		"a session in brackets":     {"Bearer <" + session + ">", "no"},
		"a session, before another": {"Bearer " + session + ", Bearer x", "no"},
		"a session, behind another": {"Bearer x, Bearer " + session, "no"},
		"a session of no scheme":    {session, "no"},
	} {
		for way, got := range h.everyWay(h.about("/admin/x", "Authorization", row.value)) {
			if got != row.want {
				t.Errorf("%s, %s: %s, want %s", story, way, got, row.want)
			}
		}
		if row.want == "no" {
			h.raw(h.page("/public/x", "Authorization", row.value))
		}
	}
	for _, hit := range h.echo.seen() {
		if got := hit.Header["Authorization"]; got != nil {
			t.Errorf("the app has seen %q", got)
		}
	}
}
