package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gateway/internal/canonical"
	"gateway/internal/hostiletest"
	"gateway/policy"
)

// inside asks a handler without a connection: what the HTTP server would
// refuse is asked too.
func (h *house) inside(handler http.Handler, r *http.Request) *httptest.ResponseRecorder {
	h.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// bare makes a request of nothing but what is given.
func bare(t *testing.T, method, host, path, query, from, body string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
	r.Host, r.RemoteAddr, r.RequestURI = host, from+":4711", path
	r.URL = &url.URL{Path: path, RawQuery: query}
	if query != "" {
		r.RequestURI += "?" + query
	}
	return r
}

// asked is a question as the check gets it.
func (q question) asked(t *testing.T, dialect string) *http.Request {
	t.Helper()
	r := bare(t, http.MethodGet, "authz", dialect, "", trusted, "")
	if dialect == extAuthz {
		r = bare(t, http.MethodGet, q.host, dialect+q.target, "", trusted, "")
		r.Method = q.method
	}
	for i, lines := 0, q.lines(dialect); i < len(lines); i += 2 {
		r.Header[lines[i]] = []string{lines[i+1]}
	}
	return r
}

// nobodyMay reports whether the policy lets nobody in particular have it, or
// whoever comes from the office.
func (h *house) nobodyMay(method, host, target string) bool {
	m, err1 := canonical.ParseMethod(method)
	c, err2 := canonical.ParseHost(host)
	g, err3 := canonical.ParseTarget(target)
	if err1 != nil || err2 != nil || err3 != nil {
		return false
	}
	d := h.server.Policy.Load().Decide(policy.Request{Method: m, Host: c, Path: g.Path, Client: netip.MustParseAddr("192.0.2.7")})
	return d.Effect == policy.Allow
}

// calm fails the test if an answer is none that a stranger may get.
func (h *house) calm(t *testing.T, w *httptest.ResponseRecorder, may ...int) {
	t.Helper()
	ok := false
	for _, status := range may {
		ok = ok || w.Code == status
	}
	if !ok {
		t.Fatalf("status %d, want one of %d: %.300s", w.Code, may, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == h.site.sessionCookie && c.Value != "" {
			t.Fatalf("a session: %v", w.Header())
		}
	}
	if location := w.Header().Get("Location"); location != "" && !h.atHome(location) {
		t.Fatalf("Location %q", location)
	}
	if log := h.log.String(); strings.Contains(log, `"panic"`) {
		t.Fatal(log)
	}
}

// round lets a house speak for one round of fuzzing, and forgets its log, which
// would grow for hours.
func (h *house) round(t *testing.T) (end func()) {
	whole := h.TB
	h.TB = t
	return func() {
		h.TB = whole
		h.log.mu.Lock()
		defer h.log.mu.Unlock()
		h.log.text.Reset()
	}
}

func FuzzDialects(f *testing.F) {
	h := open(f, https)
	handler := h.server.AuthzHandler()
	token := h.token(h.alice, "board") // good, but not here
	for _, seed := range [][6]string{
		{"GET", "wiki.example.net", "/public/x", "", "198.51.100.7", ""},
		{"GET", "wiki.example.net", "/x?y=z", "__Host-gateway=" + token, "192.0.2.7", "Bearer " + token},
		{"GET", "WIKI.example.net.:8443", "/office/x", "__Host-gateway=a; __Host-gateway=b", "192.0.2.7, 127.0.0.2", ""},
		{"POST", "wiki.example.net", "/public/../x", "__Host-gateway", "garbage, 192.0.2.7", "Bearer"},
		{"TRACE", "evil.test", "/public/%2e%2e/x", "__Host-gateway=;;=", "::1%eth0", "bearer  x"},
		{"get", "wiki.example.net,evil.test", "//public/x", "a=b", "", "Basic YTpi"},
		{"GET", "[::1]", "/public;x", "\xff", ",,,", "Bearer a.b.c"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	for i, host := range hostiletest.Lines(f, "hosts") {
		cookies := hostiletest.Lines(f, "cookies")
		f.Add("GET", host, "/public/x", strings.ReplaceAll(cookies[i%len(cookies)], "{}", token), "192.0.2.7", "")
	}
	f.Fuzz(func(t *testing.T, method, host, target, cookie, chain, authorization string) {
		defer h.round(t)()
		q := question{method: method, scheme: "https", host: host, target: target, client: chain}
		for _, dialect := range dialects {
			r := q.asked(t, dialect)
			r.Header["Cookie"], r.Header["Authorization"] = []string{cookie}, []string{authorization}
			w := h.inside(handler, r)
			if dialect == authRequest {
				h.calm(t, w, 200, 401, 403)
			} else {
				h.calm(t, w, 200, 303, 400, 401, 403, 404, 405, 421)
			}
			if w.Code == http.StatusOK && !h.nobodyMay(method, host, target) {
				t.Fatalf("%s: 200 for nobody", dialect)
			}
			if w.Header().Get("Remote-User") != "" {
				t.Fatalf("%s: nobody is %q", dialect, w.Header().Get("Remote-User"))
			}
		}
	})
}

func FuzzForwardingHeaders(f *testing.F) {
	h := open(f, https)
	handler := h.server.AuthzHandler()
	for _, name := range slices.Concat([]string{"X-Forwarded-For", "Accept", "X-Forwarded-Uri"}, hostiletest.Lines(f, "headers"), hostiletest.Lines(f, "spellings")) {
		f.Add(name, "alice", true)
	}
	f.Fuzz(func(t *testing.T, name, value string, first bool) {
		defer h.round(t)()
		for _, dialect := range dialects {
			r := h.about("/x").asked(t, dialect)
			key := http.CanonicalHeaderKey(name)
			if first {
				r.Header[key] = append([]string{value}, r.Header[key]...)
			} else {
				r.Header[key] = append(r.Header[key], value)
			}
			w := h.inside(handler, r)
			if dialect == authRequest {
				h.calm(t, w, 401, 403)
			} else {
				h.calm(t, w, 303, 400, 401, 403, 404, 405, 421)
			}
			for _, name := range managed {
				if w.Header().Get(name) != "" {
					t.Fatalf("%s: %s is %q", dialect, name, w.Header().Get(name))
				}
			}
		}
	})
}

func FuzzCredentials(f *testing.F) {
	h := open(f, https)
	handler := h.server.Handler()
	good, ended := h.token(h.alice, "board"), h.token(h.bob, "wiki") // good elsewhere, good no more
	h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(http.StatusOK)
	for _, token := range []string{good, ended, "", "a.b.c", "eyJhbGciOiJub25lIn0..", good + good, good[:len(good)-1], strings.Repeat("A", 5000)} {
		f.Add("__Host-gateway="+token, "", "")
		f.Add("", "", "Bearer "+token)
		f.Add("__Host-gateway="+token, "__Host-gateway="+token, "Bearer "+token)
		f.Add("a=b;__Host-gateway="+token+"; ;", "=;", "bearer\t"+token)
	}
	for _, token := range hostiletest.Lines(f, "tokens") {
		f.Add("__Host-gateway="+token, "", "Bearer "+token)
	}
	script, over := h.issues("bob", "board").Token, h.issues("bob", "wiki")
	h.command(http.MethodDelete, "/tokens/"+over.ID, nil).wants(http.StatusOK)
	for _, token := range []string{script, over.Token, "gw_", script + script} {
		f.Add("__Host-gateway="+token, "", "Bearer "+token)
		f.Add("", "", basic("bob", token)[1])
		f.Add("", "", "Basic "+token)
		f.Add("", "", "Bearer <"+token+">, Basic "+basic("", token)[1])
	}
	for _, cookie := range hostiletest.Lines(f, "cookies") {
		f.Add(strings.ReplaceAll(cookie, "{}", good), "", "")
	}
	f.Fuzz(func(t *testing.T, one, two, authorization string) {
		defer h.round(t)()
		for _, row := range []struct {
			method, host, path string
			may                []int
		}{
			{http.MethodGet, "wiki.example.net", "/x", []int{400, 401}},
			{http.MethodGet, "wiki.example.net", "/admin/x", []int{400, 401}},
			{http.MethodGet, "wiki.example.net", "/.gateway/connect", []int{200, 400, 401}},
			{http.MethodGet, "wiki.example.net", "/.gateway/sign-in", []int{303, 400}},
			{http.MethodGet, "auth.example.com", "/", []int{200, 400}},
			{http.MethodGet, "auth.example.com", "/.gateway/connect", []int{200, 400, 401}},
			{http.MethodPost, "auth.example.com", "/.gateway/logout", []int{200, 400}},
		} {
			r := bare(t, row.method, row.host, row.path, "", stranger, "")
			r.Header["Cookie"] = []string{one}
			if two != "" {
				r.Header["Cookie"] = append(r.Header["Cookie"], two)
			}
			if authorization != "" {
				r.Header["Authorization"] = []string{authorization}
			}
			w := h.inside(handler, r)
			h.calm(t, w, row.may...)
			if strings.Contains(w.Body.String(), aliceMail) || strings.Contains(w.Body.String(), bobMail) {
				t.Fatalf("%s%s: %s", row.host, row.path, w.Body)
			}
		}
		if got := h.echo.count(); got != 0 {
			t.Fatalf("%d requests have reached the app", got)
		}
	})
}

func FuzzHandoff(f *testing.F) {
	h := open(f, https)
	handler := h.server.Handler()
	b := h.as(h.alice)
	code := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
	_, code, _ = strings.Cut(code, "code=")
	flow := b.flows(h.Wiki)[0]
	_, req, _ := strings.Cut(h.browser().begin(h.Wiki+"/.gateway/sign-in?rd=/x"), "req=")
	other := h.browser()
	other.begin(h.Wiki + "/.gateway/sign-in?rd=/y")
	f.Add(code, flow.Name, other.flows(h.Wiki)[0].Value, req, "/x")
	f.Add(code, flow.Name, "", flow.Value, "//evil.test")
	f.Add("", "", "", "", "")
	f.Add("AAAAAAAAAAAAAAAA.B", "__Host-gateway-enter-AAAAAAAAAAAAAAAA", "C", "D", "/\\evil.test")
	f.Add(code+"&code="+code, flow.Name, "x", req+"&req="+req, "https://evil.test/")
	f.Fuzz(func(t *testing.T, code, name, value, req, rd string) {
		defer h.round(t)()
		if value == flow.Value {
			return // it is the right cookie
		}
		for _, row := range []struct {
			host, path, query string
			may               []int
		}{
			{"wiki.example.net", "/.gateway/handoff", "code=" + code, []int{303, 400}},
			{"wiki.example.net", "/.gateway/sign-in", "rd=" + url.QueryEscape(rd), []int{303, 400}},
			{"wiki.example.net", "/.gateway/sign-in", rd, []int{303, 400}},
			{"auth.example.com", "/.gateway/authorize", "req=" + req, []int{303, 400, 421}},
			{"auth.example.com", "/.gateway/sign-in", "rd=" + url.QueryEscape(rd), []int{200, 400}},
			{"auth.example.com", "/.gateway/start/corp", "rd=" + url.QueryEscape(rd), []int{303, 400}},
			{"auth.example.com", "/.gateway/callback/corp", code, []int{400, 401}},
		} {
			r := bare(t, http.MethodGet, row.host, row.path, row.query, stranger, "")
			r.Header["Cookie"] = []string{name + "=" + value}
			w := h.inside(handler, r)
			h.calm(t, w, row.may...)
			if strings.Contains(w.Header().Get("Location"), "/.gateway/handoff?") {
				t.Fatalf("a code for nobody: %v", w.Header())
			}
		}
	})
}

func FuzzProtocol(f *testing.F) {
	h := open(f, https)
	handler := h.server.Handler()
	c := h.browser().connect("alice") // bound to a browser that is not here
	f.Add(h.alice.answers(c), "application/json")
	f.Add(`{"client_first":"n,,n=alice,r=rOprNGfwEbeRWgbNEkqO"}`, "application/json; charset=UTF-8")
	f.Add(`{"auth_origin":"corp","token":"a.b.c","want":"token","app":"wiki"}`, "application/json")
	f.Add(`{"user":"alice","user":"bob"}`, "text/plain")
	f.Add(`[]`, "")
	f.Add(`ticket=x`, "application/x-www-form-urlencoded")
	for _, body := range hostiletest.Lines(f, "bodies") {
		f.Add(body, "application/json")
	}
	f.Fuzz(func(t *testing.T, body, kind string) {
		defer h.round(t)()
		for _, row := range []struct {
			method, host, path string
			may                []int
		}{
			{http.MethodPost, "auth.example.com", "/.gateway/connect", []int{200, 400, 413, 415}},
			{http.MethodPost, "auth.example.com", "/.gateway/login", []int{400, 401, 413, 415, 429}},
			{http.MethodPost, "auth.example.com", "/.gateway/logout", []int{200, 400, 413, 415}},
			{http.MethodPost, "auth.example.com", "/.gateway/sign-in", []int{400, 413, 415}},
			{http.MethodPost, "wiki.example.net", "/.gateway/connect", []int{200, 400, 413, 415}},
		} {
			r := bare(t, row.method, row.host, row.path, "", stranger, body)
			r.Header["Content-Type"] = []string{kind}
			h.calm(t, h.inside(handler, r), row.may...)
		}
		if got := len(h.rows().sessions); got != 0 {
			t.Fatalf("%d sessions", got)
		}
	})
}
