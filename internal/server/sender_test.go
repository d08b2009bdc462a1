package server_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/proxy"
	"gateway/internal/server"
)

const (
	spa     = "https://spa.example.org" // an origin that wiki lists
	sibling = "https://other.example.net"
)

// listing lets wiki list the origin of a page.
func listing(h *house) {
	h.between(func() {
		wiki := h.server.Apps["wiki"]
		wiki.CrossOrigin = []string{spa, "http://localhost:5173"}
		h.server.Apps["wiki"] = wiki
	})
}

// sends is what a browser says of the page that makes it ask.
func sends(origin, site string) []string {
	var lines []string
	if origin != "" {
		lines = append(lines, "Origin", origin)
	}
	if site != "" {
		lines = append(lines, "Sec-Fetch-Site", site)
	}
	return lines
}

// handshake is what a browser says of a WebSocket, behind proxies that keep
// the Upgrade header to themselves too.
func handshake(lines []string) []string {
	return append([]string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}, lines...)
}

// ways asks by every way in, and returns what was decided.
func (h *house) ways(q question) map[string]string {
	h.Helper()
	all := map[string]string{}
	for _, dialect := range dialects {
		a := h.asks(dialect, q)
		all[dialect] = a.decision()
		if a.decision() == "allow" {
			all[dialect] += " " + a.header.Get("Remote-User")
		}
	}
	own := h.byOwnProxy(h.TB.(*testing.T), q, nil) //nolint:errcheck // a test may panic
	all["own proxy"] = own.decision
	if own.decision == "allow" {
		all["own proxy"] += " " + own.identity[0]
	}
	return all
}

