package storetest

import (
	"errors"
	"testing"
	"time"

	"gateway/internal/identity"
	"gateway/sessions"
)

func appToken(n byte, userID, app string) sessions.AppToken {
	return sessions.AppToken{
		ID: "token-" + string('a'+rune(n)), Hash: [32]byte{n, 31: 5}, UserID: userID, Provider: "corp", App: app, Name: "Jürgen's \"backup\"",
		Created: at(int(n)), Expires: at(40),
	}
}

func noToken(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, sessions.ErrNoToken) || !errors.Is(err, sessions.ErrNone) {
		t.Errorf("%s = %v, want ErrNoToken, which is an ErrNone", what, err)
	}
}

func appTokens(t *testing.T, open Opener) {
	s, ctx := fresh(t, open), t.Context()
	a := addUser(t, s, "a")
	addUser(t, s, "b")
	all := []sessions.AppToken{appToken(1, "a", "wiki"), appToken(2, "a", "board"), appToken(3, "b", "wiki"), appToken(4, "b", "board")}
	tie := appToken(5, "a", "wiki")
	tie.Created = at(4) // with the fourth, whose id comes first
	all = append(all, tie)
	for _, i := range []int{4, 1, 0, 3, 2} {
		must(t, s.CreateAppToken(ctx, all[i]))
	}
	for _, one := range all {
		got := must1(s.AppToken(ctx, one.Hash))(t)
		same(t, "AppToken", got, one)
		if got.Created.Location() != time.UTC || !got.Seen.IsZero() || !got.Ended.IsZero() {
			t.Errorf("AppToken = %+v, want UTC, and neither seen nor ended", got)
		}
	}
	_, err := s.AppToken(ctx, [32]byte{9})
	noToken(t, "AppToken of none", err)
	for _, row := range []struct {
		what string
		f    sessions.AppTokenFilter
		want []sessions.AppToken
	}{
		{"all", sessions.AppTokenFilter{}, all},
		{"a user's", sessions.AppTokenFilter{UserID: "a"}, []sessions.AppToken{all[0], all[1], all[4]}},
		{"an app's", sessions.AppTokenFilter{App: "wiki"}, []sessions.AppToken{all[0], all[2], all[4]}},
		{"a user's of an app", sessions.AppTokenFilter{UserID: "a", App: "wiki"}, []sessions.AppToken{all[0], all[4]}},
		{"one", sessions.AppTokenFilter{ID: all[2].ID}, []sessions.AppToken{all[2]}},
		{"one of somebody else", sessions.AppTokenFilter{ID: all[2].ID, UserID: "a"}, nil},
	} {
		same(t, row.what, must1(s.AppTokens(ctx, row.f))(t), row.want)
	}
	for what, again := range map[string]sessions.AppToken{"a hash": {ID: "other", Hash: all[0].Hash}, "an id": {ID: all[0].ID, Hash: [32]byte{8}}} {
		again.UserID, again.App, again.Created, again.Expires = "a", "wiki", at(0), at(1)
		if s.CreateAppToken(ctx, again) == nil {
			t.Errorf("two tokens of %s", what)
		}
	}

	must(t, s.TouchAppToken(ctx, all[0].Hash, at(7)))
	all[0].Seen = at(7)
	same(t, "AppToken that was used", must1(s.AppToken(ctx, all[0].Hash))(t), all[0])
	noToken(t, "TouchAppToken of none", s.TouchAppToken(ctx, [32]byte{9}, at(7)))

	a.Status = identity.Disabled
	must(t, s.UpdateUser(ctx, a))
	noToken(t, "CreateAppToken of the disabled", s.CreateAppToken(ctx, appToken(6, "a", "wiki")))
	noToken(t, "CreateAppToken of nobody", s.CreateAppToken(ctx, appToken(6, "nobody", "wiki")))
	must(t, s.DeleteUser(ctx, "b"))
	same(t, "AppTokens once a user is gone", must1(s.AppTokens(ctx, sessions.AppTokenFilter{}))(t), []sessions.AppToken{all[0], all[1], all[4]})
}

// What has ended stays, so that whoever brings it can be told, and never
// counts again; in the end it goes.
func appTokensEndOnce(t *testing.T, open Opener) {
	s, ctx := fresh(t, open), t.Context()
	addUser(t, s, "a")
	one, two, three := appToken(1, "a", "wiki"), appToken(2, "a", "wiki"), appToken(3, "a", "board")
	for _, n := range []sessions.AppToken{one, two, three} {
		must(t, s.CreateAppToken(ctx, n))
	}
	ends := func(f sessions.AppTokenFilter, minute, want int) {
		t.Helper()
		if n := must1(s.EndAppTokens(ctx, f, at(minute)))(t); n != want {
			t.Errorf("EndAppTokens(%+v) = %d, want %d", f, n, want)
		}
	}
	ends(sessions.AppTokenFilter{ID: one.ID}, 10, 1)
	ends(sessions.AppTokenFilter{ID: one.ID}, 11, 0)
	ends(sessions.AppTokenFilter{UserID: "a", App: "wiki"}, 12, 1)
	ends(sessions.AppTokenFilter{ID: "unknown"}, 12, 0)
	one.Ended, two.Ended = at(10), at(12)
	same(t, "AppTokens", must1(s.AppTokens(ctx, sessions.AppTokenFilter{}))(t), []sessions.AppToken{one, two, three})
	noToken(t, "TouchAppToken of one that has ended", s.TouchAppToken(ctx, one.Hash, at(13)))

	// Whichever comes first: no token of a user who is disabled and whose tokens are ended then.
	a := must1(s.Account(ctx, "a"))(t)
	errs := race(32, func(i int) error {
		if i != 16 {
			n := appToken(byte(100+i), "a", "wiki")
			n.ID = numbered("race", i)
			return s.CreateAppToken(ctx, n)
		}
		a.Status = identity.Disabled
		if err := s.UpdateUser(ctx, a); err != nil {
			return err
		}
		_, err := s.EndAppTokens(ctx, sessions.AppTokenFilter{UserID: "a"}, at(14))
		return err
	})
	for i, err := range errs {
		if err != nil && (i == 16 || !errors.Is(err, sessions.ErrNoToken)) {
			t.Errorf("caller %d got %v", i, err)
		}
	}
	for _, n := range must1(s.AppTokens(ctx, sessions.AppTokenFilter{}))(t) {
		if n.Ended.IsZero() {
			t.Errorf("a token of the disabled counts: %s", n.ID)
		}
	}

	const day = 24 * 60
	must1(s.Sweep(ctx, at(29*day)))(t)
	same(t, "the first, 29 days later", must1(s.AppToken(ctx, one.Hash))(t), one)
	must1(s.Sweep(ctx, at(31*day)))(t)
	same(t, "AppTokens, 31 days later", must1(s.AppTokens(ctx, sessions.AppTokenFilter{}))(t), []sessions.AppToken(nil))
}
