package storetest

import (
	"errors"
	"testing"

	"gateway/internal/accounts"
)

// guest is a link that counts until minute 30 and opens twice.
func guest(n byte) accounts.Guest {
	return accounts.Guest{
		ID: "guest-" + string('a'+rune(n)), Hash: [32]byte{n, 31: 4}, Name: "Jürgen's \"crew\"", Host: "wiki.example.com",
		Paths: []string{"/reports/**", "/ü,\"x"}, Methods: []string{"GET", "POST"}, Most: 2, Created: at(int(n)), Expires: at(30),
	}
}

func noGuest(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, accounts.ErrNoGuest) {
		t.Errorf("%s = %v, want ErrNoGuest", what, err)
	}
}

func guests(t *testing.T, open Opener) {
	s, ctx := fresh(t, open), t.Context()
	b, a := guest(2), guest(1)
	for _, g := range []accounts.Guest{b, a} {
		must(t, s.CreateGuest(ctx, g))
		same(t, "GuestByHash", must1(s.GuestByHash(ctx, g.Hash, at(29)))(t), g)
		same(t, "Guest", must1(s.Guest(ctx, g.ID, at(29)))(t), g)
	}
	same(t, "Guests", must1(s.Guests(ctx, at(29)))(t), []accounts.Guest{a, b})
	same(t, "Guests, too late", must1(s.Guests(ctx, at(30)))(t), []accounts.Guest(nil))
	_, err := s.GuestByHash(ctx, a.Hash, at(30))
	noGuest(t, "GuestByHash, too late", err)
	_, err = s.Guest(ctx, a.ID, at(30))
	noGuest(t, "Guest, too late", err)
	noGuest(t, "OpenGuest, too late", s.OpenGuest(ctx, a.Hash, at(30)))
	noGuest(t, "OpenGuest of none", s.OpenGuest(ctx, [32]byte{9}, at(1)))
	if again := guest(1); s.CreateGuest(ctx, again) == nil {
		t.Error("two guest links of one id")
	}

	must(t, s.OpenGuest(ctx, a.Hash, at(29)))
	a.Opened = 1
	same(t, "Guest that was opened", must1(s.Guest(ctx, a.ID, at(29)))(t), a)

	must(t, s.DeleteGuest(ctx, a.ID))
	noGuest(t, "second DeleteGuest", s.DeleteGuest(ctx, a.ID))
	_, err = s.Guest(ctx, a.ID, at(1))
	noGuest(t, "Guest that was ended", err)
	noGuest(t, "OpenGuest of one that was ended", s.OpenGuest(ctx, a.Hash, at(1)))
	same(t, "Guests, one ended", must1(s.Guests(ctx, at(1)))(t), []accounts.Guest{b})
}

// A link opens as often as it says, however many try at a time.
func guestsOpenSoOften(t *testing.T, open Opener) {
	s, ctx := fresh(t, open), t.Context()
	g := guest(1)
	must(t, s.CreateGuest(ctx, g))
	must(t, s.OpenGuest(ctx, g.Hash, at(2)))
	wantOne(t, "OpenGuest", race(16, func(int) error { return s.OpenGuest(ctx, g.Hash, at(2)) }), func(err error) bool { return errors.Is(err, accounts.ErrNoGuest) })
	g.Opened = 2
	same(t, "Guest that is used up", must1(s.Guest(ctx, g.ID, at(2)))(t), g)
}
