package sessions_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gateway/sessions"
)

func TestLimitsValidate(t *testing.T) {
	all := sessions.Config{Idle: time.Hour, Lifetime: 8 * time.Hour}
	for _, row := range []struct {
		limits sessions.Limits
		want   string // words of the complaints, in order
	}{
		{sessions.Limits{}, ""},
		{sessions.Limits{Idle: time.Minute, Lifetime: time.Minute}, ""},
		{sessions.Limits{Idle: time.Hour, Lifetime: 8 * time.Hour}, ""},
		{sessions.Limits{Lifetime: time.Minute}, ""},
		{sessions.Limits{Idle: time.Minute}, ""},
		{sessions.Limits{Idle: 59 * time.Second}, "idle:"},
		{sessions.Limits{Idle: -time.Hour}, "idle:"},
		{sessions.Limits{Idle: 61 * time.Minute}, "idle:"},
		{sessions.Limits{Lifetime: 59 * time.Second}, "lifetime:"},
		{sessions.Limits{Lifetime: -time.Hour}, "lifetime:"},
		{sessions.Limits{Lifetime: 9 * time.Hour}, "lifetime:"},
		{sessions.Limits{Idle: 30 * time.Minute, Lifetime: 20 * time.Minute}, "lifetime:"},
		{sessions.Limits{Idle: time.Second, Lifetime: 9 * time.Hour}, "idle: lifetime:"},
	} {
		got := row.limits.Validate(all)
		if (got == nil) != (row.want == "") {
			t.Errorf("%+v: %v, want %q", row.limits, got, row.want)
		}
		for word := range strings.FieldsSeq(row.want) {
			if got != nil && !strings.Contains(got.Error(), word) {
				t.Errorf("%+v: %v lacks %q", row.limits, got, word)
			}
		}
	}
}

// A session at an app ends by the app's own limits, whatever the portal session
// does, and is opened anew by a sign-in that the limits have not outlived.
func TestLimitsOfAnApp(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	idle, lifetime := sessions.Limits{Idle: 15 * minute}, sessions.Limits{Lifetime: 4 * hour}
	both := sessions.Limits{Idle: 15 * minute, Lifetime: 4 * hour}
	for _, row := range []struct {
		what   string
		limits sessions.Limits
		uses   []time.Duration // of the session at the app, after the sign-in
		others []time.Duration // of the portal session
		at     time.Duration
		live   bool // the session at the app
		anew   bool // another can be opened
	}{
		{"none", sessions.Limits{}, nil, nil, 59 * minute, true, true},
		{"not idle yet", idle, nil, nil, 15*minute - time.Second, true, true},
		{"idle", idle, nil, nil, 15 * minute, false, false},
		{"idle, while others are used", idle, nil, every(10*minute, 3), 20 * minute, false, false},
		{"in use", idle, every(14*minute, 5), nil, 65 * minute, true, false},
		{"in use, each time just after others", idle, []time.Duration{11 * minute, 21 * minute, 31 * minute, 41 * minute, 51 * minute}, every(5*minute, 12), 62 * minute, true, false},
		{"in use, then idle", idle, every(14*minute, 5), nil, 71 * minute, false, false},
		{"not too old yet", lifetime, every(30*minute, 8), nil, 4*hour - time.Second, true, true},
		{"too old, however much it is used", lifetime, every(30*minute, 8), nil, 4 * hour, false, false},
		{"both: in use", both, every(14*minute, 17), nil, 3*hour + 50*minute, true, false},
		{"both: too old", both, every(14*minute, 18), nil, 4 * hour, false, false},
	} {
		for _, cache := range []bool{false, true} {
			t.Run(row.what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t)
					if cache {
						h.Store = sessions.Cached(h.store, 0)
					}
					h.Limits = func(audience string) sessions.Limits {
						if audience == wiki {
							return row.limits
						}
						return sessions.Limits{}
					}
					start := time.Now()
					root, rootToken := h.signIn(t)
					child, childToken := h.enter(t, root, wiki)
					atMail, mailToken := h.enter(t, root, mail)
					steps := map[time.Duration][]func(){}
					for _, use := range row.others {
						steps[use] = append(steps[use], func() { h.verify(t, rootToken, portal, root.ID, nil) })
					}
					for _, use := range row.uses {
						steps[use] = append(steps[use], func() { h.verify(t, childToken, wiki, child.ID, nil) })
					}
					for at := time.Duration(0); at < row.at; at += minute {
						time.Sleep(time.Until(start.Add(at)))
						for _, step := range steps[at] {
							step()
						}
					}
					time.Sleep(time.Until(start.Add(row.at)))
					if listed := h.lists(t, child.ID); listed != row.live {
						t.Errorf("listed: %v, want %v", listed, row.live)
					}
					if row.live {
						h.verify(t, childToken, wiki, child.ID, nil)
					} else {
						h.verify(t, childToken, wiki, "", sessions.ErrExpired)
						if _, err := h.store.Session(t.Context(), child.ID); !errors.Is(err, sessions.ErrNone) {
							t.Errorf("what is over is kept: %v", err)
						}
					}
					h.verify(t, mailToken, mail, atMail.ID, nil)
					h.verify(t, rootToken, portal, root.ID, nil)
					want := error(nil)
					if !row.anew {
						want = sessions.ErrTooLongAgo
					}
					if _, _, err := h.IssueChild(t.Context(), root.ID, wiki); !errors.Is(err, want) {
						t.Errorf("another session at the app: %v, want %v", err, want)
					}
					if _, err := h.Grant(t.Context(), root.ID, wiki, "FLOW", [32]byte{1}, "/"); !errors.Is(err, want) {
						t.Errorf("a code for another: %v, want %v", err, want)
					}
					if got := h.Admits(root, wiki); got != row.anew {
						t.Errorf("Admits = %v, want %v", got, row.anew)
					}
				})
			})
		}
	}
}

