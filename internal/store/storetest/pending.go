package storetest

import (
	"errors"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

// pending is somebody who asked to be let in at a minute.
func pending(id string, status identity.Status, minute int) accounts.Account {
	a := account(id, "corp:sub-"+id)
	a.Status, a.Created = status, at(minute)
	return a
}

// There is room for so many of a status, whoever comes at the same time.
func pendingHasBounds(t *testing.T, open Opener) {
	s := fresh(t, open)
	ask := func(id string, status identity.Status, minute int) error {
		return s.CreatePending(t.Context(), pending(id, status, minute), foreignLink(id), 3, at(10))
	}
	addUser(t, s, "active")
	must(t, ask("old", identity.Waiting, 10)) // does not count any more
	must(t, ask("first", identity.Waiting, 11))
	for _, err := range race(16, func(i int) error { return ask(numbered("w", i), identity.Waiting, 12) }) {
		if err != nil && !errors.Is(err, accounts.ErrFull) {
			t.Errorf("CreatePending = %v, want ErrFull", err)
		}
	}
	must(t, ask("unverified", identity.Unverified, 12)) // another status, another room
	if err := ask("late", identity.Waiting, 13); !errors.Is(err, accounts.ErrFull) {
		t.Errorf("CreatePending of one too many = %v, want ErrFull", err)
	}
	if err := ask("first", identity.Waiting, 13); !errors.Is(err, accounts.ErrLoginTaken) {
		t.Errorf("CreatePending of one who is there = %v, want ErrLoginTaken", err)
	}
	again := pending("again", identity.Waiting, 13)
	if err := s.CreatePending(t.Context(), again, foreignLink("first"), 3, at(10)); !errors.Is(err, accounts.ErrLinked) {
		t.Errorf("CreatePending with a key that waits = %v, want ErrLinked, though there is no room", err)
	}
	if got := statuses(t, s)[identity.Waiting]; got != 4 {
		t.Errorf("%d wait, want 3 and the old one", got)
	}

	let := must1(s.Account(t.Context(), "first"))(t)
	let.Status = identity.Active
	must(t, s.UpdateUser(t.Context(), let))
	must(t, ask("late", identity.Waiting, 13)) // there is room again
}

// Whoever has waited for too long leaves nothing behind, and nobody else goes.
func pendingIsForgotten(t *testing.T, open Opener) {
	s := fresh(t, open)
	addUser(t, s, "active")
	for id, minute := range map[string]int{"a": 1, "b": 2, "c": 3} {
		must(t, s.CreatePending(t.Context(), pending(id, identity.Waiting, minute), foreignLink(id), 9, at(0)))
	}
	must(t, s.CreatePending(t.Context(), pending("d", identity.Unverified, 1), foreignLink("d"), 9, at(0)))
	gone, err := s.DeletePending(t.Context(), at(3))
	must(t, err)
	same(t, "DeletePending", gone, []accounts.Account{pending("a", identity.Waiting, 1), pending("b", identity.Waiting, 2), pending("d", identity.Unverified, 1)})
	for _, id := range []string{"a", "b", "d"} {
		if _, _, err := s.AccountByKey(t.Context(), foreignLink(id).Key); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("AccountByKey(%s) = %v, want ErrNone", id, err)
		}
	}
	if got := statuses(t, s); got[identity.Active] != 1 || got[identity.Waiting] != 1 || len(got) != 2 {
		t.Errorf("left are %v, want one who is active and one who waits", got)
	}
	must(t, s.CreatePending(t.Context(), pending("a", identity.Waiting, 9), foreignLink("a"), 9, at(0))) // the login was nobody's
	gone, err = s.DeletePending(t.Context(), at(3))
	must(t, err)
	same(t, "DeletePending of nobody", gone, []accounts.Account(nil))
}

// statuses counts the users.
func statuses(t *testing.T, s Store) map[identity.Status]int {
	t.Helper()
	all, err := s.Accounts(t.Context())
	must(t, err)
	count := map[identity.Status]int{}
	for _, a := range all {
		count[a.Status]++
	}
	return count
}
