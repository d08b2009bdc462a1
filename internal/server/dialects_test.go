package server_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/hostiletest"
)

// The dialects of front proxies.
const (
	forwardAuth = "/.gateway/authz/forward-auth"
	authRequest = "/.gateway/authz/auth-request"
	extAuthz    = "/.gateway/authz/ext-authz" // and behind it the path that is asked about
)

var dialects = []string{forwardAuth, authRequest, extAuthz}

// noQuestion is what a dialect says to what is none.
var noQuestion = map[string]int{forwardAuth: http.StatusBadRequest, authRequest: http.StatusForbidden, extAuthz: http.StatusBadRequest}

// managed are the headers that every allow carries.
var managed = []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Gateway-Jwt-Assertion"}

// question is what a front proxy asks: whether a client may have this.
type question struct {
	method, scheme, host, target, client string
	headers                              []string // of the client, names and values
}

// about asks for a page of wiki.
func (h *house) about(target string, headers ...string) question {
	return question{http.MethodGet, h.site.scheme, h.site.wiki, target, "198.51.100.7", headers}
}

// lines are the headers in which a dialect asks.
func (q question) lines(dialect string) []string {
	switch dialect {
	case authRequest:
		return []string{"X-Original-Url", q.scheme + "://" + q.host + q.target, "X-Original-Method", q.method, "X-Forwarded-For", q.client}
	case extAuthz:
		return []string{"X-Forwarded-Proto", q.scheme, "X-Forwarded-For", q.client}
	}
	return []string{"X-Forwarded-Method", q.method, "X-Forwarded-Proto", q.scheme, "X-Forwarded-Host", q.host, "X-Forwarded-Uri", q.target, "X-Forwarded-For", q.client}
}

// text is the question on the wire.
func (q question) text(dialect string) string {
	return q.with(dialect, append(q.lines(dialect), q.headers...)...)
}

// with is the question on the wire with other header lines.
func (q question) with(dialect string, lines ...string) string {
	if dialect != extAuthz {
		return get(dialect, lines...)
	}
	_, rest, _ := strings.Cut(get("/", lines...), "Host: authz\r\n")
	return q.method + " " + dialect + q.target + " HTTP/1.1\r\nHost: " + q.host + "\r\n" + rest
}

// get writes a request with header lines as they stand.
func get(path string, lines ...string) string {
	text := "GET " + path + " HTTP/1.1\r\nHost: authz\r\n"
	for i := 0; i+1 < len(lines); i += 2 {
		text += lines[i] + ": " + lines[i+1] + "\r\n"
	}
	return text + "Connection: close\r\n\r\n"
}

// asks sends a question as the front proxy.
func (h *house) asks(dialect string, q question) answer {
	h.Helper()
	return h.rawTo(h.authz.Listener.Addr(), trusted, q.text(dialect))
}

// says fails the test unless the answer carries every managed header, with
// these values, and no other.
func (a answer) says(story string, want ...string) {
	a.Helper()
	for i, name := range managed[:4] {
		value := ""
		if i < len(want) {
			value = want[i]
		}
		if got := a.header[name]; len(got) != 1 || got[0] != value {
			a.Errorf("%s: %s: %s is %q, want %q once", story, a.asked, name, got, value)
		}
	}
	if got := a.header["X-Gateway-Jwt-Assertion"]; len(got) != 1 || (got[0] != "") != (len(want) > 0) {
		a.Errorf("%s: %s: assertion %q", story, a.asked, got)
	}
}

// session returns the cookie header of a browser at a host.
func (b *browser) session(origin string) []string {
	b.Helper()
	return []string{"Cookie", b.site.sessionCookie + "=" + b.kept(origin, b.site.sessionCookie)}
}

// at returns the cookie header of somebody who is signed in at wiki.
func (h *house) at(p person) []string {
	h.Helper()
	b := h.as(p)
	page, _ := b.visit(h.Wiki + "/x")
	page.wants(http.StatusOK)
	return b.session(h.Wiki)
}

