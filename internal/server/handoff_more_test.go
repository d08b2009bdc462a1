package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gateway/policy"
	"gateway/sessions"
)

// Who is signed in at an app goes on at once; what is left of a session that is
// over is taken away.
func TestAppSignIn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		b.visit(h.Wiki + "/x")
		if a := b.navigate(h.Wiki + "/.gateway/sign-in?rd=/y%3Fz").wants(http.StatusSeeOther); a.location() != h.Wiki+"/y?z" || a.header["Set-Cookie"] != nil {
			t.Errorf("signed in, and led to %s; %q", a.location(), a.header["Set-Cookie"])
		}
		session := b.session(h.Wiki)
		h.command(http.MethodDelete, "/sessions?user=alice", nil).wants(http.StatusOK)
		a := h.program().navigateAs(h.Wiki+"/.gateway/sign-in?rd=/y", session).wants(http.StatusSeeOther)
		a.cleared("a session that is over", h.site.sessionCookie)
		if !strings.HasPrefix(a.location(), h.Portal+"/.gateway/authorize?req=") {
			t.Errorf("led to %s", a.location())
		}
		if a := h.program().navigate(a.location()).wants(http.StatusSeeOther); a.cookie(h.site.sessionCookie) != nil {
			t.Errorf("at the portal, of nobody: %q", a.header["Set-Cookie"])
		}
	})
}

// navigateAs asks for a page with more headers.
func (b *browser) navigateAs(address string, headers []string) answer {
	b.Helper()
	return b.get(address, append(append([]string{}, navigation...), headers...)...)
}

// Flows that a browser has open give way by age, no more of them than have to,
// and other cookies are left alone.
func TestFlowsGiveWayByAge(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	long := strings.Repeat("a", 400)
	var flows []*http.Cookie // the oldest first
	for range 20 {
		b := h.browser()
		b.begin(h.Wiki + "/.gateway/sign-in?rd=/" + long)
		flows = append(flows, b.flows(h.Wiki)...)
		h.clock.pass(time.Second)
	}
	size, many := len(flows[0].Name)+len(flows[0].Value), 0
	for many*size+len(flows[0].Value) <= 6144 { // with the one that begins
		many++
	}
	if many < 5 || many > 12 {
		t.Fatalf("a flow has %d bytes", size)
	}
	cookies := func(all ...*http.Cookie) string {
		var pairs []string
		for i := range 20 {
			pairs = append(pairs, fmt.Sprintf("app%d=%s", i, "x"))
		}
		for _, c := range all {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		return strings.Join(pairs, "; ")
	}
	dropped := func(header string) (names []string) {
		t.Helper()
		a := h.program().navigateAs(h.Wiki+"/.gateway/sign-in?rd=/"+long, []string{"Cookie", header}).wants(http.StatusSeeOther)
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			if c.MaxAge < 0 {
				names = append(names, c.Name)
			}
		}
		return names
	}
	if got := dropped(cookies(flows[:many-1]...)); len(got) != 0 {
		t.Errorf("there is room, and dropped are %q", got)
	}
	reversed := append([]*http.Cookie{flows[5], flows[0], flows[1]}, flows[6:6+many-3]...)
	if got := dropped(cookies(reversed...)); len(got) != 1 || got[0] != flows[0].Name {
		t.Errorf("dropped are %q, want the oldest, %s", got, flows[0].Name)
	}
	small := h.browser()
	small.begin(h.Wiki + "/.gateway/sign-in?rd=/")
	unreadable := *small.flows(h.Wiki)[0]
	unreadable.Name, unreadable.Value = unreadable.Name[:len(unreadable.Name)-1]+"2", strings.Repeat("x", size)
	if got := dropped(cookies(append([]*http.Cookie{flows[0], &unreadable}, flows[6:6+many-2]...)...)); len(got) != 1 || got[0] != unreadable.Name {
		t.Errorf("dropped are %q, want what nobody can read, %s", got, unreadable.Name)
	}
}

// What the portal does not hand off it refuses in the book, and an app that is
// gone is no place to go to.
func TestHandoffsThatAreRefused(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.bob)
		tools := h.site.origin("tools." + h.site.wiki)
		a := b.navigate(b.begin(tools + "/.gateway/sign-in?rd=/secret%3Fq")).wants(http.StatusForbidden)
		id := a.header.Get("X-Gateway-Decision")
		lines := h.audited("decision_id", id)
		if id == "" || !strings.Contains(a.body, id) || len(lines) != 1 || lines[0]["app"] != "tools" || lines[0]["path"] != "/secret" || lines[0]["login"] != "bob" {
			t.Errorf("refused as %q; the book says %v\n%s", id, lines, a.body)
		}
		entering := b.begin(h.Wiki + "/.gateway/sign-in?rd=/x")
		guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "board", Host: h.site.board, Allow: &policy.Subjects{SignedIn: true}}}})
		h.must(err)
		h.server.Policy.Store(guard)
		for _, who := range []*browser{b, h.browser()} {
			who.navigate(entering).wants(http.StatusMisdirectedRequest)
		}
	})
}

