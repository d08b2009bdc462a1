package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// What browsers leave raw in a path is the same path as what is encoded: for
// the policy, in every dialect, and for the app, which sees one spelling.
func TestPathsAsBrowsersSendThem(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		alice, bob := h.at(h.alice), h.at(h.bob)
		for _, spelling := range []string{"a[0]|b^c", "a%5B0%5D%7Cb%5Ec", "a%5b0]%7cb^c", "%61[0%5D|b%5ec"} {
			for _, row := range []struct {
				path   string
				cookie []string
				own    int
			}{
				{"/public/", nil, http.StatusOK},
				{"/", bob, http.StatusOK},
				{"/admin/", alice, http.StatusOK},
				{"/admin/", bob, http.StatusForbidden},
				{"/", nil, http.StatusUnauthorized},
				{"/closed/", alice, http.StatusForbidden},
			} {
				target := row.path + spelling
				hits := h.echo.count()
				h.raw(h.page(target+"?q=[1]|^", row.cookie...)).wants(row.own)
				for _, dialect := range dialects {
					h.asks(dialect, h.about(target, row.cookie...)).wants(row.own)
				}
				if row.own != http.StatusOK {
					if h.echo.count() != hits {
						t.Errorf("%s: the app has seen it", target)
					}
					continue
				}
				if got, want := h.echo.last(t).Target, row.path+"a%5B0%5D%7Cb%5Ec?q=[1]|^"; got != want {
					t.Errorf("%s: the app sees %s, want %s", target, got, want)
				}
			}
		}
		page, way := h.as(h.bob).visit(h.Wiki + "/a[0]|b")
		if page.wants(http.StatusOK); !strings.HasSuffix(way[len(way)-1], "/a%5B0%5D%7Cb") {
			t.Errorf("a sign-in leads to %s", way[len(way)-1])
		}
	})
}
