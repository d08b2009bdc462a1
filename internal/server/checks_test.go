package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/proxy"
	"gateway/policy"
	"gateway/sessions"
)

// The listener of the check knows two paths, and nothing else there is an allow.
func TestOtherPathsOfTheCheck(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.at(h.alice)
		for _, path := range []string{
			"/", "/x", "/public/x", "/.gateway/authz", "/.gateway/authz/", "/.gateway/authz/forward-auth/", "/.gateway/authz/auth-request/",
			"/.gateway/authz/Forward-Auth", "/.gateway/connect", "/.gateway/login", "/metrics", "/users",
		} {
			for _, dialect := range dialects {
				q := h.about("/public/x", alice...)
				a := h.rawTo(h.authz.Listener.Addr(), trusted, get(path, append(q.lines(dialect), q.headers...)...))
				a.refuses(path, http.StatusNotFound, "BadRequest")
				for _, name := range managed {
					if a.header[name] != nil {
						t.Errorf("%s: %s: %q", path, name, a.header[name])
					}
				}
			}
		}
	})
}

// A method that nobody reads the same way passes nowhere, whoever asks.
func TestMethodsThatAreNone(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.at(h.alice)
		hits := h.echo.count()
		for _, method := range []string{"TRACE", "CONNECT", "get", "Get", "G T", "GET,POST", "GE\x7f", strings.Repeat("A", 33), "G\u00c9T"} {
			for _, target := range []string{"/public/x", "/x", "/admin/x"} {
				q := h.about(target, alice...)
				q.method = method
				for dialect, status := range map[string]int{forwardAuth: http.StatusBadRequest, authRequest: http.StatusForbidden} {
					if a := h.asks(dialect, q); a.status != status && a.status != http.StatusBadRequest && a.status != http.StatusMethodNotAllowed || a.header.Get("Remote-User") != "" {
						t.Errorf("%q %s: %s: status %d", method, target, dialect, a.status)
					}
				}
				if strings.Contains(method, " ") {
					continue // another request line
				}
				a := h.raw(strings.Replace(h.page(target, alice...), "GET", method, 1))
				if a.status != http.StatusBadRequest && a.status != http.StatusMethodNotAllowed && a.status != http.StatusMisdirectedRequest {
					t.Errorf("%q %s: own proxy: status %d", method, target, a.status)
				}
			}
		}
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the app", got)
		}
	})
}

// A request that came by another scheme is told which one the site has.
func TestOtherSchemes(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, scheme := range []string{"http", "https", "ws", "wss"} {
			q := h.about("/public/x")
			q.scheme = scheme
			own := strings.Replace(scheme, "ws", "http", 1) == h.site.scheme
			for _, dialect := range dialects {
				a := h.asks(dialect, q)
				if (a.status == http.StatusOK) != own {
					t.Errorf("%s: %s: status %d", scheme, dialect, a.status)
				}
				if says := strings.Contains(a.field("detail"), "another scheme than "+h.site.scheme+","); says == own {
					t.Errorf("%s: %s: %s", scheme, dialect, a.body)
				}
			}
		}
	})
}

// edits changes bob's record.
func (h *house) edits(change func(bob *accounts.Account)) {
	h.Helper()
	bob, err := h.store.Account(h.Context(), h.bob.id)
	h.must(err)
	change(&bob)
	h.must(h.store.UpdateUser(h.Context(), bob))
}

// An address that nobody has verified names no user, wherever an app knows
// people by their address.
func TestWhatNamesNobody(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	names, err := proxy.Headers{User: "X-Forwarded-User", Email: "X-Forwarded-Email", UserIs: "email"}.Resolve()
	h.must(err)
	h.between(func() {
		app := h.server.Apps["wiki"]
		app.Headers = &names
		h.server.Apps["wiki"] = app
		h.server.Register.Cache = nil
	})
	bob := h.at(h.bob)
	for _, verified := range []bool{true, false} {
		h.edits(func(bob *accounts.Account) { bob.EmailVerified = verified })
		want := ""
		if verified {
			want = bobMail
		}
		for _, dialect := range dialects {
			a := h.asks(dialect, h.about("/x", bob...)).wants(http.StatusOK)
			if got := a.header["X-Forwarded-User"]; !slices.Equal(got, []string{want}) || a.header.Get("X-Forwarded-Email") != bobMail || a.header.Get("Remote-User") != "" {
				t.Errorf("%s, verified %v: the user is %q, want %q; %v", dialect, verified, got, want, a.header)
			}
		}
	}
}

