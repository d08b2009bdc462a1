package storetest

import (
	"errors"
	"testing"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/localauth"
)

// invitation is one that counts until minute 30; a user's if there is one.
func invitation(n byte, userID string) accounts.Invitation {
	i := accounts.Invitation{
		ID: "inv-" + string('a'+rune(n)), Hash: [32]byte{n, 31: 3}, Purpose: accounts.Join, Origin: "corp",
		Email: "ü@example.com", Groups: []string{"ops", "quote\"d"}, Created: at(int(n)), Expires: at(30),
	}
	if userID != "" {
		i.Purpose, i.Origin, i.UserID, i.Email, i.Groups = accounts.Enrol, identity.Local, userID, "", nil
	}
	return i
}

func noInvitation(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, accounts.ErrNoInvitation) {
		t.Errorf("%s = %v, want ErrNoInvitation", what, err)
	}
}

func invitations(t *testing.T, open Opener) {
	s := fresh(t, open)
	addLocal(t, s, "a", "alice")
	b, a := invitation(2, ""), invitation(1, "a")
	for _, i := range []accounts.Invitation{b, a} {
		must(t, s.CreateInvitation(t.Context(), i))
		same(t, "Invitation", must1(s.Invitation(t.Context(), i.Hash, at(29)))(t), i)
	}
	same(t, "Invitations", must1(s.Invitations(t.Context(), at(29)))(t), []accounts.Invitation{a, b})
	same(t, "Invitations, too late", must1(s.Invitations(t.Context(), at(30)))(t), []accounts.Invitation(nil))
	_, err := s.Invitation(t.Context(), a.Hash, at(30))
	noInvitation(t, "Invitation, too late", err)
	_, err = s.Invitation(t.Context(), [32]byte{9}, at(0))
	noInvitation(t, "Invitation that is none", err)

	other := invitation(3, "a")
	must(t, s.CreateInvitation(t.Context(), other)) // instead of the one before
	_, err = s.Invitation(t.Context(), a.Hash, at(0))
	noInvitation(t, "Invitation that another took the place of", err)
	if err := s.CreateInvitation(t.Context(), invitation(4, "nobody")); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("CreateInvitation for nobody = %v, want ErrNone", err)
	}

	must(t, s.DeleteInvitation(t.Context(), b.ID))
	noInvitation(t, "second DeleteInvitation", s.DeleteInvitation(t.Context(), b.ID))
	must(t, s.DeleteUser(t.Context(), "a"))
	same(t, "Invitations when the user is gone", must1(s.Invitations(t.Context(), at(0)))(t), []accounts.Invitation(nil))
}

// An invitation makes one user, whoever comes at the same time, and none where
// the user cannot be made.
func invitedOnce(t *testing.T, open Opener) {
	s := fresh(t, open)
	i := invitation(1, "")
	must(t, s.CreateInvitation(t.Context(), i))
	addUser(t, s, "there")
	taken := account("x", "corp:sub-there")
	if err := s.CreateInvited(t.Context(), i.Hash, at(2), taken, foreignLink("x")); !errors.Is(err, accounts.ErrLoginTaken) {
		t.Errorf("CreateInvited with a login that is taken = %v, want ErrLoginTaken", err)
	}
	if err := s.CreateInvited(t.Context(), i.Hash, at(2), account("x", "x"), foreignLink("there")); !errors.Is(err, accounts.ErrLinked) {
		t.Errorf("CreateInvited with a key that is linked = %v, want ErrLinked", err)
	}
	noInvitation(t, "CreateInvited, too late", s.CreateInvited(t.Context(), i.Hash, at(30), account("x", "x"), foreignLink("x")))
	wantOne(t, "CreateInvited", race(32, func(n int) error {
		id := numbered("u", n)
		return s.CreateInvited(t.Context(), i.Hash, at(2), account(id, id), foreignLink(id))
	}), func(err error) bool { return errors.Is(err, accounts.ErrNoInvitation) })
	if got := statuses(t, s)[identity.Active]; got != 2 {
		t.Errorf("%d users, want 2", got)
	}
}