func (h *house) lists(t *testing.T, id string) bool {
	t.Helper()
	all, err := h.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.ID == id {
			return true
		}
	}
	return false
}

// Limits count from the next check, the longer ones too.
func TestLimitsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		root, _ := h.signIn(t)
		child, token := h.enter(t, root, wiki)
		var limits sessions.Limits
		h.Limits = func(string) sessions.Limits { return limits }
		time.Sleep(30 * time.Minute)
		for _, lifetime := range []time.Duration{0, 1000 * time.Hour, time.Hour, 31 * time.Minute} {
			limits.Lifetime = lifetime
			h.verify(t, token, wiki, child.ID, nil)
			s, err := h.Peek(t.Context(), token, wiki)
			want := root.Expires
			if own := root.AuthTime.Add(lifetime); lifetime != 0 && own.Before(want) {
				want = own
			}
			if err != nil || !s.Expires.Equal(want) {
				t.Errorf("lifetime %v: expires %v, %v; want %v", lifetime, s.Expires, err, want)
			}
		}
		limits = sessions.Limits{Idle: 5 * time.Minute}
		if got, want := h.Idles(child, root), child.Seen.Add(5*time.Minute); !got.Equal(want) {
			t.Errorf("Idles = %v, want %v", got, want)
		}
		if got, want := h.Idles(root, root), root.Seen.Add(time.Hour); !got.Equal(want) {
			t.Errorf("Idles of the portal session = %v, want %v", got, want)
		}
		limits = sessions.Limits{Lifetime: 30 * time.Minute}
		h.verify(t, token, wiki, "", sessions.ErrExpired)
	})
}

// A last use is written often enough for a short limit.
func TestLimitsTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Limits = func(string) sessions.Limits { return sessions.Limits{Idle: time.Minute} }
		root, _ := h.signIn(t)
		child, token := h.enter(t, root, wiki)
		for range 20 {
			time.Sleep(53 * time.Second)
			h.verify(t, token, wiki, child.ID, nil)
		}
	})
}

// Where nobody said when the person proved anything, the limits begin with the
// session, and a token says nothing of the time.
func TestLimitsOfUnknownProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Limits = func(string) sessions.Limits { return sessions.Limits{Lifetime: 20 * time.Minute} }
		root, rootToken, err := h.Issue(t.Context(), alice())
		if err != nil || !root.AuthTime.IsZero() {
			t.Fatalf("Issue: %v, %v; want no time of a proof", root.AuthTime, err)
		}
		time.Sleep(10 * time.Minute)
		child, token := h.enter(t, root, wiki)
		time.Sleep(9 * time.Minute)
		h.verify(t, token, wiki, child.ID, nil)
		if got, err := h.Peek(t.Context(), token, wiki); err != nil || !got.AuthTime.IsZero() || !got.Expires.Equal(root.Created.Add(20*time.Minute)) {
			t.Errorf("proved at %v, expires %v, %v", got.AuthTime, got.Expires, err)
		}
		time.Sleep(time.Minute)
		h.verify(t, token, wiki, "", sessions.ErrExpired)
		h.verify(t, rootToken, portal, root.ID, nil)
		if h.Admits(root, wiki) {
			t.Error("another session at the app is opened without a sign-in")
		}
	})
}