// What a page of another origin makes a browser do in a person's name is
// refused, by every way in; what a person does, or a program, passes.
func TestPagesOfOtherOrigins(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		_, token, _ := strings.Cut(bob[1], "=")
		bearer := []string{"Authorization", "Bearer " + token}
		const office, home = "192.0.2.9", "198.51.100.7"
		for _, row := range []struct {
			story  string
			method string
			target string
			client string
			proof  []string
			sender []string
			want   string
		}{
			{"its own page", "POST", "/x", home, bob, sends(h.Wiki, "same-origin"), "allow bob"},
			{"its own page, without referrer", "POST", "/x", home, bob, sends("null", "same-origin"), "allow bob"},
			{"a form that is sent again", "POST", "/x", home, bob, sends("null", "none"), "allow bob"},
			{"its own page, in an older browser", "DELETE", "/x", home, bob, sends(h.Wiki, ""), "allow bob"},
			{"a program", "POST", "/x", home, bob, nil, "allow bob"},
			{"another site", "POST", "/x", home, bob, sends("https://evil.test", "cross-site"), "deny"},
			{"another site that hides", "POST", "/x", home, bob, sends("null", "cross-site"), "deny"},
			{"another site that says nothing of its origin", "POST", "/x", home, bob, sends("", "cross-site"), "deny"},
			{"a sibling", "POST", "/x", home, bob, sends(sibling, "same-site"), "deny"},
			{"a sibling, in an older browser", "POST", "/x", home, bob, sends(sibling, ""), "deny"},
			{"a page that hides, in an older browser", "POST", "/x", home, bob, sends("null", ""), "deny"},
			{"the portal", "POST", "/x", home, bob, sends(h.Portal, "same-site"), "deny"},
			{"another port", "POST", "/x", home, bob, sends(h.Wiki+"1", "same-site"), "deny"},
			{"another scheme", "POST", "/x", home, bob, sends("ftp"+h.Wiki[strings.Index(h.Wiki, "://"):], ""), "deny"},
			{"a word of Fetch Metadata that is new", "POST", "/x", home, bob, sends(h.Wiki, "same-planet"), "deny"},
			{"Fetch Metadata twice", "POST", "/x", home, bob, append(sends(h.Wiki, "same-origin"), "Sec-Fetch-Site", "same-origin"), "deny"},
			{"an origin twice", "POST", "/x", home, bob, append(sends(h.Wiki, ""), "Origin", h.Wiki), "deny"},
			{"a sibling, by PUT", "PUT", "/x", home, bob, sends(sibling, "same-site"), "deny"},
			{"a sibling, by a method that is new", "QUERY", "/x", home, bob, sends(sibling, "same-site"), "deny"},
			{"a link elsewhere", "GET", "/x", home, bob, sends("", "cross-site"), "allow bob"},
			{"a picture elsewhere", "HEAD", "/x", home, bob, sends(sibling, "same-site"), "allow bob"},
			{"options", "OPTIONS", "/x", home, bob, sends(sibling, "same-site"), "allow bob"},
			{"a Bearer token, which no page has", "POST", "/x", home, bearer, sends(sibling, "same-site"), "allow bob"},
			{"where the person may not anyway", "POST", "/admin/x", home, bob, sends(sibling, "same-site"), "deny"},
			{"nobody", "POST", "/x", home, nil, sends(sibling, "same-site"), "login"},
			{"to everyone, as nobody", "POST", "/public/x", home, nil, sends(sibling, "same-site"), "allow "},
			{"to everyone, in a person's name", "POST", "/public/x", home, bob, sends(sibling, "same-site"), "allow "},
			{"to everyone, its own page", "POST", "/public/x", home, bob, sends(h.Wiki, "same-origin"), "allow bob"},
			{"to a network, by its own page", "POST", "/office/x", office, nil, sends(h.Wiki, "same-origin"), "allow "},
			{"to a network, from another site", "POST", "/office/x", office, nil, sends("https://evil.test", "cross-site"), "deny"},
			{"to a network, from another site, with a token that it has made up", "POST", "/office/x", office, []string{"Authorization", "Bearer gw_A"}, sends("https://evil.test", "cross-site"), "deny"},
			{"to a network, from another site, with a session that it has made up", "POST", "/office/x", office, []string{"Authorization", "Bearer " + flip(token, 150)}, sends("https://evil.test", "cross-site"), "deny"},
			{"to a network, from another site, with an app's own token", "POST", "/office/x", office, []string{"Authorization", "Bearer a.b.c"}, sends("https://evil.test", "cross-site"), "deny"},
			{"to a network, from another site that has been given a token", "POST", "/office/x", office, bearer, sends("https://evil.test", "cross-site"), "deny"},
			{"to a network, by a program with a token", "POST", "/office/x", office, bearer, nil, "allow bob"},
			{"to everyone, from another site, with a token that it has made up", "POST", "/public/x", home, []string{"Authorization", "Bearer gw_A"}, sends("https://evil.test", "cross-site"), "allow "},
			{"to everyone, from another site that has been given a token", "POST", "/public/x", home, bearer, sends("https://evil.test", "cross-site"), "allow bob"},
			{"to a network, by a program with a token that does not count", "POST", "/office/x", office, []string{"Authorization", "Bearer gw_A"}, nil, "allow "},
			{"to a network, a link elsewhere", "GET", "/office/x", office, nil, sends("", "cross-site"), "allow "},

			{"a WebSocket of its own page", "GET", "/x", home, bob, handshake(sends(h.Wiki, "same-origin")), "allow bob"},
			{"a WebSocket of its own page, in an older browser", "GET", "/x", home, bob, handshake(sends(h.Wiki, "")), "allow bob"},
			{"a WebSocket of a program", "GET", "/x", home, bob, handshake(nil), "allow bob"},
			{"a WebSocket of a sibling", "GET", "/x", home, bob, handshake(sends(sibling, "")), "deny"},
			{"a WebSocket of a sibling, with Fetch Metadata", "GET", "/x", home, bob, handshake(sends(sibling, "same-site")), "deny"},
			{"a WebSocket whose origin and metadata disagree", "GET", "/x", home, bob, handshake(sends(sibling, "same-origin")), "deny"},
			{"a WebSocket that hides", "GET", "/x", home, bob, handshake(sends("null", "")), "deny"},
			{"a WebSocket of a sibling, to everyone", "GET", "/public/x", home, bob, handshake(sends(sibling, "")), "allow "},
		} {
			q := question{row.method, h.site.scheme, h.site.wiki, row.target, row.client, slices.Concat(row.proof, row.sender)}
			for way, got := range h.ways(q) {
				if got != row.want {
					t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
				}
			}
		}
	})
}