// Text that somebody chose ends no header line and holds no control character.
func TestControlCharactersInNames(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.between(func() { h.server.Register.Cache = nil })
		bob := h.at(h.bob)
		for name, want := range map[string]string{
			"Bob\r\nRemote-User: alice": "BobRemote-User: alice", "B\x00o\x1fb\x7f": "Bob", "\x01Bob": "Bob", "Bob\x1f": "Bob", "Bob\tB": "BobB", "B ob ~": "B ob ~", "Bób": "Bób", "\x7fBob": "Bob", "\n": "",
		} {
			h.edits(func(bob *accounts.Account) { bob.Name = name })
			for _, dialect := range dialects {
				if got := h.asks(dialect, h.about("/x", bob...)).wants(http.StatusOK).header["Remote-Name"]; !slices.Equal(got, []string{want}) {
					t.Errorf("%q: %s: Remote-Name %q, want %q", name, dialect, got, want)
				}
			}
			h.raw(h.page("/x", bob...)).wants(http.StatusOK)
			if got := h.echo.last(t); !slices.Equal(got.Header["Remote-Name"], []string{want}) || !slices.Equal(got.Header["Remote-User"], []string{"bob"}) {
				t.Errorf("%q: the app sees %q of %q", name, got.Header["Remote-Name"], got.Header["Remote-User"])
			}
		}
	})
}

// explains reports whether somebody is told on the page why they are refused.
func (h *house) explains(target string, cookie []string) bool {
	h.Helper()
	a := h.asks(forwardAuth, h.about(target, append([]string{"Accept", "text/html"}, cookie...)...)).wants(http.StatusForbidden)
	return strings.Contains(a.body, "Why, for administrators")
}

// Administrators are those of a group that was given here, or of a provider's
// that is named as such: what a provider calls a group is never one of ours.
func TestWhoAdministers(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	told := func(userID, door string, groups ...string) bool {
		t.Helper()
		root, _, err := h.server.Sessions.Issue(t.Context(), sessions.Session{UserID: userID, Provider: door, AMR: []string{"pwd"}, Groups: groups})
		h.must(err)
		_, token, err := h.server.Sessions.IssueChild(t.Context(), root.ID, h.Wiki)
		h.must(err)
		return h.explains("/closed/x", []string{"Cookie", h.site.sessionCookie + "=" + token.Reveal()})
	}
	for _, row := range []struct {
		story  string
		admins []string
		user   string
		door   string
		groups []string
		want   bool
	}{
		{"of our group", []string{"admins"}, h.alice.id, identity.Local, nil, true},
		{"of none", []string{"admins"}, h.bob.id, identity.Local, nil, false},
		{"of a provider's group by the name of ours", []string{"admins"}, h.dave, "corp", []string{"admins"}, false},
		{"of a provider's group", []string{"admins", "corp:ops"}, h.dave, "corp", []string{"corp:ops"}, true},
		{"of another of a provider's groups", []string{"admins", "corp:ops"}, h.dave, "corp", []string{"corp:dev"}, false},
		{"where there are none", nil, h.alice.id, identity.Local, nil, false},
	} {
		h.between(func() { h.server.Admins = row.admins })
		if got := told(row.user, row.door, row.groups...); got != row.want {
			t.Errorf("%s: told why: %v, want %v", row.story, got, row.want)
		}
	}
	if h.explains("/closed/x", nil) {
		t.Error("nobody is told why")
	}
}

