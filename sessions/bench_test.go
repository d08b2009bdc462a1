package sessions_test

import (
	"fmt"
	"strings"
	"testing"

	"gateway/internal/secret"
	"gateway/sessions"
)

// What a check costs with everything in memory.
func BenchmarkVerify(b *testing.B) {
	for _, live := range []int{1, 100_000} {
		h := newHouse(b)
		h.Store, h.Tokens = sessions.Cached(h.store, 4*live+8192), 4*live+8192
		atPortal, atWiki := make([]secret.Text, live), make([]secret.Text, live)
		for i := range live {
			var root sessions.Session
			root, atPortal[i] = h.signIn(b)
			_, atWiki[i] = h.enter(b, root, wiki)
		}
		for audience, tokens := range map[string][]secret.Text{portal: atPortal, wiki: atWiki} {
			verify := func(b *testing.B, i int) {
				if _, err := h.Verify(b.Context(), tokens[i*7919%live], audience); err != nil {
					b.Error(err)
				}
			}
			for i := range live {
				verify(b, i)
			}
			name := fmt.Sprintf("live=%d/%s", live, strings.TrimSuffix(audience[len("https://"):], ".example.com"))
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					verify(b, i)
				}
			})
			b.Run(name+"/parallel", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						verify(b, i)
					}
				})
			})
		}
	}
}

// What a check costs of which nothing is in memory, or nothing true.
func BenchmarkVerifyUnknown(b *testing.B) {
	b.Run("token", func(b *testing.B) {
		h := newHouse(b)
		_, token := h.signIn(b)
		keys := []sessions.Key{newKey(b), newKey(b)}
		for i := 0; b.Loop(); i++ {
			if err := h.Signer.Replace(keys[i%2], public(h.key)); err != nil { // forgets what was verified
				b.Fatal(err)
			}
			if _, err := h.Verify(b.Context(), token, portal); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("garbage", func(b *testing.B) {
		h := newHouse(b)
		garbage := secret.New("eyJhbGciOiJub25lIn0.e30.")
		for b.Loop() {
			if _, err := h.Verify(b.Context(), garbage, portal); err == nil {
				b.Fatal("verified")
			}
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	h := newHouse(b)
	for b.Loop() {
		if _, _, err := h.Issue(b.Context(), alice()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssert(b *testing.B) {
	a := &sessions.Asserter{Signer: newSigner(b, newKey(b)), Issuer: portal}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := a.Assert(person, wiki, "SID"); err != nil {
			b.Fatal(err)
		}
	}
}
