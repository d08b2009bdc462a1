package server_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gateway/policy"
)

// picky makes wiki take some doors alone.
func (h *house) picky(origins ...string) {
	h.Helper()
	signedIn := &policy.Subjects{SignedIn: true}
	guard, err := policy.New(policy.Config{Apps: []policy.App{
		{Name: "wiki", Host: h.site.wiki, Origins: origins, Rules: []policy.Rule{{Paths: []string{"/public/**"}, Allow: &policy.Subjects{Everyone: true}}, {Allow: signedIn}}},
		{Name: "board", Host: h.site.board, Allow: signedIn},
	}})
	h.must(err)
	h.server.Policy.Store(guard)
}

// The sign-in on the way to an app shows the doors that the app takes, and no
// other; any other sign-in shows all.
func TestChooserShowsWhatTheAppTakes(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, row := range []struct {
			origins             []string
			local, corp, guests bool
		}{
			{nil, true, true, true},
			{[]string{"local"}, true, false, false},
			{[]string{"corp"}, false, true, false},
			{[]string{"corp", "guests"}, false, true, true},
			{[]string{"guests", "local"}, true, false, true},
			{[]string{"gone"}, false, false, false},
		} {
			h.picky(row.origins...)
			b := h.browser()
			page, _ := b.visit(h.Wiki + "/x")
			h.shows(page, row.local, row.corp, row.guests)
			if none := !row.local && !row.corp && !row.guests; strings.Contains(page.body, "None of the ways to sign in that this app takes is open") != none {
				t.Errorf("%q: that no door is open is said: %v, want %v", row.origins, !none, none)
			}
			page, _ = b.visit(h.Board + "/x")
			h.shows(page, true, true, true)
			h.shows(b.navigate(h.Portal+"/"), true, true, true)
			h.shows(b.navigate(h.Portal+"/.gateway/sign-in?rd=/.gateway/authorize?req=hello"), true, true, true)
			_, request, _ := strings.Cut(b.begin(h.Wiki+"/.gateway/sign-in?rd=/x"), "/authorize")
			h.shows(b.navigate(h.Portal+"/.gateway/sign-in?rd="+url.QueryEscape("/.gateway/authorize"+request)), row.local, row.corp, row.guests)
			h.shows(b.navigate(h.Portal+"/.gateway/sign-in?rd="+url.QueryEscape("/.gateway/sign-out"+request)), true, true, true)
		}
	})
}

func (h *house) shows(page answer, local, corp, guests bool) {
	h.Helper()
	page.wants(http.StatusOK)
	for part, want := range map[string]bool{`id="local"`: local, "with <bdi>Corp</bdi>": corp, "with <bdi>Guests</bdi>": guests} {
		if got := strings.Contains(page.body, part); got != want {
			h.Errorf("%s: %s is there: %v, want %v", page.asked, part, got, want)
		}
	}
}

// Whoever is signed in by a door that the app does not take is told which it
// takes, and not sent around.
func TestWrongDoorIsTold(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, row := range []struct {
			origins []string
			wrong   func() *browser
			takes   string
		}{
			{[]string{"corp"}, func() *browser { return h.as(h.bob) }, "It takes: <strong><bdi>Corp</bdi></strong>."},
			{[]string{"local"}, h.daves, "It takes: <strong><bdi>a password</bdi></strong>."},
			{[]string{"guests", "local"}, h.daves, "It takes: <strong><bdi>Guests</bdi></strong>, <strong><bdi>a password</bdi></strong>."},
		} {
			h.picky(row.origins...)
			b := row.wrong()
			hits := h.echo.count()
			page, way := b.visit(h.Wiki + "/x")
			if page.wants(http.StatusForbidden); !strings.Contains(html.UnescapeString(page.body), row.takes) || len(way) != 3 {
				t.Errorf("%q: %d steps end with %s", row.origins, len(way), page.body)
			}
			if got := h.echo.count() - hits; got != 0 {
				t.Errorf("%q: %d requests have reached the app", row.origins, got)
			}
			page, _ = b.visit(h.Board + "/x")
			page.wants(http.StatusOK)
		}
		h.picky("corp")
		h.between(func() { h.server.Foreign = nil })
		page, _ := h.as(h.bob).visit(h.Wiki + "/x")
		if page.wants(http.StatusForbidden); !strings.Contains(html.UnescapeString(page.body), "It takes: <strong><bdi>corp</bdi></strong>.") {
			t.Errorf("where no provider is left: %s", page.body)
		}
	})
}
