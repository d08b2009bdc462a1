package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"gateway/providers"
)

// daves returns a browser in which dave has come by the provider.
func (h *house) daves() *browser {
	h.Helper()
	b := h.browser()
	b.navigate(b.leave("/")).wants(http.StatusSeeOther)
	return b
}

// visited is somebody who has been at an app.
type visited struct {
	*browser
	login          string
	portal, wiki   []string // Cookie headers
	bearer         []string // the session of wiki, as a program sends it
	entering, code string   // where a hand-off to board stands, and another one
}

func (b *browser) visits(login string) visited {
	b.Helper()
	page, _ := b.visit(b.Wiki + "/x")
	page.wants(http.StatusOK)
	return visited{
		browser: b, login: login, portal: b.session(b.Portal), wiki: b.session(b.Wiki), bearer: []string{"Authorization", "Bearer " + b.kept(b.Wiki, b.site.sessionCookie)},
		entering: b.begin(b.Board + "/.gateway/sign-in?rd=/y"), code: b.code(b.Board + "/.gateway/sign-in?rd=/y"),
	}
}

// isIn fails the test unless every way in lets the person in.
func (v visited) isIn(story string) {
	v.Helper()
	for _, credential := range [][]string{v.wiki, v.bearer} {
		for _, dialect := range dialects {
			if a := v.asks(dialect, v.about("/x", credential...)); a.status != http.StatusOK || a.header.Get("Remote-User") != v.login {
				v.Errorf("%s: %s: status %d, %q, want %s let in", story, dialect, a.status, a.header.Get("Remote-User"), v.login)
			}
		}
		v.program().get(v.Wiki+"/x", credential...).wants(http.StatusOK)
		if got := v.echo.last(v).Header.Get("Remote-User"); got != v.login {
			v.Errorf("%s: the app sees %q, want %s", story, got, v.login)
		}
	}
	for origin, cookie := range map[string][]string{v.Portal: v.portal, v.Wiki: v.wiki} {
		if got := v.program().get(origin+"/.gateway/connect", cookie...).who().Login; got != v.login {
			v.Errorf("%s: connect at %s says %q, want %s", story, origin, got, v.login)
		}
	}
}

// isOut fails the test if any way in lets the person in.
func (v visited) isOut(story string) {
	v.Helper()
	for _, credential := range [][]string{v.wiki, v.bearer} {
		for _, target := range []string{"/x", "/admin/x"} {
			hits := len(v.echo.seen())
			for _, dialect := range dialects {
				a := v.asks(dialect, v.about(target, credential...))
				a.refuses(story, http.StatusUnauthorized, "SessionExpired")
				a.says(story)
			}
			v.program().get(v.Wiki+target, credential...).refuses(story, http.StatusUnauthorized, "SessionExpired")
			v.raw(v.upgrades(target, []string{"websocket"}, credential...)).refuses(story, http.StatusUnauthorized, "SessionExpired")
			if got := len(v.echo.seen()) - hits; got != 0 {
				v.Errorf("%s: %d requests for %s have reached the app", story, got, target)
			}
		}
		for _, dialect := range dialects {
			v.asks(dialect, v.about("/public/x", credential...)).wants(http.StatusOK).says(story)
		}
		v.program().get(v.Wiki+"/public/x", credential...).wants(http.StatusOK)
		if got := v.echo.last(v).identity(); !slices.Equal(got, make([]string, 4)) {
			v.Errorf("%s: the app sees %q, want nobody", story, got)
		}
	}
	for origin, cookie := range map[string][]string{v.Portal: v.portal, v.Wiki: v.wiki} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			a := v.program().do(method, origin+"/.gateway/connect", "", cookie...)
			a.refuses(story, http.StatusUnauthorized, "SessionExpired")
			a.cleared(story, v.site.sessionCookie)
		}
	}
	v.handsNothingOff(story)
}

// handsNothingOff fails the test if the portal's session still opens apps.
func (v visited) handsNothingOff(story string) {
	v.Helper()
	if a := v.program().navigate(v.entering).wants(http.StatusSeeOther); strings.Contains(a.location(), "code=") {
		v.Errorf("%s: nobody is handed off to %s", story, a.location())
	}
	a := v.navigate(v.entering).wants(http.StatusSeeOther)
	if got := a.location(); !strings.HasPrefix(got, v.Portal+"/.gateway/sign-in?rd=") {
		v.Errorf("%s: authorize leads to %s, want the sign-in", story, got)
	}
	a.cleared(story, v.site.sessionCookie)
	v.navigate(v.code) // handed out before
	v.get(v.Board+"/y").refuses(story+", a code from before", http.StatusUnauthorized, "SessionExpired")
	for _, address := range []string{v.Board + "/y", v.Wiki + "/x", v.Portal + "/"} {
		if page, way := v.visit(address); page.status != http.StatusOK || page.header.Get(echoes) != "" {
			v.Errorf("%s: %q ends with status %d, want the sign-in", story, way, page.status)
		}
	}
}

