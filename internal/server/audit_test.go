package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
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
		h.clock.stop()
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
		h.clock.stop()
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
