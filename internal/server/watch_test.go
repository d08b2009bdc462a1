package server_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gateway/internal/audit"
)

// Addresses that no log may hold.
const (
	aliceMail = "alice.canary@mail.example"
	bobMail   = "bob.canary@mail.example"
	carolMail = "carol.canary@mail.example"
	daveMail  = "dave.canary@mail.example"
)

// watch looks over every answer that a test gets, whatever the test is about.
type watch struct {
	mu      sync.Mutex
	secrets map[string]string // what must not be in the log, and what it is
	failing atomic.Bool       // 5xx are expected
	panics  atomic.Bool       // so are panics
	heard   []answer          // everything, where a test asks for it
	hearing bool
}

// book is the log of a house.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// inspectLog is what holds after every test: nothing panicked, and the log
// knows no secret that ever travelled.
func (h *house) inspectLog() {
	log := h.log.String()
	written, err := audit.Find(h.audits, audit.Filter{}, 1<<20)
	h.must(err)
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"panic"`) && !h.watch.panics.Load() || strings.Contains(line, "http: panic") || strings.Contains(line, "superfluous") {
			h.Errorf("log: %s", line)
		}
		if !json.Valid([]byte(line)) {
			h.Errorf("log: not one JSON object: %q", line)
		}
	}
	secrets := map[string]string{
		h.corp.ClientSecret: "client secret", aliceMail: "e-mail address", bobMail: "e-mail address", carolMail: "e-mail address", daveMail: "e-mail address",
	}
	h.watch.mu.Lock()
	defer h.watch.mu.Unlock()
	maps.Copy(secrets, h.watch.secrets)
	book, err := json.Marshal(written)
	h.must(err)
	for value, what := range secrets {
		if strings.Contains(log, value) || strings.Contains(string(book), value) {
			h.Errorf("log: holds a secret: %s", what)
		}
	}
}

// secret notes what must not be in the log.
func (h *house) secret(what, value string) {
	if len(value) < 8 { // nothing of ours; it would be found anywhere
		return
	}
	h.watch.mu.Lock()
	defer h.watch.mu.Unlock()
	if h.watch.secrets == nil {
		h.watch.secrets = map[string]string{}
	}
	h.watch.secrets[value] = what
}

// inspect is what holds of every answer: of our own, no-store, no word about
// how we are made, redirects that stay at home, and cookies of one form.
func (h *house) inspect(r *http.Request, sent string, a answer) {
	h.Helper()
	h.secrets(sent, a)
	h.hear(a)
	if a.header.Get(echoes) != "" || r.URL.Host == strings.TrimPrefix(h.corp.URL, "http://") || ofNetHTTP(a) {
		return
	}
	if a.status >= http.StatusInternalServerError && !h.watch.failing.Load() {
		h.Errorf("%s: status %d: %.300s", a.asked, a.status, a.body)
	}
	h.inspectHeader(r, a)
	for _, word := range []string{".go:", "goroutine", "sqlite", "SQL logic", "database is", "constraint", "/tmp/", "127.0.0.1:", "panic"} {
		if strings.Contains(strings.ReplaceAll(a.body, h.corp.URL, ""), word) {
			h.Errorf("%s: the answer says %q: %.600s", a.asked, word, a.body)
		}
	}
	if kind := a.header.Get("Content-Type"); a.status >= 400 && kind == "application/problem+json" && r.Method != http.MethodHead {
		var p struct {
			Type, Title, Detail, Error string
			Status                     int
		}
		a.decode(&p)
		if p.Type == "" || p.Title == "" || p.Detail == "" || p.Error == "" || p.Status != a.status {
			h.Errorf("%s: status %d, problem %s", a.asked, a.status, a.body)
		}
	}
}

func (h *house) inspectHeader(r *http.Request, a answer) {
	h.Helper()
	if got := a.header["Cache-Control"]; (len(got) != 1 || got[0] != "no-store") && !cacheable(r, a) {
		h.Errorf("%s: Cache-Control %q, want no-store", a.asked, got)
	}
	if a.body == "" && strings.Contains(a.asked, " /.gateway/authz/") {
		return // said to the proxy, which shows nothing of it
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
		h.Errorf("%s: headers %v, want nosniff and no-referrer", a.asked, a.header)
	}
	if got := a.header.Get("Strict-Transport-Security") != ""; got != (h.site.scheme == "https") {
		h.Errorf("%s: Strict-Transport-Security: %v", a.asked, got)
	}
	if a.header.Get("Etag")+a.header.Get("Last-Modified") != "" {
		h.Errorf("%s: it can be revalidated: %v", a.asked, a.header)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") && !h.readable(a) {
			h.Errorf("%s: it speaks to other origins: %s: %s", a.asked, name, a.header.Get(name))
		}
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") && !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		h.Errorf("%s: a page without its policy: %v", a.asked, a.header)
	}
	for _, location := range a.header["Location"] {
		if !h.atHome(location) {
			h.Errorf("%s: Location %q leads away", a.asked, location)
		}
	}
	for _, line := range a.header["Set-Cookie"] {
		if !h.site.cookieForm().MatchString(line) {
			h.Errorf("%s: Set-Cookie: %s", a.asked, line)
		}
	}
}

// readable reports a refusal, or that an app does not answer, which pages of an
// origin that the app lists may read.
func (h *house) readable(a answer) bool {
	refused := slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout}, a.status)
	origin := a.header["Access-Control-Allow-Origin"]
	return refused && a.header.Get("Content-Type") == "application/problem+json" && a.header.Get("Vary") == "Origin" && len(origin) == 1 && slices.Contains(h.server.Apps["wiki"].CrossOrigin, origin[0])
}

// cookieForm is what every cookie of ours looks like.
func (s site) cookieForm() *regexp.Regexp {
	secure := ""
	if s.scheme == "https" {
		secure = "; Secure"
	}
	return regexp.MustCompile(`^` + s.sessionCookie + `(-guest|-pre|-device|-wait|-invite|-enter-[A-Z2-7]{16})?=[A-Za-z0-9._-]*; Path=/(; Max-Age=[0-9]+)?; HttpOnly` + secure + `; SameSite=Lax$`)
}

// ofNetHTTP reports an answer of the HTTP server itself, before any handler.
func ofNetHTTP(a answer) bool {
	return strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") && a.header.Get("X-Content-Type-Options") == "" && (a.status == http.StatusBadRequest || a.status == http.StatusRequestHeaderFieldsTooLarge ||
		a.status == http.StatusHTTPVersionNotSupported || a.status == http.StatusNotImplemented)
}

func cacheable(r *http.Request, a answer) bool {
	path := r.URL.Path + r.URL.Opaque
	return a.status == http.StatusOK && (strings.HasPrefix(path, "/.gateway/assets/") || path == "/.well-known/jwks.json")
}

// atHome reports whether a redirect leads to a path, a configured origin, or
// the provider's pages for people.
func (h *house) atHome(location string) bool {
	u, err := url.Parse(location)
	if err != nil || strings.Contains(location, `\`) {
		return false
	}
	if u.Scheme == "" && u.Host == "" {
		return strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//")
	}
	switch u.Scheme + "://" + u.Host {
	case h.Portal, h.Wiki, h.Board, h.site.origin("tools." + h.site.wiki), h.site.origin("down." + h.site.wiki):
		return u.User == nil
	case h.corp.URL:
		return u.Path == "/authorize"
	}
	return false
}

// hear keeps an answer for later.
func (h *house) hear(a answer) {
	h.watch.mu.Lock()
	defer h.watch.mu.Unlock()
	if h.watch.hearing {
		h.watch.heard = append(h.watch.heard, a)
	}
}

// secrets notes the secrets of an exchange.
func (h *house) secrets(sent string, a answer) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		h.secret("cookie "+c.Name, c.Value)
	}
	if u, err := url.Parse(a.location()); err == nil {
		for _, name := range []string{"code", "state", "code_challenge", "nonce"} {
			h.secret(name, u.Query().Get(name))
		}
	}
	h.secret("challenge", a.field("challenge_id"))
	h.secret("token", a.field("token"))
	h.secret("server signature", a.field("server_final"))
	var body map[string]any
	if json.Unmarshal([]byte(sent), &body) == nil {
		for name, what := range map[string]string{"challenge_reply": "proof", "token": "foreign token"} {
			text, _ := body[name].(string)
			h.secret(what, text)
		}
	}
}
