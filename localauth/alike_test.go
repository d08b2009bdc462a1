package localauth_test

import (
	"errors"
	"testing"

	"gateway/localauth"
)

// strangers are those who must not be told apart: a wrong password, a disabled
// user, names that nobody has, a record that cannot be read.
var strangers = []string{"alice", "carol", "nosuch", "dave-who-is-foreign", "not a login"}

// Whoever is refused goes the same way: as many look-ups, as much taken, as much
// allocated. Each unwrapping and each HMAC allocates, so a step left out shows.
func TestRefusalsTakeOnePath(t *testing.T) {
	want := map[string]float64{}
	for _, name := range strangers {
		h := open(t)
		first := clientFirst(name)
		begin := testing.AllocsPerRun(100, func() {
			if _, err := h.Begin(t.Context(), browser, first, localauth.WantCookie); err != nil {
				t.Fatal(err)
			}
		})

		k := h.begin(t, name, "wrong")
		p, err := h.Open(browser, k.reply, localauth.WantCookie)
		if err != nil {
			t.Fatal(err)
		}
		asked, taken := h.people.asked, h.ledger.size()
		finish := testing.AllocsPerRun(100, func() {
			clear(h.ledger.taken)
			if _, err := h.Finish(t.Context(), p); !errors.Is(err, localauth.ErrBadCredentials) {
				t.Fatalf("Finish(%s) = %v, want ErrBadCredentials", name, err)
			}
		})
		asked, taken = h.people.asked-asked, h.ledger.size()-taken
		got := map[string]float64{"look-ups": float64(asked), "taken": float64(taken), "allocations of Finish": finish}
		if _, err := localauth.CanonicalLogin(name); err == nil { // that a name is no login is no secret
			got["allocations of Begin"] = begin
		}
		for what, got := range got {
			if _, ok := want[what]; !ok {
				want[what] = got
			}
			if got != want[what] {
				t.Errorf("%s: %s = %v, want %v as for %s", name, what, got, want[what], strangers[0])
			}
		}
	}
}
