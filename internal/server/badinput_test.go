package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// route is a way in, with something good to say there.
type route struct {
	method, site, path string // site is portal, wiki or admin
	good               string // a body that is understood; "" where none is read
	empty              bool   // it may also be left out
}

// bodies are the routes that read one; the fields of each are texts but where
// numbers, lists or bytes are wanted.
var bodies = []route{
	{http.MethodPost, "portal", "/.gateway/connect", `{"auth_origin":"corp"}`, true},
	{http.MethodPost, "wiki", "/.gateway/connect", `{}`, true},
	{http.MethodPost, "portal", "/.gateway/login", `{"auth_origin":"corp","token":"x"}`, false},
	{http.MethodPost, "portal", "/.gateway/logout", `{}`, true},
	{http.MethodPut, "portal", "/.gateway/logout", `{}`, true},
	{http.MethodPost, "wiki", "/.gateway/logout", `{}`, true},
	{http.MethodPut, "wiki", "/.gateway/logout", `{}`, true},
	{http.MethodPost, "portal", "/.gateway/enrol", `{"code":"x"}`, false},
	{http.MethodPost, "portal", "/.gateway/reset", `{"code":"x"}`, false},
	{http.MethodPost, "admin", "/invitations", `{"origin":"x"}`, false},
	{http.MethodPost, "admin", "/users/alice/reset", `{"seconds":1}`, false},
	{http.MethodPost, "admin", "/users", `{"login":"x"}`, false},
	{http.MethodPost, "admin", "/users/alice/groups", `{"add":["x"]}`, false},
}

// visits are the routes that read who is signed in.
var visits = []route{
	{http.MethodGet, "portal", "/", "", true},
	{http.MethodGet, "portal", "/.gateway/connect", "", true},
	{http.MethodGet, "portal", "/.gateway/sign-in?rd=/", "", true},
	{http.MethodGet, "portal", "/.gateway/sign-out", "", true},
	{http.MethodGet, "portal", "/.gateway/reset?code=AAAAAAAAAAAAAAAAAAAAAAAAAA", "", true},
	{http.MethodGet, "portal", "/.gateway/callback/corp?code=x&state=y", "", true},
	{http.MethodGet, "wiki", "/.gateway/connect", "", true},
	{http.MethodGet, "wiki", "/.gateway/sign-in?rd=/", "", true},
	{http.MethodGet, "wiki", "/.gateway/sign-out", "", true},
	{http.MethodGet, "wiki", "/.gateway/handoff?code=AAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBB", "", true},
	{http.MethodGet, "wiki", "/.gateway/refuse", "", true},
	{http.MethodGet, "wiki", "/", "", true},
	{http.MethodGet, "wiki", "/public/x", "", true},
}

func (h *house) of(r route) (b *browser, address string) {
	switch r.site {
	case "portal":
		return h.program(), h.Portal + r.path
	case "wiki":
		return h.program(), h.Wiki + r.path
	}
	return &browser{h, nil, h.client(nil, "", h.admin.Listener.Addr())}, "http://admin" + r.path
}

