package storetest

import (
	"errors"
	"fmt"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/localauth"
)

func users(t *testing.T, open Opener) {
	s := fresh(t, open)
	b, a := addUser(t, s, "b"), addLocal(t, s, "a", "alice")
	for _, want := range []accounts.Account{a, b} {
		got, err := s.Account(t.Context(), want.ID)
		must(t, err)
		same(t, "Account("+want.ID+")", got, want)
		got, err = s.AccountByLogin(t.Context(), want.Login)
		must(t, err)
		same(t, "AccountByLogin("+want.Login+")", got, want)
	}
	all, err := s.Accounts(t.Context())
	must(t, err)
	same(t, "Accounts", all, []accounts.Account{a, b})

	for _, id := range []string{"", "c", "A"} {
		if _, err := s.Account(t.Context(), id); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("Account(%q) = %v, want ErrNone", id, err)
		}
	}
	for _, login := range []string{"", "Alice", "alice ", "a", "corp:SUB-b"} {
		if _, err := s.AccountByLogin(t.Context(), login); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("AccountByLogin(%q) = %v, want ErrNone", login, err)
		}
	}
	if zone := a.Created.UTC().Location(); zone != must1(s.Account(t.Context(), "a"))(t).Created.Location() {
		t.Error("times are not UTC")
	}
}

// must1 returns a value that has to be there.
func must1[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// No login is given twice, whether its user is there or gone.
func loginsStayTaken(t *testing.T, open Opener) {
	s := fresh(t, open)
	addLocal(t, s, "a", "alice")
	taken := func(when string) {
		t.Helper()
		if err := s.CreateUser(t.Context(), account("b", "alice"), localLink("b"), verifier()); !errors.Is(err, accounts.ErrLoginTaken) {
			t.Errorf("%s: CreateUser = %v, want ErrLoginTaken", when, err)
		}
	}
	taken("while she is there")
	must(t, s.DeleteUser(t.Context(), "a"))
	taken("when she is gone")
	if err := s.DeleteUser(t.Context(), "a"); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("second DeleteUser = %v, want ErrNone", err)
	}
	addLocal(t, s, "b", "bob")
}

// A creation that is refused leaves nothing behind.
func allOrNothing(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "a")
	l := foreignLink("b")
	l.Key = foreignLink("a").Key
	if err := s.CreateUser(t.Context(), account("b", "bob"), l, verifier()); !errors.Is(err, accounts.ErrLinked) {
		t.Fatalf("CreateUser with a key that is linked = %v, want ErrLinked", err)
	}
	if _, err := s.Account(t.Context(), "b"); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("Account = %v, want ErrNone", err)
	}
	if _, err := s.LocalUser(t.Context(), "bob"); !errors.Is(err, localauth.ErrNoUser) {
		t.Errorf("LocalUser = %v, want ErrNoUser", err)
	}
	addLocal(t, s, "b", "bob") // the login is free
}

func compareAndSwap(t *testing.T, open Opener) {
	s := fresh(t, open)
	a := addLocal(t, s, "a", "alice")
	change := a
	change.Name, change.NameSet, change.Email, change.EmailVerified, change.EmailSet = "New", true, "new@example.com", false, false
	change.Groups, change.Status = []string{"x"}, identity.Disabled
	change.Login, change.Created = "mallory", at(30) // do not change
	must(t, s.UpdateUser(t.Context(), change))
	want := change
	want.Login, want.Created, want.Generation = a.Login, a.Created, 2
	same(t, "after UpdateUser", must1(s.Account(t.Context(), "a"))(t), want)

	if err := s.UpdateUser(t.Context(), change); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("UpdateUser of an old generation = %v, want ErrConflict", err)
	}
	gone := want
	gone.ID = "nobody"
	if err := s.UpdateUser(t.Context(), gone); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("UpdateUser of nobody = %v, want ErrNone", err)
	}
	errs := race(16, func(i int) error {
		mine := want
		mine.Name = fmt.Sprint(i)
		return s.UpdateUser(t.Context(), mine)
	})
	wantOne(t, "UpdateUser", errs, func(err error) bool { return errors.Is(err, accounts.ErrConflict) })
}

