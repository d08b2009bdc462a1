package sessions_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gateway/internal/secret"
	"gateway/sessions"
)

// A token that was verified leads to its session without a search. Whatever
// ended meanwhile, however few are held: who asks later is refused, and who
// lives is let in.
func TestVerifyStorm(t *testing.T) {
	const families, readers = 120, 6
	for _, limit := range []int{0, 64} {
		h := newHouse(t)
		h.store.afterRead = func(string) { runtime.Gosched() }
		h.Store = sessions.Cached(h.store, limit)
		var roots, children [families]sessions.Session
		var rootTokens, childTokens [families]secret.Text
		var over, childOver [families]atomic.Bool // set once the deletion returned
		for f := range families {
			roots[f], rootTokens[f] = h.signIn(t)
			children[f], childTokens[f] = h.enter(t, roots[f], wiki)
		}
		look := func(f int, token secret.Text, audience string, overs ...*atomic.Bool) {
			gone := false
			for _, over := range overs {
				gone = gone || over.Load()
			}
			_, err := h.Verify(t.Context(), token, audience)
			switch {
			case gone && !errors.Is(err, sessions.ErrNone):
				t.Errorf("%d at %s is over, then: %v", f, audience, err)
			case err != nil && !errors.Is(err, sessions.ErrNone):
				t.Errorf("%d at %s: %v", f, audience, err)
			case f%3 == 0 && err != nil:
				t.Errorf("%d at %s lives, but: %v", f, audience, err)
			}
		}
		var done atomic.Bool
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				for !done.Load() {
					f := rand.IntN(families)
					look(f, rootTokens[f], portal, &over[f])
					look(f, childTokens[f], wiki, &over[f], &childOver[f])
				}
			})
		}
		for f := range families {
			switch f % 3 {
			case 1:
				if err := h.Revoke(t.Context(), children[f].ID); err != nil {
					t.Error(err)
				}
				over[f].Store(true)
			case 2:
				if _, err := h.Store.DeleteSession(t.Context(), children[f].ID); err != nil {
					t.Error(err)
				}
				childOver[f].Store(true)
			default:
				if err := h.Store.TouchSession(t.Context(), children[f].ID, time.Now().UTC().Truncate(time.Microsecond)); err != nil {
					t.Error(err)
				}
			}
			for range 30 {
				runtime.Gosched()
			}
		}
		done.Store(true)
		all.Wait()
		for f := range families {
			for _, row := range []struct {
				s        sessions.Session
				token    secret.Text
				audience string
			}{{roots[f], rootTokens[f], portal}, {children[f], childTokens[f], wiki}} {
				want, stored := h.store.sessions[row.s.ID]
				got, err := h.Peek(t.Context(), row.token, row.audience)
				if stored != (err == nil) || stored && !cmp.Equal(got, want) {
					t.Errorf("%d at %s = %v, %v; stored %t %v", f, row.audience, got, err, stored, want)
				}
			}
		}
	}
}

// Two have read a portal session at once, and the second's copy takes the place of
// the first's, which a child has met: its end is the end of both.
func TestReadTwiceAtOnce(t *testing.T) {
	h := newHouse(t)
	root, rootToken := h.signIn(t)
	child, token := h.enter(t, root, wiki)
	h.Store = sessions.Cached(h.store, 0)
	h.store.afterRead = func(string) {
		h.store.afterRead = nil
		for range 3 {
			h.verify(t, token, wiki, child.ID, nil)
		}
	}
	h.verify(t, rootToken, portal, root.ID, nil)
	if err := h.Revoke(t.Context(), root.ID); err != nil {
		t.Fatal(err)
	}
	h.verify(t, token, wiki, "", sessions.ErrNone)
	h.verify(t, rootToken, portal, "", sessions.ErrNone)
}

// What is in memory answers as the store alone would, whatever happens.
func TestHeldAnswersAlike(t *testing.T) {
	for story := range uint64(100) {
		dice := rand.New(rand.NewPCG(story, 1))
		now := at(0)
		held, bare := newHouse(t), newHouse(t)
		held.Store = sessions.Cached(held.store, 1+dice.IntN(100))
		both := []*house{held, bare}
		for _, h := range both {
			h.Now = func() time.Time { return now }
			h.Idle, h.Lifetime, h.Tokens = 20*time.Minute, time.Hour, 1+dice.IntN(100)
			h.Limits = func(string) sessions.Limits {
				return sessions.Limits{Idle: 10 * time.Minute, Lifetime: 40 * time.Minute}
			}
		}
		type pair struct {
			s        [2]sessions.Session
			token    [2]secret.Text
			audience string
		}
		var pairs []pair
		for step := range 60 {
			did := dice.IntN(10)
			if len(pairs) == 0 {
				did = 0
			}
			var p pair
			if len(pairs) > 0 {
				p = pairs[dice.IntN(len(pairs))]
			}
			clock, nowhere := []int{1, 1, 1, 3, 9, 10, 15, -2}[dice.IntN(8)], []string{portal, wiki, ""}[dice.IntN(3)]
			var errs [2]error
			var seen [2]sessions.Session
			fresh := pair{audience: portal}
			for i, h := range both {
				switch did {
				case 0:
					fresh.s[i], fresh.token[i], errs[i] = h.Issue(t.Context(), alice())
				case 1:
					fresh.audience = wiki
					fresh.s[i], fresh.token[i], errs[i] = h.IssueChild(t.Context(), p.s[i].ID, wiki)
				case 2:
					errs[i] = h.Revoke(t.Context(), p.s[i].ID)
				case 3:
					_, errs[i] = h.Clean(t.Context())
				case 4:
					_, errs[i] = h.Store.DeleteSession(t.Context(), p.s[i].ID)
				case 5:
					seen[i], errs[i] = h.Verify(t.Context(), p.token[i], nowhere)
				case 6:
					seen[i], errs[i] = h.Peek(t.Context(), p.token[i], p.audience)
				default:
					seen[i], errs[i] = h.Verify(t.Context(), p.token[i], p.audience)
				}
			}
			if dice.IntN(3) == 0 {
				now = now.Add(time.Duration(clock) * time.Minute)
			}
			if did < 2 && errs[0] == nil && errs[1] == nil {
				pairs = append(pairs, fresh)
			}
			a, b := seen[0], seen[1]
			a.ID, a.Parent, b.ID, b.Parent = "", "", "", ""
			if kind(errs[0]) != kind(errs[1]) || !cmp.Equal(a, b) {
				t.Fatalf("story %d, step %d, %d: held %v, %v; bare %v, %v", story, step, did, a, errs[0], b, errs[1])
			}
		}
	}
}

// kind is what an error of Verify means.
func kind(err error) string {
	switch {
	case err == nil:
		return "live"
	case errors.Is(err, sessions.ErrExpired):
		return "expired"
	case errors.Is(err, sessions.ErrNone):
		return "none"
	case errors.Is(err, sessions.ErrMalformed):
		return "malformed"
	}
	return err.Error()
}
