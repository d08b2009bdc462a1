package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

// approval makes corp a door where an admin approves, and dora the one who comes.
func approval(h *house) {
	h.server.Register.Origins["corp"] = accounts.Origin{Registration: accounts.Approval, LoginClaim: true}
	h.comes("dora")
}

// comes makes the provider speak for somebody else.
func (h *house) comes(name string) {
	h.corp.Person = map[string]any{"sub": name + "-1", "preferred_username": name, "name": strings.ToUpper(name), "email": name + ".canary@mail.example", "email_verified": true}
	h.secret("e-mail address", name+".canary@mail.example")
}

// looks asks as the script of the waiting page does.
func (b *browser) looks() answer {
	b.Helper()
	return b.get(b.Portal+"/.gateway/wait", "Accept", "application/json", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
}

// Somebody signs in at the provider, waits without a session, and is in as
// soon as an admin says so and the provider speaks for them again.
func TestWaitingForApproval(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		approval(h)
		b := h.browser()
		page, way := b.visit(h.Wiki + "/x/y")
		page.wants(http.StatusOK)
		page, way = b.signInAt("corp", strings.TrimPrefix(way[len(way)-2], h.Portal)) // back to the app's question
		page.wants(http.StatusOK)
		if way[len(way)-1] != h.Portal+"/.gateway/wait" || !strings.Contains(page.body, "<code><bdi>dora</bdi></code>") {
			t.Fatalf("the way is %q, the page %s", way, page.body)
		}
		if b.kept(h.Portal, h.site.sessionCookie) != "" || h.live(h.user("dora").UserID) != 0 {
			t.Error("a session before the approval")
		}
		if a := b.looks().wants(http.StatusOK); a.body != `{"waiting":true}` {
			t.Errorf("the script is told %s", a.body)
		}
		if got := h.user("dora"); got.Status != "waiting" || len(got.Groups) != 0 {
			t.Errorf("dora is %+v", got)
		}
		h.command(http.MethodPost, "/users/dora/approve", nil).wants(http.StatusOK)
		if a := b.looks().wants(http.StatusOK); a.body != `{"waiting":false}` || a.header["Set-Cookie"] != nil {
			t.Errorf("after the approval the script is told %s, %v", a.body, a.header)
		}
		page, way = b.visit(h.Portal + "/.gateway/wait")
		if page.wants(http.StatusOK); page.header.Get(echoes) == "" || !strings.HasPrefix(way[1], h.Portal+"/.gateway/start/corp?rd=") || way[len(way)-1] != h.Wiki+"/x/y" {
			t.Errorf("after the approval the way is %q", way)
		}
		if got := h.echo.last(t).Header.Get("Remote-User"); got != "dora" {
			t.Errorf("Remote-User %q, want dora", got)
		}
		if b.kept(h.Portal, h.site.sessionCookie+"-wait") != "" {
			t.Error("the browser still remembers that somebody waits")
		}
		if got := h.audited("status", "waiting"); len(got) != 1 || got[0]["audit"] != "registration" || got[0]["login"] != "dora" || got[0]["origin"] != "corp" {
			t.Errorf("the book says %v of dora's registration", got)
		}
		if got := h.audited("action", "user approve"); len(got) != 1 || got[0]["login"] != "dora" {
			t.Errorf("the book says %v of dora's approval", got)
		}
		if got := h.audited("reason", "waiting"); len(got) != 1 || got[0]["outcome"] != "refused" || got[0]["client"] != "127.0.0.1" {
			t.Errorf("the book says %v of dora's first sign-in", got)
		}
	})
}

// user is somebody as the command line shows them.
func (h *house) user(login string) (u struct {
	UserID string `json:"user_id"`
	Status string
	Groups []string
	Email  string
},
) {
	h.Helper()
	h.command(http.MethodGet, "/users/"+login, nil).wants(http.StatusOK).decode(&u)
	return u
}

// A program that brings a foreign token is told to wait, and nothing else.
func TestLoginWait(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		approval(h)
		for range 2 {
			b := h.program()
			token, err := h.corp.Token(nil, map[string]any{
				"iss": h.corp.URL, "aud": "machines", "sub": "dora-1", "preferred_username": "dora", "iat": h.clock.now().Unix(), "exp": h.clock.now().Add(time.Hour).Unix(),
			})
			h.must(err)
			a := b.post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", token, "want", "token")).wants(http.StatusAccepted)
			if want := object("user_id", h.user("dora").UserID); a.body != want || a.header["Set-Cookie"] != nil {
				t.Errorf("LoginWait is %s %v, want %s", a.body, a.header, want)
			}
		}
		if got := h.live(""); got != 0 {
			t.Errorf("%d sessions", got)
		}
	})
}

// Who is not let in is told so, and the page stops.
func TestRefusedWhileWaiting(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		approval(h)
		for name, refuse := range map[string]func(login string){
			"dora": func(login string) { h.command(http.MethodPost, "/users/"+login+"/disable", nil).wants(http.StatusOK) },
			"emil": func(login string) { h.command(http.MethodDelete, "/users/"+login, nil).wants(http.StatusOK) },
			"fred": func(string) {
				h.clock.pass(31 * 24 * time.Hour)
				h.must(h.server.ForgetWaiting(t.Context()))
				h.clock.pass(-31 * 24 * time.Hour)
			},
		} {
			h.comes(name)
			b := h.browser()
			b.signInAt("corp", "/")
			if got := h.user(name).Status; got != "waiting" {
				t.Errorf("%s is %s", name, got)
			}
			refuse(name)
			b.looks().refuses(name, http.StatusForbidden, "UserNotRegistered")
			page := b.navigate(h.Portal + "/.gateway/wait").wants(http.StatusForbidden)
			if !strings.Contains(page.body, "You were not admitted") || b.kept(h.Portal, h.site.sessionCookie+"-wait") != "" {
				t.Errorf("%s sees %s", name, page.body)
			}
		}
		h.command(http.MethodPost, "/users/dora/approve", nil).refuses("approve one who is shut out", http.StatusBadRequest, "BadRequest")
		h.comes("dora")
		if page, _ := h.browser().signInAt("corp", "/"); page.status != http.StatusForbidden {
			t.Errorf("who is shut out sees %d: %s", page.status, page.body)
		}
		if got := h.audited("reason", "waited too long"); len(got) != 1 || got[0]["login"] != "fred" {
			t.Errorf("the book says %v of who was forgotten", got)
		}
	})
}

