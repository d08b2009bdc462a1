package server_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/policy"
)

// byInvitation makes corp a door for those who are invited, and dora the one who comes.
func byInvitation(h *house) {
	h.server.Register.Origins["corp"] = accounts.Origin{Registration: accounts.Invited, LoginClaim: true}
	h.comes("dora")
}

// invites hands out an invitation by corp and returns its link.
func (h *house) invites(with map[string]any) string {
	h.Helper()
	body := map[string]any{"origin": "corp", "seconds": 3600}
	maps.Copy(body, with)
	return h.handedOut(h.command(http.MethodPost, "/invitations", body).wants(http.StatusCreated))
}

// handedOut is the link in an answer, whose secret no log may hold.
func (h *house) handedOut(a answer) string {
	h.Helper()
	link := a.field("link")
	_, code, found := strings.Cut(link, "?code=")
	if !found || len(code) != 26 || !strings.HasPrefix(link, h.Portal+"/.gateway/") {
		h.Fatalf("the link is %s", a.body)
	}
	h.secret("link", code)
	return link
}

func codeIn(link string) string {
	_, code, _ := strings.Cut(link, "?code=")
	return code
}

var form = []string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Accept", "text/html"}

// accepts opens a link, presses its button and goes on to the provider and
// back; it returns the page that comes last.
func (b *browser) accepts(link string) answer {
	b.Helper()
	b.navigate(link).wants(http.StatusOK)
	b.post(b.Portal+"/.gateway/enrol", "ticket="+codeIn(link), form...).wants(http.StatusOK)
	page, _ := b.signInAt("corp", "/")
	return page
}

// Whoever holds the link becomes a user by the door that it names, once.
func TestInvitation(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		byInvitation(h)
		before := h.rows()
		if page, _ := h.browser().signInAt("corp", "/"); page.status != http.StatusForbidden || !strings.Contains(page.body, "not registered here") {
			t.Errorf("without an invitation: %d %s", page.status, page.body)
		}
		h.unchanged("without an invitation", before)

		link := h.invites(map[string]any{"groups": []string{"admins", "staff"}})
		for range 3 { // programs look at links before people do
			page := h.program().navigate(link).wants(http.StatusOK)
			if !strings.Contains(page.body, "Continue with <bdi>Corp</bdi>") || page.header["Set-Cookie"] != nil {
				t.Errorf("the link opens %s %v", page.body, page.header)
			}
			h.program().do(http.MethodHead, link, "")
		}
		b := h.browser()
		page := b.post(h.Portal+"/.gateway/enrol", "ticket="+codeIn(link), form...).wants(http.StatusOK)
		if !strings.Contains(page.body, "url=/.gateway/start/corp?rd=%2F") {
			t.Errorf("the button leads to %s", page.body)
		}
		h.unchanged("before the provider has said who it is", before)
		if page, _ = b.signInAt("corp", "/"); page.status != http.StatusOK || !strings.Contains(page.body, "Your apps") {
			t.Errorf("at the end is %s", page.body)
		}
		if got := h.user("dora"); got.Status != "active" || strings.Join(got.Groups, ",") != "admins,staff" {
			t.Errorf("dora is %+v", got)
		}
		if b.kept(h.Portal, h.site.sessionCookie+"-invite") != "" {
			t.Error("the browser still remembers the invitation")
		}
		if got := h.audited("audit", "link"); len(got) != 1 || got[0]["outcome"] != "done" || got[0]["login"] != "dora" || got[0]["action"] != "invite" {
			t.Errorf("the book says %v", got)
		}

		h.comes("emil")
		h.program().get(link).refuses("opened once more", http.StatusNotFound, "BadRequest")
		thief := h.browser()
		thief.post(h.Portal+"/.gateway/enrol", "ticket="+codeIn(link), "Content-Type", form[1]).refuses("used once more", http.StatusNotFound, "BadRequest")
		thief.get(thief.leave("/")).refuses("come by it once more", http.StatusForbidden, "UserNotRegistered")
	})
}

// Two who hold the same link: the first to come back from the provider has it.
func TestInvitationIsTakenOnce(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		byInvitation(h)
		link := h.invites(nil)
		second := h.browser()
		second.post(h.Portal+"/.gateway/enrol", "ticket="+codeIn(link), form...).wants(http.StatusOK)
		h.browser().accepts(link).wants(http.StatusOK)
		h.comes("emil")
		second.get(second.leave("/")).refuses("the second", http.StatusNotFound, "BadRequest")
		if got := h.audited("reason", "no such link"); len(got) != 1 || got[0]["audit"] != "sign-in" || got[0]["origin"] != "corp" {
			t.Errorf("the book says %v", got)
		}
		h.command(http.MethodGet, "/users/emil", nil).refuses("the second", http.StatusNotFound, "BadRequest")

		again := h.invites(nil) // who is known already uses none up
		h.comes("dora")
		h.browser().accepts(again).wants(http.StatusOK)
		h.program().get(again).wants(http.StatusOK)
	})
}

