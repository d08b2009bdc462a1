package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/server"
	"gateway/policy"
)

// letsGuests makes a guest link of wiki, and returns it.
func (h *house) letsGuests(n server.AdminGuest) server.AdminGuestLink {
	h.Helper()
	if n.Name == "" {
		n.Name = "auditors"
	}
	if n.Host == "" {
		n.Host = h.site.wiki
	}
	if n.Methods == nil {
		n.Methods = []string{"GET"}
	}
	if n.Opens == 0 {
		n.Opens = 1
	}
	if n.Seconds == 0 {
		n.Seconds = 3600
	}
	var made server.AdminGuestLink
	h.command(http.MethodPost, "/guests", n).wants(http.StatusCreated).decode(&made)
	h.secret("guest link", codeIn(made.Link))
	return made
}

// enters posts what the page of a guest link posts.
func (b *browser) enters(link string, headers ...string) answer {
	b.Helper()
	u, err := url.Parse(link)
	b.must(err)
	if headers == nil {
		headers = form
	} else {
		headers = append([]string{"Content-Type", form[1]}, headers...)
	}
	return b.post(u.Scheme+"://"+u.Host+"/.gateway/guest", "ticket="+codeIn(link), headers...)
}

// guest returns the cookie header of somebody who has opened a link.
func (h *house) guest(link string) []string {
	h.Helper()
	b := h.browser()
	b.enters(link).wants(http.StatusSeeOther)
	name := h.site.sessionCookie + "-guest"
	return []string{"Cookie", name + "=" + b.kept(h.Wiki, name)}
}

// A guest sees what the link names and nothing else, by every way in, and
// nobody is told who it is.
func TestGuests(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		link := h.letsGuests(server.AdminGuest{Paths: []string{"/reports/**", "/x", "/closed/x", "/office/x", "/admin/one"}, Methods: []string{"GET", "PUT"}}).Link
		cookie := h.guest(link)
		for _, row := range []struct {
			story, method, host, target string
			lines                       []string
			want                        string
		}{
			{"a path of it", "GET", h.site.wiki, "/reports/2026?q=1", cookie, "allow "},
			{"HEAD goes with GET", "HEAD", h.site.wiki, "/reports/", cookie, "allow "},
			{"another method of it", "PUT", h.site.wiki, "/x", cookie, "allow "},
			{"where a group may", "GET", h.site.wiki, "/admin/one", cookie, "allow "},
			{"with a token that does not count", "GET", h.site.wiki, "/x", slices.Concat(cookie, bearer("gw_A")), "allow "},
			{"another path", "GET", h.site.wiki, "/y", cookie, "login"},
			{"a path above it", "GET", h.site.wiki, "/reportsx", cookie, "login"},
			{"another method", "POST", h.site.wiki, "/x", cookie, "login"},
			{"another host", "GET", h.site.board, "/x", cookie, "login"},
			{"what nobody may", "GET", h.site.wiki, "/closed/x", cookie, "deny"},
			{"where a network may", "GET", h.site.wiki, "/office/x", cookie, "deny"},
			{"a path that can be read twice", "GET", h.site.wiki, "/reports/..%2fadmin", cookie, "no question"},
			{"from a sibling's page", "PUT", h.site.wiki, "/x", slices.Concat(cookie, sends(sibling, "same-site")), "deny"},
			{"its cookie twice", "GET", h.site.wiki, "/x", slices.Concat(cookie, cookie), "no question"},
			{"its cookie, bent", "GET", h.site.wiki, "/x", []string{"Cookie", flip(cookie[1], len(cookie[1])-20)}, "login"},
			{"its cookie as a session", "GET", h.site.wiki, "/x", []string{"Cookie", strings.Replace(cookie[1], "-guest=", "=", 1)}, "login"},
			{"its cookie as Bearer", "GET", h.site.wiki, "/x", []string{"Authorization", "Bearer " + cookie[1][strings.Index(cookie[1], "=")+1:]}, "login"},
			{"nothing", "GET", h.site.wiki, "/x", nil, "login"},
		} {
			for way, got := range h.ways(question{row.method, h.site.scheme, row.host, row.target, "192.0.2.200", row.lines}) {
				if row.target == "/office/x" { // 192.0.2.0/24 has it
					continue
				}
				if got != row.want {
					t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
				}
			}
		}
		for _, name := range managed {
			if got := h.echo.last(t).Header[name]; len(got) != 1 || got[0] != "" {
				t.Errorf("the app sees %s: %q", name, got)
			}
		}
		if got := strings.Join(h.echo.last(t).Header["Cookie"], "; "); strings.Contains(got, "guest") {
			t.Errorf("the app sees %q", got)
		}
		if a := h.program().get(h.Wiki+"/.gateway/connect", cookie...).wants(http.StatusOK); a.field("login") != "" {
			t.Errorf("a guest is somebody: %s", a.body)
		}
		if got := h.rows(); len(got.sessions) != 0 {
			t.Errorf("a guest has a session: %+v", got.sessions)
		}
		// Somebody who is signed in is who they are; the link helps where they may not.
		person := h.at(h.bob)
		together := []string{"Cookie", person[1] + "; " + cookie[1]}
		if a := h.asks(forwardAuth, h.about("/x", together...)).wants(200); a.header.Get("Remote-User") != "bob" {
			t.Errorf("bob with a link: %v", a.header)
		}
		if a := h.asks(forwardAuth, h.about("/admin/one", together...)).wants(200); a.header.Get("Remote-User") != "" {
			t.Errorf("bob, where the link alone lets in: %v", a.header)
		}
	})
}

