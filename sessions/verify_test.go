package sessions_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/secret"
	"gateway/sessions"
)

// Every token at every audience: it counts at its own alone.
func TestVerifyAudience(t *testing.T) {
	h := newHouse(t)
	root, rootToken := h.signIn(t)
	atWiki, wikiToken := h.enter(t, root, wiki)
	atMail, mailToken := h.enter(t, root, mail)
	tokens := map[string]secret.Text{root.ID: rootToken, atWiki.ID: wikiToken, atMail.ID: mailToken}
	own := map[string]string{root.ID: portal, atWiki.ID: wiki, atMail.ID: mail}
	for range 2 { // the second time from memory
		for id, token := range tokens {
			for _, audience := range []string{portal, wiki, mail, "", portal + "/", "HTTPS://wiki.example.com", "https://wiki.example.com:443", "http://wiki.example.com"} {
				if audience == own[id] {
					h.verify(t, token, audience, id, nil)
				} else {
					h.verify(t, token, audience, "", sessions.ErrMalformed)
				}
			}
		}
	}
	h.Issuer = "https://other.example.com"
	h.verify(t, wikiToken, wiki, "", sessions.ErrMalformed)
}

func TestLimits(t *testing.T) {
	for _, row := range []struct {
		what string
		uses []time.Duration // of the wiki child, after the sign-in
		at   time.Duration
		want error
	}{
		{"at once", nil, 0, nil},
		{"just before idle", nil, time.Hour - time.Second, nil},
		{"idle", nil, time.Hour, sessions.ErrExpired},
		{"use of the child is use of the parent", []time.Duration{59 * time.Minute}, 118 * time.Minute, nil},
		{"idle after use", []time.Duration{59 * time.Minute}, 119 * time.Minute, sessions.ErrExpired},
		{"always in use", every(30*time.Minute, 48), 24*time.Hour - time.Second, nil},
		{"always in use, for too long", every(30*time.Minute, 48), 24 * time.Hour, sessions.ErrExpired},
	} {
		for _, cache := range []bool{false, true} {
			t.Run(row.what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t)
					if cache {
						h.Store = sessions.Cached(h.store, 0)
					}
					start := time.Now()
					root, rootToken := h.signIn(t)
					child, childToken := h.enter(t, root, wiki)
					for _, use := range row.uses {
						time.Sleep(time.Until(start.Add(use)))
						h.verify(t, childToken, wiki, child.ID, nil)
					}
					time.Sleep(time.Until(start.Add(row.at)))
					if row.want == nil {
						h.verify(t, childToken, wiki, child.ID, nil)
						h.verify(t, rootToken, portal, root.ID, nil)
						return
					}
					h.verify(t, childToken, wiki, "", row.want)
					h.verify(t, rootToken, portal, "", sessions.ErrNone)
				})
			})
		}
	}
}

// every returns n times, each so long after the one before; the last is left out.
func every(d time.Duration, n int) []time.Duration {
	var all []time.Duration
	for i := 1; i < n; i++ {
		all = append(all, time.Duration(i)*d)
	}
	return all
}

// A fresh child of a parent that was last seen long ago: its use is the parent's at once.
func TestUseOfFreshChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		root, rootToken := h.signIn(t)
		time.Sleep(59*time.Minute + 30*time.Second)
		child, token := h.enter(t, root, wiki)
		time.Sleep(10 * time.Second)
		h.verify(t, token, wiki, child.ID, nil)
		time.Sleep(time.Minute)
		h.verify(t, rootToken, portal, root.ID, nil)
	})
}

// A child that nobody uses lives as long as its parent is used elsewhere.
func TestIdleIsTheParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		root, rootToken := h.signIn(t)
		child, childToken := h.enter(t, root, wiki)
		for range 4 {
			time.Sleep(50 * time.Minute)
			h.verify(t, rootToken, portal, root.ID, nil)
			if _, err := h.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		h.verify(t, childToken, wiki, child.ID, nil)
	})
}

// What was once found past its limits stays ended when the clock goes back.
func TestClockBack(t *testing.T) {
	for _, row := range []struct {
		what  string
		ahead time.Duration
	}{{"idle", 61 * time.Minute}, {"absolute", 25 * time.Hour}} {
		h := newHouse(t)
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		h.Now = func() time.Time { return now }
		root, rootToken := h.signIn(t)
		_, childToken := h.enter(t, root, wiki)
		now = now.Add(row.ahead)
		h.verify(t, childToken, wiki, "", sessions.ErrExpired)
		now = now.Add(-row.ahead)
		t.Log(row.what)
		h.verify(t, childToken, wiki, "", sessions.ErrNone)
		h.verify(t, rootToken, portal, "", sessions.ErrNone)
	}
}