func TestBodiesThatAreNone(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		large := `{"user":"` + strings.Repeat("A", 1<<20) + `"}`
		before := h.rows()
		for _, r := range bodies {
			b, address := h.of(r)
			for _, row := range []struct {
				story, body string
				status      int
				headers     []string
			}{
				{"an array", `[]`, 400, nil},
				{"null", `null`, 400, nil},
				{"a text", `"hello"`, 400, nil},
				{"a number", `1`, 400, nil},
				{"an unknown field", `{"remember_me":true}`, 400, nil},
				{"a doubled field", doubled(r.good), 400, nil},
				{"a field in capitals", strings.ToUpper(r.good), 400, nil},
				{"two objects", r.good + r.good, 400, nil},
				{"something after it", r.good + " x", 400, nil},
				{"a byte order mark", "\ufeff" + r.good, 400, nil},
				{"not UTF-8", "{\"user\":\"\xff\"}", 400, nil},
				{"cut short", r.good[:len(r.good)-1], 400, nil},
				{"an array as deep as it goes", `{"user":` + strings.Repeat("[", 20000), 400, nil},
				{"an object as deep as it goes", strings.Repeat(`{"a":`, 5000), 400, nil},
				{"a form", "user=alice", 415, []string{"Content-Type", "application/x-www-form-urlencoded"}},
				{"text", r.good, 415, []string{"Content-Type", "text/plain"}},
				{"multipart", r.good, 415, []string{"Content-Type", "multipart/form-data; boundary=x"}},
				{"no type", r.good, 415, []string{"Content-Type", ""}},
				{"something like JSON", r.good, 415, []string{"Content-Type", "application/jsonp"}},
				{"two types in one", r.good, 415, []string{"Content-Type", "application/json, text/plain"}},
				{"two types", r.good, 415, []string{"Content-Type", "application/json", "Content-Type", "text/plain"}},
				{"two equal types", r.good, 415, []string{"Content-Type", "application/json", "Content-Type", "application/json"}},
				{"another alphabet", r.good, 415, []string{"Content-Type", "application/json; charset=iso-8859-1"}},
				{"compressed", "\x1f\x8b\x08\x00", 415, []string{"Content-Encoding", "gzip"}},
				{"said to be compressed", r.good, 415, []string{"Content-Encoding", "br"}},
				{"a mebibyte", large, 413, nil},
			} {
				a := b.do(r.method, address, row.body, row.headers...)
				story := row.story + " at " + r.method + " " + r.path
				want := row.status
				switch {
				case row.story == "a form" && (strings.HasSuffix(r.path, "/logout") || strings.HasSuffix(r.path, "/enrol")):
					want = 400 // forms are understood there, fields are not
				case row.story == "a field in capitals" && r.good == "{}":
					continue
				}
				a.refuses(story, want, "BadRequest")
				if strings.HasSuffix(r.path, "/logout") {
					a.cleared(story, h.site.sessionCookie)
				}
			}
			if a := b.do(r.method, address, ""); (a.status == http.StatusOK) != r.empty || (!r.empty && a.status != http.StatusBadRequest) {
				t.Errorf("no body at %s %s: status %d: %s", r.method, r.path, a.status, a.body)
			}
			h.unchanged(r.method+" "+r.path, before)
		}
	})
}

// doubled says the first field of an object twice, or some field.
func doubled(object string) string {
	if object == "{}" {
		return `{"want":"","want":""}`
	}
	field, _, _ := strings.Cut(object[1:], ",")
	return "{" + strings.TrimSuffix(field, "}") + "," + object[1:]
}

func TestFieldsOfOtherTypes(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	c := b.connect("alice")
	before := h.rows()
	for path, fields := range map[string][]string{
		"/.gateway/connect": {"client_first", "auth_origin", "want"},
		"/.gateway/login":   {"user", "challenge_id", "challenge_reply", "auth_origin", "token", "want", "app"},
	} {
		for _, field := range fields {
			for _, value := range []string{"1", "1.5", "-1e400", "true", "[]", `["x"]`, "{}", `{"a":1}`} {
				b.post(h.Portal+path, `{"`+field+`":`+value+`}`).refuses(field+" is "+value, http.StatusBadRequest, "BadRequest")
			}
		}
	}
	// Nothing of all that is a challenge, and none of it reaches the store.
	for _, id := range []string{`""`, "null", "1", "[]", "{}", `"../../x"`, `"%00"`, `"\u0000"`, `"` + strings.Repeat("A", 30000) + `"`} {
		body := `{"user":"alice","challenge_reply":"` + h.alice.reply(c) + `","challenge_id":` + id + `}`
		b.post(h.Portal+"/.gateway/login", body).refuses("challenge_id is "+id, http.StatusBadRequest, "BadRequest")
	}
	h.unchanged("refused", before)
	b.post(h.Portal+"/.gateway/login", h.alice.answers(c)).wants(http.StatusOK) // and nothing was spent
}