// Nobody stays in who came through a door that is not there any more, and
// everybody else does.
func TestDoorsThatAreGone(t *testing.T) {
	for _, row := range []struct {
		story string
		local bool // is shut
		shut  func(h *house)
	}{
		{"no passwords", true, func(h *house) { h.server.Local = nil }},
		{"one provider less", false, func(h *house) {
			h.server.Foreign.Providers = slices.DeleteFunc(slices.Clone(h.server.Foreign.Providers), func(n providers.Named) bool { return n.ID == "corp" })
		}},
		{"another provider instead", false, func(h *house) {
			h.server.Foreign.Providers = []providers.Named{{ID: "corp2", Name: "Corp", Provider: h.server.Foreign.Providers[0].Provider}}
		}},
		{"no provider left", false, func(h *house) { h.server.Foreign.Providers = nil }},
		{"no providers at all", false, func(h *house) { h.server.Foreign = nil }},
	} {
		for _, s := range []site{https, plain} {
			t.Run(row.story+" "+s.scheme, func(t *testing.T) {
				t.Parallel()
				h := open(t, s)
				goes, stays := h.as(h.alice).visits("alice"), h.daves().visits("dave")
				if !row.local {
					goes, stays = stays, goes
				}
				goes.isIn("before")
				stays.isIn("before")
				h.between(func() { row.shut(h) })
				goes.isOut(row.story)
				stays.isIn(row.story)
				stays.navigate(stays.code).wants(http.StatusSeeOther)
				stays.get(h.Board + "/y").wants(http.StatusOK)
			})
		}
	}
}

// A login names one door and all that goes with it, from one browser. What does
// not is told so, and spends nothing.
func TestLoginNamesOneDoor(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		const (
			oneDoor = "Send user, challenge_id and challenge_reply, or auth_origin and token."
			local   = "user, challenge_id and challenge_reply go together."
			foreign = "auth_origin and token go together."
		)
		login := h.Portal + "/.gateway/login"
		b, other := h.browser(), h.browser()
		c, asked := b.connect("alice"), other.tokenChallenge("corp")
		token, err := h.corp.IDToken(asked.field("challenge"))
		h.must(err)
		values := map[string]string{"user": "alice", "challenge_id": c.id, "challenge_reply": h.alice.reply(c), "auth_origin": "corp", "token": token}
		byToken := object("auth_origin", "corp", "token", token, "challenge_id", asked.field("challenge_id"))
		before := h.rows()
		for _, row := range []struct{ fields, detail string }{
			{"", oneDoor},
			{"challenge_id", oneDoor},
			{"user", local},
			{"challenge_reply", local},
			{"user challenge_id", local},
			{"user challenge_reply", local},
			{"challenge_id challenge_reply", local},
			{"auth_origin", foreign},
			{"token", foreign},
			{"auth_origin challenge_id", foreign},
			{"token challenge_id", foreign},
			{"user auth_origin", oneDoor},
			{"user token", oneDoor},
			{"user challenge_id challenge_reply auth_origin", oneDoor},
			{"user challenge_id challenge_reply token", oneDoor},
			{"auth_origin token user", oneDoor},
			{"auth_origin token challenge_reply", oneDoor},
		} {
			var pairs []string
			for field := range strings.FieldsSeq(row.fields) {
				pairs = append(pairs, field, values[field])
			}
			a := b.post(login, object(pairs...))
			if a.refuses(row.fields, http.StatusBadRequest, "BadRequest"); a.field("detail") != row.detail {
				t.Errorf("%q: %q, want %q", row.fields, a.field("detail"), row.detail)
			}
		}
		a := b.post(login, "")
		if a.refuses("nothing", http.StatusBadRequest, "BadRequest"); a.field("detail") != "Send the answer to a challenge, or a foreign token." {
			t.Errorf("nothing: %s", a.body)
		}
		for body, from := range map[string]*browser{h.alice.answers(c): b, byToken: other} {
			cookie := h.site.pre + "=" + from.kept(h.Portal, h.site.pre)
			h.program().post(login, body, "Cookie", cookie+"; "+cookie).refuses("from two browsers", http.StatusBadRequest, "BadRequest")
		}
		h.unchanged("refused", before)
		b.post(login, h.alice.answers(c)).wants(http.StatusOK)
		other.post(login, byToken).wants(http.StatusOK)
	})
}
