package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gateway/sessions"
)

// limits gives wiki's sessions limits of their own.
func (h *house) limits(l sessions.Limits) {
	h.own.Store(&l)
}

// limitsOf is what the sessions are told of the limits at an app.
func (h *house) limitsOf(audience string) sessions.Limits {
	if l := h.own.Load(); l != nil && audience == h.Wiki {
		return *l
	}
	return sessions.Limits{}
}

// A session at an app that has limits of its own ends by them, in every way in
// and whatever brings it, while the portal session and those at others live on.
func TestLimitsEndASession(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	for _, row := range []struct {
		story  string
		limits sessions.Limits
		uses   int // of wiki, ten minutes apart
		passes time.Duration
		live   bool
	}{
		{"within both", sessions.Limits{Idle: 15 * minute, Lifetime: 4 * hour}, 2, 14 * minute, true},
		{"idle", sessions.Limits{Idle: 15 * minute, Lifetime: 4 * hour}, 2, 15 * minute, false},
		{"too old, in use", sessions.Limits{Idle: 15 * minute, Lifetime: 30 * minute}, 2, 10 * minute, false},
		{"no idle limit", sessions.Limits{Lifetime: 30 * minute}, 0, 29 * minute, true},
		{"no lifetime", sessions.Limits{Idle: 15 * minute}, 6, 10 * minute, true},
	} {
		for _, s := range []site{https, plain} {
			t.Run(row.story+" "+s.scheme, func(t *testing.T) {
				t.Parallel()
				h := open(t, s)
				h.clock.stop()
				h.limits(row.limits)
				b := h.as(h.bob)
				for _, app := range []string{h.Wiki, h.Board} {
					page, _ := b.visit(app + "/x")
					page.wants(http.StatusOK)
				}
				token := h.token(h.bob, "wiki")
				credentials := [][]string{b.session(h.Wiki), {"Authorization", "Bearer " + token}}
				for range row.uses {
					h.clock.pass(10 * minute)
					for _, credential := range credentials {
						h.program().get(h.Wiki+"/x", credential...).wants(http.StatusOK)
					}
				}
				h.clock.pass(row.passes)
				for _, credential := range credentials {
					for _, dialect := range dialects {
						if a := h.asks(dialect, h.about("/x", credential...)); row.live {
							a.wants(http.StatusOK)
						} else {
							a.refuses(dialect, http.StatusUnauthorized, "SessionExpired")
							a.says(dialect)
							h.asks(dialect, h.about("/public/x", credential...)).wants(http.StatusOK).says(dialect)
						}
					}
					if a := h.program().get(h.Wiki+"/x", credential...); row.live {
						a.wants(http.StatusOK)
					} else {
						a.refuses("own proxy", http.StatusUnauthorized, "SessionExpired")
					}
				}
				b.get(h.Board + "/x").wants(http.StatusOK)
				if got := b.get(h.Portal + "/.gateway/connect").who().Login; got != "bob" {
					t.Errorf("the portal knows %q, want bob", got)
				}
			})
		}
	}
}

// Nobody comes back in by the portal session alone: it takes a sign-in.
func TestLimitsWantASignIn(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.clock.stop()
		h.limits(sessions.Limits{Idle: 15 * time.Minute})
		b := h.as(h.bob)
		page, _ := b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
		h.clock.pass(15 * time.Minute)
		hits := h.echo.count()
		page, way := b.visit(h.Wiki + "/x")
		if page.status == http.StatusOK && page.header.Get(echoes) != "" || h.echo.count() != hits {
			t.Fatalf("%q leads into the app", way)
		}
		if !strings.HasPrefix(way[len(way)-1], h.Portal+"/.gateway/") {
			t.Errorf("the way ends at %s, want the portal", way[len(way)-1])
		}
		b.navigate(h.Portal + "/.gateway/sign-out").wants(http.StatusOK)
		b.post(h.Portal+"/.gateway/logout", "").wants(http.StatusOK)
		b.login(h.bob).wants(http.StatusOK)
		page, _ = b.visit(h.Wiki + "/x")
		page.wants(http.StatusOK)
	})
}
