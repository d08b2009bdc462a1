package accounts_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
	"gateway/internal/secret"
)

// newInviting has the door corp for those who are invited. It admits whoever is
// in guests.
func newInviting(t *testing.T) (r *accounts.Register, pass func(time.Duration)) {
	t.Helper()
	r, pass = newWaitingRoom(t)
	r.Origins["corp"] = accounts.Origin{Registration: accounts.Invited, LoginClaim: true}
	r.Admit = func(p identity.Principal) bool { return slices.Contains(p.Groups, "guests") }
	return r, pass
}

func invite(t *testing.T, r *accounts.Register, i accounts.Invitation) secret.Text {
	t.Helper()
	_, code, err := r.Invite(t.Context(), i, time.Hour)
	if err != nil {
		t.Fatalf("Invite(%+v) = %v", i, err)
	}
	return code
}

func TestInvite(t *testing.T) {
	r, _ := newInviting(t)
	for _, row := range []struct {
		story    string
		i        accounts.Invitation
		lifetime time.Duration
		want     error
	}{
		{"by corp", accounts.Invitation{Origin: "corp"}, time.Hour, nil},
		{"by an open door, which gives groups", accounts.Invitation{Origin: "google", Groups: []string{"ops"}}, time.Hour, nil},
		{"as short as can be", accounts.Invitation{Origin: "corp"}, time.Minute, nil},
		{"as long as can be", accounts.Invitation{Origin: "corp"}, 720 * time.Hour, nil},
		{"too short", accounts.Invitation{Origin: "corp"}, time.Minute - 1, accounts.ErrInvalid},
		{"too long", accounts.Invitation{Origin: "corp"}, 720*time.Hour + 1, accounts.ErrInvalid},
		{"by a closed door", accounts.Invitation{Origin: "closed"}, time.Hour, accounts.ErrInvalid},
		{"by no door", accounts.Invitation{}, time.Hour, accounts.ErrInvalid},
		{"by the password door", accounts.Invitation{Origin: identity.Local}, time.Hour, accounts.ErrInvalid},
		{"with a provider's group", accounts.Invitation{Origin: "corp", Groups: []string{"corp:ops"}}, time.Hour, accounts.ErrInvalid},
		{"with what is no address", accounts.Invitation{Origin: "corp", Email: "dora"}, time.Hour, accounts.ErrInvalid},
	} {
		i, code, err := r.Invite(t.Context(), row.i, row.lifetime)
		if !errors.Is(err, row.want) || code.Empty() != (row.want != nil) {
			t.Errorf("%s: Invite = %+v, %v, want %v", row.story, i, err, row.want)
		}
	}
	all, err := r.Invitations(t.Context())
	if err != nil || len(all) != 4 {
		t.Errorf("Invitations = %d, %v; want those that were made", len(all), err)
	}
}