// A last use in the future would make an idle session live on: it is corrected.
func TestSeenInTheFuture(t *testing.T) {
	h := newHouse(t)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	h.Now = func() time.Time { return now }
	root, token := h.signIn(t)
	now = now.Add(50 * time.Minute)
	h.verify(t, token, portal, root.ID, nil)
	now = now.Add(-30 * time.Minute)
	h.verify(t, token, portal, root.ID, nil)
	if got := h.store.sessions[root.ID].Seen; !got.Equal(now) {
		t.Errorf("Seen = %v, want %v", got, now)
	}
}

func TestTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		root, _ := h.signIn(t)
		child, token := h.enter(t, root, wiki)
		for range 3600 { // an hour of a busy page
			h.verify(t, token, wiki, child.ID, nil)
			time.Sleep(time.Second)
		}
		if got := h.store.count(&h.store.touches); got != 11 {
			t.Errorf("%d touches in an hour, want 11", got)
		}
		if got, want := h.store.sessions[root.ID].Seen, h.store.sessions[child.ID].Seen; !got.Equal(want) || got.Equal(root.Seen) {
			t.Errorf("parent last used %v, child %v", got, want)
		}
		time.Sleep(6 * time.Minute)
		for range 3 { // who am I is no use
			if _, err := h.Peek(t.Context(), token, wiki); err != nil {
				t.Error(err)
			}
		}
		if got := h.store.count(&h.store.touches); got != 11 {
			t.Errorf("Peek touched: %d touches, want 11", got)
		}
	})
}

// Whoever uses a session is told so, and how often it is written can be chosen.
func TestTouchEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.TouchEvery = time.Minute
		_, token := h.signIn(t)
		for n := range 3 {
			time.Sleep(time.Minute)
			got, err := h.Verify(t.Context(), token, portal)
			if err != nil || !got.Seen.Equal(time.Now()) || h.store.touches != n+1 {
				t.Errorf("after minute %d: last used %v, %v, %d touches; want now, and one each minute", n+1, got.Seen, err, h.store.touches)
			}
		}
	})
}

// Somebody else has written the use while the record was read: it is not written again.
func TestTouchByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		root, token := h.signIn(t)
		time.Sleep(5 * time.Minute)
		other := false
		h.store.afterRead = func(string) {
			if !other {
				other = true
				h.verify(t, token, portal, root.ID, nil)
			}
		}
		h.verify(t, token, portal, root.ID, nil)
		if got := h.store.count(&h.store.touches); got != 1 {
			t.Errorf("%d touches, want 1", got)
		}
	})
}

// With a short idle limit the last use is written often enough to tell.
func TestTouchShortIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Idle = time.Minute
		root, token := h.signIn(t)
		for range 100 {
			time.Sleep(50 * time.Second)
			h.verify(t, token, portal, root.ID, nil)
			time.Sleep(5 * time.Second)
			h.verify(t, token, portal, root.ID, nil)
		}
	})
}

func TestTouchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		root, token := h.signIn(t)
		time.Sleep(5 * time.Minute)
		h.store.before = func(call string) error {
			if call == "touch" {
				time.Sleep(time.Second) // a slow disk
			}
			return nil
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { h.verify(t, token, portal, root.ID, nil) })
		}
		all.Wait()
		h.Settle(t.Context())
		if got := h.store.count(&h.store.touches); got != 1 {
			t.Errorf("%d touches by 100 at once, want 1", got)
		}
	})
}

// Those who are used while the store writes are written together, soon.
func TestTouchTogether(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			h.Store = sessions.Cached(h.store, 0)
			var told []error
			h.OnTouchError = func(err error) { told = append(told, err) }
			tokens, ended := make(map[string]secret.Text), ""
			for range 1000 {
				root, _ := h.signIn(t)
				child, token := h.enter(t, root, wiki)
				tokens[child.ID], ended = token, child.ID
			}
			time.Sleep(5 * time.Minute)
			writes := 0
			h.store.before = func(call string) error {
				if call == "touch" {
					writes++
					time.Sleep(50 * time.Millisecond)
				}
				return nil
			}
			now := time.Now()
			var all sync.WaitGroup
			for id, token := range tokens {
				all.Go(func() { h.verify(t, token, wiki, id, nil) })
			}
			all.Wait()
			if took := time.Since(now); took != 50*time.Millisecond {
				t.Errorf("the checks took %v, want those of one write", took)
			}
			h.store.before = nil
			h.store.deleteIf(func(s sessions.Session) bool { return s.ID == ended }) // nobody misses it
			delete(tokens, ended)
			for id := range tokens { // and another one as it should be
				if err := h.Revoke(t.Context(), id); err != nil {
					t.Error(err)
				}
				break
			}
			if down {
				h.store.before = func(call string) error {
					if call == "touch" {
						writes++
						return errDown
					}
					return nil
				}
			}
			h.Settle(t.Context())
			if down {
				if len(told) != 1 || !errors.Is(told[0], errDown) || writes != 2 {
					t.Errorf("told %v of %d writes, want one error, and rest", told, writes)
				}
				return
			}
			for _, s := range h.store.sessions {
				if late := s.Seen.Sub(now); late < 0 || late > time.Second {
					t.Errorf("%q was last used %v after it was, as it is written", s.Audience, late)
				}
			}
			if len(told) > 0 {
				t.Error(told)
			}
		})
	}
}

