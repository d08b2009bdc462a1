package localauth_test

import (
	"errors"
	"testing"

	"gateway/localauth"
)

// BenchmarkConnectLogin is what one sign-in costs the server, without its
// store: a challenge and a verified proof. The client's share is not timed.
func BenchmarkConnectLogin(b *testing.B) {
	h := open(b)
	b.Run("connect", func(b *testing.B) {
		first := clientFirst("alice")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.Begin(b.Context(), browser, first, localauth.WantCookie); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, row := range []struct {
		name, password string
		want           error
	}{
		{"alice", password("alice"), nil},
		{"alice", "wrong", localauth.ErrBadCredentials},
		{"carol", password("carol"), localauth.ErrBadCredentials},
		{"nosuch", "wrong", localauth.ErrBadCredentials},
	} {
		b.Run("login/"+row.name+"/"+row.password, func(b *testing.B) {
			reply := h.begin(b, row.name, row.password).reply
			b.ReportAllocs()
			for b.Loop() {
				clear(h.ledger.taken)
				if _, err := h.finish(b.Context(), reply); !errors.Is(err, row.want) {
					b.Fatal(err)
				}
			}
		})
	}
}
