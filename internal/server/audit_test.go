package server_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/audit"
)

// audited returns the lines of the book in which a field has a value.
func (h *house) audited(field, value string) []map[string]any {
	h.Helper()
	var found []map[string]any
	for line := range strings.Lines(h.log.String()) {
		var e map[string]any
		h.must(json.Unmarshal([]byte(line), &e))
		if e["msg"] == "audit" && e[field] == value {
			found = append(found, e)
		}
	}
	return found
}

// fails tries to sign in under a name in every way that comes to nothing.
func (h *house) fails(name string) {
	h.Helper()
	h.clock.stop() // what comes too early does so however long it takes
	login := h.Portal + "/.gateway/login"
	b := h.browser()
	for range 5 {
		b.login(nobody(name)).refuses(name, http.StatusUnauthorized, "BadUserOrPassword")
	}
	b.login(nobody(name)).refuses("too often", http.StatusTooManyRequests, "TooManyAttempts")
	h.clock.pass(24 * time.Hour)
	body := nobody(name).answers(b.connect(name))
	b.post(login, body).refuses(name, http.StatusUnauthorized, "BadUserOrPassword")
	b.post(login, body).refuses("the same again", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	b.post(login, nobody("zaphod").answers(b.connect(name))).refuses("under another name", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
	b.post(login, nobody(name).answers(b.connect("zaphod"))).refuses("for another name", http.StatusUnauthorized, "ChallengeNotFoundOrExpired")
}

// A name that nobody has may be a password in the wrong field: no log holds
// one, however the sign-in failed.
func TestUnknownLoginsStayOutOfTheLog(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, name := range []string{"hunter2canary", "SwordfishCanary", "Tr0ub4dor&3 canary", "canary@mail.example", "corp:canary"} {
			h.fails(name)
		}
		b := h.browser()
		body := nobody("hunter2canary").answers(b.connect("hunter2canary"))
		h.watch.failing.Store(true)
		h.must(h.store.Close())
		b.post(h.Portal+"/.gateway/login", body).refuses("the store is down", http.StatusServiceUnavailable, "Unavailable")
		if log := strings.ToLower(h.log.String()); strings.Contains(log, "canary") || strings.Contains(log, "zaphod") {
			t.Errorf("the log holds what was typed: %s", h.log.String())
		}
		if got := len(h.audited("audit", "sign-in")); got < 40 {
			t.Errorf("the book has %d lines about sign-ins, want one for each", got)
		}
	})
}

// A name that somebody has is written down, with the reason.
func TestKnownLoginsAreInTheLog(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for name, reasons := range map[string][]string{
			"alice": {"proof", "proof", "proof", "proof", "proof", "TooManyAttempts", "proof", "ChallengeNotFoundOrExpired", "ChallengeNotFoundOrExpired"},
			"carol": {"disabled", "disabled", "disabled", "disabled", "disabled", "TooManyAttempts", "disabled", "ChallengeNotFoundOrExpired", "ChallengeNotFoundOrExpired"},
		} {
			h.fails(name)
			var got []string
			for _, line := range h.audited("login", name) {
				if line["audit"] != "sign-in" || line["outcome"] != "refused" || line["origin"] != "local" || line["client"] != "127.0.0.1" {
					t.Errorf("%s: %v", name, line)
				}
				reason, _ := line["reason"].(string)
				got = append(got, reason)
			}
			if !slices.Equal(got, reasons) {
				t.Errorf("%s: the book has the reasons %q, want %q", name, got, reasons)
			}
		}
		if strings.Contains(h.log.String(), "zaphod") {
			t.Error("the log holds a name that nobody has")
		}
	})
}

// Nobody comes in whom the book does not know, and nothing is said to be done
// that it does not have. Refusals and sign-outs go on: to let nobody out would
// help nobody.
func TestNoBookNoSignIn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.as(h.alice)
		h.as(h.bob)
		cookie := h.at(h.alice)
		sessions := h.live("")
		h.must(h.book.Close())
		h.watch.failing.Store(true)
		b := h.browser()
		b.login(h.alice).refuses("by password", http.StatusServiceUnavailable, "Unavailable")
		if got := b.kept(h.Portal, h.site.sessionCookie); got != "" {
			t.Error("a cookie is set")
		}
		b = h.browser()
		page, _ := b.signInAt("corp", "/")
		page.wants(http.StatusServiceUnavailable)
		if got := h.live(""); got != sessions {
			t.Errorf("%d sessions, want %d as before", got, sessions)
		}
		h.asks(forwardAuth, h.about("/x", cookie...)).wants(http.StatusOK)
		h.asks(forwardAuth, h.about("/closed/x", cookie...)).wants(http.StatusForbidden)
		alice.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
		a := h.command(http.MethodPost, "/users/bob/disable", nil).wants(http.StatusServiceUnavailable)
		if !strings.Contains(a.field("detail"), "It is done, but the audit log could not be written.") {
			t.Errorf("an administrator is told %q", a.field("detail"))
		}
		if h.live(h.bob.id) != 0 || h.live(h.alice.id) != 2 { // the other browser: portal and wiki
			t.Errorf("sessions go on: bob %d, alice %d", h.live(h.bob.id), h.live(h.alice.id))
		}
	})
}

// What the log says and what the book has are the same lines.
func TestLogAndBookAgree(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.fails("alice")
	alice := h.at(h.bob)
	h.asks(forwardAuth, h.about("/closed/x", alice...)).wants(http.StatusForbidden)
	h.command(http.MethodPost, "/users/bob/groups", map[string]any{"add": []string{"staff"}}).wants(http.StatusOK)
	written, err := audit.Find(h.audits, audit.Filter{}, 1000)
	h.must(err)
	if len(written) < 10 {
		t.Fatalf("the book has %d lines", len(written))
	}
	for _, want := range written {
		said := h.audited("mac", want.MAC)
		if len(said) != 1 {
			t.Fatalf("the log says %d times what the book has as %+v", len(said), want)
		}
		raw, err := json.Marshal(want)
		h.must(err)
		var fields map[string]any
		h.must(json.Unmarshal(raw, &fields))
		for name, value := range fields {
			if name != "time" && !reflect.DeepEqual(said[0][name], value) {
				t.Errorf("line %d: %s is %v in the log, %v in the book", want.Seq, name, said[0][name], value)
			}
		}
	}
}