func TestResolveInvited(t *testing.T) {
	unverified := from("corp", "1", "dora")
	unverified.EmailVerified = false
	guests := []string{"guests"}
	for _, row := range []struct {
		story string
		i     accounts.Invitation
		id    identity.Identity
		after time.Duration
		want  error
	}{
		{"whoever holds it", accounts.Invitation{Origin: "corp", Groups: guests}, from("corp", "1", "dora"), 0, nil},
		{"until it ends", accounts.Invitation{Origin: "corp", Groups: guests}, from("corp", "1", "dora"), time.Hour - 1, nil},
		{"with the address", accounts.Invitation{Origin: "corp", Groups: guests, Email: "1@EXAMPLE.com"}, from("corp", "1", "dora"), 0, nil},
		{"with another address", accounts.Invitation{Origin: "corp", Groups: guests, Email: "2@example.com"}, from("corp", "1", "dora"), 0, accounts.ErrOtherEmail},
		{"with an address that begins so", accounts.Invitation{Origin: "corp", Groups: guests, Email: "1@example.com.evil.test"}, from("corp", "1", "dora"), 0, accounts.ErrOtherEmail},
		{"with an address like it", accounts.Invitation{Origin: "corp", Groups: guests, Email: "1@eXample.c\u212am"}, from("corp", "1", "dora"), 0, accounts.ErrOtherEmail},
		{"with the address, not verified", accounts.Invitation{Origin: "corp", Groups: guests, Email: "1@example.com"}, unverified, 0, accounts.ErrOtherEmail},
		{"no address is asked for", accounts.Invitation{Origin: "corp", Groups: guests}, unverified, 0, nil},
		{"too late", accounts.Invitation{Origin: "corp", Groups: guests}, from("corp", "1", "dora"), time.Hour, accounts.ErrNoInvitation},
		{"by another door", accounts.Invitation{Origin: "corp", Groups: guests}, from("google", "1", "dora"), 0, accounts.ErrNoInvitation},
		{"whom no rule could ever admit", accounts.Invitation{Origin: "corp", Groups: []string{"ops"}}, from("corp", "1", "dora"), 0, accounts.ErrNotRegistered},
		{"who is nobody", accounts.Invitation{Origin: "corp", Groups: guests}, identity.Identity{}, 0, accounts.ErrNotRegistered},
	} {
		t.Run(row.story, func(t *testing.T) {
			r, pass := newInviting(t)
			code := invite(t, r, row.i)
			pass(row.after)
			u, taken, err := r.ResolveInvited(t.Context(), row.id, code)
			if !errors.Is(err, row.want) || taken != (row.want == nil) {
				t.Fatalf("ResolveInvited = %+v, %v, %v, want %v", u, taken, err, row.want)
			}
			_, left := r.Invitation(t.Context(), code)
			if row.want == nil {
				if u.Login != "dora" || u.Status != identity.Active || !slices.Equal(u.Groups, guests) || !errors.Is(left, accounts.ErrNoInvitation) {
					t.Errorf("ResolveInvited = %+v, the invitation is %v", u, left)
				}
				return
			}
			if all, err := r.List(t.Context()); len(all) != 0 || err != nil {
				t.Errorf("List = %v, %v; want nobody", all, err)
			}
			if row.after == 0 && left != nil {
				t.Errorf("what was refused has used it up: %v", left)
			}
		})
	}
}

// Who is known already comes in as ever, and leaves the invitation to others.
func TestInvitedWhoIsKnown(t *testing.T) {
	r, _ := newInviting(t)
	first, _, err := r.ResolveInvited(t.Context(), from("corp", "1", "dora"), invite(t, r, accounts.Invitation{Origin: "corp", Groups: []string{"guests"}}))
	if err != nil {
		t.Fatal(err)
	}
	code := invite(t, r, accounts.Invitation{Origin: "corp", Groups: []string{"guests", "admins"}})
	u, taken, err := r.ResolveInvited(t.Context(), from("corp", "1", "dora"), code)
	if err != nil || taken || u.ID != first.ID || slices.Contains(u.Groups, "admins") {
		t.Errorf("ResolveInvited = %+v, %v, %v; want dora as she was", u, taken, err)
	}
	if _, err := r.Invitation(t.Context(), code); err != nil {
		t.Errorf("Invitation = %v", err)
	}
}

// A password is chosen by one purpose, for one user, who has to sign in by it.
func TestChoosing(t *testing.T) {
	r, _ := newInviting(t)
	n := person("erin")
	n.Chooses, n.Verifier = true, accounts.Verifier{}
	erin, err := r.Add(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := r.HasPassword(t.Context(), erin.ID); has || err != nil {
		t.Errorf("HasPassword = %v, %v", has, err)
	}
	_, code, err := r.LetChoose(t.Context(), erin.ID, accounts.Enrol, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Password(t.Context(), code, accounts.Reset); !errors.Is(err, accounts.ErrNoInvitation) {
		t.Errorf("Password for another purpose = %v, want ErrNoInvitation", err)
	}
	u, version, err := r.Password(t.Context(), code, accounts.Enrol)
	if err != nil || u.ID != erin.ID || version != 1 {
		t.Fatalf("Password = %+v, %d, %v", u, version, err)
	}
	v := person("x").Verifier
	if err := r.SetPassword(t.Context(), code, erin.ID, accounts.Verifier{}); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("SetPassword to nothing = %v, want ErrInvalid", err)
	}
	if err := r.SetPassword(t.Context(), code, erin.ID, v); err != nil {
		t.Fatal(err)
	}
	if err := r.SetPassword(t.Context(), code, erin.ID, v); !errors.Is(err, accounts.ErrNoInvitation) {
		t.Errorf("SetPassword again = %v, want ErrNoInvitation", err)
	}
	if has, err := r.HasPassword(t.Context(), erin.ID); !has || err != nil {
		t.Errorf("HasPassword = %v, %v", has, err)
	}
	r.Origins["google"], r.Admit = accounts.Origin{Registration: accounts.Open}, func(identity.Principal) bool { return true }
	foreign := resolve(t, r, from("google", "1", ""))
	if _, _, err := r.LetChoose(t.Context(), foreign.ID, accounts.Reset, time.Hour); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("LetChoose for who comes by a provider = %v, want ErrInvalid", err)
	}
	n = person("frank")
	n.Chooses = true
	if _, err := r.Add(t.Context(), n); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("Add with a verifier and without = %v, want ErrInvalid", err)
	}
}