func TestAllowed(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice, bob := h.at(h.alice), h.at(h.bob)
		bearer := []string{"Authorization", "Bearer " + strings.SplitN(bob[1], "=", 2)[1]}
		for _, dialect := range dialects {
			for _, row := range []struct {
				story string
				q     question
				want  []string
			}{
				{"nobody, where everyone may", h.about("/public/x"), nil},
				{"alice", h.about("/x?y=z", alice...), []string{"alice", aliceMail, "Alice", "admins"}},
				{"alice, where admins may", h.about("/admin/users", alice...), []string{"alice", aliceMail, "Alice", "admins"}},
				{"alice, where everyone may", h.about("/public/x", alice...), []string{"alice", aliceMail, "Alice", "admins"}},
				{"bob, in no group", h.about("/x", bob...), []string{"bob", bobMail, "Bob", ""}},
				{"bob by Bearer", h.about("/x", bearer...), []string{"bob", bobMail, "Bob", ""}},
				{"a WebSocket", question{http.MethodGet, strings.Replace(h.site.scheme, "http", "ws", 1), h.site.wiki, "/x", "::1", bob}, []string{"bob", bobMail, "Bob", ""}},
				{"a POST", question{http.MethodPost, h.site.scheme, h.site.wiki, "/x", "::1", bob}, []string{"bob", bobMail, "Bob", ""}},
				{"a port and a dot", question{http.MethodGet, h.site.scheme, strings.ToUpper(h.site.wiki) + ".:8443", "/x", "::1", bob}, []string{"bob", bobMail, "Bob", ""}},
				{"a Bearer of the app's own", h.about("/x", append([]string{"Authorization", "Bearer not.our.token"}, bob...)...), []string{"bob", bobMail, "Bob", ""}},
				{"an address of the office", question{http.MethodGet, h.site.scheme, h.site.wiki, "/office/x", "192.0.2.9", nil}, nil},
			} {
				a := h.asks(dialect, row.q).wants(http.StatusOK)
				a.says(row.story, row.want...)
				if a.body != "" || a.header["Set-Cookie"] != nil {
					t.Errorf("%s: %v, %q", row.story, a.header, a.body)
				}
			}
		}
	})
}

func TestAssertions(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		keys := h.program().get(h.Portal + "/.well-known/jwks.json").wants(http.StatusOK)
		if got := keys.header.Get("Cache-Control"); got != "public, max-age=300" {
			t.Errorf("Cache-Control of the keys: %q", got)
		}
		alice := h.at(h.alice)
		fromProxy := h.echo.last(t).Header.Get("X-Gateway-Jwt-Assertion")
		fromCheck := h.asks(forwardAuth, h.about("/x", alice...)).header.Get("X-Gateway-Jwt-Assertion")
		for story, token := range map[string]string{"of the own proxy": fromProxy, "of forward-auth": fromCheck} {
			claims := verified(h, keys.body, token)
			exp, _ := claims["exp"].(float64)
			if claims["iss"] != h.Portal || claims["aud"] != h.Wiki || claims["sub"] != h.alice.id || claims["login"] != "alice" || claims["email"] != aliceMail {
				t.Errorf("%s: %v", story, claims)
			}
			if left := time.Unix(int64(exp), 0).Sub(h.clock.now()); left <= 0 || left > 5*time.Minute {
				t.Errorf("%s: good for %v", story, left)
			}
		}
		for _, key := range []string{alice[1], h.as(h.bob).session(h.Portal)[1]} { // sessions are signed by keys that nobody publishes
			_, token, _ := strings.Cut(key, "=")
			if kid := header(h, token)["kid"]; kid == nil || strings.Contains(keys.body, kid.(string)) { //nolint:errcheck // a test may panic
				t.Errorf("the key %v of sessions is published", kid)
			}
		}
	})
}

