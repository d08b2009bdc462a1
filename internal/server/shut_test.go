package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gateway/internal/server"
)

// guesses has somebody try wrong passwords, one an hour: no wait is in the way.
func (b *browser) guesses(login string, n int) {
	b.Helper()
	for range n {
		b.clock.pass(time.Hour)
		b.login(nobody(login)).refuses("a guess", http.StatusUnauthorized, "BadUserOrPassword")
	}
}

// isShut fails the test unless no password is looked at any more.
func (a answer) isShut(story string) {
	a.Helper()
	a.refuses(story, http.StatusTooManyRequests, "TooManyAttempts")
	if a.field("reason") != "shut" || a.header.Get("Retry-After") != "86400" || !strings.Contains(a.field("detail"), "administrator") {
		a.Errorf("%s: %v %s, want it shut", story, a.header, a.body)
	}
}

// shutOut reports what the command line says of alice.
func (h *house) shutOut() bool {
	h.Helper()
	var u server.AdminUser
	h.command(http.MethodGet, "/users/alice", nil).wants(http.StatusOK).decode(&u)
	return u.Shut
}

// However slowly they come, a hundred wrong passwords in a row are all that
// strangers have (NIST SP 800-63B-4, section 3.2.2). Whoever is at a browser of
// their own, or comes by another door, notices nothing, and a command opens the
// door again.
func TestShutAfterAHundred(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.clock.stop()
		h.known()
		before := h.metrics()
		own := h.device(h.alice)
		stranger := h.browser()
		stranger.guesses("alice", 99)
		if h.shutOut() {
			t.Error("it is shut after 99")
		}
		h.browser().login(h.alice).wants(http.StatusOK) // forgets them
		stranger.guesses("alice", 100)
		if !h.shutOut() {
			t.Error("the command line does not say that it is shut")
		}
		shut := h.browser().login(h.alice)
		shut.isShut("the right password after a hundred wrong ones")
		h.clock.pass(60 * 24 * time.Hour)
		h.browser().login(h.alice).isShut("two months later")
		stranger.login(nobody("alice")).isShut("a stranger, two months later")
		h.browser().login(h.bob).wants(http.StatusOK)

		own.login(h.alice).wants(http.StatusOK)
		page, _ := own.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		h.browser().login(h.alice).isShut("strangers gain nothing by it")

		if got := h.audited("reason", "shut"); len(got) != 4 || got[0]["login"] != "alice" || got[0]["outcome"] != "refused" {
			t.Errorf("the book says %v, want 4 refusals", got)
		}
		if got := h.counted(before)[signIn("local", "shut")]; got != 4 {
			t.Errorf("%v are counted as shut, want 4", got)
		}
		h.command(http.MethodPost, "/users/alice/unlock", nil).wants(http.StatusOK)
		if h.shutOut() {
			t.Error("it is shut after it was opened")
		}
		if lines := h.audited("action", "user unlock"); len(lines) != 1 || lines[0]["login"] != "alice" {
			t.Errorf("the book says %v of the command", lines)
		}
		h.browser().login(h.alice).wants(http.StatusOK)
	})
}

// Nobody can tell by it who is there, and who comes by a provider comes in.
func TestShutForAll(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	shut := func(login string) answer {
		h.browser().guesses(login, 100)
		return h.browser().login(nobody(login))
	}
	a := shut("alice")
	a.isShut("alice")
	for _, login := range []string{"nosuch", "carol", "dave"} {
		if got, want := alike(shut(login)), alike(a); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", login, got, want)
		}
	}
	for _, line := range h.audited("reason", "shut") {
		if line["login"] == "nosuch" {
			t.Errorf("the book has a name that nobody has: %v", line)
		}
	}
	h.daves()
	h.command(http.MethodPost, "/users/nosuch/unlock", nil).refuses("nobody has the name", http.StatusNotFound, "BadRequest")
}

// A browser of somebody's own that fails a hundred times is as unknown as any
// other, and is known again once the right password was given.
func TestDeviceThatFailsIsNoLongerKnown(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	own := h.device(h.alice)
	name := h.site.sessionCookie + "-device"
	device := own.kept(h.Portal, name)
	own.guesses("alice", 99)
	if h.shutOut() {
		t.Error("what fails at her own browser shuts out others")
	}
	own.guesses("alice", 1)
	own.guesses("alice", 1) // counts with those of strangers
	h.browser().guesses("alice", 98)
	own.login(h.alice).wants(http.StatusOK)
	if own.kept(h.Portal, name) == device {
		t.Error("it is the device that it was")
	}
	own.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
	h.browser().guesses("alice", 100)
	h.browser().login(h.alice).isShut("strangers")
	own.login(h.alice).wants(http.StatusOK)

	own.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
	own.guesses("alice", 100)
	own.login(h.alice).isShut("her own browser, after as many")
	alice := h.alice.fresh()
	own.post(h.Portal+"/.gateway/reset", alice.chooses(h.resets("alice"))).wants(http.StatusOK)
	own.login(alice).wants(http.StatusOK)
	h.browser().login(alice).wants(http.StatusOK)
}
