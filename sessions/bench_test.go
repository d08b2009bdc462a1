package sessions_test

import (
	"fmt"
	"testing"
	"time"

	"gateway/internal/secret"
	"gateway/sessions"
)

// What a check costs with everything in memory.
func BenchmarkVerify(b *testing.B) {
	for _, live := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) { benchmarkVerify(b, live) })
	}
}

func benchmarkVerify(b *testing.B, live int) {
	h := newHouse(b)
	h.Store, h.Tokens = sessions.Cached(h.store, 4*live+8192), 4*live+8192
	h.Idle, h.TouchEvery = 24*time.Hour, time.Hour // what is measured is the check, not the note of it
	tokens := map[string][]secret.Text{portal: make([]secret.Text, live), wiki: make([]secret.Text, live)}
	for i := range live {
		var root sessions.Session
		root, tokens[portal][i] = h.signIn(b)
		_, tokens[wiki][i] = h.enter(b, root, wiki)
	}
	for what, audience := range map[string]string{"portal": portal, "app": wiki} {
		verify := func(i int) {
			if _, err := h.Verify(b.Context(), tokens[audience][i*7919%live], audience); err != nil {
				b.Error(err)
			}
		}
		for i := range live {
			verify(i)
		}
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				verify(i)
			}
		})
		b.Run(what+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					verify(i)
				}
			})
		})
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
		if _, _, err := a.Assert(person, wiki); err != nil {
			b.Fatal(err)
		}
	}
}