func TestQuestionsThatAreNone(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.at(h.alice)
		before := h.rows()
		refused := func(story, dialect, text string) {
			t.Helper()
			a := h.rawTo(h.authz.Listener.Addr(), trusted, text)
			if ok := a.status == http.StatusForbidden || dialect != authRequest && (a.status == http.StatusBadRequest || a.status == http.StatusMethodNotAllowed || a.status == http.StatusMisdirectedRequest || a.status == http.StatusNotFound); !ok && !ofNetHTTP(a) {
				t.Errorf("%s in %s: status %d: %.200s", story, dialect, a.status, a.body)
			}
			if !ofNetHTTP(a) {
				a.says(story)
			}
		}
		for _, dialect := range dialects {
			good := h.about("/x", alice...)
			h.asks(dialect, good).wants(http.StatusOK)
			lines := append(good.lines(dialect), alice...)
			for i := 0; i < len(good.lines(dialect)); i += 2 {
				refused("without "+lines[i], dialect, good.with(dialect, slices.Delete(slices.Clone(lines), i, i+2)...))
				refused("twice "+lines[i], dialect, good.with(dialect, append(slices.Clone(lines), lines[i], lines[i+1])...))
				refused("twice, once empty "+lines[i], dialect, good.with(dialect, append(slices.Clone(lines), lines[i], "")...))
				empty := slices.Clone(lines)
				empty[i+1] = ""
				refused("empty "+lines[i], dialect, good.with(dialect, empty...))
				if lines[i] == "X-Forwarded-For" {
					continue // it is a list by nature
				}
				list := slices.Clone(lines)
				list[i+1] += ", " + list[i+1]
				refused("a list in "+lines[i], dialect, good.with(dialect, list...))
			}
			for _, other := range dialects {
				if other != dialect && (dialect != extAuthz || other != forwardAuth) { // which says all that it asks for, and is refused for the rest
					refused("in "+other, dialect, good.with(dialect, append(good.lines(other), alice...)...))
				}
			}
			for _, host := range []string{"", "evil.test", h.site.portal, "unknown." + h.site.wiki, h.site.wiki + ":0", h.site.wiki + ":x", h.site.wiki + "," + h.site.board, "user@" + h.site.wiki, h.site.wiki + "%00", "\xd0\xb0" + h.site.wiki, "[::1]", "127.1", h.site.wiki + "\\"} {
				q := good
				q.host = host
				refused("host "+host, dialect, q.text(dialect))
			}
			for _, method := range []string{"", "get", "Get", "CONNECT", "TRACE", "GET POST", "GET\t", "G\xcbT", strings.Repeat("A", 33), "GET,POST"} {
				q := good
				q.method = method
				if strings.TrimSpace(method) == "GET" {
					continue // what surrounds a value is not part of it
				}
				refused("method "+method, dialect, q.text(dialect))
			}
			for _, scheme := range []string{"", "ftp", "HTTPS", "javascript", map[string]string{"http": "https", "https": "http"}[h.site.scheme], map[string]string{"http": "wss", "https": "ws"}[h.site.scheme], h.site.scheme + ":" + h.site.scheme} {
				q := good
				q.scheme = scheme
				refused("scheme "+scheme, dialect, q.text(dialect))
			}
			for story, cookies := range map[string][]string{
				"two sessions":            {"Cookie", alice[1] + "; " + alice[1]},
				"two sessions, two lines": append(slices.Clone(alice), alice...),
				"cookie and Bearer":       append([]string{"Authorization", "Bearer " + strings.SplitN(alice[1], "=", 2)[1]}, alice...),
			} {
				for _, target := range []string{"/x", "/public/x"} {
					refused(story, dialect, h.about(target, cookies...).text(dialect))
				}
			}
		}
		for _, address := range []string{"wiki", "//" + h.site.wiki + "/x", h.Wiki, "https:/" + h.site.wiki + "/x", "https:" + h.site.wiki + "/x", h.Wiki + "?x", h.Wiki + "#/x", h.Wiki + "@evil.test/x", " ://x/", "://" + h.site.wiki + "/x", "x" + h.Wiki + "/x"} {
			refused("X-Original-URL: "+address, authRequest, get(authRequest, append([]string{"X-Original-Url", address, "X-Original-Method", "GET", "X-Forwarded-For", "::1"}, alice...)...))
		}
		h.unchanged("refused", before)
	})
}

// Only trusted peers are answered, and nobody else learns anything.
func TestStrangersAreNotAnswered(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.at(h.alice)
		for _, from := range []string{stranger, "127.0.0.1"} {
			for _, dialect := range dialects {
				for _, target := range []string{"/public/x", "/x", "/closed/x"} {
					q := h.about(target, alice...)
					a := h.rawTo(h.authz.Listener.Addr(), from, q.text(dialect))
					a.refuses(from, http.StatusForbidden, "Forbidden")
					for _, name := range managed {
						if a.header.Get(name) != "" {
							t.Errorf("%s learns %s: %q", from, name, a.header.Get(name))
						}
					}
					h.rawTo(h.authz.Listener.Addr(), from, q.with(dialect, append(q.lines(dialect), "X-Forwarded-For", trusted, "X-Real-Ip", trusted)...)).refuses(from, http.StatusForbidden, "Forbidden")
				}
			}
			h.rawTo(h.authz.Listener.Addr(), from, get("/")).refuses(from, http.StatusForbidden, "Forbidden")
		}
		for _, dialect := range dialects { // nor does anybody elsewhere
			for _, host := range []string{h.site.portal, h.site.wiki} {
				q := h.about("/public/x", alice...)
				text := strings.NewReplacer("Host: authz\r\n", "Host: "+host+"\r\n", "Host: "+q.host+"\r\n", "Host: "+host+"\r\n").Replace(q.text(dialect))
				h.rawTo(h.front.Listener.Addr(), trusted, text).refuses("on the public listener", http.StatusNotFound, "BadRequest")
			}
		}
	})
}

