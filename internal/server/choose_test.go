package server_test

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/localauth"
)

// fresh is somebody with another password than before.
func (p person) fresh() person {
	return person{login: p.login, id: p.id, salt: random()[:localauth.SaltSize], client: random(), signing: random()}
}

// chooses is what the script posts for a person's password.
func (p person) chooses(link string, change ...func(map[string]any)) string {
	stored := sha256.Sum256(p.client)
	body := map[string]any{
		"code": codeIn(link), "salt": p.salt, "iterations": localauth.DefaultIterations, "stored_key": stored[:], "server_key": p.signing,
	}
	for _, c := range change {
		c(body)
	}
	raw, _ := json.Marshal(body) // bytes and numbers always encode
	return string(raw)
}

// invitesLocal lets people choose their password, and adds somebody who has not yet.
func (h *house) invitesLocal(login string) (link string) {
	h.Helper()
	h.server.Register.Origins[identity.Local] = accounts.Origin{Registration: accounts.Invited}
	return h.handedOut(h.command(http.MethodPost, "/users", map[string]any{"login": login, "invite": true, "seconds": 3600, "groups": []string{"staff"}}).wants(http.StatusCreated))
}

func (h *house) resets(login string) (link string) {
	h.Helper()
	return h.handedOut(h.command(http.MethodPost, "/users/"+login+"/reset", map[string]any{"seconds": 3600}).wants(http.StatusCreated))
}

// Somebody who was added without a password cannot sign in, chooses one by a
// link, once, and can.
func TestEnrol(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		link := h.invitesLocal("erin")
		erin := person{login: "erin"}.fresh()
		h.browser().login(erin).refuses("before there is a password", http.StatusUnauthorized, "BadUserOrPassword")
		for range 3 { // programs look at links before people do
			page := h.program().navigate(link).wants(http.StatusOK)
			if !strings.Contains(page.body, `value="erin" readonly`) || !strings.Contains(page.body, `data-path="/.gateway/enrol"`) || page.header["Set-Cookie"] != nil {
				t.Errorf("the link opens %s %v", page.body, page.header)
			}
		}
		b := h.browser()
		if a := b.post(h.Portal+"/.gateway/enrol", erin.chooses(link)).wants(http.StatusOK); a.body != `{"login":"erin"}` || a.header["Set-Cookie"] != nil {
			t.Errorf("choosing answers %s %v, want no session", a.body, a.header)
		}
		if got := b.login(erin).wants(http.StatusOK).who(); got.Login != "erin" || got.UserInfo.Groups[0] != "staff" {
			t.Errorf("signed in is %+v", got)
		}
		h.program().get(link).refuses("opened once more", http.StatusNotFound, "BadRequest")
		thief := erin.fresh()
		h.program().post(h.Portal+"/.gateway/enrol", thief.chooses(link)).refuses("used once more", http.StatusNotFound, "BadRequest")
		h.browser().login(thief).refuses("another password", http.StatusUnauthorized, "BadUserOrPassword")
		got := h.audited("audit", "link")
		if len(got) != 2 || got[0]["outcome"] != "done" || got[0]["login"] != "erin" || got[0]["action"] != "enrol" || got[1]["outcome"] != "refused" || got[1]["reason"] != "no such link" {
			t.Errorf("the book says %v", got)
		}
	})
}