func TestTouchFails(t *testing.T) {
	for _, cache := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			if cache {
				h.Store = sessions.Cached(h.store, 0)
			}
			var told error
			tries := 0
			h.OnTouchError = func(err error) { told = err }
			root, token := h.signIn(t)
			time.Sleep(5 * time.Minute)
			h.store.before = func(call string) error {
				if call == "touch" {
					tries++
					return errDown
				}
				return nil
			}
			for range 100 { // within the rest: one of them asks the store to write
				h.verify(t, token, portal, root.ID, nil)
			}
			if !errors.Is(told, errDown) || tries != 1 {
				t.Errorf("told %v after %d tries, want %v after 1", told, tries, errDown)
			}
			h.OnTouchError = nil
			time.Sleep(5 * time.Second)
			h.verify(t, token, portal, root.ID, nil)
			if tries != 2 {
				t.Errorf("after the rest: %d tries, want 2", tries)
			}
			time.Sleep(5 * time.Second)

			// A visitor who leaves does not undo the writing of his visit.
			h.store.before = nil
			ctx, cancel := context.WithCancel(t.Context())
			h.store.before = func(call string) error {
				if call == "touch" {
					cancel()
				}
				return nil
			}
			if _, err := h.Verify(ctx, token, portal); err != nil || h.store.touches != 1 {
				t.Errorf("visitor leaves: %v, %d touches; want none and 1", err, h.store.touches)
			}
		})
	}
}

// The session ends while its use is being written, or just before.
func TestTouchOfEnding(t *testing.T) {
	for _, when := range []string{"touch", "read"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			_, token := h.signIn(t)
			time.Sleep(5 * time.Minute)
			over := func() { h.store.deleteIf(func(sessions.Session) bool { return true }) }
			h.store.before = func(call string) error {
				if call == when && when == "touch" {
					over()
				}
				return nil
			}
			h.store.afterRead = func(string) {
				if when == "read" {
					over()
				}
			}
			h.verify(t, token, portal, "", sessions.ErrNone)
		})
	}
}

// A session that is over is refused, whether it can be removed or not; that it
// cannot is told.
func TestOverCannotBeRemoved(t *testing.T) {
	for _, want := range []error{nil, errDown} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			var told []error
			h.OnTouchError = func(err error) { told = append(told, err) }
			_, token := h.signIn(t)
			time.Sleep(25 * time.Hour)
			h.store.before = func(call string) error {
				if call == "delete" {
					return want
				}
				return nil
			}
			h.verify(t, token, portal, "", sessions.ErrExpired)
			if told := errors.Join(told...); !errors.Is(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
		})
	}
}

// The store answers with something that is not what was asked for.
func TestRecordDisagrees(t *testing.T) {
	for _, row := range []struct {
		what string
		bend func(root, child *sessions.Session)
	}{
		{"other user", func(_, child *sessions.Session) { child.UserID = "u-bob" }},
		{"other user's parent", func(root, _ *sessions.Session) { root.UserID = "u-bob" }},
		{"both of another user", func(root, child *sessions.Session) { root.UserID, child.UserID = "u-bob", "u-bob" }},
		{"other audience", func(_, child *sessions.Session) { child.Audience = mail }},
		{"other id", func(_, child *sessions.Session) { child.ID = "other" }},
		{"other parent's id", func(root, _ *sessions.Session) { root.ID = "other" }},
		{"parent is a child", func(root, _ *sessions.Session) { root.Parent = "other" }},
		{"own parent", func(_, child *sessions.Session) { child.Parent = child.ID }},
		{"no parent", func(_, child *sessions.Session) { child.Parent = "gone" }},
		{"zero", func(_, child *sessions.Session) { *child = sessions.Session{} }},
	} {
		for _, cache := range []bool{false, true} {
			h := newHouse(t)
			root, _ := h.signIn(t)
			child, token := h.enter(t, root, wiki)
			rootID, childID := root.ID, child.ID
			row.bend(&root, &child)
			h.store.sessions[rootID], h.store.sessions[childID] = root, child
			if cache {
				h.Store = sessions.Cached(h.store, 0)
			}
			t.Log(row.what, cache)
			for range 3 {
				h.verify(t, token, wiki, "", sessions.ErrNone)
			}
		}
	}
}