func TestForgedIdentity(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		bob := h.at(h.bob)
		for _, dialect := range dialects {
			for _, name := range append(hostiletest.Lines(t, "headers"), hostiletest.Lines(t, "spellings")...) {
				for _, target := range []string{"/x", "/public/x"} {
					q := h.about(target, append([]string{name, "alice"}, bob...)...)
					a := h.asks(dialect, q)
					if want := noQuestion[dialect]; a.status != want {
						t.Errorf("%s with %s: status %d, want %d", dialect, name, a.status, want)
						continue
					}
					a.says(name)
				}
			}
		}
	})
}

// Nobody but the proxy says what was asked for, and it only once.
func TestNobodySpeaksOfAnotherRequest(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.at(h.alice)
		for _, name := range []string{
			"Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Original-Uri", "X-Original-Host", "X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Envoy-Original-Path",
			"X-Original-Url", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Method",
		} {
			for _, dialect := range dialects {
				q := h.about("/x", append([]string{name, "/admin/x"}, alice...)...)
				if a := h.asks(dialect, q); a.status != noQuestion[dialect] {
					t.Errorf("%s with %s: status %d", dialect, name, a.status)
				}
			}
			h.raw(h.page("/x", append([]string{name, "/admin/x"}, alice...)...)).wants(http.StatusOK)
			if got := h.echo.last(t); got.Header[name] != nil || got.Target != "/x" {
				t.Errorf("the app sees %s: %q", name, got.Header[name])
			}
		}
	})
}

// hops are what a proxy may say of where a request came from, and whether that
// is the office.
var hops = []struct {
	story, chain string
	office       bool
}{
	{"the office", "192.0.2.7", true},
	{"elsewhere", "203.0.113.7", false},
	{"with space around", "  192.0.2.7 ", true},
	{"IPv4 within IPv6", "::ffff:192.0.2.7", true},
	{"behind another trusted hop", "192.0.2.7, " + trusted, true},
	{"behind many", "192.0.2.7" + strings.Repeat(", "+trusted, 30), true},
	{"behind too many", "192.0.2.7" + strings.Repeat(", "+trusted, 40), false},
	{"behind thousands", "192.0.2.7" + strings.Repeat(","+trusted, 3000), false},
	{"what the client says itself does not count", "192.0.2.7, 203.0.113.7", false},
	{"nor does what it says wrongly", "garbage, 192.0.2.7", true},
	{"the last hop is no address", "192.0.2.7, garbage", false},
	{"unknown", "192.0.2.7, unknown", false},
	{"nothing after the comma", "192.0.2.7,", false},
	{"nothing before the comma", ",192.0.2.7", true},
	{"nothing between", "192.0.2.7,," + trusted, false},
	{"an address with a port", "192.0.2.7:4711", false},
	{"IPv6 with a port", "[::ffff:192.0.2.7]:99", false},
	{"a zone", "fe80::1%eth0", false},
	{"a zone of the office", "::ffff:192.0.2.7%eth0", false},
	{"octal", "0300.0.2.7", false},
	{"hexadecimal", "0xc0.0.2.7", false},
	{"short", "192.2.7", false},
	{"a number", "3221225991", false},
	{"a network", "192.0.2.0/24", false},
	{"quoted", `"192.0.2.7"`, false},
	{"for=", "for=192.0.2.7", false},
	{"a name", "office.example", false},
	{"not ASCII", "192.0.2.\xef\xbc\x97", false},
	{"all hops trusted", trusted + ", " + trusted, false},
}

