package server_test

import (
	"net/http"
	"testing"
)

// A token that the policy refuses is refused like any other request: with the
// id of the decision, in the header and in the body, and nothing is opened.
func TestTokenForAnAppThatSaysNo(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		ids := map[string]bool{}
		for _, app := range []string{"tools", "tools." + h.site.wiki, h.site.origin("tools." + h.site.wiki)} {
			p := h.program()
			c := p.connect("bob", "want", "token")
			a := p.post(h.Portal+"/.gateway/login", h.bob.answers(c, "want", "token", "app", app))
			a.refuses(app, http.StatusForbidden, "Forbidden")
			id := a.field("decision_id")
			if got := a.header["X-Gateway-Decision"]; id == "" || len(got) != 1 || got[0] != id {
				t.Errorf("%s: X-Gateway-Decision %q, decision_id %q, want the same", app, got, id)
			}
			if a.field("token") != "" || h.live(h.bob.id) != 0 {
				t.Errorf("%s: %s, and bob has %d sessions", app, a.body, h.live(h.bob.id))
			}
			if lines := h.audited("decision_id", id); len(lines) != 1 || lines[0]["app"] != "tools" || lines[0]["login"] != "bob" {
				t.Errorf("%s: the book says %v of the decision", app, lines)
			}
			ids[id] = true
		}
		if len(ids) != 3 {
			t.Errorf("three refusals have the ids %v", ids)
		}
		h.token(h.alice, "tools")
	})
}
