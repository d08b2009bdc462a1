package server_test

import (
	"net/http"
	"strings"
	"testing"

	"gateway/internal/hostiletest"
)

// What is no session token signs nobody in, however it comes.
func TestHostileTokens(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		before := h.rows()
		hits := h.echo.count()
		for _, token := range hostiletest.Lines(t, "tokens") {
			for _, lines := range [][]string{{"Cookie", h.site.sessionCookie + "=" + token}, {"Authorization", "Bearer " + token}} {
				own := h.raw(h.page("/x", lines...))
				if own.decision() != "login" && own.decision() != "no question" {
					t.Errorf("%q: %s", lines, own.decision())
				}
				for _, dialect := range dialects {
					if got := h.asks(dialect, h.about("/x", lines...)).decision(); got != own.decision() {
						t.Errorf("%q: %s: %s, own proxy: %s", lines, dialect, got, own.decision())
					}
				}
				who := h.program().get(h.Portal+"/.gateway/connect", lines...)
				if who.status == http.StatusOK && who.field("login") != "" || who.status >= 500 {
					t.Errorf("%q: %d %s", lines, who.status, who.body)
				}
			}
			h.program().post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", token)).refuses(token, http.StatusBadRequest, "InvalidSession")
		}
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the app", got)
		}
		h.unchanged("hostile tokens", before)
	})
}

// A good token counts under its own name alone, and whole.
func TestHostileCookies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	_, token, _ := strings.Cut(h.at(h.bob)[1], "=")
	hits := h.echo.count()
	for _, cookie := range hostiletest.Lines(t, "cookies") {
		lines := []string{"Cookie", strings.ReplaceAll(cookie, "{}", token)}
		own := h.raw(h.page("/x", lines...))
		if own.decision() != "login" && own.decision() != "no question" {
			t.Errorf("%q: %s", cookie, own.decision())
		}
		for _, dialect := range dialects {
			if got := h.asks(dialect, h.about("/x", lines...)).decision(); got != own.decision() {
				t.Errorf("%q: %s: %s, own proxy: %s", cookie, dialect, got, own.decision())
			}
		}
	}
	if got := h.echo.count() - hits; got != 0 {
		t.Errorf("%d requests have reached the app", got)
	}
}

// What is no JSON object of ours is refused wherever one is read.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	before := h.rows()
	for _, r := range bodies {
		for _, body := range hostiletest.Lines(t, "bodies") {
			b, address := h.of(r)
			b.do(r.method, address, body).refuses(body, http.StatusBadRequest, "BadRequest")
		}
	}
	h.unchanged("hostile bodies", before)
}

// Hosts that are none are nobody's, at every listener, and nothing is made of them.
func TestHostileHosts(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	alice := h.at(h.alice)
	hits := h.echo.count()
	for _, host := range hostiletest.Lines(t, "hosts") {
		if strings.ContainsAny(host, "\r\n") || strings.TrimSpace(host) != host {
			continue // no header's value has these
		}
		for _, path := range []string{"/", "/public/x", "/.gateway/sign-in?rd=/"} {
			a := h.raw("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: text/html\r\nCookie: " + alice[1] + "\r\nConnection: close\r\n\r\n")
			if a.status != http.StatusMisdirectedRequest && a.status != http.StatusBadRequest || a.header["Set-Cookie"] != nil || a.location() != "" {
				t.Errorf("Host %q: status %d, %v", host, a.status, a.header)
			}
		}
		for _, dialect := range dialects {
			q := h.about("/public/x", alice...)
			q.host = host
			if a := h.asks(dialect, q); a.decision() != "no question" && a.decision() != "deny" {
				t.Errorf("%s of %q: %s", dialect, host, a.decision())
			}
		}
	}
	if got := h.echo.count() - hits; got != 0 {
		t.Errorf("%d requests have reached the app", got)
	}
}