func TestForwardedFor(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for _, row := range hops {
		want := http.StatusForbidden
		if row.office {
			want = http.StatusOK
		}
		for _, dialect := range dialects {
			q := h.about("/office/x")
			q.client = row.chain
			if a := h.asks(dialect, q); a.status != want {
				t.Errorf("%s: %s: status %d, want %d", row.story, dialect, a.status, want)
			}
		}
		text := strings.Replace(get("/office/x", "X-Forwarded-For", row.chain), "Host: authz", "Host: "+h.site.wiki, 1)
		if a := h.rawTo(h.front.Listener.Addr(), trusted, text); a.status != want {
			t.Errorf("%s: own proxy: status %d, want %d", row.story, a.status, want)
		}
		if a := h.rawTo(h.front.Listener.Addr(), stranger, text); a.status != http.StatusForbidden {
			t.Errorf("%s: own proxy, said by a stranger: status %d, want 403", row.story, a.status)
		}
	}
	public := func(from string, lines ...string) []string {
		h.rawTo(h.front.Listener.Addr(), from, strings.Replace(get("/public/x", lines...), "Host: authz", "Host: "+h.site.wiki, 1)).wants(http.StatusOK)
		return h.echo.last(t).Header["X-Forwarded-For"]
	}
	for _, row := range []struct {
		story, from string
		lines, want []string
	}{
		{"a stranger", stranger, nil, []string{stranger}},
		{"a stranger who lies", stranger, []string{"X-Forwarded-For", "192.0.2.7"}, []string{stranger}},
		{"behind the proxy", trusted, []string{"X-Forwarded-For", "6.6.6.6, 203.0.113.7"}, []string{"203.0.113.7"}},
		{"behind the proxy, IPv4 within IPv6", trusted, []string{"X-Forwarded-For", "::ffff:203.0.113.7"}, []string{"203.0.113.7"}},
		{"behind the proxy, from the proxy", trusted, []string{"X-Forwarded-For", trusted + ", " + trusted}, []string{trusted}},
		{"the proxy itself", trusted, nil, []string{trusted}},
		{"the proxy, which says nothing", trusted, []string{"X-Forwarded-For", ""}, nil},
		{"the proxy, which says it twice", trusted, []string{"X-Forwarded-For", "192.0.2.7", "X-Forwarded-For", "192.0.2.7"}, nil},
		{"the proxy, which says garbage", trusted, []string{"X-Forwarded-For", "garbage"}, nil},
	} {
		if got := public(row.from, row.lines...); !slices.Equal(got, row.want) {
			t.Errorf("%s: the app sees X-Forwarded-For %q, want %q", row.story, got, row.want)
		}
	}
}

// Whatever is wrong with a session, what everyone may see is seen, as nobody.
func TestPublicPathsPass(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		ended := h.at(h.alice)
		h.command(http.MethodDelete, "/sessions?user=alice", nil).wants(http.StatusOK)
		idle := h.at(h.bob)
		elsewhere := h.as(h.alice).session(h.Portal)
		h.clock.pass(61 * time.Minute)
		name := h.site.sessionCookie + "="
		for story, cookie := range map[string][]string{
			"a session that has ended": ended, "a session that is idle": idle, "a session of the portal": elsewhere,
			"an empty session": {"Cookie", name}, "what is no session": {"Cookie", name + "hello"}, "what is no JWT": {"Cookie", name + strings.Repeat("A", 5000)},
		} {
			for _, dialect := range dialects {
				h.asks(dialect, h.about("/public/x", cookie...)).wants(http.StatusOK).says(story)
				if a := h.asks(dialect, h.about("/x", cookie...)); a.status != http.StatusUnauthorized {
					t.Errorf("%s: %s of a private path: status %d, want 401", story, dialect, a.status)
				}
			}
			h.program().get(h.Wiki+"/public/x", cookie...).wants(http.StatusOK)
			if got := h.echo.last(t).Header["Remote-User"]; len(got) != 1 || got[0] != "" {
				t.Errorf("%s: the app sees %q, want nobody", story, got)
			}
		}
	})
}

func TestDialectsWithTheStoreDown(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.uncached()
		alice := h.at(h.alice)
		h.watch.failing.Store(true)
		h.must(h.store.Close())
		for _, dialect := range dialects {
			for _, target := range []string{"/x", "/admin/x", "/closed/x", "/office/x", "/"} {
				a := h.asks(dialect, h.about(target, alice...))
				a.refuses(dialect, http.StatusServiceUnavailable, "Unavailable")
				a.says(target)
			}
			h.asks(dialect, h.about("/public/x", alice...)).wants(http.StatusOK).says("as nobody")
			if a := h.asks(dialect, h.about("/x")); a.status != http.StatusUnauthorized {
				t.Errorf("nobody: status %d, want 401", a.status)
			}
		}
	})
}