// A code that was made in time opens nothing once the limit has passed.
func TestLimitsBetweenGrantAndRedeem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Limits = func(string) sessions.Limits { return sessions.Limits{Lifetime: time.Minute} }
		root, _ := h.signIn(t)
		time.Sleep(30 * time.Second)
		code, err := h.Grant(t.Context(), root.ID, wiki, "FLOW", [32]byte{1}, "/")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if _, _, _, err := h.Redeem(t.Context(), code, wiki, [32]byte{1}); !errors.Is(err, sessions.ErrTooLongAgo) {
			t.Errorf("Redeem: %v, want %v", err, sessions.ErrTooLongAgo)
		}
	})
}

// To open a session, the sign-in must be younger than the shorter limit.
func TestLimitsOldest(t *testing.T) {
	for _, row := range []struct{ idle, lifetime, want time.Duration }{
		{0, 0, 0}, {5, 0, 5}, {0, 5, 5}, {5, 9, 5}, {9, 5, 5}, {5, 5, 5},
	} {
		if got := (sessions.Limits{Idle: row.idle, Lifetime: row.lifetime}).Oldest(); got != row.want {
			t.Errorf("Oldest of %v and %v = %v, want %v", row.idle, row.lifetime, got, row.want)
		}
	}
}

// A session ends by whatever comes first, used or not.
func TestIdles(t *testing.T) {
	now := time.Now()
	for _, row := range []struct {
		story         string
		expires, seen time.Duration // of the session
		root          time.Duration // last use of the portal session
		own           time.Duration // idle limit of the app
		want          time.Duration
	}{
		{"idle as all", 8 * time.Hour, 0, 0, 0, time.Hour},
		{"idle as the portal session", 8 * time.Hour, 0, -time.Minute, 0, 59 * time.Minute},
		{"too old before it is idle", 30 * time.Minute, 0, 0, 0, 30 * time.Minute},
		{"idle by the app's limit", 8 * time.Hour, -time.Minute, 0, 5 * time.Minute, 4 * time.Minute},
		{"too old before the app's limit", 2 * time.Minute, -time.Minute, 0, 5 * time.Minute, 2 * time.Minute},
		{"idle as all before the app's limit", 8 * time.Hour, 0, -30 * time.Minute, 45 * time.Minute, 30 * time.Minute},
	} {
		m := &sessions.Manager{Limits: func(string) sessions.Limits { return sessions.Limits{Idle: row.own} }, Idle: time.Hour}
		s := sessions.Session{ID: "child", Parent: "root", Seen: now.Add(row.seen), Expires: now.Add(row.expires)}
		if got := m.Idles(s, sessions.Session{ID: "root", Seen: now.Add(row.root), Expires: now.Add(8 * time.Hour)}).Sub(now); got != row.want {
			t.Errorf("%s: in %v, want %v", row.story, got, row.want)
		}
	}
}

// Where somebody said when the person proved who they are, the limits begin then.
func TestLimitsBeginWithTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.Limits = func(string) sessions.Limits { return sessions.Limits{Lifetime: 20 * time.Minute} }
		early := alice()
		early.AuthTime = time.Now().Add(-10 * time.Minute)
		root, _, err := h.Issue(t.Context(), early)
		if err != nil {
			t.Fatal(err)
		}
		child, token := h.enter(t, root, wiki)
		time.Sleep(10*time.Minute - time.Second)
		h.verify(t, token, wiki, child.ID, nil)
		time.Sleep(time.Second)
		h.verify(t, token, wiki, "", sessions.ErrExpired)
		if h.Admits(root, wiki) {
			t.Error("another session at the app is opened by a proof that is too old")
		}
	})
}
