package accounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/store/sqlite"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newStore opens an empty embedded store.
func newStore(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newRegister has the doors corp and google, both open, the first with a login
// claim, and closed, which is. It admits everybody but mallory.
func newRegister(t testing.TB, store accounts.Store) *accounts.Register {
	t.Helper()
	return &accounts.Register{
		Store: store,
		Cache: &accounts.Cache{},
		Origins: map[string]accounts.Origin{
			"corp":   {Registration: accounts.Open, LoginClaim: true},
			"google": {Registration: accounts.Open},
			"closed": {Registration: accounts.Closed},
		},
		Admit: func(p identity.Principal) bool { return p.Name != "Mallory" },
		Login: canonical,
		Now:   func() time.Time { return noon },
	}
}

// canonical is a login rule: lower case, no spaces.
func canonical(raw string) (string, error) {
	if raw == "" || strings.ContainsAny(raw, " \n") {
		return "", errors.New("not a login")
	}
	return strings.ToLower(raw), nil
}

// from is an identity as a door finds it out.
func from(provider, subject, username string) identity.Identity {
	return identity.Identity{
		Key: identity.Key{Issuer: "https://" + provider + ".example", Subject: subject}, Provider: provider,
		Username: username, Name: "Name of " + subject, Email: subject + "@example.com", EmailVerified: true,
		Groups: []string{provider + ":staff"}, AuthTime: noon,
	}
}

func resolve(t *testing.T, r *accounts.Register, id identity.Identity) identity.User {
	t.Helper()
	u, err := r.Resolve(t.Context(), id)
	if err != nil {
		t.Fatalf("Resolve(%v) = %v", id.Key, err)
	}
	return u
}

// person is somebody whom an admin adds.
func person(login string) accounts.New {
	return accounts.New{
		ID: accounts.NewID(), Login: login, Name: "Alice A", Email: "alice@example.com", Groups: []string{"ops"},
		Verifier: accounts.Verifier{Salt: []byte("salt"), Iterations: 600_000, StoredKey: []byte("stored"), ServerKey: []byte("server"), Version: 1},
	}
}

func add(t testing.TB, r *accounts.Register, login string) identity.User {
	t.Helper()
	u, err := r.Add(t.Context(), person(login))
	if err != nil {
		t.Fatalf("Add(%s) = %v", login, err)
	}
	return u
}

// local is the identity that the password door finds out.
func local(u identity.User) identity.Identity {
	return identity.Identity{
		Key: identity.Key{Issuer: identity.Local, Subject: u.ID}, Provider: identity.Local,
		Username: u.Login, Name: "Not from here", Email: "neither@example.com", AuthTime: noon,
	}
}

// watched is a store that counts loads and can be made to wait or break.
type watched struct {
	accounts.Store

	loads  int
	loaded func() // called between a load and its return
	err    error  // of every load, if not nil
	lost   error  // of every change, if not nil: it was written, but the answer was lost
}

func (w *watched) Account(ctx context.Context, id string) (accounts.Account, error) {
	w.loads++
	a, err := w.Store.Account(ctx, id)
	if w.loaded != nil {
		w.loaded()
	}
	if w.err != nil {
		err = w.err
	}
	return a, err
}

func (w *watched) AccountByKey(ctx context.Context, k identity.Key) (accounts.Account, accounts.Link, error) {
	a, l, err := w.Store.AccountByKey(ctx, k)
	if w.err != nil {
		err = w.err
	}
	return a, l, err
}

func (w *watched) UpdateUser(ctx context.Context, a accounts.Account) error {
	return errors.Join(w.Store.UpdateUser(ctx, a), w.lost)
}
