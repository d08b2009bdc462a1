package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/once"
	"gateway/internal/throttle"
	"gateway/sessions"
)

func noCode(t *testing.T, s Store, c sessions.Code) {
	t.Helper()
	if got, err := s.TakeCode(t.Context(), c.Hash, c.Audience, c.Nonce, at(0)); !errors.Is(err, sessions.ErrNoCode) {
		t.Errorf("TakeCode = %v, %v; want ErrNoCode", got, err)
	}
}

func codes(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	addSession(t, s, session("portal", "", "a"))
	want := code(1, "portal")
	must(t, s.PutCode(t.Context(), want))
	must(t, s.PutCode(t.Context(), code(2, "portal")))
	if err := s.PutCode(t.Context(), want); err == nil {
		t.Error("PutCode of a hash that is there = nil, want an error")
	}

	// What matches in part is refused and takes nothing.
	for _, change := range []func(*sessions.Code){
		func(c *sessions.Code) { c.Hash[31]++ },
		func(c *sessions.Code) { c.Hash = [32]byte{} },
		func(c *sessions.Code) { c.Audience = "https://app2.example" },
		func(c *sessions.Code) { c.Audience = "" },
		func(c *sessions.Code) { c.Nonce[0]++ },
		func(c *sessions.Code) { c.Nonce = [32]byte{} },
		func(c *sessions.Code) { c.Hash, c.Nonce = c.Nonce, c.Hash },
	} {
		c := want
		change(&c)
		noCode(t, s, c)
	}
	got, err := s.TakeCode(t.Context(), want.Hash, want.Audience, want.Nonce, at(0))
	must(t, err)
	same(t, "TakeCode", got, want)
	noCode(t, s, want)

	noSession(t, s.PutCode(t.Context(), code(3, "unknown")), "PutCode for a parent that is not there")
	must1(s.DeleteSession(t.Context(), "portal"))(t)
	noCode(t, s, code(2, "portal"))
}

func codesExpire(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	addSession(t, s, session("portal", "", "a"))
	c := code(1, "portal")
	must(t, s.PutCode(t.Context(), c))
	for _, now := range []time.Time{c.Expires, c.Expires.Add(time.Hour)} {
		if _, err := s.TakeCode(t.Context(), c.Hash, c.Audience, c.Nonce, now); !errors.Is(err, sessions.ErrNoCode) {
			t.Errorf("TakeCode at %v = %v, want ErrNoCode", now, err)
		}
	}
	if _, err := s.TakeCode(t.Context(), c.Hash, c.Audience, c.Nonce, c.Expires.Add(-time.Microsecond)); err != nil {
		t.Errorf("TakeCode just in time = %v", err)
	}
}

func takenOnce(t *testing.T, open Opener) {
	s := fresh(t, open)
	a, b := [32]byte{1}, [32]byte{31: 1}
	must(t, s.Take(t.Context(), a, at(10)))
	must(t, s.Take(t.Context(), b, at(10)))
	for _, expires := range []time.Time{at(10), at(20), at(0)} {
		if err := s.Take(t.Context(), a, expires); !errors.Is(err, once.ErrSpent) {
			t.Errorf("second Take = %v, want ErrSpent", err)
		}
	}
}

// Sweeping removes only what cannot come back, even if the clock does.
func sweep(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	addSession(t, s, session("portal", "", "a"))
	must(t, s.PutCode(t.Context(), code(1, "portal"))) // expires at(1)
	must(t, s.Take(t.Context(), [32]byte{1}, at(1)))
	must(t, s.Take(t.Context(), [32]byte{2}, at(40)))
	if n, err := s.Sweep(t.Context(), at(2)); n != 0 || err != nil {
		t.Errorf("Sweep a minute later = %d, %v; want 0", n, err)
	}
	if n, err := s.Sweep(t.Context(), at(24*60)); n != 3 || err != nil {
		t.Errorf("Sweep a day later = %d, %v; want 3", n, err)
	}
	there(t, s, "portal")
	noCode(t, s, code(1, "portal"))
}

func slots(t *testing.T, open Opener) {
	s := fresh(t, open)
	same(t, "LoadSlots of a new store", must1(s.LoadSlots(t.Context()))(t), []throttle.Slot(nil))
	must(t, s.SaveSlots(t.Context(), nil))
	first := throttle.Slot{Index: 0, Level: 1000, Last: at(0)}
	last := throttle.Slot{Index: math.MaxInt32, Level: math.MaxUint32, Last: at(1)}
	must(t, s.SaveSlots(t.Context(), []throttle.Slot{first, last}))
	first.Level, first.Last = 0, at(5)
	must(t, s.SaveSlots(t.Context(), []throttle.Slot{first}))
	got := must1(s.LoadSlots(t.Context()))(t)
	if len(got) == 2 && got[0].Index != 0 {
		got[0], got[1] = got[1], got[0]
	}
	same(t, "LoadSlots", got, []throttle.Slot{first, last})
}

