package server_test

import (
	"net/http"
	"testing"

	"gateway/internal/identity"
)

// Every line of the protocol's table of errors, but for those whose story is
// told in a file of its own.
func TestTableOfErrors(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		login, connect, logout := h.Portal+"/.gateway/login", h.Portal+"/.gateway/connect", h.Portal+"/.gateway/logout"
		ended := h.as(h.alice)
		session := ended.kept(h.Portal, h.site.sessionCookie)
		ended.post(logout, "").wants(http.StatusOK)
		for _, row := range []struct {
			word   string
			status int
			story  string
			do     func(b *browser) answer
			field  string // that the problem has besides
		}{
			{"BadUserOrPassword", 401, "a wrong proof", func(b *browser) answer { return b.login(nobody("alice")) }, ""},
			{"ChallengeNotFoundOrExpired", 401, "an unknown challenge", func(b *browser) answer {
				c := b.connect("alice")
				c.id = flip(c.id, 50)
				return b.post(login, h.alice.answers(c))
			}, "challenge_id"},
			{"InvalidSession", 400, "connect with what is no session", func(b *browser) answer {
				b.keep(h.Portal, h.site.sessionCookie, "hello")
				return b.get(connect)
			}, "reason"},
			{"InvalidSession", 400, "logout with what is no session", func(b *browser) answer {
				b.keep(h.Portal, h.site.sessionCookie, "hello")
				return b.post(logout, "")
			}, "reason"},
			{"InvalidSession", 400, "a foreign token that is none", func(b *browser) answer {
				return b.post(login, object("auth_origin", "corp", "token", "hello"))
			}, "reason"},
			{"SessionExpired", 401, "connect with a session that has ended", func(b *browser) answer {
				b.keep(h.Portal, h.site.sessionCookie, session)
				return b.post(connect, "")
			}, ""},
			{"SessionExpired", 401, "an app without a session", func(b *browser) answer { return b.get(h.Wiki + "/x") }, ""},
			{"OriginUnknown", 400, "connect to no origin", func(b *browser) answer { return b.post(connect, `{"auth_origin":"nowhere"}`) }, ""},
			{"Forbidden", 403, "an app that says no", func(b *browser) answer {
				b.login(h.bob).wants(http.StatusOK)
				b.visit(h.Wiki + "/x")
				return b.get(h.Wiki + "/admin/users")
			}, "decision_id"},
			{"Forbidden", 403, "closed to everybody", func(b *browser) answer { return b.get(h.Wiki + "/closed/x") }, "decision_id"},
			{"Forbidden", 403, "open to another network", func(b *browser) answer { return b.get(h.Wiki + "/office/x") }, "decision_id"},
			{"UnverifiedUser", 403, "a password, but no confirmed address", func(b *browser) answer {
				_, err := h.server.Register.SetStatus(t.Context(), h.bob.id, identity.Unverified)
				h.must(err)
				return b.login(h.bob)
			}, ""},
			{"BadRequest", 400, "no JSON", func(b *browser) answer { return b.post(login, "hello") }, ""},
			{"BadRequest", 405, "another method", func(b *browser) answer { return b.get(login) }, ""},
			{"BadRequest", 413, "too large", func(b *browser) answer { return b.post(login, `{"user":"`+string(make([]byte, 40<<10))+`"}`) }, ""},
			{"BadRequest", 415, "another type", func(b *browser) answer { return b.post(login, "{}", "Content-Type", "text/plain") }, ""},
		} {
			a := row.do(h.browser())
			a.refuses(row.story, row.status, row.word)
			if row.field != "" && a.field(row.field) == "" {
				t.Errorf("%s: no %s: %s", row.story, row.field, a.body)
			}
		}
	})
}

// Cannot tell is never yes, and ends nobody's session.
func TestStoreDown(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.uncached()
		signedIn := h.as(h.alice)
		page, _ := signedIn.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		portal := []string{"Cookie", h.site.sessionCookie + "=" + signedIn.kept(h.Portal, h.site.sessionCookie)}
		wiki := []string{"Cookie", h.site.sessionCookie + "=" + signedIn.kept(h.Wiki, h.site.sessionCookie)}
		token := h.token(h.bob, "wiki")
		fresh, late := h.browser(), h.browser()
		c := fresh.connect("alice")
		callback := late.leave("/")
		entering := h.as(h.alice)
		handoff := entering.begin(h.Wiki + "/.gateway/sign-in?rd=/x")
		reset, join := h.resets("bob"), h.invites(nil)
		hits := h.echo.count()

		h.watch.failing.Store(true)
		h.must(h.store.Close())
		bearer := []string{"Authorization", "Bearer " + token}
		for _, row := range []struct {
			story string
			got   answer
		}{
			{"connect", h.program().get(h.Portal+"/.gateway/connect", portal...)},
			{"connect at an app", h.program().get(h.Wiki+"/.gateway/connect", wiki...)},
			{"a challenge", h.browser().post(h.Portal+"/.gateway/connect", `{"client_first":"n,,n=alice,r=rOprNGfwEbeRWgbNEkqO"}`)},
			{"login", fresh.post(h.Portal+"/.gateway/login", h.alice.answers(c))},
			{"logout", h.program().post(h.Portal+"/.gateway/logout", "", portal...)},
			{"the sign-in", h.program().get(h.Portal+"/.gateway/sign-in", portal...)},
			{"the portal", h.program().get(h.Portal+"/", portal...)},
			{"the callback", late.get(callback)},
			{"a link", h.program().get(reset)},
			{"a password by a link", h.program().post(h.Portal+"/.gateway/reset", h.bob.fresh().chooses(reset))},
			{"an invitation", h.program().get(join)},
			{"the button of an invitation", h.program().post(h.Portal+"/.gateway/enrol", "ticket="+codeIn(join), form[:2]...)},
			{"the sign-in of an app", h.program().get(h.Wiki+"/.gateway/sign-in?rd=/x", wiki...)},
			{"the portal's side of the hand-off", entering.get(handoff)},
			{"an app", h.program().get(h.Wiki+"/x", bearer...)},
			{"what is for admins", h.program().get(h.Wiki+"/admin/x", bearer...)},
			{"what is closed", h.program().get(h.Wiki+"/closed/x", bearer...)},
			{"another network", h.program().get(h.Wiki+"/office/x", bearer...)},
		} {
			row.got.refuses(row.story, http.StatusServiceUnavailable, "Unavailable")
			if row.story != "logout" && row.got.header["Set-Cookie"] != nil {
				if c := row.got.cookie(h.site.sessionCookie); c != nil {
					t.Errorf("%s: Set-Cookie %q, want the session left alone", row.story, row.got.header["Set-Cookie"])
				}
			}
		}
		if got := h.echo.count() - hits; got != 0 {
			t.Errorf("%d requests have reached the app", got)
		}
		h.program().get(h.Wiki+"/public/x", bearer...).wants(http.StatusOK) // as nobody
		if got := h.echo.last(t).Header.Get("Remote-User"); got != "" {
			t.Errorf("Remote-User %q, want nobody", got)
		}
		h.program().get(h.Wiki + "/public/x").wants(http.StatusOK)
		h.program().get(h.Wiki+"/x").refuses("nobody, at an app", http.StatusUnauthorized, "SessionExpired")
	})
}