// lostCodes is a store in which no code can be kept; stuck one in which no
// session can be ended.
type (
	lostCodes struct{ sessions.Codes }
	stuck     struct{ sessions.Store }
)

func (lostCodes) PutCode(context.Context, sessions.Code) error { return errors.New("the disk is full") }

func (stuck) DeleteSession(context.Context, string) (int, error) {
	return 0, errors.New("the disk is full")
}

// What cannot be told at a hand-off is 503, and opens nothing.
func TestHandoffsThatCannotBeTold(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		h.watch.failing.Store(true)
		entering := b.begin(h.Wiki + "/.gateway/sign-in?rd=/x")
		codes := h.server.Sessions.Codes
		h.between(func() { h.server.Sessions.Codes = lostCodes{codes} })
		b.navigate(entering).wants(http.StatusServiceUnavailable)
		h.between(func() { h.server.Sessions.Codes = codes })

		b.visit(h.Wiki + "/x")
		sound, child := h.server.Sessions.Store, b.kept(h.Wiki, h.site.sessionCookie)
		b.forget(h.Wiki, h.site.sessionCookie)
		code := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
		b.keep(h.Wiki, h.site.sessionCookie, child)
		h.asksOf(stuck{sound})
		if a := b.navigate(code).wants(http.StatusServiceUnavailable); a.cookie(h.site.sessionCookie) != nil {
			t.Errorf("Set-Cookie %q", a.header["Set-Cookie"])
		}
		h.asksOf(sound)

		stale := b.step(b.step(h.Board + "/.gateway/sign-in?rd=/x"))
		for _, c := range b.flows(h.Board) {
			b.forget(h.Board, c.Name)
		}
		b.keep(h.Board, h.site.sessionCookie, b.kept(h.Wiki, h.site.sessionCookie)[:10]+"x")
		h.uncached()
		h.must(h.store.Close())
		page := h.program().navigateAs(strings.Replace(stale, h.Board, h.Wiki, 1), []string{"Cookie", h.site.sessionCookie + "=" + child})
		page.wants(http.StatusServiceUnavailable)
	})
}

// What is not a code of an open flow of this browser's leads nowhere, also
// where somebody is signed in; and one whose sign-in has ended begins anew.
func TestCodesThatAreNone(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		b.visit(h.Wiki + "/x")
		at := h.Wiki + "/.gateway/handoff?code="
		for _, code := range []string{"A.x", "x", ".x", strings.Repeat("a", 16) + ".x", strings.Repeat("A", 17) + ".x", strings.Repeat("A", 15) + "1.x", strings.Repeat("A", 15) + "%40.x"} {
			b.navigate(at + code).wants(http.StatusBadRequest)
		}
		flow := strings.Repeat("A", 16)
		twice := h.site.enters + flow + "=x; " + h.site.enters + flow + "=x"
		h.program().navigateAs(at+flow+".x", []string{"Cookie", twice}).wants(http.StatusBadRequest)
		h.program().navigateAs(at+flow+".x", []string{"Cookie", h.site.enters + flow + "=unreadable"}).wants(http.StatusBadRequest)

		other := h.as(h.bob)
		code := other.code(h.Wiki + "/.gateway/sign-in?rd=/y")
		h.command(http.MethodDelete, "/sessions?user=bob", nil).wants(http.StatusOK)
		if got := other.navigate(code).wants(http.StatusSeeOther).location(); !strings.HasPrefix(got, h.Portal+"/.gateway/authorize?req=") {
			t.Errorf("a sign-in that has ended leads to %s", got)
		}
	})
}

// A hand-off ends the session that the browser had at the app, and no program's.
func TestHandoffsEndNoBearer(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		token := h.token(h.bob, h.site.wiki)
		b := h.as(h.alice)
		code := b.code(h.Wiki + "/.gateway/sign-in?rd=/x")
		b.navigateAs(code, []string{"Authorization", "Bearer " + token}).wants(http.StatusSeeOther)
		h.program().get(h.Wiki+"/x", "Authorization", "Bearer "+token).wants(http.StatusOK)
	})
}