func TestClientFirstMessages(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.program()
	const nonce = "rOprNGfwEbeRWgbNEkqO"
	for _, message := range []string{
		"", // asks for no challenge
		"n,,n=alice,r=", "n,,n=alice,r=x", "n,,n=alice,r=" + strings.Repeat("a", 17), "n,,n=alice,r=" + strings.Repeat("a", 129), "n,,n=alice,r=" + strings.Repeat("a", 10000),
		"n,,n=alice,r=" + nonce + ",m=ext", "n,,n=alice,r=" + nonce + ",i=1,s=AAAA", "n,,m=ext,n=alice,r=" + nonce, "n,,n=alice,r=" + nonce + "\x00", "n,,n=alice,r=" + nonce + "\n",
		"n,,n=alice,r=" + nonce + "\ufeff", "n,,n=alice,r=" + nonce + " x", "n,,n=,r=" + nonce, "n,,n=a=b,r=" + nonce, "n,,n=a\x00b,r=" + nonce, "n,,n=" + strings.Repeat("a", 1000) + ",r=" + nonce,
		"y,,n=alice,r=" + nonce, "p=tls-unique,,n=alice,r=" + nonce, "n,a=admin,n=alice,r=" + nonce, "n=alice,r=" + nonce, "n,,r=" + nonce + ",n=alice", "hello", "v=AAAA", "c=biws,r=x,p=AAAA",
	} {
		a := b.post(h.Portal+"/.gateway/connect", object("client_first", message, "want", "token"))
		if message == "" {
			a.isAuthNeeded("no message")
			continue
		}
		a.refuses(message, http.StatusBadRequest, "BadRequest")
	}
	b.post(h.Portal+"/.gateway/connect", object("client_first", "n,,n=alice,r="+nonce, "auth_origin", "corp", "want", "token")).refuses("both doors", http.StatusBadRequest, "BadRequest")
	b.post(h.Wiki+"/.gateway/connect", object("client_first", "n,,n=alice,r="+nonce)).refuses("at an app", http.StatusBadRequest, "BadRequest")
}