// An app opts out by naming origins, to the letter, or altogether.
func TestPagesThatAnAppLists(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	bob := h.at(h.bob)
	for _, row := range []struct {
		story    string
		insecure bool
		method   string
		sender   []string
		want     string
	}{
		{"a listed origin", false, "POST", sends(spa, "cross-site"), "allow bob"},
		{"another listed origin", false, "POST", sends("http://localhost:5173", "cross-site"), "allow bob"},
		{"a WebSocket of a listed origin", false, "GET", handshake(sends(spa, "")), "allow bob"},
		{"another scheme", false, "POST", sends("http://spa.example.org", "cross-site"), "deny"},
		{"another port", false, "POST", sends(spa+":444", "cross-site"), "deny"},
		{"what begins like it", false, "POST", sends(spa+".evil.test", "cross-site"), "deny"},
		{"what ends like it", false, "POST", sends("https://evil-spa.example.org", "cross-site"), "deny"},
		{"a page below it", false, "POST", sends("https://x.spa.example.org", "cross-site"), "deny"},
		{"in capitals", false, "POST", sends("https://SPA.example.org", "cross-site"), "deny"},
		{"no origin", false, "POST", sends("", "cross-site"), "deny"},
		{"twice", false, "POST", append(sends(spa, "cross-site"), "Origin", spa), "deny"},
		{"from anywhere, where the app says so", true, "POST", sends("https://evil.test", "cross-site"), "allow bob"},
		{"a WebSocket from anywhere, where the app says so", true, "GET", handshake(sends("null", "")), "allow bob"},
	} {
		h.between(func() {
			wiki := h.server.Apps["wiki"]
			wiki.InsecureCrossOrigin = row.insecure
			h.server.Apps["wiki"] = wiki
		})
		for way, got := range h.ways(question{row.method, "https", h.site.wiki, "/x", "198.51.100.7", slices.Concat(bob, row.sender)}) {
			if got != row.want {
				t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
			}
		}
	}
}

// The refusal says what happened, to programs and to people, and in the book.
func TestCrossOriginRefusals(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		b.visit(h.Wiki + "/x")
		hits := h.echo.count()
		script := b.post(h.Wiki+"/transfer?to=mallory", "", "Origin", sibling, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors")
		script.refuses("a script", http.StatusForbidden, "Forbidden")
		form := b.post(h.Wiki+"/transfer?to=mallory", "", "Origin", sibling, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html").wants(http.StatusForbidden)
		if got := h.echo.count(); got != hits {
			t.Errorf("the app has seen %d requests", got-hits)
		}
		id := script.field("decision_id")
		if id == "" || script.header.Get("X-Gateway-Decision") != id || script.field("reason") != "cross-origin" || !strings.Contains(script.field("detail"), "another site") {
			t.Errorf("a script: %v %s", script.header, script.body)
		}
		for line := range strings.Lines(h.log.String()) {
			for _, want := range []string{`"reason":"cross-origin"`, `"login":"alice"`, `"rule":"rest"`} {
				if strings.Contains(line, id) && !strings.Contains(line, want) {
					t.Errorf("the book: %s", line)
				}
			}
		}
		if id := form.header.Get("X-Gateway-Decision"); id == "" || !strings.Contains(form.body, id) || !strings.Contains(form.body, "another site") || strings.Contains(form.body, "mallory") {
			t.Errorf("a form: %s", form.body)
		}

		// What nginx shows: it asks again, and sees the browser's own headers.
		session := b.session(h.Wiki)
		lines := slices.Concat([]string{"X-Original-Url", h.Wiki + "/transfer", "X-Original-Method", "POST", "X-Forwarded-For", "::1", "Sec-Fetch-Mode", "cors"}, session)
		refuse := func(sender ...string) answer {
			text := strings.Replace(get("/.gateway/refuse", append(lines, sender...)...), "Host: authz", "Host: "+h.site.wiki, 1)
			return h.rawTo(h.front.Listener.Addr(), trusted, strings.Replace(text, "GET", "POST", 1))
		}
		if a := refuse(sends(sibling, "same-site")...); a.status != http.StatusForbidden || a.field("reason") != "cross-origin" || a.field("decision_id") == "" {
			t.Errorf("shown by nginx: status %d %s", a.status, a.body)
		}
		if a := refuse(handshake(sends(sibling, ""))...); a.field("reason") != "cross-origin" {
			t.Errorf("a handshake, shown by nginx: status %d %s", a.status, a.body)
		}
		lines = lines[:len(lines)-len(session)]
		if a := refuse(sends(sibling, "same-site")...); a.status != http.StatusUnauthorized || a.header.Get("X-Gateway-Sign-In") == "" {
			t.Errorf("nobody's, shown by nginx: status %d %v %s", a.status, a.header, a.body)
		}
	})
}

