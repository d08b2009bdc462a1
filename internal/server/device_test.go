package server_test

import (
	"net/http"
	"testing"
	"time"
)

// besieged has strangers try passwords for alice until they are told to wait.
func (h *house) besieged() {
	h.Helper()
	for range 5 {
		h.browser().login(nobody("alice")).refuses("a stranger", http.StatusUnauthorized, "BadUserOrPassword")
	}
	h.browser().login(nobody("alice")).refuses("strangers, too often", http.StatusTooManyRequests, "TooManyAttempts")
}

// device is a browser that has signed in before, and is signed out.
func (h *house) device(p person) *browser {
	h.Helper()
	b := h.as(p)
	b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
	return b
}

// Strangers can slow each other down, but not somebody at a browser of their
// own: neither the sessions that are open nor a new sign-in.
func TestKnownDevice(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		session := h.at(h.alice)
		own, other := h.device(h.alice), h.device(h.alice)
		h.clock.stop()
		h.besieged()
		h.raw(h.page("/x", session...)).wants(http.StatusOK)
		h.browser().login(h.alice).refuses("alice, at a browser that nobody knows", http.StatusTooManyRequests, "TooManyAttempts")
		own.login(h.alice).wants(http.StatusOK)
		h.browser().login(h.alice).refuses("strangers gain nothing by it", http.StatusTooManyRequests, "TooManyAttempts")

		// A known browser has no more tries than strangers, and slows down no other.
		own.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
		for range 5 {
			own.login(nobody("alice")).refuses("wrong", http.StatusUnauthorized, "BadUserOrPassword")
		}
		own.login(h.alice).refuses("too often", http.StatusTooManyRequests, "TooManyAttempts")
		other.login(h.alice).wants(http.StatusOK)

		h.clock.pass(15 * time.Minute)
		own.login(h.alice).wants(http.StatusOK)
		h.browser().login(h.alice).wants(http.StatusOK)
	})
}

// A browser stays the same one over its sign-ins, for three months to the second.
func TestDevicesLast(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	b := h.device(h.alice)
	name := h.site.sessionCookie + "-device"
	before := b.kept(h.Portal, name)
	b.login(h.alice).wants(http.StatusOK)
	b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
	old := h.browser()
	old.keep(h.Portal, name, before)
	for range 5 {
		old.login(nobody("alice")).refuses("with what it was told first", http.StatusUnauthorized, "BadUserOrPassword")
	}
	b.login(h.alice).refuses("the same browser", http.StatusTooManyRequests, "TooManyAttempts")
	h.clock.pass(90*24*time.Hour - time.Second)
	h.besieged()
	b.login(nobody("alice")).refuses("known for a second more", http.StatusUnauthorized, "BadUserOrPassword")
	h.clock.pass(time.Second)
	b.login(nobody("alice")).refuses("known no longer", http.StatusTooManyRequests, "TooManyAttempts")
}

// What a browser shows counts for its one login, here, and for a while.
func TestDevicesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	name := h.site.sessionCookie + "-device"
	good := h.device(h.alice).kept(h.Portal, name)
	bobs := h.device(h.bob).kept(h.Portal, name)
	elsewhere := open(t, https)
	theirs := elsewhere.device(elsewhere.alice).kept(elsewhere.Portal, name)
	if good == "" || good == bobs || len(good) != len(bobs) {
		t.Fatalf("cookies %q and %q, want two of one length", good, bobs)
	}
	h.clock.stop()
	h.besieged()
	for story, cookie := range map[string]string{
		"bob's": bobs, "of another gateway": theirs, "none": "", "turned": flip(good, 60), "cut": good[:len(good)-1], "longer": good + "A", "garbage": "hello", "twice": good + "; " + name + "=" + good,
	} {
		p := h.browser()
		c := p.connect("alice")
		p.post(h.Portal+"/.gateway/login", h.alice.answers(c), "Cookie", name+"="+cookie).refuses(story, http.StatusTooManyRequests, "TooManyAttempts")
	}
	with := func() answer {
		p := h.browser()
		p.keep(h.Portal, name, good)
		return p.login(h.alice)
	}
	with().wants(http.StatusOK)

	// Nobody is signed in by it.
	p := h.browser()
	p.keep(h.Portal, name, good)
	p.get(h.Portal + "/.gateway/connect").isAuthNeeded("a known browser")

	// A program shows none: it has no browser.
	h.program().post(h.Portal+"/.gateway/login", h.alice.answers(h.program().connect("alice", "want", "token"), "want", "token")).refuses("a program", http.StatusTooManyRequests, "TooManyAttempts")

	h.clock.pass(91 * 24 * time.Hour)
	h.besieged()
	with().refuses("three months later", http.StatusTooManyRequests, "TooManyAttempts")
}

// Whoever comes by a provider has no password to be guessed, and a wrong one
// makes nothing known.
func TestOnlyPasswordsMakeDevicesKnown(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		name := h.site.sessionCookie + "-device"
		b := h.browser()
		b.login(nobody("alice")).wants(http.StatusUnauthorized)
		if got := b.kept(h.Portal, name); got != "" {
			t.Errorf("a wrong password makes the browser known: %q", got)
		}
		page, _ := b.visit(h.Portal + "/.gateway/start/corp?rd=/")
		page.wants(http.StatusOK)
		if got := b.kept(h.Portal, name); got != "" || b.kept(h.Portal, h.site.sessionCookie) == "" {
			t.Errorf("dave's browser: device %q", got)
		}
	})
}