// A link stands for a sign-in, not for what only a person has.
func TestGuestsAreNoPersons(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	signedIn := &policy.Subjects{SignedIn: true}
	cookie := h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/**"}}).Link)
	for story, app := range map[string]policy.App{
		"signed-in":        {Rules: []policy.Rule{{Allow: signedIn}}},
		"factors":          {Rules: []policy.Rule{{Allow: signedIn, Factors: 2}}},
		"max_age":          {Rules: []policy.Rule{{Allow: signedIn, MaxAge: time.Hour}}},
		"when of a person": {Rules: []policy.Rule{{Allow: signedIn, When: `user.login != ""`}}},
		"doors":            {Origins: []string{"corp"}, Rules: []policy.Rule{{Allow: signedIn}}},
		"another network":  {Rules: []policy.Rule{{Allow: signedIn, Networks: []string{"10.0.0.0/8"}}}},
		"deny":             {Rules: []policy.Rule{{Deny: true}}},
		"no rule":          {Rules: []policy.Rule{{Paths: []string{"/y"}, Allow: signedIn}}},
	} {
		app.Name, app.Host = "wiki", h.site.wiki
		guard, err := policy.New(policy.Config{Apps: []policy.App{app}})
		h.must(err)
		h.server.Policy.Store(guard)
		a := h.asks(forwardAuth, h.about("/x", cookie...))
		if got, want := a.decision() == "allow", story == "signed-in"; got != want {
			t.Errorf("%s: allowed %v, want %v", story, got, want)
		}
	}
}

// Opening a link by GET uses nothing up; posting does, as often as it says.
func TestGuestLinksOpen(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		made := h.letsGuests(server.AdminGuest{Name: "Jürgen <b>", Paths: []string{"/reports/**"}, Opens: 2})
		scanner := h.browser()
		for range 5 {
			page := scanner.get(made.Link, navigation...).wants(http.StatusOK)
			if page.header["Set-Cookie"] != nil || !strings.Contains(page.body, "Jürgen &lt;b&gt;") || !strings.Contains(page.body, h.site.wiki) || !strings.Contains(page.body, "/reports/**") {
				t.Errorf("%v %s", page.header, page.body)
			}
		}
		scanner.do(http.MethodHead, made.Link, "")
		first, second, third := h.browser(), h.browser(), h.browser()
		if a := first.enters(made.Link).wants(http.StatusSeeOther); a.location() != h.Wiki+"/reports/" {
			t.Errorf("a guest begins at %s", a.location())
		}
		first.enters(made.Link).wants(http.StatusSeeOther) // again: nothing more is used up
		if a := first.get(made.Link).wants(http.StatusSeeOther); a.location() != h.Wiki+"/reports/" {
			t.Errorf("opened again: %s", a.location())
		}
		second.enters(made.Link).wants(http.StatusSeeOther)
		third.enters(made.Link, "Sec-Fetch-Mode", "cors").refuses("used up", http.StatusNotFound, "BadRequest")
		third.get(made.Link).refuses("used up, opened", http.StatusNotFound, "BadRequest")
		first.navigate(h.Wiki + "/reports/x").wants(http.StatusOK)

		other := h.letsGuests(server.AdminGuest{Paths: []string{"/x"}})
		for story, address := range map[string]string{
			"another host": strings.Replace(other.Link, h.Wiki, h.Board, 1), "another code": h.Wiki + "/.gateway/guest?code=" + strings.Repeat("A", 26),
			"no code": h.Wiki + "/.gateway/guest?code=", "two codes": other.Link + "&code=" + codeIn(other.Link),
		} {
			h.browser().get(address).refuses(story, http.StatusNotFound, "BadRequest")
		}
		h.browser().enters(strings.Replace(other.Link, h.Wiki, h.Board, 1), "Sec-Fetch-Mode", "cors").refuses("posted to another host", http.StatusNotFound, "BadRequest")
		h.browser().enters(other.Link, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Origin", sibling).refuses("posted by a sibling", http.StatusForbidden, "Forbidden")
		h.program().get(h.Portal+strings.TrimPrefix(other.Link, h.Wiki)).refuses("at the portal", http.StatusNotFound, "BadRequest")
		h.browser().enters(other.Link).wants(http.StatusSeeOther)
	})
}

// What has ended, or is too old, lets nobody in any more, and ends what is open.
func TestGuestsEnd(t *testing.T) {
	for story, end := range map[string]func(*house, server.AdminGuestLink){
		"ended": func(h *house, l server.AdminGuestLink) {
			h.command(http.MethodDelete, "/guests/"+l.ID, nil).wants(http.StatusOK)
		},
		"too old": func(h *house, _ server.AdminGuestLink) { h.clock.pass(61 * time.Minute) },
		"closed":  func(h *house, _ server.AdminGuestLink) { h.swap() },
	} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			h := open(t, https)
			app := &lasting{}
			app.behind(h)
			made := h.letsGuests(server.AdminGuest{Paths: []string{"/x"}, Opens: 5})
			cookie := h.guest(made.Link)
			var all []*lastingRequest
			for _, way := range []string{"websocket", "events", "download"} {
				all = append(all, h.lasts(way, "/x", cookie...))
			}
			end(h, made)
			if a := h.program().get(h.Wiki+"/x", cookie...); a.status != http.StatusUnauthorized && a.status != http.StatusForbidden {
				t.Errorf("status %d", a.status)
			}
			for _, one := range all {
				one.wantsEnd(t, story, 0)
			}
			if story != "closed" {
				h.browser().enters(made.Link, "Sec-Fetch-Mode", "cors").refuses(story, http.StatusNotFound, "BadRequest")
			}
		})
	}
}

// A page of another origin that has been given a token does nothing by the link
// of whoever opens it.
func TestGuestsBesideTokens(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		cookie := h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/admin/one"}, Methods: []string{"PUT"}}).Link)
		_, token, _ := strings.Cut(h.at(h.bob)[1], "=")
		bearer := []string{"Authorization", "Bearer " + token} // of somebody who may not
		for _, row := range []struct {
			story  string
			sender []string
			want   string
		}{
			{"a program", nil, "allow "},
			{"its own page", sends(h.Wiki, "same-origin"), "allow "},
			{"a sibling's page", sends(sibling, "same-site"), "deny"},
			{"another site's page", sends("https://evil.test", "cross-site"), "deny"},
		} {
			q := question{"PUT", h.site.scheme, h.site.wiki, "/admin/one", "192.0.2.200", slices.Concat(cookie, bearer, row.sender)}
			for way, got := range h.ways(q) {
				if got != row.want {
					t.Errorf("%s, %s: %s, want %s", row.story, way, got, row.want)
				}
			}
		}
	})
}

// Cannot tell is never yes, for guests too.
func TestGuestsWhenTheStoreIsDown(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	cookie := h.guest(h.letsGuests(server.AdminGuest{Paths: []string{"/x"}}).Link)
	h.watch.failing.Store(true)
	h.must(h.store.Close())
	for _, dialect := range dialects {
		h.asks(dialect, h.about("/x", cookie...)).wants(http.StatusServiceUnavailable)
	}
	h.program().get(h.Wiki+"/public/x", cookie...).wants(http.StatusOK)
}

// Whoever tries links is slowed down, and the book has who was let in by which.
func TestGuestLinksAreThrottledAndWritten(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	made := h.letsGuests(server.AdminGuest{Name: "auditors of 2026", Paths: []string{"/x"}})
	h.guest(made.Link)
	h.command(http.MethodDelete, "/guests/"+made.ID, nil).wants(http.StatusOK)
	for _, want := range []string{`"action":"guest create"`, `"audit":"link","outcome":"done","action":"guest"`, `"action":"guest revoke"`} {
		found := false
		for line := range strings.Lines(h.log.String()) {
			found = found || strings.Contains(line, want) && strings.Contains(line, `"guest":"auditors of 2026"`) && strings.Contains(line, `"invitation":"`+made.ID+`"`)
		}
		if !found {
			t.Errorf("the book has no %s of the guest", want)
		}
	}
	h.clock.stop()
	limited := false
	for range 120 {
		a := h.browser().enters(h.Wiki+"/.gateway/guest?code="+strings.Repeat("A", 26), "Sec-Fetch-Mode", "cors")
		limited = limited || a.status == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("six score tries, and nobody is slowed down")
	}
	for reason, most := range map[string]int{"no such link": 100, "TooManyAttempts": 20} {
		if got := h.audited("reason", reason); len(got) != most || got[0]["audit"] != "link" || got[0]["outcome"] != "refused" {
			t.Errorf("the book has %d lines of %q, want %d: %v", len(got), reason, most, got)
		}
	}
}

// A whole office may open a link from one address, and come back to it.
func TestOfficesOfGuests(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.clock.stop()
	made := h.letsGuests(server.AdminGuest{Paths: []string{"/x"}, Opens: 1000})
	known := h.browser()
	for range 110 {
		h.browser().enters(made.Link).wants(http.StatusSeeOther)
		known.enters(made.Link).wants(http.StatusSeeOther)
	}
	h.browser().enters(made.Link).wants(http.StatusSeeOther)
}

// Who has opened one link has opened no other by it, and the last one counts.
func TestOneLinkAfterAnother(t *testing.T) {
	both(t, func(_ *testing.T, h *house) {
		first := h.letsGuests(server.AdminGuest{Paths: []string{"/one"}})
		second := h.letsGuests(server.AdminGuest{Paths: []string{"/two"}, Methods: []string{"HEAD"}})
		b := h.browser()
		b.enters(first.Link).wants(http.StatusSeeOther)
		b.get(h.Wiki + "/one").wants(http.StatusOK)
		b.get(second.Link).wants(http.StatusOK) // asks
		b.enters(second.Link).wants(http.StatusSeeOther)
		for _, row := range []struct {
			method, path string
			want         int
		}{{"HEAD", "/two", 200}, {"GET", "/two", 401}, {"GET", "/one", 401}, {"HEAD", "/one", 401}} {
			b.do(row.method, h.Wiki+row.path, "").wants(row.want)
		}
		h.browser().enters(second.Link, "Sec-Fetch-Mode", "cors").refuses("it was used up", http.StatusNotFound, "BadRequest")
		h.program().post(h.Wiki+"/.gateway/guest", "ticket=a&ticket=b", form[:2]...).refuses("no ticket", http.StatusBadRequest, "BadRequest")

		h.watch.failing.Store(true)
		h.must(h.store.Close())
		h.program().get(h.Wiki+"/.gateway/guest?code=x").refuses("what cannot be one reaches no store", http.StatusNotFound, "BadRequest")
		h.program().get(first.Link).refuses("cannot tell", http.StatusServiceUnavailable, "Unavailable")
	})
}

// What no link can be for is said when it is made.
func TestGuestLinksThatAreNone(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	good := server.AdminGuest{Name: "a", Host: h.site.wiki, Paths: []string{"/x"}, Methods: []string{"GET"}, Opens: 1, Seconds: 60}
	h.command(http.MethodPost, "/guests", good).wants(http.StatusCreated)
	for story, change := range map[string]func(*server.AdminGuest){
		"no name":            func(g *server.AdminGuest) { g.Name = "" },
		"a name of controls": func(g *server.AdminGuest) { g.Name = "a\nb" },
		"a long name":        func(g *server.AdminGuest) { g.Name = strings.Repeat("a", 65) },
		"no host":            func(g *server.AdminGuest) { g.Host = "" },
		"no app's host":      func(g *server.AdminGuest) { g.Host = "evil.test" },
		"the portal":         func(g *server.AdminGuest) { g.Host = h.site.portal },
		"no path":            func(g *server.AdminGuest) { g.Paths = nil },
		"no pattern":         func(g *server.AdminGuest) { g.Paths = []string{"/x", "y"} },
		"nowhere to begin":   func(g *server.AdminGuest) { g.Paths = []string{"/*/x", "/x"} },
		"no method":          func(g *server.AdminGuest) { g.Methods = nil },
		"a small method":     func(g *server.AdminGuest) { g.Methods = []string{"get"} },
		"too short":          func(g *server.AdminGuest) { g.Seconds = 59 },
		"too long":           func(g *server.AdminGuest) { g.Seconds = 31 * 24 * 3600 },
		"never":              func(g *server.AdminGuest) { g.Opens = 0 },
		"too often":          func(g *server.AdminGuest) { g.Opens = 1001 },
	} {
		bad := good
		change(&bad)
		h.command(http.MethodPost, "/guests", bad).refuses(story, http.StatusBadRequest, "BadRequest")
	}
	h.command(http.MethodDelete, "/guests/NOSUCH", nil).refuses("none", http.StatusNotFound, "BadRequest")
	var all []server.AdminGuestLink
	list := h.command(http.MethodGet, "/guests", nil).wants(http.StatusOK)
	list.decode(&all)
	if len(all) != 1 || all[0].Link != "" || all[0].Name != "a" {
		t.Errorf("listed: %s", list.body)
	}
}

