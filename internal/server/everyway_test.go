package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"gateway/internal/canonical"
	"gateway/internal/hostiletest"
	"gateway/internal/proxy"
)

// proof is what a request may bring to prove who it is, who that then is, and
// the one host where it counts; "?" is a request that nobody answers.
type proof struct {
	who, at string
	lines   []string
}

func (h *house) proofs() []proof {
	cookie := func(token string) string { return h.site.sessionCookie + "=" + token }
	alice, bob := h.at(h.alice), h.at(h.bob)
	_, token, _ := strings.Cut(bob[1], "=")
	board := h.token(h.alice, "board")
	wiki := h.site.wiki
	h.lets("wiki")
	script := h.issues("bob", "wiki").Token
	return []proof{
		{"", "", nil},
		{"alice", wiki, alice},
		{"bob", wiki, bob},
		{"bob", wiki, bearer(token)},
		{"bob", wiki, []string{"Authorization", "bearer   " + token + "  "}},
		{"", "", []string{"Authorization", "DPoP " + token}},
		{"", "", []string{"Authorization", token}},
		{"", "", []string{"Authorization", "Bearer\t" + token}},
		{"", "", []string{"Cookie", "x-" + bob[1]}},
		{"", "", []string{"Cookie", "a=1," + bob[1]}},
		{"bob", wiki, append([]string{"Authorization", "Bearer of.another.kind"}, bob...)},
		{"bob", wiki, []string{"Cookie", "a=1; " + bob[1] + ";b=2"}},
		{"alice", h.site.board, []string{"Cookie", cookie(board)}},
		{"alice", h.site.board, bearer(board)},
		{"", "", []string{"Cookie", cookie("hello")}},
		{"", "", []string{"Cookie", cookie("")}},
		{"", "", []string{"Cookie", cookie(token[:len(token)-1])}},
		{"?", "", []string{"Cookie", bob[1] + "; " + alice[1]}},
		{"?", "", append(bearer(token), alice...)},
		{"?", "", append(bearer(token), "Authorization", "Basic YTpi")},
		{"bob", wiki, bearer(script)},
		{"bob", wiki, basic("bob", script)},
		{"", "", basic("alice", script)},
		{"", "", basic(script, "")},
		{"", "", []string{"Authorization", "Token " + script}},
		{"", "", bearer(script[:len(script)-1])},
		{"?", "", append(bearer(script), alice...)},
	}
}

// onTheWire reports whether a text can be part of a header line or, without
// spaces, of a request line.
func onTheWire(text string, inLine bool) bool {
	for _, c := range []byte(text) {
		if c == '\r' || c == '\n' || c == 0 || inLine && (c == ' ' || c == '\t') {
			return false
		}
	}
	return inLine || strings.Trim(text, " \t") == text
}

// framing are headers that change how a request is read, not what it asks.
var framing = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Trailer", "Te", "Upgrade", "Cookie", "Authorization", "X-Forwarded-For"}

// One request, asked by every way in: the dialects of front proxies and the own
// proxy decide alike and see the same person, and what the app gets is what was
// decided on.
func FuzzEveryWay(f *testing.F) {
	h := open(f, https)
	proofs := h.proofs()
	seed := func(method, host, target, client, name, value string) {
		for i := range proofs {
			f.Add(method, host, target, client, name, value, uint8(i))
		}
	}
	for _, target := range []string{"/", "/x?y=z", "/public/x", "/public/%61?a=%zz", "/admin/x", "/%61dmin/x", "/office/x", "/closed/x", "/public%2fx", "/public/../admin/x", "/a%2Cb", "/caf%c3%a9/", "//x", "/x;y", "/.gateway/connect"} {
		seed("GET", h.site.wiki, target, "192.0.2.7", "", "")
	}
	seed("POST", h.site.wiki, "/x", "203.0.113.7, 192.0.2.7", "Accept", "text/html")
	seed("HEAD", strings.ToUpper(h.site.wiki)+".:8443", "/office/x", "192.0.2.7, "+trusted, "Sec-Fetch-Mode", "navigate")
	seed("PURGE", h.site.board, "/x", "", "Remote-User", "alice")
	seed("get", h.site.board, "/x", "::1", "X_Forwarded_User", "alice")
	seed("POST", h.site.wiki, "/x", "192.0.2.7", "Origin", "https://evil.test")
	seed("POST", h.site.wiki, "/public/x", "192.0.2.7", "Origin", "null")
	seed("DELETE", h.site.wiki, "/office/x", "192.0.2.7", "Sec-Fetch-Site", "same-site")
	seed("GET", h.site.wiki, "/x", "192.0.2.7", "Sec-Fetch-Site", "cross-site")
	seed("GET", "evil.test", "/public/x", "garbage", "X-Original-Url", "/admin")
	for i, target := range hostiletest.Lines(f, "targets") {
		f.Add("GET", h.site.wiki, target, "192.0.2.7", "X-Custom", "x", uint8(i%3))
	}
	f.Fuzz(func(t *testing.T, method, host, target, client, name, value string, which uint8) {
		who := proofs[int(which)%len(proofs)]
		if method == "" || !onTheWire(method, true) || !strings.HasPrefix(target, "/") || !onTheWire(target, true) || !onTheWire(host, true) || strings.ContainsAny(host, "/") || !onTheWire(client, false) || !onTheWire(value, false) || len(method+host+target+client+name+value) > 16<<10 {
			return
		}
		header := http.CanonicalHeaderKey(name)
		if slices.Contains(framing, header) || method == http.MethodConnect {
			return
		}
		defer h.round(t)()
		defer h.echo.forget()
		q := question{method, "https", host, target, client, who.lines}
		extra := []string{}
		if name != "" {
			if _, err := canonical.ParseMethod(strings.ToUpper(name)); err != nil { // no token
				return
			}
			extra = []string{name, value}
		}

		own := h.byOwnProxy(t, q, extra)
		h.inOrder(t, q, own)
		told := proxy.Managed(header) || proxy.Alias(header) || proxy.Rerouting(header)
		_, dialectsOwn := map[string]bool{"X-Forwarded-Proto": true, "X-Forwarded-Host": true}[header]
		for _, dialect := range dialects {
			asked := q
			asked.headers = append(slices.Clone(extra), q.headers...)
			got := h.byDialect(t, dialect, asked)
			switch {
			case client == "" || told || dialectsOwn && dialect == forwardAuth || header == "X-Forwarded-Proto" && dialect == extAuthz: // the own proxy takes it away, or does without; the dialects do not
				if got.decision != "no question" {
					t.Fatalf("%s with %q: %s", dialect, extra, got.decision)
				}
			case own.decision == "ours", own.decision == "no such host":
				if got.decision == "allow" || own.decision != "ours" && got.decision == "login" {
					t.Fatalf("%s: %s, the own proxy: %s", dialect, got.decision, own.decision)
				}
			case got.decision != own.decision || !slices.Equal(got.identity, own.identity):
				t.Fatalf("%s: %s as %q, the own proxy: %s as %q", dialect, got.decision, got.identity, own.decision, own.identity)
			}
		}
		if c, err := canonical.ParseHost(host); own.decision == "allow" {
			if somebody := own.identity[0]; somebody != who.who && somebody != "" || (somebody != "") != (err == nil && string(c) == who.at) && header != "Origin" && header != "Sec-Fetch-Site" { // a page elsewhere acts for nobody
				t.Fatalf("%q of %s is taken for %q at %s", who.who, who.at, somebody, host)
			}
		}
		if who.who == "?" && (own.decision == "allow" || own.decision == "login" || own.decision == "deny") {
			t.Fatalf("%q: %s", q.headers, own.decision)
		}
	})
}

