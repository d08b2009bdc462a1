package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// steps are what clocks do when they are set.
var steps = []time.Duration{-24 * time.Hour, -time.Hour, -2 * time.Minute, -20 * time.Second, 20 * time.Second, 2 * time.Minute, time.Hour, 24 * time.Hour}

// opened fails the test if an answer opens a session.
func (h *house) opened(story string, a answer) {
	h.Helper()
	if c := a.cookie(h.site.sessionCookie); c != nil && c.Value != "" {
		h.Errorf("%s: status %d with a session", story, a.status)
	}
}

// What was used once is good for nothing, wherever the clock steps, and when
// it comes back.
func TestClockStepsRenewNothing(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice := h.browser()
		body := h.alice.answers(alice.connect("alice"))
		alice.post(h.Portal+"/.gateway/login", body).wants(http.StatusOK)
		alice.forget(h.Portal, h.site.sessionCookie)

		dave := h.browser()
		callback := dave.leave("/")
		dave.get(callback)
		dave.forget(h.Portal, h.site.sessionCookie)

		bob := h.as(h.bob)
		handoff := bob.code(h.Wiki + "/x")
		bob.navigate(handoff).wants(http.StatusSeeOther)
		bob.forget(h.Wiki, h.site.sessionCookie)
		bob.forget(h.Portal, h.site.sessionCookie)

		again := func(when string) {
			t.Helper()
			h.opened("a challenge, "+when, alice.post(h.Portal+"/.gateway/login", body))
			h.opened("a callback, "+when, dave.get(callback))
			h.opened("a hand-off, "+when, bob.navigate(handoff))
		}
		again("at once")
		for _, step := range steps {
			h.clock.pass(step)
			again("after a step of " + step.String())
			h.clock.pass(-step)
			again("after a step of " + step.String() + " and back")
		}
	})
}

// A session passes while the clock says that it may, and asks for a sign-in
// otherwise; whoever signs in under the new clock goes on.
func TestClockStepsUnderSessions(t *testing.T) {
	t.Parallel()
	passes := map[time.Duration]bool{-20 * time.Second: true, 20 * time.Second: true, 2 * time.Minute: true} // steps back beyond the skew: issued in the future
	for _, step := range steps {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			h := open(t, https)
			b := h.as(h.bob)
			page, _ := b.visit(h.Wiki + "/x")
			page.wants(http.StatusOK)
			h.soundAssertion()
			session := b.kept(h.Wiki, h.site.sessionCookie)

			h.clock.pass(step)
			want := http.StatusUnauthorized
			if passes[step] {
				want = http.StatusOK
			}
			if a := b.get(h.Wiki + "/x"); a.status != want {
				t.Errorf("a session is answered %d, want %d", a.status, want)
			}
			if want == http.StatusOK {
				h.soundAssertion()
			}
			fresh := h.as(h.alice)
			page, _ = fresh.visit(h.Wiki + "/x")
			page.wants(http.StatusOK)
			h.soundAssertion()

			if step >= time.Hour { // it was found to be over
				h.clock.pass(-step)
				h.dead("a session of before the step", h.Wiki, session)
			}
		})
	}
}

// soundAssertion fails the test if an app was shown an assertion that is not
// good now, or for longer than five minutes.
func (h *house) soundAssertion() {
	h.Helper()
	parts := strings.Split(h.echo.last(h).Header.Get("X-Gateway-Jwt-Assertion"), ".")
	if len(parts) != 3 {
		h.Fatalf("assertion in %d parts", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	h.must(err)
	var claims struct{ Iat, Exp int64 }
	h.must(json.Unmarshal(raw, &claims))
	now := h.clock.now()
	if issued, expires := time.Unix(claims.Iat, 0), time.Unix(claims.Exp, 0); issued.After(now) || !expires.After(now) || expires.Sub(now) > 5*time.Minute {
		h.Errorf("an assertion from %v to %v at %v", issued, expires, now)
	}
}

// What the sweeper has found to be over is gone for good, whatever the clock
// says later.
func TestClockStepsBackAfterASweep(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		page, _ := b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		h.clock.pass(25 * time.Hour)
		if n, err := h.server.Sessions.Clean(context.Background()); err != nil || n != 2 {
			t.Errorf("swept %d sessions, %v; want 2", n, err)
		}
		h.clock.pass(-25 * time.Hour)
		h.dead("the child", h.Wiki, b.kept(h.Wiki, h.site.sessionCookie))
		h.dead("the parent", h.Portal, b.kept(h.Portal, h.site.sessionCookie))
	})
}

// A throttle that holds is not lifted by a clock that goes back, nor does it
// hold for longer than it said.
func TestClockStepsUnderTheThrottle(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{-24 * time.Hour, -time.Hour, -time.Minute, -time.Second} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			h := open(t, https)
			h.clock.stop()
			for range 5 {
				h.browser().login(nobody("alice")).refuses("a free try", http.StatusUnauthorized, "BadUserOrPassword")
			}
			h.clock.pass(step)
			a := h.browser().login(h.alice)
			a.refuses("after the step", http.StatusTooManyRequests, "TooManyAttempts")
			if got := a.header.Get("Retry-After"); got != "2" {
				t.Errorf("Retry-After: %s, want 2", got)
			}
			h.clock.pass(2 * time.Second)
			h.browser().login(h.alice).wants(http.StatusOK)
		})
	}
}