// Two credentials are none: nobody can say whose the second one is.
func TestTwoCredentials(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		alice := h.as(h.alice)
		alice.visit(h.Wiki + "/x")
		other := h.as(h.bob)
		c := other.again("bob")
		name := h.site.sessionCookie
		mine := map[string]string{"portal": alice.kept(h.Portal, name), "wiki": alice.kept(h.Wiki, name)}
		before := h.rows()
		hits := h.echo.count()
		login := route{http.MethodPost, "portal", "/.gateway/login", h.bob.answers(c), false}
		for _, r := range slices.Concat(visits, bodies, []route{login}) {
			if r.site == "admin" {
				continue
			}
			b, address := h.of(r)
			cookie := name + "=" + mine[r.site]
			bearer := []string{"Authorization", "Bearer " + mine[r.site]}
			for _, row := range []struct {
				story   string
				headers []string
			}{
				{"two cookies", []string{"Cookie", cookie + "; " + cookie}},
				{"two cookies, one of them empty", []string{"Cookie", cookie + "; " + name + "="}},
				{"two cookies, one without a value", []string{"Cookie", name + "; " + cookie}},
				{"two cookies on two lines", []string{"Cookie", cookie, "Cookie", cookie}},
				{"two cookies with others between", []string{"Cookie", "a=1; " + cookie + ";b=2;  " + name + "=x"}},
				{"cookie and Bearer", append([]string{"Cookie", cookie}, bearer...)},
				{"two Bearers", append(bearer, bearer...)},
				{"Bearer and Basic", append([]string{"Authorization", "Basic YTpi"}, bearer...)},
			} {
				if strings.Contains(row.story, "cookies") && r.path == "/.gateway/login" && r.good != login.good {
					continue
				}
				headers := row.headers
				if r.good == login.good { // of the right browser
					headers = append([]string{"Cookie", h.site.pre + "=" + other.kept(h.Portal, h.site.pre)}, headers...)
				}
				a := b.do(r.method, address, r.good, headers...)
				a.refuses(row.story+" at "+r.path, http.StatusBadRequest, "BadRequest")
			}
			h.unchanged(r.method+" "+r.path, before)
		}
		if got := h.echo.count() - hits; got != 0 {
			h.Errorf("%d requests have reached the app", got)
		}
		fresh := h.browser()
		fresh.keep(h.Portal, h.site.pre, other.kept(h.Portal, h.site.pre))
		fresh.post(h.Portal+"/.gateway/login", h.bob.answers(c)).wants(http.StatusOK) // nothing was spent
	})
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	before := h.rows()
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "GETX"}
	for _, row := range []struct {
		site  string
		path  string
		there []string
	}{
		{"portal", "/", []string{"GET"}},
		{"portal", "/.well-known/jwks.json", []string{"GET"}},
		{"portal", "/.gateway/connect", []string{"GET", "POST"}},
		{"portal", "/.gateway/login", []string{"POST"}},
		{"portal", "/.gateway/logout", []string{"POST", "PUT"}},
		{"portal", "/.gateway/sign-in", []string{"GET", "POST"}},
		{"portal", "/.gateway/sign-out", []string{"GET"}},
		{"portal", "/.gateway/start/corp", []string{"GET"}},
		{"portal", "/.gateway/callback/corp", []string{"GET"}},
		{"portal", "/.gateway/authorize", []string{"GET"}},
		{"portal", "/.gateway/enrol", []string{"GET", "POST"}},
		{"portal", "/.gateway/reset", []string{"GET", "POST"}},
		{"portal", "/.gateway/wait", []string{"GET"}},
		{"wiki", "/.gateway/connect", []string{"GET", "POST"}},
		{"wiki", "/.gateway/logout", []string{"POST", "PUT"}},
		{"wiki", "/.gateway/sign-in", []string{"GET"}},
		{"wiki", "/.gateway/sign-out", []string{"GET"}},
		{"wiki", "/.gateway/handoff", []string{"GET"}},
	} {
		for _, method := range all {
			if slices.Contains(row.there, method) {
				continue
			}
			b, address := h.of(route{site: row.site, path: row.path})
			a := b.do(method, address, "")
			if method == http.MethodHead {
				a.wants(http.StatusMethodNotAllowed)
			} else {
				a.refuses(method, http.StatusMethodNotAllowed, "BadRequest")
			}
			if got := sorted(strings.Split(a.header.Get("Allow"), ", ")); !slices.Equal(got, row.there) {
				t.Errorf("%s %s: Allow %q, want %q", method, row.path, got, row.there)
			}
		}
	}
	h.unchanged("refused", before)
}

func TestNothingElseIsThere(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	b.visit(h.Wiki + "/x")
	hits := h.echo.count()
	for _, path := range []string{
		"/.gateway/", "/.gateway/nothing", "/.gateway/connect/", "/.gateway/connect/x", "/.gateway/start/", "/.gateway/start/corp/x", "/.gateway/assets/", "/.gateway/assets/none.css",
		"/.gateway/assets/gateway.css", "/.gateway/authz/forward-auth", "/.gateway/authz/auth-request", "/.gateway/authz/ext-authz/x", "/.gateway/openapi.json", "/.gateway/api/v1/users",
		"/.gateway/admin", "/.gateway/account", "/.gateway/LOGIN", "/.gateway/debug/pprof/",
	} {
		for _, origin := range []string{h.Portal, h.Wiki} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				if a := b.do(method, origin+path, ""); a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
					t.Errorf("%s: status %d: %.200s", a.asked, a.status, a.body)
				}
			}
		}
	}
	for _, path := range []string{
		"/debug/pprof/", "/metrics", "/debug/vars", "/swagger", "/.git/config", "/.env", "/users", "/sessions", "/healthz", "/readyz", "/account/x.css", "/index.html", "/favicon.ico",
		"/.well-known/openid-configuration", "/.well-known/jwks.json/", "/.gateway",
	} {
		b.get(h.Portal+path).refuses(path, http.StatusNotFound, "BadRequest")
	}
	for _, path := range []string{"/.gateway/login", "/.gateway/start/corp", "/.gateway/callback/corp", "/.gateway/authorize"} {
		b.get(h.Wiki+path).refuses("at an app: "+path, http.StatusNotFound, "BadRequest")
		b.post(h.Wiki+path, "{}").refuses("at an app: "+path, http.StatusNotFound, "BadRequest")
	}
	for _, path := range []string{"/.gateway/handoff", "/.gateway/refuse"} {
		b.get(h.Portal+path).refuses("at the portal: "+path, http.StatusNotFound, "BadRequest")
	}
	if got := h.echo.count() - hits; got != 0 {
		t.Errorf("%d requests have reached the app", got)
	}
}

