package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// cleared fails the test unless the answer clears the session's cookie.
func (a answer) cleared(story, name string) {
	a.Helper()
	if c := a.cookie(name); c == nil || c.MaxAge >= 0 || c.Value != "" {
		a.Errorf("%s: %s: Set-Cookie %q, want %s cleared", story, a.asked, a.header["Set-Cookie"], name)
	}
}

func TestLogout(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, row := range []struct {
			story  string
			method string
			origin string // where the person signs out
		}{
			{"at the portal", http.MethodPost, h.Portal},
			{"at the portal, by PUT", http.MethodPut, h.Portal},
			{"at an app", http.MethodPost, h.Wiki},
			{"at another app, by PUT", http.MethodPut, h.Board},
		} {
			b := h.as(h.alice)
			sessions := map[string]string{}
			for _, origin := range []string{h.Wiki, h.Board, h.Portal} {
				page, _ := b.visit(origin + "/x")
				if origin != h.Portal {
					page.wants(http.StatusOK)
				}
				sessions[origin] = b.kept(origin, h.site.sessionCookie)
			}
			elsewhere := h.as(h.alice)
			a := b.do(row.method, row.origin+"/.gateway/logout", "", "Sec-Fetch-Site", "same-origin", "Origin", row.origin)
			a.isAuthNeeded(row.story)
			a.cleared(row.story, h.site.sessionCookie)
			for origin, session := range sessions {
				h.dead(row.story, origin, session)
			}
			b.do(row.method, row.origin+"/.gateway/logout", "").isAuthNeeded(row.story + ", again")
			if got := elsewhere.get(h.Portal + "/.gateway/connect").who().Login; got != "alice" {
				t.Errorf("%s: another browser is signed in as %q, want alice still", row.story, got)
			}
			elsewhere.post(h.Portal+"/.gateway/logout", "{}").isAuthNeeded(row.story)
		}
		if got := h.live(""); got != 0 {
			t.Errorf("%d sessions, want none", got)
		}
	})
}

func TestLogoutOfWhatIsNoSession(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		signedIn := h.as(h.alice)
		signedIn.visit(h.Wiki + "/x")
		portal, wiki := signedIn.kept(h.Portal, h.site.sessionCookie), signedIn.kept(h.Wiki, h.site.sessionCookie)
		over := h.as(h.bob)
		ended := over.kept(h.Portal, h.site.sessionCookie)
		over.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
		assertion := h.echo.last(h).Header.Get("X-Gateway-Jwt-Assertion")
		before := h.rows()
		for _, row := range []struct {
			story, origin, session string
			word                   string // empty: AuthNeeded
		}{
			{"none", h.Portal, "", ""},
			{"none, at an app", h.Wiki, "", ""},
			{"ended", h.Portal, ended, ""},
			{"no JWT", h.Portal, "hello", "InvalidSession"},
			{"its signature changed", h.Portal, flip(portal, len(portal)-2), "InvalidSession"},
			{"its claims changed", h.Portal, flip(portal, strings.IndexByte(portal, '.')+9), "InvalidSession"},
			{"of an app, at the portal", h.Portal, wiki, "InvalidSession"},
			{"of the portal, at an app", h.Wiki, portal, "InvalidSession"},
			{"of an app, at another", h.Board, wiki, "InvalidSession"},
			{"an assertion", h.Portal, assertion, "InvalidSession"},
			{"an assertion, at its app", h.Wiki, assertion, "InvalidSession"},
		} {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				a := h.program().do(method, row.origin+"/.gateway/logout", "{}", "Cookie", h.site.sessionCookie+"="+row.session)
				if row.word == "" {
					a.isAuthNeeded(row.story)
				} else {
					a.refuses(row.story, http.StatusBadRequest, row.word)
					if a.field("reason") == "" {
						h.Errorf("%s: no reason: %s", row.story, a.body)
					}
				}
				a.cleared(row.story, h.site.sessionCookie)
			}
			h.unchanged(row.story, before)
		}
		for _, a := range []answer{
			h.program().post(h.Portal+"/.gateway/logout", "{}", "Authorization", "Bearer "+wiki),
			h.program().post(h.Wiki+"/.gateway/logout", "{}", "Authorization", "Bearer "+portal),
		} {
			a.refuses("as Bearer", http.StatusBadRequest, "InvalidSession")
		}
		h.unchanged("as Bearer", before)
	})
}