// auth-request knows four answers, whatever it is asked.
func TestAuthRequestSaysFourThings(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	counts := map[int]int{}
	ask := func(story, text string) {
		t.Helper()
		a := h.rawTo(h.authz.Listener.Addr(), trusted, text)
		counts[a.status]++
		switch a.status {
		case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable:
		default:
			t.Errorf("%s: status %d: %.200s", story, a.status, a.body)
		}
		if a.location() != "" || a.header["Set-Cookie"] != nil {
			t.Errorf("%s: %v", story, a.header)
		}
		if to := a.header.Get("X-Gateway-Sign-In"); (to != "") != (a.status == http.StatusUnauthorized) || (to != "" && !h.atHome(to)) {
			t.Errorf("%s: status %d, X-Gateway-Sign-In %q", story, a.status, to)
		}
	}
	page := append([]string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, bob...)
	for _, target := range []string{"/", "/x", "/public/x", "/admin/x", "/closed/x", "/office/x", "/.gateway/connect", "/.gateway/sign-in", "/a//b", "/a;b", "/%2e%2e/", "/" + strings.Repeat("a", 9000), "/" + strings.Repeat("%61", 2500)} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "TRACE", "get"} {
			for _, headers := range [][]string{nil, page, page[:6], bob} {
				q := h.about(target, headers...)
				q.method = method
				ask(method+" "+target, q.text(authRequest))
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "TRACE", "X"} { // of the question itself
		ask(method, strings.Replace(h.about("/x", page...).text(authRequest), "GET", method, 1))
	}
	ask("no question", get(authRequest))
	if counts[200] == 0 || counts[401] == 0 || counts[403] == 0 {
		t.Errorf("answers: %v, want some of each", counts)
	}
}

// A person who navigates is redirected; everything else is told.
func TestPagesAndPrograms(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		html := []string{"Accept", "text/html,application/xhtml+xml"}
		for _, row := range []struct {
			story   string
			method  string
			headers []string
			page    bool
		}{
			{"a browser navigates", "GET", navigation, true},
			{"an old browser navigates", "GET", html, true},
			{"a HEAD of a browser", "HEAD", navigation, true},
			{"curl", "GET", []string{"Accept", "*/*"}, false},
			{"no Accept", "GET", nil, false},
			{"fetch", "GET", append([]string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, html...), false},
			{"XHR", "GET", append([]string{"X-Requested-With", "XMLHttpRequest"}, html...), false},
			{"an API", "GET", []string{"Accept", "application/json"}, false},
			{"fetch, which says that it is a document", "GET", append([]string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "document"}, html...), false},
			{"an image", "GET", append([]string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, html...), false},
			{"a script", "GET", append([]string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, html...), false},
			{"a frame", "GET", append([]string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, html...), false},
			{"an event stream", "GET", []string{"Accept", "text/event-stream", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
			{"a WebSocket", "GET", append([]string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "websocket"}, html...), false},
			{"a WebSocket of an old browser", "GET", append([]string{"Connection", "Upgrade", "Upgrade", "websocket"}, html...), false},
			{"a form", "POST", navigation, false},
			{"a DELETE", "DELETE", html, false},
		} {
			q := h.about("/x?y=z", row.headers...)
			q.method = row.method
			own := h.program().do(row.method, h.Wiki+"/x?y=z", "", row.headers...)
			for story, a := range map[string]answer{"own proxy": own, "forward-auth": h.asks(forwardAuth, q), "ext-authz": h.asks(extAuthz, q)} {
				there := h.Wiki + "/.gateway/sign-in?rd=%2Fx%3Fy%3Dz"
				if row.page {
					if a.status != http.StatusSeeOther || a.location() != there {
						t.Errorf("%s, %s: status %d, Location %q, want 303 to %s", row.story, story, a.status, a.location(), there)
					}
					continue
				}
				if a.status != http.StatusUnauthorized || a.location() != "" || a.header.Get("X-Gateway-Sign-In") != there || a.header.Get("Www-Authenticate") != `Bearer realm="gateway"` || a.header["Set-Cookie"] != nil {
					t.Errorf("%s, %s: status %d, %v, want 401 that names %s", row.story, story, a.status, a.header, there)
				}
				if a.header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s, %s: %.100s, want a problem", row.story, story, a.body)
				}
			}
		}
	})
}