// Another password ends what the old one has opened, everywhere and at once.
func TestReset(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		b := h.as(h.alice)
		page, _ := b.visit(h.Wiki + "/admin/x")
		page.wants(http.StatusOK)
		portal, wiki := b.kept(h.Portal, h.site.sessionCookie), b.kept(h.Wiki, h.site.sessionCookie)
		bob := h.as(h.bob)
		late := h.browser()
		challenge := late.connect("alice")

		link := h.resets("alice")
		if page := b.navigate(link).wants(http.StatusOK); !strings.Contains(page.body, `data-path="/.gateway/reset"`) {
			t.Errorf("the link opens %s", page.body)
		}
		if page := bob.navigate(link).wants(http.StatusOK); strings.Contains(page.body, "data-code") || !strings.Contains(page.body, "<bdi>bob</bdi>") {
			t.Errorf("where bob is signed in the link opens %s", page.body)
		}
		alice := h.alice.fresh()
		before := h.rows()
		bob.post(h.Portal+"/.gateway/reset", alice.chooses(link)).refuses("where bob is signed in", http.StatusBadRequest, "BadRequest")
		h.unchanged("where bob is signed in", before)
		cookie := h.site.sessionCookie + "=" + portal
		h.program().post(h.Portal+"/.gateway/reset", alice.chooses(link), "Cookie", cookie+"; "+cookie).refuses("where nobody can say who is signed in", http.StatusBadRequest, "BadRequest")
		h.unchanged("where nobody can say who is signed in", before)
		b.post(h.Portal+"/.gateway/reset", alice.chooses(link)).wants(http.StatusOK).cleared("her own browser", h.site.sessionCookie)
		h.dead("at the portal", h.Portal, portal)
		h.dead("at the app", h.Wiki, wiki)
		if got := h.live(h.alice.id); got != 0 {
			t.Errorf("alice has %d sessions", got)
		}
		h.browser().login(h.alice).refuses("the old password", http.StatusUnauthorized, "BadUserOrPassword")
		late.post(h.Portal+"/.gateway/login", h.alice.answers(challenge)).refuses("the old password, begun before", http.StatusUnauthorized, "BadUserOrPassword")
		h.browser().login(alice).wants(http.StatusOK)
		bob.get(h.Portal + "/.gateway/connect").wants(http.StatusOK)
		h.program().post(h.Portal+"/.gateway/reset", alice.fresh().chooses(link)).refuses("once more", http.StatusNotFound, "BadRequest")

		older := h.resets("alice")
		newer := h.resets("alice")
		h.program().get(older).refuses("one that another took the place of", http.StatusNotFound, "BadRequest")
		h.clock.pass(time.Hour)
		h.program().get(newer).refuses("too old", http.StatusNotFound, "BadRequest")
		h.program().post(h.Portal+"/.gateway/reset", alice.fresh().chooses(newer)).refuses("too old", http.StatusNotFound, "BadRequest")
		shut := h.resets("alice")
		h.command(http.MethodPost, "/users/alice/disable", nil).wants(http.StatusOK)
		h.program().post(h.Portal+"/.gateway/reset", alice.fresh().chooses(shut)).refuses("of one who is shut out", http.StatusNotFound, "BadRequest")
		h.command(http.MethodPost, "/users/dave/reset", map[string]any{"seconds": 60}).refuses("who comes by a provider alone", http.StatusBadRequest, "BadRequest")
	})
}

// A password that was reset is not slowed down by whoever guessed the old one.
func TestResetForgives(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	b := h.as(h.alice)
	b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
	for range 5 {
		h.browser().login(nobody("alice")).refuses("a guess", http.StatusUnauthorized, "BadUserOrPassword")
	}
	h.browser().login(h.alice).refuses("too often", http.StatusTooManyRequests, "TooManyAttempts")
	for range 5 {
		b.login(nobody("alice")).refuses("she has forgotten it", http.StatusUnauthorized, "BadUserOrPassword")
	}
	b.login(h.alice).refuses("too often", http.StatusTooManyRequests, "TooManyAttempts")
	alice := h.alice.fresh()
	b.post(h.Portal+"/.gateway/reset", alice.chooses(h.resets("alice"))).wants(http.StatusOK)
	b.login(alice).wants(http.StatusOK)
	h.browser().login(alice).wants(http.StatusOK)
}