// Our own paths are answered in their own spelling alone.
func TestOtherSpellingsOfOurPaths(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		b.visit(h.Wiki + "/x")
		hits := h.echo.count()
		for _, target := range []string{
			"/.gateway//connect", "//.gateway/connect", "/.gateway/./connect", "/.gateway/x/../connect", "/x/../.gateway/connect", "/.gateway/connect;x", "/.gateway;x/connect", "/.gateway/connect%00",
			"/.gateway%2fconnect", "/.gateway%2Fconnect", "/%2egateway/connect", "/%2Egateway/connect", "/.gateway/%63onnect", "/.gate%77ay/connect", "/.gateway/connect#x", "/.gateway/connect%23",
			`/.gateway\connect`, "/.gateway/connect%20", "/.gateway/connect%0a", "/.gateway/%252e%252e/connect", "/.gateway/conn%C3%A9ct", "/.gateway/connect\x80",
			"http://" + h.site.portal + "/.gateway/connect", "*", "", "x",
		} {
			for origin, host := range map[string]string{h.Portal: h.site.portal, h.Wiki: h.site.wiki} {
				cookie := h.site.sessionCookie + "=" + b.kept(origin, h.site.sessionCookie)
				a := h.raw("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nCookie: " + cookie + "\r\nConnection: close\r\n\r\n")
				if a.status != http.StatusBadRequest && a.status != http.StatusNotFound || strings.Contains(a.body, "alice") {
					t.Errorf("%q at %s: status %d: %.200s", target, host, a.status, a.body)
				}
			}
		}
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the app", got)
		}
	})
}

func TestHosts(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		ask := func(host string) answer {
			return h.raw("GET /.gateway/connect HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		}
		for _, host := range []string{h.site.wiki, strings.ToUpper(h.site.wiki), h.site.wiki + ".", h.site.wiki + ":8443", h.site.portal, strings.ToUpper(h.site.portal) + ":1"} {
			ask(host).isAuthNeeded(host)
		}
		for _, host := range []string{
			"", "evil.test", "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::1%25eth0]:8443", "2130706433", "127.1", "0x7f000001", "unknown." + h.site.wiki, "x" + h.site.wiki, h.site.wiki + ".evil.test",
			h.site.wiki + ":99999", h.site.wiki + ":", h.site.wiki + ":0", h.site.wiki + ":x", h.site.wiki + "," + h.site.board, h.site.wiki + " " + h.site.board, "[" + h.site.wiki + "]", h.site.wiki + "%00", h.site.wiki + "..",
			"\xd0\xb0" + h.site.wiki, "xn--app1-." + h.site.wiki, "xn--80ak6aa92e.com", "user@" + h.site.wiki, h.site.wiki + "/x", h.site.wiki + "?x", h.site.wiki + "#x", `"><script>alert(1)</script>`, "*." + h.site.wiki, strings.Repeat("a", 300),
		} {
			a := ask(host)
			if a.status != http.StatusMisdirectedRequest && a.status != http.StatusBadRequest {
				t.Errorf("Host %q: status %d: %.200s", host, a.status, a.body)
			}
			if a.header["Set-Cookie"] != nil || a.location() != "" || (host != "" && strings.Contains(a.body, host)) {
				t.Errorf("Host %q: %v, %.200s", host, a.header, a.body)
			}
		}
		for _, lines := range []string{"", "Host: " + h.site.wiki + "\r\nHost: " + h.site.portal + "\r\n", "Host : " + h.site.wiki + "\r\n"} {
			if a := h.raw("GET /.gateway/connect HTTP/1.1\r\n" + lines + "Connection: close\r\n\r\n"); a.status != http.StatusBadRequest {
				t.Errorf("%q: status %d", lines, a.status)
			}
		}
		if a := h.raw("GET /.gateway/connect HTTP/1.0\r\n\r\n"); a.status != http.StatusMisdirectedRequest {
			t.Errorf("no host in HTTP/1.0: status %d", a.status)
		}
		page := h.raw("GET / HTTP/1.1\r\nHost: evil.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n").wants(http.StatusMisdirectedRequest)
		if strings.Contains(page.body, "evil") {
			t.Errorf("the page repeats the host: %s", page.body)
		}
	})
}