// outcome is what one way in has made of a request.
type outcome struct {
	decision string
	identity []string
	seen     []hit
}

func (h *house) byOwnProxy(t *testing.T, q question, extra []string) outcome {
	t.Helper()
	hits := h.echo.count()
	lines := append([]string{"X-Forwarded-For", q.client}, append(extra, q.headers...)...)
	text := strings.Replace(strings.Replace(get("/", lines...), "Host: authz", "Host: "+q.host, 1), "GET /", q.method+" "+q.target, 1)
	a := h.rawTo(h.front.Listener.Addr(), trusted, text)
	o := outcome{decision: a.decision(), seen: h.echo.seen()[hits:]}
	if a.header.Get(echoes) != "" {
		o.decision = "allow"
	}
	if len(o.seen) > 0 {
		o.identity = o.seen[0].identity()
	}
	host, err := canonical.ParseHost(q.host)
	target, err2 := canonical.ParseTarget(q.target)
	if err == nil && o.decision == "no question" {
		if _, known := h.server.Policy.Load().App(host); !known {
			o.decision = "no such host" // the check leaves it to the policy to say so
		}
	}
	ours := err == nil && host == h.server.Site.Host || err2 == nil && strings.HasPrefix(string(target.Path), "/.gateway/") || strings.HasPrefix(q.target, "/.gateway/")
	if ours || err == nil && (strings.HasPrefix(string(host), "tools.") || strings.HasPrefix(string(host), "down.")) {
		o.decision = "ours"
	}
	return o
}

func (h *house) byDialect(t *testing.T, dialect string, q question) outcome {
	t.Helper()
	a := h.asks(dialect, q)
	o := outcome{decision: a.decision()}
	if o.decision == "allow" {
		for _, name := range managed[:4] {
			o.identity = append(o.identity, strings.Join(a.header[name], "|"))
		}
	}
	return o
}

// inOrder checks what the app has seen of a request against what was decided.
func (h *house) inOrder(t *testing.T, q question, o outcome) {
	t.Helper()
	if (o.decision == "allow") != (len(o.seen) == 1) || len(o.seen) > 1 {
		t.Fatalf("%s, and the app has seen %+v", o.decision, o.seen)
	}
	if len(o.seen) == 0 {
		return
	}
	got := o.seen[0]
	host, err1 := canonical.ParseHost(q.host)
	decided, err2 := canonical.ParseTarget(q.target)
	seen, err3 := canonical.ParseTarget(got.Target)
	if err1 != nil || err2 != nil || err3 != nil || got.Host != string(host) || got.Method != q.method || seen.Path != decided.Path || seen.Query != decided.Query || seen.Raw != decided.Raw {
		t.Fatalf("decided on %s %s %+v, the app sees %s %s %s", q.method, q.host, decided, got.Method, got.Host, got.Target)
	}
	for _, name := range managed {
		if len(got.Header[name]) != 1 {
			t.Fatalf("the app sees %s %q", name, got.Header[name])
		}
	}
	for name := range got.Header {
		known := slices.Contains(managed, name) || name == "X-Forwarded-For" || name == "X-Forwarded-Host" || name == "X-Forwarded-Proto"
		if !known && (proxy.Managed(name) || proxy.Forwarding(name)) {
			t.Fatalf("the app sees %s: %q", name, got.Header[name])
		}
	}
}