// The page says of each rule what did not hold, and of the deciding one all.
func TestFindingsOnThePage(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
		{Name: "trial", Paths: []string{"/y"}, Deny: true, Observe: true},
		{Name: "writers", Methods: []string{"PUT"}, Paths: []string{"/x"}, Allow: &policy.Subjects{SignedIn: true}},
		{Name: "deciding", Paths: []string{"/x"}, Allow: &policy.Subjects{SignedIn: true}, Networks: []string{"192.0.2.0/24"}},
		{Name: "later", Allow: &policy.Subjects{SignedIn: true}},
	}}}})
	h.must(err)
	alice := h.at(h.alice)
	h.server.Policy.Store(guard)
	page := h.asks(forwardAuth, h.about("/x", append([]string{"Accept", "text/html"}, alice...)...)).wants(http.StatusForbidden).body
	for _, want := range []string{"<bdi>writers</bdi> · methods: does not hold", "<bdi>deciding</bdi> · networks: does not hold", "<bdi>deciding</bdi> · paths: holds"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	for _, rest := range []string{"<bdi>trial</bdi>", "<bdi>writers</bdi> · paths", "<bdi>later</bdi>"} {
		if strings.Contains(page, rest) {
			t.Errorf("the page says %q of a rule that did not decide:\n%s", rest, page)
		}
	}
	for _, other := range []string{"second factor", "more recent sign-in", "another site"} {
		if strings.Contains(page, other) {
			t.Errorf("the page says %q", other)
		}
	}
}

// A form of another site gets a page that says so, and no more, to whomever.
func TestPageOfCrossOriginRefusals(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for _, who := range [][]string{h.at(h.alice), h.at(h.bob)} {
		lines := slices.Concat(who, sends(sibling, "same-site"), []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"})
		a := h.program().post(h.Wiki+"/x", "a=b", append(lines, "Content-Type", "application/x-www-form-urlencoded")...).wants(http.StatusForbidden)
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "A page of another site tried to do this") || strings.Contains(a.body, "for administrators") {
			t.Errorf("%v %s", a.header, a.body)
		}
		h.program().post(h.Wiki+"/closed/x", "a=b", append(slices.Clone(navigation), who...)...).refuses("a form of its own", http.StatusForbidden, "Forbidden")
		for name, lines := range map[string][]string{"a script": {"Sec-Fetch-Mode", "cors"}, "a program": nil} {
			a := h.program().post(h.Wiki+"/x", "a=b", slices.Concat(who, sends(sibling, "same-site"), lines)...)
			a.refuses(name, http.StatusForbidden, "Forbidden")
		}
	}
}

// What nginx shows is about the request that it was asked for, and by whom.
func TestRefusePageOfOtherRequests(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.at(h.alice)
		shows := func(from string, lines ...string) answer {
			t.Helper()
			return h.rawTo(h.front.Listener.Addr(), from, strings.Replace(get("/.gateway/refuse", lines...), "Host: authz", "Host: "+h.site.wiki, 1))
		}
		original := func(method string, lines ...string) []string {
			return append([]string{"X-Original-Url", h.Wiki + "/x", "X-Original-Method", method, "Accept", "text/html"}, lines...)
		}
		shows(trusted, original("GET")...).wants(http.StatusSeeOther)
		shows(trusted, original("HEAD")...).wants(http.StatusSeeOther)
		if a := shows(trusted, original("POST")...); a.status != http.StatusUnauthorized || a.header.Get("X-Gateway-Sign-In") != h.Wiki+"/.gateway/sign-in?rd=%2Fx" {
			t.Errorf("a form's answer: status %d %v, want 401", a.status, a.header)
		}
		h.watch.failing.Store(true)
		a := shows(trusted, original("POST", alice...)...)
		a.refuses("signed in meanwhile, but no page", http.StatusServiceUnavailable, "Unavailable")
		shows(stranger, "Remote-User", "alice", "Accept", "text/html").wants(http.StatusSeeOther) // a stranger's forgeries are nobody's business: they lead nowhere
		for story, lines := range map[string][]string{
			"two guests":            {"Cookie", h.site.sessionCookie + "-guest=x; " + h.site.sessionCookie + "-guest=y"},
			"a host that is none":   {"X-Original-Url", h.site.scheme + "://wiki..example/x"},
			"two methods":           {"X-Original-Url", h.Wiki + "/x", "X-Original-Method", "GET", "X-Original-Method", "POST"},
			"no method":             {"X-Original-Url", h.Wiki + "/x", "X-Original-Method", ""},
			"a method that is none": {"X-Original-Url", h.Wiki + "/x", "X-Original-Method", "get"},
		} {
			if a := shows(trusted, lines...); a.status != http.StatusBadRequest && a.status != http.StatusMisdirectedRequest && a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s: status %d: %.200s", story, a.status, a.body)
			}
		}
		h.uncached()
		h.must(h.store.Close())
		shows(trusted, original("GET", alice...)...).wants(http.StatusServiceUnavailable)
	})
}