// There are a hundred places. The next one is refused and leaves no trace.
func TestWaitingRoomIsFull(t *testing.T) {
	t.Parallel()
	h := open(t, https, approval)
	for i := range 100 {
		id := identity.Identity{Key: identity.Key{Issuer: h.corp.URL, Subject: strings.Repeat("x", i+1)}, Provider: "corp"}
		if _, err := h.server.Register.Resolve(t.Context(), id); err == nil {
			t.Fatal("let in")
		}
	}
	before := h.rows()
	b := h.browser()
	page, _ := b.signInAt("corp", "/")
	if page.wants(http.StatusForbidden); !strings.Contains(page.body, "too many people wait") {
		t.Errorf("the page says %s", page.body)
	}
	b.get(b.leave("/")).refuses("one too many", http.StatusForbidden, "UserNotRegistered")
	h.unchanged("one too many", before)
	if got := h.audited("reason", "no room to wait"); len(got) != 2 {
		t.Errorf("the book says %v", got)
	}
	h.command(http.MethodPost, "/users/corp:x/approve", nil).wants(http.StatusOK)
	b.signInAt("corp", "/")
	if got := h.user("dora").Status; got != "waiting" {
		t.Errorf("dora is %s", got)
	}
}

// What a browser remembers of a wait opens nothing, and counts as it was sealed.
func TestWaitingIsSealed(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		approval(h)
		name := h.site.sessionCookie + "-wait"
		b := h.browser()
		b.signInAt("corp", "/")
		cookie := b.kept(h.Portal, name)
		h.command(http.MethodPost, "/users/dora/approve", nil).wants(http.StatusOK)
		thief := h.browser()
		thief.keep(h.Portal, name, cookie)
		page, way := thief.visit(h.Portal + "/.gateway/wait")
		if !strings.HasPrefix(way[1], h.Portal+"/.gateway/start/corp") || !strings.HasPrefix(way[2], h.corp.URL+"/authorize") {
			t.Errorf("somebody else's cookie leads %q, want to the provider: %s", way, page.body)
		}
		for story, value := range map[string]string{
			"none": "", "changed": flip(cookie, 30), "cut": cookie[:len(cookie)-4], "a session": b.kept(h.Portal, h.site.sessionCookie), "another box": b.kept(h.Portal, h.site.pre), "text": "hello",
		} {
			stranger := h.browser()
			if value != "" {
				stranger.keep(h.Portal, name, value)
			}
			stranger.looks().refuses(story, http.StatusBadRequest, "BadRequest")
			if page := stranger.navigate(h.Portal + "/.gateway/wait").wants(http.StatusSeeOther); page.location() != h.Portal+"/.gateway/sign-in?rd=%2F" {
				t.Errorf("%s leads to %s, want the sign-in", story, page.location())
			}
		}
		twice := name + "=" + cookie + "; " + name + "=" + cookie
		h.program().get(h.Portal+"/.gateway/wait", "Cookie", twice).refuses("twice", http.StatusBadRequest, "BadRequest")
		late := h.browser()
		late.keep(h.Portal, name, cookie)
		h.clock.pass(13 * time.Hour)
		late.looks().refuses("after half a day", http.StatusBadRequest, "BadRequest")
	})
}

// Whose address the provider has not verified is told so, by page and by word,
// and is in as soon as it has.
func TestUnverifiedUser(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.server.Register.Origins["corp"] = accounts.Origin{Registration: accounts.Open, LoginClaim: true, RequireVerified: true}
		h.comes("dora")
		h.corp.Person["email_verified"] = false
		b := h.browser()
		b.get(b.leave("/")).refuses("a browser", http.StatusForbidden, "UnverifiedUser")
		page, _ := b.signInAt("corp", "/")
		if page.wants(http.StatusForbidden); !strings.Contains(page.body, "Confirm it at your provider") {
			t.Errorf("the page says %s", page.body)
		}
		token, err := h.corp.Token(nil, map[string]any{
			"iss": h.corp.URL, "aud": "machines", "sub": "dora-1", "preferred_username": "dora", "email": "dora.canary@mail.example", "iat": h.clock.now().Unix(), "exp": h.clock.now().Add(time.Hour).Unix(),
		})
		h.must(err)
		h.program().post(h.Portal+"/.gateway/login", object("auth_origin", "corp", "token", token, "want", "token")).refuses("a program", http.StatusForbidden, "UnverifiedUser")
		if got := h.user("dora"); got.Status != "unverified" || h.live(got.UserID) != 0 {
			t.Errorf("dora is %+v", got)
		}
		if got := h.audited("reason", "unverified"); len(got) != 3 || got[0]["login"] != "dora" || got[0]["outcome"] != "refused" {
			t.Errorf("the book says %v", got)
		}
		h.corp.Person["email_verified"] = true
		if page, _ := b.signInAt("corp", "/"); page.status != http.StatusOK || h.user("dora").Status != "active" {
			t.Errorf("once it is verified: %d, %+v", page.status, h.user("dora"))
		}
	})
}