// What a front proxy shows when its check said no.
func TestRefusePage(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice, bob := h.at(h.alice), h.at(h.bob)
		show := func(from string, lines ...string) answer {
			t.Helper()
			return h.rawTo(h.front.Listener.Addr(), from, strings.Replace(get("/.gateway/refuse", lines...), "Host: authz", "Host: "+h.site.wiki, 1))
		}
		page := []string{"Accept", "text/html"}
		original := func(target string, more ...[]string) []string {
			return append([]string{"X-Original-Url", h.Wiki + target, "X-Original-Method", "GET"}, slices.Concat(more...)...)
		}
		if a := show(trusted, original("/x?y=z", page)...).wants(http.StatusSeeOther); a.location() != h.Wiki+"/.gateway/sign-in?rd=%2Fx%3Fy%3Dz" {
			t.Errorf("a page: %s", a.location())
		}
		if a := show(trusted, page...).wants(http.StatusSeeOther); a.location() != h.Wiki+"/.gateway/sign-in?rd=%2F" {
			t.Errorf("a page, of nobody knows what: %s", a.location())
		}
		show(stranger, original("/x")...).refuses("a stranger's word", http.StatusForbidden, "Forbidden")
		show(trusted, original("/x")...).refuses("a program", http.StatusUnauthorized, "SessionExpired")
		if a := show(trusted, original("/admin/x", page, bob)...).wants(http.StatusForbidden); !strings.Contains(a.body, "bob") || a.header.Get("X-Gateway-Decision") == "" {
			t.Errorf("bob, where admins may: %.300s", a.body)
		}
		show(trusted, original("/closed/x", alice)...).refuses("closed", http.StatusForbidden, "Forbidden")
		if a := show(trusted, original("/x", page, alice)...).wants(http.StatusSeeOther); a.location() != h.Wiki+"/x" {
			t.Errorf("signed in meanwhile: %s", a.location())
		}
		for story, lines := range map[string][]string{
			"of another host":  {"X-Original-Url", h.Board + "/x"},
			"twice":            {"X-Original-Url", h.Wiki + "/x", "X-Original-Url", h.Wiki + "/y"},
			"no URL":           {"X-Original-Url", "/x"},
			"hostile":          {"X-Original-Url", h.Wiki + "/a/../b"},
			"a forged method":  {"X-Original-Url", h.Wiki + "/x", "X-Original-Method", "TRACE"},
			"ours":             {"X-Original-Url", h.Wiki + "/.gateway/connect"},
			"two sessions":     {"Cookie", alice[1] + "; " + bob[1]},
			"a forged header":  {"Remote-User", "alice"},
			"another spelling": {"X_Original_Url", h.Wiki + "/x"},
		} {
			if a := show(trusted, lines...); a.status != http.StatusBadRequest && a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s: status %d: %.200s", story, a.status, a.body)
			}
		}
	})
}

// decision is an answer as the guard meant it, whichever way it was said.
func (a answer) decision() string {
	switch {
	case a.status == http.StatusOK:
		return "allow"
	case a.status == http.StatusUnauthorized || a.status == http.StatusSeeOther && strings.Contains(a.location(), "/.gateway/sign-in?"):
		return "login"
	case a.header.Get("X-Gateway-Decision") != "":
		return "deny"
	case a.status >= 500:
		return "cannot tell"
	}
	return "no question"
}