// An invitation lets in one user who waits, or none where the record has changed.
func acceptedOnce(t *testing.T, open Opener) {
	s := fresh(t, open)
	i := invitation(1, "")
	must(t, s.CreateInvitation(t.Context(), i))
	must(t, s.CreatePending(t.Context(), pending("a", identity.Waiting, 1), foreignLink("a"), 9, at(0)))
	a := must1(s.Account(t.Context(), "a"))(t)
	a.Status, a.Groups = identity.Active, []string{"guests"}
	old := a
	old.Generation = 7
	if err := s.UpdateInvited(t.Context(), i.Hash, at(2), old); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("UpdateInvited of another generation = %v, want ErrConflict", err)
	}
	noInvitation(t, "UpdateInvited, too late", s.UpdateInvited(t.Context(), i.Hash, at(30), a))
	wantOne(t, "UpdateInvited", race(16, func(int) error {
		return s.UpdateInvited(t.Context(), i.Hash, at(2), a)
	}), func(err error) bool { return errors.Is(err, accounts.ErrNoInvitation) })
	a.Generation++
	same(t, "Account", must1(s.Account(t.Context(), "a"))(t), a)
}

// An invitation of a user sets one password, ends the sessions and takes the
// other invitations along.
func chosenOnce(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.CreateUser(t.Context(), account("a", "alice"), localLink("a"), nil))
	addLocal(t, s, "b", "bob")
	if _, err := s.LocalUser(t.Context(), "alice"); !errors.Is(err, localauth.ErrNoUser) {
		t.Errorf("LocalUser without a password = %v, want ErrNoUser", err)
	}
	for _, user := range []string{"a", "b"} {
		addSession(t, s, session("portal-"+user, "", user))
		addSession(t, s, session("app-"+user, "portal-"+user, user))
	}
	i, v := invitation(1, "a"), *verifier()
	must(t, s.CreateInvitation(t.Context(), i))
	must(t, s.CreateInvitation(t.Context(), invitation(2, "")))

	v.Version = must1(s.VerifierVersion(t.Context(), "a"))(t) + 1
	noInvitation(t, "SetVerifier of another user", s.SetVerifier(t.Context(), i.Hash, at(2), "b", v))
	noInvitation(t, "SetVerifier, too late", s.SetVerifier(t.Context(), i.Hash, at(30), "a", v))
	noInvitation(t, "SetVerifier by an invitation to join", s.SetVerifier(t.Context(), invitation(2, "").Hash, at(2), "a", v))
	noInvitation(t, "CreateInvited by one to choose", s.CreateInvited(t.Context(), i.Hash, at(2), account("x", "x"), foreignLink("x")))
	skipped := v
	skipped.Version++
	if err := s.SetVerifier(t.Context(), i.Hash, at(2), "a", skipped); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("SetVerifier of another version = %v, want ErrConflict", err)
	}
	if len(must1(s.Sessions(t.Context(), "a"))(t)) != 2 {
		t.Error("what was refused has ended sessions")
	}
	wantOne(t, "SetVerifier", race(32, func(int) error {
		return s.SetVerifier(t.Context(), i.Hash, at(2), "a", v)
	}), func(err error) bool { return errors.Is(err, accounts.ErrNoInvitation) })
	u := must1(s.LocalUser(t.Context(), "alice"))(t)
	same(t, "LocalUser", u, localauth.User{UserID: "a", Salt: v.Salt, Iterations: v.Iterations, StoredKey: v.StoredKey, ServerKey: v.ServerKey, Version: 1})
	if got := must1(s.Sessions(t.Context(), ""))(t); len(got) != 2 || got[0].UserID != "b" {
		t.Errorf("sessions left: %v, want bob's two", got)
	}

	again := invitation(3, "a")
	must(t, s.CreateInvitation(t.Context(), again))
	v.Version, v.Salt = 2, []byte("fedcba9876543210")
	must(t, s.SetVerifier(t.Context(), again.Hash, at(2), "a", v))
	if u := must1(s.LocalUser(t.Context(), "alice"))(t); u.Version != 2 || string(u.Salt) != string(v.Salt) {
		t.Errorf("LocalUser after another password = %+v", u)
	}
}