// Whoever navigates sees a page, in a frame too; programs read a problem.
func TestErrorsAsPages(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for kind, lines := range map[string][]string{
		"text/html": {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, "application/problem+json": {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/html"},
	} {
		if a := h.program().get(h.Portal+"/nothing", lines...).wants(http.StatusNotFound); !strings.HasPrefix(a.header.Get("Content-Type"), kind) {
			t.Errorf("%q: %s, want %s", lines, a.header.Get("Content-Type"), kind)
		}
	}
}

// Who brings no session is told nothing of one.
func TestNothingIsClearedThatIsNotThere(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, address := range []string{h.Wiki + "/.gateway/sign-in?rd=/x", h.Wiki + "/x", h.Portal + "/", h.Portal + "/.gateway/sign-in"} {
			if a := h.program().navigate(address); a.cookie(h.site.sessionCookie) != nil {
				t.Errorf("%s: Set-Cookie %q", address, a.header["Set-Cookie"])
			}
		}
	})
}

// A sign-in that the book does not have did not come to an end.
func TestSignInsWithoutABookAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	b := h.browser()
	before := h.metrics()
	h.must(h.book.Close())
	h.watch.failing.Store(true)
	b.login(h.alice).refuses("no book", http.StatusServiceUnavailable, "Unavailable")
	grown := h.counted(before)
	if grown[signIn("local", "done")] != 0 || grown[signIn("local", "failed")] != 1 {
		t.Errorf("counted %v, want one that failed", grown)
	}
}

// Pages of a listed origin read that it cannot be told, behind front proxies
// too; a form that was posted is not offered to be sent once more by a link.
func TestErrorsBehindProxies(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	alice := h.at(h.alice)
	h.watch.failing.Store(true)
	down := h.site.origin("down." + h.site.wiki)
	for method, want := range map[string]bool{http.MethodGet: true, http.MethodPost: false} {
		a := h.program().do(method, down+"/x", "", append(slices.Clone(navigation), "Sec-Fetch-Site", "same-origin", "Origin", down)...).wants(http.StatusBadGateway)
		if got := strings.Contains(a.body, `href="/x"`); got != want {
			t.Errorf("%s: the page leads to /x again: %v, want %v", method, got, want)
		}
	}
	for _, origin := range []string{spa, sibling} {
		lines := append(sends(origin, "cross-site"), "Sec-Fetch-Mode", "cors", "Authorization", "Bearer gw_none")
		if got, want := h.asks(forwardAuth, h.about("/x", lines...)).wants(http.StatusUnauthorized).header.Get("Access-Control-Allow-Origin"), map[string]string{spa: spa}[origin]; got != want {
			t.Errorf("a token that is none: %q may read what %q gets", got, origin)
		}
	}
	h.uncached()
	h.must(h.store.Close())
	for _, origin := range []string{spa, sibling} {
		want := map[string]string{spa: spa}[origin]
		lines := slices.Concat(alice, sends(origin, "cross-site"), []string{"Sec-Fetch-Mode", "cors"})
		if got := h.asks(forwardAuth, h.about("/x", lines...)).wants(http.StatusServiceUnavailable).header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("forward-auth: %q may read what %q gets", got, origin)
		}
		q := h.about("/x", lines...)
		text := strings.Replace(get("/.gateway/refuse", append(q.lines(authRequest), lines...)...), "Host: authz", "Host: "+h.site.wiki, 1)
		if got := h.rawTo(h.front.Listener.Addr(), trusted, text).wants(http.StatusServiceUnavailable).header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("nginx: %q may read what %q gets", got, origin)
		}
	}
}

