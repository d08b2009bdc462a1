package server_test

import (
	"net/http"
	"testing"

	"gateway/internal/proxy"
	"gateway/internal/server"
)

// An app learns who is there by the names that it knows, in every dialect, and
// ours are empty beside them.
func TestHeadersByOtherNames(t *testing.T) {
	for _, row := range []struct {
		story string
		say   proxy.Headers
		want  map[string]string
	}{
		{"a preset", proxy.Headers{Preset: "webauth"}, map[string]string{"X-Webauth-User": "bob", "X-Webauth-Email": bobMail, "Remote-User": "", "Remote-Email": ""}},
		{"a name, and the address", proxy.Headers{User: "X-Forwarded-User", UserIs: "email"}, map[string]string{"X-Forwarded-User": bobMail, "Remote-User": "", "Remote-Email": bobMail}},
		{"names changed about", proxy.Headers{User: "Remote-Email", Email: "Remote-User"}, map[string]string{"Remote-Email": "bob", "Remote-User": bobMail}},
		{"ours, and the id", proxy.Headers{UserIs: "user_id"}, map[string]string{"Remote-User": "the id", "Remote-Email": bobMail}},
	} {
		h := open(t, plain)
		names, err := row.say.Resolve()
		h.must(err)
		app := h.server.Apps["wiki"]
		app.Headers = &names
		h.server.Apps = map[string]server.App{"wiki": app}
		for _, dialect := range dialects {
			a := h.asks(dialect, h.about("/page", "Authorization", "Bearer "+h.token(h.bob, h.site.wiki))).wants(http.StatusOK)
			for name, want := range row.want {
				if want == "the id" {
					want = h.bob.id
				}
				if got := a.header[name]; len(got) != 1 || got[0] != want {
					t.Errorf("%s, %s: %s is %q, want %q", row.story, dialect, name, got, want)
				}
			}
			for name := range row.want {
				if a := h.asks(dialect, h.about("/public/x", name, "eve")); a.status == http.StatusOK {
					t.Errorf("%s, %s: a client may send %s", row.story, dialect, name)
				}
			}
		}
	}
}