// Every way in decides alike.
func TestEveryWayDecidesAlike(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		people := map[string][]string{"nobody": nil, "alice": h.at(h.alice), "bob": h.at(h.bob), "no session": {"Cookie", h.site.sessionCookie + "=x"}}
		hostile := hostiletest.Lines(t, "targets")
		targets := append([]string{
			"/", "/x", "/x/", "/public", "/public/", "/public/x", "/publicx", "/Public/x", "/admin", "/admin/", "/admin/users", "/Admin", "/ADMIN/x", "/admin2", "/administrator", "/closed/x", "/office/x",
			"/%61dmin", "/%41dmin", "/a%20b", "/a%2Cb", "/a%3Fb", "/a%23b", "/caf%C3%A9", "/caf%c3%a9", "/a:b", "/a@b", "/a,b", "/~a", "/%7Ea", "/a+b", "/a=b", "/$", "/x?y=/../admin", "/x?y=%2f..%2fadmin", "/admin?", "/public/x?;",
			"/x?y=z&y=z", "/x?%00", "/.gatewayx", "/.well-known/jwks.json", "/.gateway/x", "/.gateway/authz/forward-auth", "/%2egateway/x", "/" + strings.Repeat("a", 8000), "/" + strings.Repeat("a", 8200), "/public/" + strings.Repeat("a/", 2000),
		}, hostile...)
		seen := map[string]int{}
		for _, target := range targets {
			if strings.TrimSpace(target) != target || strings.ContainsAny(target, "\r\n") {
				continue // no header's value has these
			}
			for who, cookie := range people {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					hits := h.echo.count()
					text := method + " " + target + " HTTP/1.1\r\nHost: " + h.site.wiki + "\r\nConnection: close\r\n"
					if cookie != nil {
						text += "Cookie: " + cookie[1] + "\r\n"
					}
					own := h.raw(text + "\r\n").decision()
					q := h.about(target, cookie...)
					q.method = method
					for _, dialect := range dialects {
						if got := h.asks(dialect, q).decision(); got != own {
							t.Errorf("%s %q as %s: own proxy: %s, %s: %s", method, target, who, own, dialect, got)
						}
					}
					seen[own]++
					reached := h.echo.count() - hits
					if (own == "allow") != (reached == 1) {
						t.Errorf("%s %q as %s: %s, and %d requests have reached the app", method, target, who, own, reached)
					}
					if slices.Contains(hostile, target) && own != "no question" {
						t.Errorf("%s %q as %s: %s", method, target, who, own)
					}
				}
			}
		}
		for _, d := range []string{"allow", "login", "deny", "no question"} {
			if seen[d] == 0 {
				t.Errorf("no row is decided %s: %v", d, maps.Collect(maps.All(seen)))
			}
		}
	})
}

// The path behind the prefix is read as it was sent: no spelling of the prefix,
// and nothing behind it, leads to another question.
func TestExtAuthzPrefix(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	lines := append(h.about("/x").lines(extAuthz), bob...)
	for path, want := range map[string]int{
		extAuthz + "/x":                             http.StatusOK,
		extAuthz + "/x?y=/../admin":                 http.StatusOK,
		extAuthz + "/public/x":                      http.StatusOK,
		extAuthz + "/admin/x":                       http.StatusForbidden,
		extAuthz + "/%61dmin/x":                     http.StatusForbidden,
		extAuthz + "/closed/x":                      http.StatusForbidden,
		extAuthz:                                    http.StatusNotFound,
		extAuthz + "?/x":                            http.StatusNotFound,
		extAuthz + "x/x":                            http.StatusNotFound,
		extAuthz + "%2fx":                           http.StatusNotFound,
		extAuthz + "//x":                            http.StatusBadRequest,
		extAuthz + "/../forward-auth":               http.StatusBadRequest,
		extAuthz + "/..%2fforward-auth":             http.StatusBadRequest,
		extAuthz + "/public/../x":                   http.StatusBadRequest,
		extAuthz + "/.gateway/x":                    http.StatusNotFound,
		extAuthz + extAuthz + "/x":                  http.StatusNotFound,
		"/.gateway/authz/ext%2dauthz/x":             http.StatusNotFound,
		"/.gateway/authz/./ext-authz/x":             http.StatusNotFound,
		"/.gateway//authz/ext-authz/x":              http.StatusNotFound,
		"/x/../.gateway/authz/ext-authz/x":          http.StatusNotFound,
		"http://" + h.site.wiki + extAuthz + "/x":   http.StatusNotFound,
		"http://" + h.site.board + extAuthz + "/x":  http.StatusNotFound,
		"https://" + h.site.wiki + extAuthz + "//x": http.StatusNotFound,
		"*": http.StatusNotFound,
	} {
		text := strings.Replace(strings.Replace(get("/", lines...), "Host: authz", "Host: "+h.site.wiki, 1), "GET / ", "GET "+path+" ", 1)
		if a := h.rawTo(h.authz.Listener.Addr(), trusted, text); a.status != want {
			t.Errorf("%s: status %d, want %d: %.200s", path, a.status, want, a.body)
		}
	}
	// One host, in whichever form.
	text := strings.Replace(get(extAuthz+"/x", lines...), "Host: authz", "Host: "+h.site.wiki+"\r\nHost: "+h.site.wiki, 1)
	if a := h.rawTo(h.authz.Listener.Addr(), trusted, text); a.status != http.StatusBadRequest {
		t.Errorf("two hosts: status %d", a.status)
	}
}