// A preflight is decided as what it announces, where the rules say nothing of
// itself; a rule that speaks of it decides.
func TestPreflightsByMethod(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	signedIn := &policy.Subjects{SignedIn: true}
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Rules: []policy.Rule{
		{Name: "no-options", Methods: []string{"OPTIONS"}, Paths: []string{"/shut/**"}, Deny: true},
		{Name: "no-put", Methods: []string{"PUT"}, Deny: true},
		{Name: "some", Methods: []string{"GET", "POST", "PUT"}, Allow: signedIn},
	}}}})
	h.must(err)
	h.server.Policy.Store(guard)
	for _, row := range []struct {
		story, method, target, origin, announces, want string
		more                                           []string
	}{
		{"what may be asked", "OPTIONS", "/x", spa, "POST", "allow ", nil},
		{"a handshake", "OPTIONS", "/x", spa, "POST", "deny", []string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}},
		{"what is refused", "OPTIONS", "/x", spa, "PUT", "deny", nil},
		{"what no rule has", "OPTIONS", "/x", spa, "DELETE", "deny", nil},
		{"what is none", "OPTIONS", "/x", spa, "get", "deny", nil},
		{"nothing", "OPTIONS", "/x", spa, "", "deny", nil},
		{"of an origin that is not listed", "OPTIONS", "/x", sibling, "POST", "deny", nil},
		{"of no origin", "OPTIONS", "/x", "", "POST", "deny", nil},
		{"where a rule refuses it itself", "OPTIONS", "/shut/x", spa, "POST", "deny", nil},
		{"another method", "GET", "/x", spa, "POST", "login", nil},
		{"another method that no rule has", "DELETE", "/x", spa, "POST", "deny", nil},
	} {
		lines := slices.Concat(sends(row.origin, "cross-site"), []string{"Sec-Fetch-Mode", "cors"}, row.more)
		if row.announces != "" {
			lines = append(lines, "Access-Control-Request-Method", row.announces)
		}
		for way, got := range h.ways(question{row.method, "https", h.site.wiki, row.target, "198.51.100.7", lines}) {
			if got != row.want {
				t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
			}
		}
	}
}

// By whichever word a browser says that it opens a WebSocket, a page of
// another origin opens none in a person's name.
func TestHandshakesOfOtherOrigins(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		for _, word := range [][]string{{"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"Sec-WebSocket-Version", "13"}} {
			for _, row := range []struct {
				story  string
				sender []string
				want   string
			}{
				{"a sibling", sends(sibling, "same-site"), "deny"},
				{"a sibling, of an older browser", sends(sibling, ""), "deny"},
				{"no origin", sends("null", ""), "deny"},
				{"a lie about where it comes from", sends(sibling, "same-origin"), "deny"},
				{"its own page", sends(h.Wiki, "same-origin"), "allow bob"},
				{"its own page, of an older browser", sends(h.Wiki, ""), "allow bob"},
			} {
				for _, dialect := range dialects {
					a := h.asks(dialect, h.about("/x", slices.Concat(bob, word, row.sender)...))
					got := a.decision()
					if got == "allow" {
						got += " " + a.header.Get("Remote-User")
					}
					if got != row.want {
						t.Errorf("%s by %s, %s: %s, want %s", row.story, word[0], dialect, got, row.want)
					}
				}
			}
		}
	})
}

// The cookie that binds a sign-in to its browser is one that we have made, or
// another one is set.
func TestBrowsersOfTheirOwnMaking(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		good := strings.Repeat("A", 20) + "Z2734W"
		connects := func(cookie string) answer {
			return h.program().post(h.Portal+"/.gateway/connect", `{"client_first":"n,,n=bob,r=rOprNGfwEbeRWgbNEkqO"}`, "Cookie", cookie)
		}
		for _, value := range []string{good[1:], good + "A", "", good[1:] + "@", good[1:] + "[", good[1:] + "1", good[1:] + "8", strings.ToLower(good), good[1:] + "=", good[2:] + "\u00e9"} {
			if c := connects(h.site.pre + "=" + value).wants(http.StatusOK).cookie(h.site.pre); c == nil || len(c.Value) != 26 || c.Value == value {
				t.Errorf("%q: set is %v, want one of ours", value, c)
			}
		}
		if a := connects(h.site.pre + "=" + good).wants(http.StatusOK); a.cookie(h.site.pre) != nil {
			t.Errorf("one of ours is set anew: %q", a.header["Set-Cookie"])
		}
		connects(h.site.pre+"="+good+"; "+h.site.pre+"="+good).refuses("two of them", http.StatusBadRequest, "BadRequest")
	})
}