// Nothing that is kept of an invitation opens it.
func TestWhatIsKeptOpensNothing(t *testing.T) {
	r, _ := newInviting(t)
	code := invite(t, r, accounts.Invitation{Origin: "corp", Groups: []string{"guests"}})
	all, err := r.Invitations(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("Invitations = %v, %v", all, err)
	}
	for _, kept := range []string{all[0].ID, string(all[0].Hash[:]), fmt.Sprintf("%x", all[0].Hash), "", code.Reveal() + " ", code.Reveal()[1:]} {
		if _, _, err := r.ResolveInvited(t.Context(), from("corp", "1", "dora"), secret.New(kept)); !errors.Is(err, accounts.ErrNoInvitation) {
			t.Errorf("ResolveInvited with %q = %v, want ErrNoInvitation", kept, err)
		}
	}
}

// Who waits, or is unverified, is let in by an invitation, and by none that is
// not for them.
func TestInvitedWhoWaits(t *testing.T) {
	r, _ := newInviting(t)
	guests := []string{"guests"}
	r.Admit = func(identity.Principal) bool { return true }
	r.Origins["corp"] = accounts.Origin{Registration: accounts.Approval, LoginClaim: true}
	waiting := waits(t, r, from("corp", "1", "dora"))
	r.Admit = func(p identity.Principal) bool { return slices.Contains(p.Groups, "guests") }
	comes := func(story string, code secret.Text, want error) identity.User {
		t.Helper()
		u, taken, err := r.ResolveInvited(t.Context(), from("corp", "1", "dora"), code)
		if !errors.Is(err, want) || taken != (want == nil) {
			t.Errorf("%s: ResolveInvited = %+v, %v, %v, want %v", story, u, taken, err, want)
		}
		return u
	}
	comes("an invitation that is none", secret.New("x"), accounts.ErrWaiting)
	comes("for another address", invite(t, r, accounts.Invitation{Origin: "corp", Groups: guests, Email: "2@example.com"}), accounts.ErrWaiting)
	comes("whom no rule could admit with it", invite(t, r, accounts.Invitation{Origin: "corp", Groups: []string{"ops"}}), accounts.ErrNotRegistered)
	code := invite(t, r, accounts.Invitation{Origin: "corp", Groups: guests, Email: "1@example.com"})
	u := comes("the right one", code, nil)
	if u.ID != waiting.ID || u.Status != identity.Active || !slices.Equal(u.Groups, guests) {
		t.Errorf("let in is %+v", u)
	}
	if _, err := r.Invitation(t.Context(), code); !errors.Is(err, accounts.ErrNoInvitation) {
		t.Errorf("Invitation afterwards = %v, want ErrNoInvitation", err)
	}
	if got := resolve(t, r, from("corp", "1", "dora")); got.ID != u.ID || !slices.Equal(got.Groups, guests) {
		t.Errorf("afterwards it is %+v", got)
	}
	if _, err := r.SetStatus(t.Context(), u.ID, identity.Disabled); err != nil {
		t.Fatal(err)
	}
	comes("who is shut out", invite(t, r, accounts.Invitation{Origin: "corp", Groups: guests}), accounts.ErrDisabled)
}
