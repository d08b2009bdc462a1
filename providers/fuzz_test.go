package providers_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/providers"
	"gateway/providers/providertest"
)

// FuzzFinish sends callbacks nobody was sent back with: none signs anybody in,
// spends a code or is taken, and none is anything but a no.
func FuzzFinish(f *testing.F) {
	d := newDoor(f)
	cb := d.begin(f, "/")
	for _, query := range []string{
		"state=" + cb.State + "&code=" + cb.Code, "state=" + cb.State + "%0a&code=" + cb.Code, "state=" + cb.State[1:] + "&code=x",
		"state=" + cb.State + "&error=access_denied", "state=A&code=x", "state=&code=", "state=a&state=b&code=c", "state=%ff&code=%00&iss=",
		"state=" + strings.Repeat("A", 5000) + "&code=x",
	} {
		f.Add(query, "corp", "mallorys")
	}
	f.Add("state="+cb.State+"&code="+cb.Code, "partner", "alices")
	f.Add("state="+cb.State+"&code="+cb.Code, "corp", "")
	f.Fuzz(func(t *testing.T, query, origin, browser string) {
		parsed, err := providers.ParseCallback(query)
		if err != nil && !errors.Is(err, providers.ErrNoRequest) {
			t.Errorf("ParseCallback(%q) = %v, want ErrNoRequest", query, err)
		}
		if parsed.State == cb.State && origin == "corp" && browser == "alices" {
			return // alice herself
		}
		a, req, err := d.Finish(t.Context(), origin, browser, parsed)
		if !errors.Is(err, providers.ErrNoRequest) && !errors.Is(err, providers.ErrUnknownOrigin) {
			t.Errorf("Finish(%q, %q, %q) = %v, want ErrNoRequest or ErrUnknownOrigin", origin, browser, query, err)
		}
		if a.Identity.Subject != "" || req.State != "" {
			t.Errorf("Finish(%q, %q, %q) = %+v, %+v, want nothing", origin, browser, query, a, req)
		}
		if d.spent.count() != 0 || d.corp.Count(providertest.Token) != 0 {
			t.Errorf("Finish(%q, %q, %q) took or spent something", origin, browser, query)
		}
	})
}