func TestInvitationsThatDoNotCount(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		byInvitation(h)
		var before rows
		for story, row := range map[string]struct {
			with    map[string]any
			between func(b *browser, link string)
			status  int
			word    string
		}{
			"too old": {nil, func(*browser, string) { h.clock.pass(2 * time.Hour) }, http.StatusForbidden, "UserNotRegistered"}, // the browser has forgotten it too
			"withdrawn": {nil, func(*browser, string) {
				var all []struct{ ID string }
				h.command(http.MethodGet, "/invitations", nil).wants(http.StatusOK).decode(&all)
				h.command(http.MethodDelete, "/invitations/"+all[len(all)-1].ID, nil).wants(http.StatusOK)
			}, http.StatusNotFound, "BadRequest"},
			"for another address":                 {map[string]any{"email": "emil@mail.example"}, nil, http.StatusForbidden, "UserNotRegistered"},
			"for an address that is not verified": {map[string]any{"email": "dora.canary@mail.example"}, func(*browser, string) { h.corp.Person["email_verified"] = false }, http.StatusForbidden, "UserNotRegistered"},
			"in another browser": {nil, func(b *browser, _ string) {
				b.forget(h.Portal, h.site.sessionCookie+"-invite")
			}, http.StatusForbidden, "UserNotRegistered"},
			"changed on the way": {nil, func(b *browser, _ string) {
				name := h.site.sessionCookie + "-invite"
				b.keep(h.Portal, name, flip(b.kept(h.Portal, name), 30))
			}, http.StatusForbidden, "UserNotRegistered"},
			"the door has closed": {nil, func(*browser, string) { h.server.Register.Origins["corp"] = accounts.Origin{} }, http.StatusNotFound, "BadRequest"},
		} {
			byInvitation(h)
			before = h.rows()
			link := h.invites(row.with)
			b := h.browser()
			b.post(h.Portal+"/.gateway/enrol", "ticket="+codeIn(link), form...).wants(http.StatusOK)
			if row.between != nil {
				row.between(b, link)
			}
			b.get(b.leave("/")).refuses(story, row.status, row.word)
			h.unchanged(story, before)
		}
		if got := len(h.audited("reason", "invited by another address")); got != 2 {
			t.Errorf("the book has %d lines about invitations of others, want 2", got)
		}
		byInvitation(h)
		h.browser().accepts(h.invites(map[string]any{"email": "DORA.canary@Mail.EXAMPLE"})).wants(http.StatusOK) // letter by letter, but for the case
	})
}

// An invitation gives no way round the rules: it makes nobody known whom none
// could admit, groups and all.
func TestInvitationAsksTheRules(t *testing.T) {
	t.Parallel()
	h := open(t, https, byInvitation)
	h.admitsOnly("vips")
	before := h.rows()
	b := h.browser()
	b.accepts(h.invites(map[string]any{"groups": []string{"guests"}})).wants(http.StatusForbidden)
	h.unchanged("a group that no rule names", before)
	b = h.browser()
	b.accepts(h.invites(map[string]any{"groups": []string{"vips"}})).wants(http.StatusOK)
	if got := h.user("dora").Status; got != "active" {
		t.Errorf("dora is %s", got)
	}
}

// What strangers send to the links opens nothing, and is slowed down.
func TestLinksOfStrangers(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		byInvitation(h)
		h.server.Register.Origins["local"] = accounts.Origin{Registration: accounts.Invited}
		h.clock.stop()
		before := h.rows()
		enrol := h.Portal + "/.gateway/enrol"
		for _, code := range []string{"", "x", strings.Repeat("A", 26), strings.Repeat("a", 26), strings.Repeat("A", 25), strings.Repeat("A", 5000), "..%2F..%2Fx", "%00"} {
			for _, path := range []string{enrol, h.Portal + "/.gateway/reset"} {
				h.program().get(path+"?code="+code).refuses(path+" "+code, http.StatusNotFound, "BadRequest")
			}
			h.program().post(enrol, "ticket="+code, form[:2]...).refuses("a form with "+code, http.StatusNotFound, "BadRequest")
		}
		h.program().get(enrol).refuses("no code", http.StatusNotFound, "BadRequest")
		link := h.invites(nil)
		h.program().get(link+"&code="+codeIn(link)).refuses("two codes", http.StatusNotFound, "BadRequest")
		for _, body := range []string{"ticket=" + codeIn(link) + "&x=1", "ticket=" + codeIn(link) + "&ticket=" + codeIn(link), "code=" + codeIn(link), "", "%zz"} {
			h.program().post(enrol, body, form[:2]...).refuses("a form with "+body, http.StatusBadRequest, "BadRequest")
		}
		h.browser().post(enrol, "ticket="+codeIn(link), "Content-Type", form[1], "Sec-Fetch-Site", "cross-site").refuses("from elsewhere", http.StatusForbidden, "Forbidden")
		h.browser().post(enrol, "ticket="+codeIn(link), "Content-Type", form[1], "Origin", "https://evil.test").refuses("from elsewhere", http.StatusForbidden, "Forbidden")

		h.add("erin", "")
		reset := h.resets("erin")
		h.program().get(strings.Replace(reset, "reset", "enrol", 1)).refuses("a reset at enrol", http.StatusNotFound, "BadRequest")
		h.program().get(strings.Replace(link, "enrol", "reset", 1)).refuses("an invitation at reset", http.StatusNotFound, "BadRequest")
		h.program().post(enrol, "ticket="+codeIn(reset), form[:2]...).refuses("a reset as an invitation", http.StatusNotFound, "BadRequest")
		h.command(http.MethodDelete, "/users/erin", nil).wants(http.StatusOK)
		h.program().get(reset).refuses("of somebody who is gone", http.StatusNotFound, "BadRequest")

		h.clock.stop()
		limited := 0
		for range 120 {
			if a := h.program().post(enrol, "ticket="+strings.Repeat("B", 26), form[:2]...); a.status == http.StatusTooManyRequests {
				limited++
			}
		}
		if limited == 0 {
			t.Error("strangers guess as fast as they like")
		}
		h.unchanged("strangers", before)
	})
}

// admitsOnly replaces the policy by one app for one group.
func (h *house) admitsOnly(group string) {
	h.Helper()
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "wiki", Host: h.site.wiki, Allow: &policy.Subjects{Groups: []string{group}}}}})
	h.must(err)
	h.server.Policy.Store(guard)
}