// A page of an origin that the app lists reads a refusal, and where to sign in;
// others do not, and nobody reads anything of the portal, or of the app by us.
func TestRefusalsThatPagesRead(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		listing(h)
		h.watch.failing.Store(true)
		b := h.as(h.bob)
		b.visit(h.Wiki + "/x")
		ended := h.at(h.bob)
		nobody := h.browser()
		down := func(b *browser, address string, headers ...string) answer {
			h.uncached()
			h.must(h.store.Close())
			return b.get(address, headers...)
		}
		for _, row := range []struct {
			story  string
			origin string
			do     func(headers ...string) answer
			status int
			reads  bool
		}{
			{"nobody", spa, func(x ...string) answer { return nobody.get(h.Wiki+"/x", x...) }, 401, true},
			{"nobody, who writes", spa, func(x ...string) answer { return nobody.post(h.Wiki+"/x", "{}", x...) }, 401, true},
			{"somebody who may not", spa, func(x ...string) answer { return b.get(h.Wiki+"/admin/x", x...) }, 403, true},
			{"what nobody may", spa, func(x ...string) answer { return nobody.get(h.Wiki+"/closed/x", x...) }, 403, true},
			{"another listed origin", "http://localhost:5173", func(x ...string) answer { return nobody.get(h.Wiki+"/x", x...) }, 401, true},
			{"an origin that is not listed", sibling, func(x ...string) answer { return nobody.get(h.Wiki+"/x", x...) }, 401, false},
			{"no origin", "null", func(x ...string) answer { return nobody.get(h.Wiki+"/x", x...) }, 401, false},
			{"its own page", h.Wiki, func(x ...string) answer { return nobody.get(h.Wiki+"/x", x...) }, 401, false},
			{"an app that lists nobody", spa, func(x ...string) answer { return nobody.get(h.Board+"/x", x...) }, 401, false},
			{"what the app answers", spa, func(x ...string) answer { return b.get(h.Wiki+"/x", x...) }, 200, false},
			{"a page that is sent to the sign-in", spa, func(x ...string) answer {
				return nobody.get(h.Wiki+"/x", append(slices.Clone(navigation), x[:2]...)...)
			}, 303, false},
			{"the portal", spa, func(x ...string) answer { return nobody.get(h.Portal+"/.gateway/connect", x...) }, 200, false},
			{"the portal, which refuses", spa, func(x ...string) answer { return nobody.post(h.Portal+"/.gateway/login", "{}", x...) }, 403, false},
			{"our own pages at the app", spa, func(x ...string) answer { return nobody.get(h.Wiki+"/.gateway/connect", x...) }, 200, false},
			{"a malformed request", spa, func(x ...string) answer { return nobody.get(h.Wiki+"/x;y", x...) }, 400, false},
			{"cannot tell", spa, func(x ...string) answer { return down(h.program(), h.Wiki+"/x", append(x, ended...)...) }, 503, true},
		} {
			a := row.do("Origin", row.origin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors").wants(row.status)
			got := a.header.Get("Access-Control-Allow-Origin")
			if !row.reads {
				if got != "" {
					t.Errorf("%s: %s may read it", row.story, got)
				}
				continue
			}
			if got != row.origin || a.header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s: %s may read it (%v), want %s", row.story, got, a.header, row.origin)
			}
			for _, name := range []string{"WWW-Authenticate", "X-Gateway-Sign-In", "X-Gateway-Decision"} {
				if !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), name) {
					t.Errorf("%s: it may not read %s", row.story, name)
				}
			}
			if row.status == http.StatusUnauthorized && (a.header.Get("X-Gateway-Sign-In") != h.Wiki+"/.gateway/sign-in?rd=%2Fx" || a.header.Get("WWW-Authenticate") == "") {
				t.Errorf("%s: %v", row.story, a.header)
			}
		}
	})
}

// Front proxies show what is said to them: to their own questions, or to
// nginx's second one.
func TestRefusalsThatPagesReadBehindProxies(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	for _, origin := range []string{spa, sibling} {
		want := map[string]string{spa: spa}[origin]
		lines := append(sends(origin, "cross-site"), "Sec-Fetch-Mode", "cors")
		if got := h.asks(forwardAuth, h.about("/x", lines...)).wants(401).header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("forward-auth: %q may read what %q gets", got, origin)
		}
		q := h.about("/x", lines...)
		text := strings.Replace(get("/.gateway/refuse", append(q.lines(authRequest), lines...)...), "Host: authz", "Host: "+h.site.wiki, 1)
		if got := h.rawTo(h.front.Listener.Addr(), trusted, text).wants(401).header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("nginx: %q may read what %q gets", got, origin)
		}
	}
}