func links(t *testing.T, open Opener) {
	s := fresh(t, open)
	a := addUser(t, s, "a")
	addUser(t, s, "b")
	want := foreignLink("a")
	got, l, err := s.AccountByKey(t.Context(), want.Key)
	must(t, err)
	same(t, "AccountByKey", got, a)
	same(t, "AccountByKey's link", l, want)

	for _, k := range []identity.Key{
		{},
		{Issuer: want.Issuer},
		{Subject: want.Subject},
		{Issuer: want.Issuer + want.Subject},
		{Issuer: "https://id.examples", Subject: "ub-a"},
		{Issuer: want.Issuer, Subject: "SUB-a"},
		{Issuer: want.Subject, Subject: want.Issuer},
	} {
		if _, _, err := s.AccountByKey(t.Context(), k); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("AccountByKey(%v) = %v, want ErrNone", k, err)
		}
	}

	want.Provider, want.Username, want.Email, want.LastSignIn = "other", "new", "new@corp.example", at(40)
	must(t, s.UpdateLink(t.Context(), want))
	ls, err := s.Links(t.Context(), "a")
	must(t, err)
	same(t, "Links", ls, []accounts.Link{want})
	same(t, "Links of nobody", must1(s.Links(t.Context(), "nobody"))(t), []accounts.Link(nil))
	want.Subject = "unknown"
	if err := s.UpdateLink(t.Context(), want); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("UpdateLink of an unknown key = %v, want ErrNone", err)
	}
}

func passwords(t *testing.T, open Opener) {
	s := fresh(t, open)
	a := addLocal(t, s, "a", "alice")
	addUser(t, s, "b")
	v := verifier()
	want := localauth.User{
		UserID: "a", Salt: v.Salt, Iterations: v.Iterations, StoredKey: v.StoredKey, ServerKey: v.ServerKey, Version: v.Version,
	}
	same(t, "LocalUser", must1(s.LocalUser(t.Context(), "alice"))(t), want)
	for _, login := range []string{"", "nobody", "Alice", "a", "corp:sub-b"} {
		if _, err := s.LocalUser(t.Context(), login); !errors.Is(err, localauth.ErrNoUser) {
			t.Errorf("LocalUser(%q) = %v, want ErrNoUser", login, err)
		}
	}
	for _, row := range []struct {
		status   identity.Status
		disabled bool
	}{
		{identity.Waiting, false}, // the register says so, after the proof
		{identity.Unverified, false},
		{identity.Disabled, true},
		{"", true},
		{"a status of the future", true},
		{identity.Active, false},
	} {
		a.Status = row.status
		must(t, s.UpdateUser(t.Context(), a))
		a.Generation++
		if got := must1(s.LocalUser(t.Context(), "alice"))(t).Disabled; got != row.disabled {
			t.Errorf("Disabled with status %q = %v, want %v", row.status, got, row.disabled)
		}
	}
}

// With a user goes all that is the user's, at once, and nothing else.
func deletionCascades(t *testing.T, open Opener) {
	s := fresh(t, open)
	addLocal(t, s, "a", "alice")
	addUser(t, s, "b")
	for _, user := range []string{"a", "b"} {
		addSession(t, s, session("portal-"+user, "", user))
		addSession(t, s, session("app-"+user, "portal-"+user, user))
	}
	must(t, s.PutCode(t.Context(), code(1, "portal-a")))
	must(t, s.DeleteUser(t.Context(), "a"))

	if _, err := s.LocalUser(t.Context(), "alice"); !errors.Is(err, localauth.ErrNoUser) {
		t.Errorf("LocalUser = %v, want ErrNoUser", err)
	}
	if _, _, err := s.AccountByKey(t.Context(), localLink("a").Key); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("AccountByKey = %v, want ErrNone", err)
	}
	all, err := s.Sessions(t.Context(), "")
	must(t, err)
	for _, n := range all {
		if n.UserID != "b" {
			t.Errorf("session %s is left", n.ID)
		}
	}
	if len(all) != 2 {
		t.Errorf("%d sessions of others are left, want 2", len(all))
	}
	noCode(t, s, code(1, "portal-a"))
	noSession(t, s.CreateSession(t.Context(), session("late", "", "a")), "CreateSession for a user who is gone")
}