// What a stranger says of the host changes no address that we make.
func TestForwardedHostsOfStrangers(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	lies := []string{
		"X-Forwarded-Host", "evil.test", "X-Forwarded-Proto", "http", "X-Forwarded-Prefix", "//evil.test", "X-Forwarded-Port", "666", "Forwarded", "host=evil.test;proto=http",
		"X-Original-Url", "https://evil.test/admin", "X-Rewrite-Url", "/admin", "X-Forwarded-Uri", "/admin", "X-Http-Method-Override", "DELETE", "Referer", "https://evil.test/",
	}
	with := func(address string) answer { return b.get(address, slices.Concat(navigation, lies)...) }
	if got := with(h.Portal + "/.gateway/start/corp").wants(http.StatusSeeOther).location(); !strings.Contains(got, "redirect_uri=https%3A%2F%2Fauth.example.com%2F.gateway%2Fcallback%2Fcorp&") {
		t.Errorf("start leads to %s", got)
	}
	if got := with(h.Wiki + "/x").wants(http.StatusSeeOther).location(); got != h.Wiki+"/.gateway/sign-in?rd=%2Fx" {
		t.Errorf("an app leads to %s", got)
	}
	if got := with(h.Wiki + "/.gateway/sign-in?rd=/x").wants(http.StatusSeeOther).location(); !strings.HasPrefix(got, h.Portal+"/.gateway/authorize?req=") {
		t.Errorf("the sign-in of an app leads to %s", got)
	}
	with(h.Wiki + "/.gateway/refuse").wants(http.StatusForbidden)
	b.get(h.Wiki+"/public/x", lies...).wants(http.StatusOK)
	got := h.echo.last(t)
	if got.Target != "/public/x" || got.Method != http.MethodGet || got.Host != h.site.wiki || got.Header.Get("X-Forwarded-Host") != h.site.wiki || got.Header.Get("X-Forwarded-Proto") != "https" || got.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("the app sees %+v", got)
	}
	for _, name := range []string{"X-Forwarded-Prefix", "X-Forwarded-Port", "Forwarded", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Http-Method-Override"} {
		if got.Header[name] != nil {
			t.Errorf("the app sees %s: %q", name, got.Header[name])
		}
	}
}

// Unsafe requests of other origins are refused wherever they lead.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	alice := h.as(h.alice)
	alice.visit(h.Wiki + "/x")
	cookies := map[string]string{"portal": alice.kept(h.Portal, h.site.sessionCookie), "wiki": alice.kept(h.Wiki, h.site.sessionCookie)}
	before := h.rows()
	for _, r := range append(bodies, route{http.MethodPost, "portal", "/.gateway/sign-in", "ticket=x", false}) {
		if r.site == "admin" {
			continue
		}
		b, address := h.of(r)
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			{"Sec-Fetch-Site", "nonsense"},
			{"Origin", "https://evil.test"},
			{"Origin", "null"},
			{"Origin", h.Board},
			{"Origin", "https://" + h.site.wiki + ".evil.test"},
			{"Origin", "https://evil" + h.site.portal},
			{"Origin", "https://" + h.site.portal + ":444"},
			{"Origin", "https://" + h.site.wiki + ":444"},
		} {
			a := b.do(r.method, address, r.good, append([]string{"Cookie", h.site.sessionCookie + "=" + cookies[r.site]}, headers...)...)
			if a.wants(http.StatusForbidden).header["Set-Cookie"] != nil {
				t.Errorf("%v at %s: Set-Cookie %q", headers, r.path, a.header["Set-Cookie"])
			}
		}
		h.unchanged(r.path, before)
	}
	for _, origin := range []string{"https://evil.test", "null", h.Wiki} { // reading is nobody's business either: inspect looks for Access-Control-*
		h.program().get(h.Portal+"/.gateway/connect", "Origin", origin).isAuthNeeded(origin)
		h.program().do(http.MethodOptions, h.Portal+"/.gateway/login", "", "Origin", origin, "Access-Control-Request-Method", "POST").wants(http.StatusMethodNotAllowed)
	}
}