// What the record says of its end counts, whatever the token says.
func TestRecordEndsEarlier(t *testing.T) {
	for _, row := range []struct {
		what string
		bend func(root, child *sessions.Session)
	}{
		{"the child", func(_, child *sessions.Session) { child.Expires = time.Now().Add(-time.Second) }},
		{"the parent", func(root, _ *sessions.Session) { root.Expires = time.Now().Add(-time.Second) }},
	} {
		h := newHouse(t)
		root, _ := h.signIn(t)
		child, token := h.enter(t, root, wiki)
		row.bend(&root, &child)
		h.store.sessions[root.ID], h.store.sessions[child.ID] = root, child
		t.Log(row.what)
		h.verify(t, token, wiki, "", sessions.ErrExpired)
	}
}

// What the token says of its end counts, whatever the record says.
func TestTokenEndsEarlier(t *testing.T) {
	for _, cache := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			h.Idle, h.Lifetime = time.Hour, time.Hour
			root, _ := h.signIn(t)
			child, token := h.enter(t, root, wiki)
			rootID, childID := root.ID, child.ID
			root.Expires, child.Expires = root.Expires.Add(time.Hour), child.Expires.Add(time.Hour)
			h.store.sessions[rootID], h.store.sessions[childID] = root, child
			if cache {
				h.Store = sessions.Cached(h.store, 0)
			}
			for range 3 {
				h.verify(t, token, wiki, childID, nil)
				time.Sleep(19 * time.Minute)
			}
			time.Sleep(4 * time.Minute)
			h.verify(t, token, wiki, "", sessions.ErrExpired)
		})
	}
}

// What the token says of its beginning counts, whatever the record says: a clock
// set back makes it one of the future again.
func TestTokenBeginsLater(t *testing.T) {
	for _, cache := range []bool{false, true} {
		h := newHouse(t)
		now := at(60)
		h.Now = func() time.Time { return now }
		root, token := h.signIn(t)
		id := root.ID
		root.Created = at(0)
		h.store.sessions[id] = root
		if cache {
			h.Store = sessions.Cached(h.store, 0)
		}
		for range 3 {
			h.verify(t, token, portal, id, nil)
		}
		now = at(58)
		h.verify(t, token, portal, "", sessions.ErrMalformed)
	}
}

// A parent that cannot be read ends nothing: it cannot be told.
func TestParentCannotBeRead(t *testing.T) {
	h := newHouse(t)
	root, _ := h.signIn(t)
	child, token := h.enter(t, root, wiki)
	reads := 0
	h.store.before = func(call string) error {
		if call == "read" {
			if reads++; reads == 2 {
				return errDown
			}
		}
		return nil
	}
	h.verify(t, token, wiki, "", errDown)
	h.verify(t, token, wiki, child.ID, nil)
}

// Peek says whose a token is, and is no use of it.
func TestPeek(t *testing.T) {
	h := newHouse(t)
	now := time.Now()
	h.Now = func() time.Time { return now }
	s, token := h.signIn(t)
	now = now.Add(30 * time.Minute)
	if got, err := h.Peek(t.Context(), token, portal); err != nil || got.ID != s.ID {
		t.Errorf("Peek = session %q, %v, want %q", got.ID, err, s.ID)
	}
	if got, err := h.Peek(t.Context(), token, wiki); !errors.Is(err, sessions.ErrMalformed) || got.ID != "" {
		t.Errorf("Peek elsewhere = session %q, %v, want ErrMalformed", got.ID, err)
	}
	if h.store.count(&h.store.touches) != 0 {
		t.Error("Peek counts as use")
	}
	now = now.Add(30 * time.Minute)
	if got, err := h.Peek(t.Context(), token, portal); !errors.Is(err, sessions.ErrExpired) || got.ID != "" {
		t.Errorf("Peek after an hour = session %q, %v, want ErrExpired", got.ID, err)
	}
}

// Remembered tokens are few, and forgetting one changes nothing.
func TestFewTokensRemembered(t *testing.T) {
	h := newHouse(t)
	h.Tokens = 1
	tokens := map[string]secret.Text{}
	for range 200 {
		s, token := h.signIn(t)
		tokens[s.ID] = token
	}
	for range 2 {
		for id, token := range tokens {
			h.verify(t, token, portal, id, nil)
		}
	}
}

// The hot path of every request: no garbage.
func TestVerifyAllocates(t *testing.T) {
	h := newHouse(t)
	h.Store = sessions.Cached(h.store, 0)
	root, _ := h.signIn(t)
	_, token := h.enter(t, root, wiki)
	if got := testing.AllocsPerRun(100, func() {
		if _, err := h.Verify(t.Context(), token, wiki); err != nil {
			t.Error(err)
		}
	}); got > 1 {
		t.Errorf("%v allocations, want at most 1", got)
	}
}