// A browser asks beforehand, without credentials, whether a page of another
// origin may. The app answers, where the origin is listed and what is announced
// may pass once somebody signs in.
func TestPreflights(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	asks := func(origin, method string, more ...string) []string {
		return slices.Concat(sends(origin, "cross-site"), []string{"Access-Control-Request-Method", method, "Sec-Fetch-Mode", "cors"}, more)
	}
	for _, row := range []struct {
		story  string
		method string
		target string
		lines  []string
		want   string
	}{
		{"a listed origin", "OPTIONS", "/x", asks(spa, "PUT"), "allow "},
		{"where a group may", "OPTIONS", "/admin/x", asks(spa, "PUT"), "allow "},
		{"an origin that is not listed", "OPTIONS", "/x", asks(sibling, "PUT"), "login"},
		{"its own origin", "OPTIONS", "/x", asks(h.Wiki, "PUT"), "login"},
		{"no preflight", "OPTIONS", "/x", sends(spa, "cross-site"), "login"},
		{"what nobody may", "OPTIONS", "/closed/x", asks(spa, "GET"), "deny"},
		{"where another network may", "OPTIONS", "/office/x", asks(spa, "GET"), "deny"},
		{"another method that says so", "POST", "/x", asks(spa, "PUT"), "login"},
		{"two methods", "OPTIONS", "/x", asks(spa, "PUT", "Access-Control-Request-Method", "GET"), "login"},
		{"a method that passes nowhere", "OPTIONS", "/x", asks(spa, "TRACE"), "login"},
		{"a method in small letters", "OPTIONS", "/x", asks(spa, "patch"), "login"},
		{"what is open to everyone", "OPTIONS", "/public/x", asks(sibling, "PUT"), "allow "},
	} {
		for way, got := range h.ways(question{row.method, "https", h.site.wiki, row.target, "198.51.100.7", row.lines}) {
			if got != row.want {
				t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
			}
		}
	}
	seen := h.echo.count()
	h.program().do(http.MethodOptions, h.Wiki+"/x", "", asks(spa, "PUT")...).wants(200)
	if got := h.echo.last(t); h.echo.count() != seen+1 || got.Method != http.MethodOptions || strings.Join(got.identity(), "") != "" {
		t.Errorf("the app sees %+v", got)
	}
}

// A WebSocket of an origin that the configuration lists no longer ends.
func TestListedNoLonger(t *testing.T) {
	t.Parallel()
	h := open(t, https, listing)
	app := &lasting{}
	app.behind(h)
	_, bob := h.child(h.bob)
	stays := h.lasts("websocket", "/x", append(handshake(sends(h.Wiki, "")), bob...)...)
	goes := h.lasts("websocket", "/x", append(handshake(sends(spa, "")), bob...)...)
	old := h.server
	next := &server.Server{
		Site: old.Site, Trusted: old.Trusted, Apps: maps.Clone(old.Apps), Local: old.Local, Foreign: old.Foreign, Register: old.Register, Sessions: old.Sessions,
		Asserter: old.Asserter, Throttle: old.Throttle, Spent: old.Spent, Streams: old.Streams, Pepper: old.Pepper, Seals: old.Seals, Audit: old.Audit, Log: old.Log, Now: old.Now,
	}
	wiki := old.Apps["wiki"]
	wiki.CrossOrigin = nil
	next.Apps["wiki"] = wiki
	next.Policy.Store(old.Policy.Load())
	h.current.Store(next)
	goes.wantsEnd(t, "listed no longer", 0)
	_, err := io.WriteString(stays.conn, "hello\n")
	h.must(err)
	app.idle(t, 1)
}

// That an app does not answer, or too late, may be read by the pages that may
// read its refusals; nobody else's, and only the gateway's own words.
func TestFailuresThatPagesRead(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		listing(h)
		h.watch.failing.Store(true)
		slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		h.Cleanup(slow.Close)
		bob := h.at(h.bob)
		for _, app := range []struct {
			to     proxy.Upstream
			status int
		}{
			{proxy.Upstream{URL: h.url(refusing)}, http.StatusBadGateway},
			{proxy.Upstream{URL: h.url(slow.URL), HeaderTimeout: 20 * time.Millisecond}, http.StatusGatewayTimeout},
		} {
			h.leads("wiki", app.to)
			for origin, want := range map[string]string{spa: spa, sibling: "", "null": "", h.Wiki: ""} {
				for _, path := range []string{"/x", "/public/x"} {
					a := h.program().get(h.Wiki+path, append(append(sends(origin, "cross-site"), "Sec-Fetch-Mode", "cors"), bob...)...)
					a.refuses(origin, app.status, "Unavailable")
					if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
						t.Errorf("%d: %q may read what %q gets, want %q", app.status, got, origin, want)
					}
					if !slices.Contains(a.header.Values("Vary"), "Origin") {
						t.Errorf("%d: Vary: %q", app.status, a.header.Values("Vary"))
					}
				}
			}
		}
	})
}