// A guest who signs out is nobody again, in this browser and at this host.
func TestGuestSignsOut(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		name := h.site.sessionCookie + "-guest"
		link := h.letsGuests(server.AdminGuest{Paths: []string{"/reports/**"}}).Link
		b := h.browser()
		page := b.navigate(h.Wiki + "/.gateway/sign-out").wants(http.StatusOK)
		if strings.Contains(page.body, `action="/.gateway/logout"`) {
			t.Error("nobody is asked whether to sign out")
		}
		b.enters(link).wants(http.StatusSeeOther)
		b.navigate(h.Wiki + "/reports/1").wants(http.StatusOK)
		b.navigate(h.Portal + "/.gateway/sign-out").wants(http.StatusOK)
		b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
		b.navigate(h.Wiki + "/reports/1").wants(http.StatusOK) // another host's is none of the portal's business
		page = b.navigate(h.Wiki + "/.gateway/sign-out").wants(http.StatusOK)
		if !strings.Contains(page.body, `action="/.gateway/logout"`) {
			t.Errorf("a guest is not asked: %s", page.body)
		}
		b.post(h.Wiki+"/.gateway/logout", "").cleared("the sign-out", name)
		b.navigate(h.Wiki + "/reports/1").wants(http.StatusSeeOther)
		b.enters(link).wants(http.StatusNotFound) // used up

		b = h.as(h.bob) // who is signed in and a guest leaves both behind
		b.enters(h.letsGuests(server.AdminGuest{Paths: []string{"/reports/**"}}).Link).wants(http.StatusSeeOther)
		b.post(h.Wiki+"/.gateway/logout", "").cleared("the sign-out of somebody", name)
		b.navigate(h.Wiki + "/reports/1").wants(http.StatusSeeOther)
	})
}