// What could be told from the verifiers of all others is refused, and uses
// nothing up.
func TestVerifiersThatAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	link := h.invitesLocal("erin")
	erin := person{login: "erin"}.fresh()
	before := h.rows()
	set := func(key string, value any) func(map[string]any) {
		return func(body map[string]any) { body[key] = value }
	}
	for story, change := range map[string]func(map[string]any){
		"too few iterations":  set("iterations", 599_999),
		"other iterations":    set("iterations", 600_001),
		"no iterations":       set("iterations", 0),
		"a short salt":        set("salt", random()[:15]),
		"a long salt":         set("salt", random()[:17]),
		"no salt":             set("salt", nil),
		"a key that is zero":  set("stored_key", make([]byte, 32)),
		"a short key":         set("server_key", random()[:31]),
		"no key":              set("server_key", nil),
		"the same key twice":  func(body map[string]any) { body["server_key"] = body["stored_key"] },
		"the password itself": set("password", "correct horse battery"),
		"another login":       set("login", "alice"),
	} {
		h.program().post(h.Portal+"/.gateway/enrol", erin.chooses(link, change)).refuses(story, http.StatusBadRequest, "BadRequest")
	}
	h.program().post(h.Portal+"/.gateway/enrol", erin.chooses(link), "Sec-Fetch-Site", "same-site").refuses("from a sibling", http.StatusForbidden, "Forbidden")
	h.unchanged("refused", before)
	h.program().post(h.Portal+"/.gateway/enrol", erin.chooses(link)).wants(http.StatusOK)
}

// However many use a link at a time, one password is set.
func TestChosenOnce(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	link := h.invitesLocal("erin")
	people, status := make([]person, 20), make([]int, 20)
	var all sync.WaitGroup
	for i := range people {
		people[i] = person{login: "erin"}.fresh()
		all.Go(func() { status[i] = h.program().post(h.Portal+"/.gateway/enrol", people[i].chooses(link)).status })
	}
	all.Wait()
	won := 0
	for i, p := range people {
		switch status[i] {
		case http.StatusOK:
			won++
			h.browser().login(p).wants(http.StatusOK)
		case http.StatusNotFound:
		default:
			t.Errorf("status %d", status[i])
		}
	}
	if won != 1 {
		t.Errorf("%d passwords were set, want 1", won)
	}
}

// Where the password door is shut no link opens it.
func TestLinksToAShutDoor(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	link := h.resets("alice")
	h.between(func() { h.server.Local = nil })
	h.program().get(link).refuses("opened", http.StatusBadRequest, "OriginUnknown")
	h.program().post(h.Portal+"/.gateway/reset", h.alice.fresh().chooses(link)).refuses("used", http.StatusBadRequest, "OriginUnknown")
	h.command(http.MethodPost, "/users/alice/reset", map[string]any{"seconds": 60}).refuses("another", http.StatusBadRequest, "OriginUnknown")
	h.command(http.MethodPost, "/users", map[string]any{"login": "erin", "invite": true, "seconds": 60}).refuses("somebody new", http.StatusBadRequest, "OriginUnknown")
}

// Whoever guesses links is slowed down, whatever they guess at last, and the book
// says so.
func TestPasswordsByLinksAreThrottled(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	alice, link := h.alice.fresh(), h.resets("alice")
	for range 100 {
		h.program().post(h.Portal+"/.gateway/reset", alice.chooses("?code="+strings.Repeat("A", 26))).refuses("a guess", http.StatusNotFound, "BadRequest")
	}
	before := h.rows()
	h.program().post(h.Portal+"/.gateway/reset", alice.chooses(link)).refuses("too many", http.StatusTooManyRequests, "TooManyAttempts")
	h.unchanged("too many", before)
	if got := h.audited("reason", "TooManyAttempts"); len(got) != 1 || got[0]["audit"] != "link" || got[0]["action"] != "reset" {
		t.Errorf("the book says %v", got)
	}
	h.clock.pass(time.Second)
	h.program().post(h.Portal+"/.gateway/reset", alice.chooses(link)).wants(http.StatusOK)
}