// However many come at once, one of them gets what there is once.
func oneWinner(t *testing.T, open Opener) {
	const callers = 64
	s := fresh(t, open)
	addUser(t, s, "a")
	addSession(t, s, session("portal", "", "a"))
	for round := range byte(3) {
		errs := race(callers, func(int) error { return s.Take(t.Context(), [32]byte{round}, at(10)) })
		wantOne(t, "Take", errs, func(err error) bool { return errors.Is(err, once.ErrSpent) })

		c := code(round, "portal")
		must(t, s.PutCode(t.Context(), c))
		errs = race(callers, func(int) error {
			_, err := s.TakeCode(t.Context(), c.Hash, c.Audience, c.Nonce, at(0))
			return err
		})
		wantOne(t, "TakeCode", errs, func(err error) bool { return errors.Is(err, sessions.ErrNoCode) })

		login := numbered("login", int(round))
		errs = race(callers, func(i int) error {
			id := numbered(login, i)
			return s.CreateUser(t.Context(), account(id, login), foreignLink(id), nil)
		})
		wantOne(t, "CreateUser with one login", errs, func(err error) bool { return errors.Is(err, accounts.ErrLoginTaken) })

		key := identity.Key{Issuer: "https://id.example", Subject: login}
		errs = race(callers, func(i int) error {
			id := numbered("key-"+login, i)
			l := foreignLink(id)
			l.Key = key
			return s.CreateUser(t.Context(), account(id, id), l, nil)
		})
		wantOne(t, "CreateUser with one key", errs, func(err error) bool { return errors.Is(err, accounts.ErrLinked) })
	}

	// Every session that came before the end of its parent ended with it.
	errs := race(callers, func(i int) error {
		if i == callers/2 {
			_, err := s.DeleteSession(t.Context(), "portal")
			return err
		}
		return s.CreateSession(t.Context(), session(numbered("child", i), "portal", "a"))
	})
	for i, err := range errs {
		if err != nil && !errors.Is(err, sessions.ErrNone) {
			t.Errorf("caller %d got %v", i, err)
		}
	}
	same(t, "Sessions", must1(s.Sessions(t.Context(), ""))(t), []sessions.Session(nil))
}

// What is refused for its context has not happened.
func cancelled(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Take(ctx, [32]byte{1}, at(10)); !errors.Is(err, context.Canceled) {
		t.Errorf("Take = %v, want context.Canceled", err)
	}
	if _, err := s.Account(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Account = %v, want context.Canceled", err)
	}
	must(t, s.Take(t.Context(), [32]byte{1}, at(10)))

	// Of many that are cancelled while they run or wait, an error means that
	// nothing was written.
	for round := range byte(32) {
		ctx, cancel := context.WithCancel(t.Context())
		hash := func(who int) [32]byte { return once.Hash("cancelled", fmt.Sprint(round, who)) }
		errs := race(32, func(who int) error {
			if who == 0 {
				time.Sleep(time.Duration(round) * 100 * time.Microsecond)
				cancel()
				return context.Canceled
			}
			return s.Take(ctx, hash(who), at(10))
		})
		for who, err := range errs {
			again := s.Take(t.Context(), hash(who), at(10))
			if err == nil && !errors.Is(again, once.ErrSpent) || err != nil && again != nil {
				t.Errorf("Take while it is cancelled = %v, then %v", err, again)
			}
		}
	}
}

// A store that is opened again knows all that it knew.
func reopened(t *testing.T, open Opener) {
	dir := t.TempDir()
	s := open(t, dir)
	alice, bob := addLocal(t, s, "a", "alice"), addUser(t, s, "b")
	addUser(t, s, "c")
	must(t, s.DeleteUser(t.Context(), "c"))
	portal, app := addSession(t, s, session("portal", "", "a")), addSession(t, s, session("app", "portal", "a"))
	c := code(1, "portal")
	must(t, s.PutCode(t.Context(), c))
	must(t, s.Take(t.Context(), [32]byte{7}, at(10)))
	slot := throttle.Slot{Index: 3, Level: 5000, Last: at(0)}
	must(t, s.SaveSlots(t.Context(), []throttle.Slot{slot}))
	must(t, s.Close())

	s = open(t, dir)
	defer func() { must(t, s.Close()) }()
	must(t, s.Ping(t.Context()))
	same(t, "Accounts", must1(s.Accounts(t.Context()))(t), []accounts.Account{alice, bob})
	same(t, "Links", must1(s.Links(t.Context(), "b"))(t), []accounts.Link{foreignLink("b")})
	same(t, "Sessions", must1(s.Sessions(t.Context(), ""))(t), []sessions.Session{app, portal})
	same(t, "LoadSlots", must1(s.LoadSlots(t.Context()))(t), []throttle.Slot{slot})
	same(t, "LocalUser's salt", must1(s.LocalUser(t.Context(), "alice"))(t).Salt, verifier().Salt)
	same(t, "TakeCode", must1(s.TakeCode(t.Context(), c.Hash, c.Audience, c.Nonce, at(0)))(t), c)
	if err := s.Take(t.Context(), [32]byte{7}, at(10)); !errors.Is(err, once.ErrSpent) {
		t.Errorf("Take = %v, want ErrSpent", err)
	}
	if err := s.CreateUser(t.Context(), account("d", "corp:sub-c"), foreignLink("d"), nil); !errors.Is(err, accounts.ErrLoginTaken) {
		t.Errorf("CreateUser with a login that is gone = %v, want ErrLoginTaken", err)
	}
}