// Openings are counted by what came of them, passes beside all that passed.
func TestGuestsAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	h.known()
	made := h.letsGuests(server.AdminGuest{Paths: []string{"/reports/**"}})
	before := h.metrics()
	cookie := h.guest(made.Link)
	h.browser().enters(made.Link).wants(http.StatusNotFound)
	h.browser().enters(h.Wiki + "/.gateway/guest?code=KX3PZ7Q2M5T4WJ6AKX3PZ7Q2M5").wants(http.StatusNotFound)
	for _, dialect := range dialects {
		h.asks(dialect, h.about("/reports/1", cookie...)).wants(http.StatusOK)
		h.asks(dialect, h.about("/public/x", cookie...)).wants(http.StatusOK) // everybody passes
		h.asks(dialect, h.about("/x", cookie...)).wants(http.StatusUnauthorized)
	}
	got := h.counted(before)
	for name, want := range map[string]float64{
		"gateway_guest_checks_total":                      float64(len(dialects)),
		`gateway_guest_openings_total{outcome="done"}`:    1,
		`gateway_guest_openings_total{outcome="refused"}`: 2,
		`gateway_guest_openings_total{outcome="failed"}`:  0,
		check("wiki", "forward_auth", "allowed"):          2,
		check("wiki", "forward_auth", "sign_in"):          1,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}