func TestNobodyElseSignsOut(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		b := h.as(h.alice)
		before := h.rows()
		address := h.Portal + "/.gateway/logout"
		for _, row := range []struct {
			story   string
			headers []string
		}{
			{"another site", []string{"Sec-Fetch-Site", "cross-site"}},
			{"a sibling", []string{"Sec-Fetch-Site", "same-site"}},
			{"another site, an old browser", []string{"Origin", "https://evil.test"}},
			{"a sandbox", []string{"Origin", "null"}},
			{"an app", []string{"Origin", h.Wiki}},
			{"a name that begins alike", []string{"Origin", h.Portal + ".evil.test"}},
		} {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				a := b.do(method, address, "", row.headers...)
				a.refuses(row.story, http.StatusForbidden, "Forbidden")
				if a.header["Set-Cookie"] != nil {
					h.Errorf("%s: Set-Cookie %q", row.story, a.header["Set-Cookie"])
				}
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch} {
			b.do(method, address, "").refuses(method, http.StatusMethodNotAllowed, "BadRequest")
		}
		h.unchanged("nobody has signed out", before)
		page := b.navigate(h.Portal + "/.gateway/sign-out").wants(http.StatusOK)
		if !strings.Contains(page.body, `action="/.gateway/logout"`) || !strings.Contains(page.body, "alice") {
			h.Errorf("sign-out: %s, want it to ask alice", page.body)
		}
		h.unchanged("it asks", before)
	})
}

func TestSignOutByPage(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	form := append([]string{"Content-Type", "application/x-www-form-urlencoded", "Origin", h.Portal}, navigation[:6]...)
	form = append(form, "Sec-Fetch-Site", "same-origin")
	a := b.post(h.Portal+"/.gateway/logout", "", form...).wants(http.StatusOK)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("a form is answered with %s", a.header.Get("Content-Type"))
	}
	if got := h.live(""); got != 0 {
		t.Errorf("%d sessions, want none", got)
	}
}

// The book says of a sign-out at an app what it said of the sign-in.
func TestSignOutIsInTheBook(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.as(h.alice)
	b.visit(h.Wiki + "/x")
	b.post(h.Wiki+"/.gateway/logout", "").wants(http.StatusOK)
	in, out := h.audited("audit", "sign-in"), h.audited("audit", "sign-out")
	if len(in) != 1 || len(out) != 1 {
		t.Fatalf("the book says %v, %v", in, out)
	}
	for _, what := range []string{"login", "user_id", "sid"} {
		if in[0][what] != out[0][what] || in[0][what] == "" {
			t.Errorf("%s: %v at the sign-in, %v at the sign-out", what, in[0][what], out[0][what])
		}
	}
}

// The provider's own logout page is named where there is one.
func TestLogoutNamesTheProvidersPage(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	b := h.browser()
	b.signInAt("corp", "/")
	a := b.post(h.Portal+"/.gateway/logout", "")
	a.isAuthNeeded("dave")
	if got := a.field("end_session"); !strings.HasPrefix(got, h.corp.URL+"/end-session?") || !strings.Contains(got, "post_logout_redirect_uri=https%3A%2F%2Fauth.example.com%2F") {
		t.Errorf("end_session: %q, want the provider's page, and the way back", got)
	}
	a = h.as(h.alice).post(h.Portal+"/.gateway/logout", "")
	if got := a.field("end_session"); got != "" {
		t.Errorf("end_session of a local session: %q", got)
	}
}

// What an administrator ends is over at once, everywhere.
func TestRevocation(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		sid := func(userID string) string {
			for _, s := range h.rows().sessions {
				if s.UserID == userID && s.Parent != "" {
					return s.ID
				}
			}
			t.Fatalf("no child of %s", userID)
			return ""
		}
		for _, row := range []struct {
			story string
			do    func() answer
			back  func()
		}{
			{"their sessions", func() answer { return h.command(http.MethodDelete, "/sessions?user=alice", nil) }, nil},
			{"one session, by its child", func() answer { return h.command(http.MethodDelete, "/sessions/"+sid(h.alice.id), nil) }, nil},
			{"the person is disabled", func() answer { return h.command(http.MethodPost, "/users/alice/disable", nil) }, func() {
				h.command(http.MethodPost, "/users/alice/enable", nil).wants(http.StatusOK)
			}},
			{"the person is deleted", func() answer { return h.command(http.MethodDelete, "/users/alice", nil) }, nil},
		} {
			b, other := h.as(h.alice), h.as(h.bob)
			for _, each := range []*browser{b, other} {
				page, _ := each.visit(h.Wiki + "/x")
				page.wants(http.StatusOK)
			}
			token := h.token(h.alice, "wiki")
			row.do().wants(http.StatusOK)
			h.dead(row.story, h.Portal, b.kept(h.Portal, h.site.sessionCookie))
			h.dead(row.story, h.Wiki, b.kept(h.Wiki, h.site.sessionCookie))
			if row.story != "one session, by its child" {
				h.program().get(h.Wiki+"/x", "Authorization", "Bearer "+token).refuses(row.story, http.StatusUnauthorized, "SessionExpired")
			}
			other.get(h.Wiki + "/x").wants(http.StatusOK)
			if row.back != nil {
				row.back()
			}
			h.clock.pass(time.Hour)
		}
	})
}