func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	before := h.rows()
	for _, r := range bodies {
		host, to := map[string]string{"portal": h.site.portal, "wiki": h.site.wiki, "admin": "admin"}[r.site], h.front.Listener.Addr()
		if r.site == "admin" {
			to = h.admin.Listener.Addr()
		}
		head := r.method + " " + r.path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n"
		for _, row := range []struct {
			story, text string
			status      int
		}{
			{"a chunk that is none", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
			{"a chunk size too large", head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400},
			{"a chunk cut short", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{}" + hangUp, 400},
			{"shorter than it says", head + "Content-Length: 100\r\n\r\n{" + hangUp, 400},
			{"a gibibyte announced", head + "Content-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n", 413},
			{"a mebibyte in chunks", head + "Transfer-Encoding: chunked\r\n\r\n100000\r\n" + strings.Repeat("A", 1<<20) + "\r\n0\r\n\r\n", 413},
			{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
			{"length and chunks", head + "Content-Length: 2\r\nTransfer-Encoding: xchunked\r\n\r\n{}", 501},
			{"a length that is none", head + "Content-Length: +2\r\n\r\n{}", 400},
		} {
			if a := h.rawTo(to, "", row.text); a.status != row.status {
				t.Errorf("%s at %s %s: status %d, want %s: %.200s", row.story, r.method, r.path, a.status, strconv.Itoa(row.status), a.body)
			}
		}
		h.unchanged(r.path, before)
	}
}

// Who does not send what was announced is not waited for.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	bob := h.at(h.bob)
	h.waits(time.Millisecond)
	before := h.rows()
	for _, r := range bodies {
		if r.site == "admin" {
			continue
		}
		host := map[string]string{"portal": h.site.portal, "wiki": h.site.wiki}[r.site]
		a := h.raw(r.method + " " + r.path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
		a.refuses(r.path, http.StatusBadRequest, "BadRequest")
	}
	h.unchanged("never sent", before)
	h.raw("POST /x HTTP/1.1\r\nHost: "+h.site.wiki+"\r\nContent-Length: 1000000000\r\n\r\nx").refuses("nobody", http.StatusUnauthorized, "SessionExpired")

	// An app takes its time.
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", h.front.Listener.Addr().String())
	h.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /x?play=slow HTTP/1.1\r\nHost: "+h.site.wiki+"\r\nCookie: "+bob[1]+"\r\nContent-Length: 5\r\n\r\nhe")
	h.must(err)
	for range 20 {
		h.program().get(h.Wiki+"/x", bob...).wants(http.StatusOK) // meanwhile
	}
	_, err = io.WriteString(conn, "llo")
	h.must(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	h.must(err)
	var seen hit
	decode(t, resp, &seen)
	if resp.StatusCode != http.StatusOK || seen.Body != "hello" {
		t.Errorf("the app sees %q, status %d", seen.Body, resp.StatusCode)
	}
}

// What is said back of a challenge is bounded.
func TestChallengesThatAreToldBack(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	for size, back := range map[int]int{1: 1, 1024: 1024, 1025: 0, 30000: 0} {
		id := strings.Repeat("A", size)
		for story, body := range map[string]string{
			"a foreign token": object("auth_origin", "corp", "token", "x", "challenge_id", id),
			"a password":      object("user", "alice", "challenge_id", id, "challenge_reply", "x"),
		} {
			a := h.program().post(h.Portal+"/.gateway/login", body)
			a.refuses(story, http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
			if got := len(a.field("challenge_id")); got != back {
				t.Errorf("%s: of a challenge of %d bytes %d are told back, want %d", story, size, got, back)
			}
		}
	}
}
