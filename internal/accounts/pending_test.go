package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gateway/internal/accounts"
	"gateway/internal/identity"
)

// newWaitingRoom has the door corp, where an admin approves, and a clock.
func newWaitingRoom(t *testing.T) (r *accounts.Register, pass func(time.Duration)) {
	t.Helper()
	now := noon
	r = newRegister(t, newStore(t))
	r.Origins["corp"] = accounts.Origin{Registration: accounts.Approval, LoginClaim: true}
	r.Now = func() time.Time { return now }
	return r, func(d time.Duration) { now = now.Add(d) }
}

// waits resolves somebody who has to wait.
func waits(t *testing.T, r *accounts.Register, id identity.Identity) identity.User {
	t.Helper()
	u, err := r.Resolve(t.Context(), id)
	if !errors.Is(err, accounts.ErrWaiting) || u.Status != identity.Waiting || u.ID == "" {
		t.Fatalf("Resolve(%v) = %+v, %v; want somebody who waits", id.Key, u, err)
	}
	return u
}

func TestApproval(t *testing.T) {
	r, _ := newWaitingRoom(t)
	var told []string
	r.Registered = func(_ context.Context, u identity.User, origin string) {
		told = append(told, u.Login+" "+origin+" "+string(u.Status))
	}
	u := waits(t, r, from("corp", "1", "dora"))
	if again := waits(t, r, from("corp", "1", "dora")); again.ID != u.ID || u.Login != "dora" {
		t.Errorf("the second time it is %+v, want %+v", again, u)
	}
	if got, err := r.Approve(t.Context(), u.ID); err != nil || got.Status != identity.Active {
		t.Fatalf("Approve = %+v, %v", got, err)
	}
	if got := resolve(t, r, from("corp", "1", "dora")); got.ID != u.ID {
		t.Errorf("approved is %+v, want %+v", got, u)
	}
	if got, err := r.Approve(t.Context(), u.ID); err != nil || got.Generation != 2 {
		t.Errorf("approving twice = %+v, %v; want no change", got, err)
	}
	if _, err := r.SetStatus(t.Context(), u.ID, identity.Disabled); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Approve(t.Context(), u.ID); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("Approve of one who is disabled = %v, want ErrInvalid", err)
	}
	if _, err := r.Approve(t.Context(), "nobody"); !errors.Is(err, accounts.ErrNone) {
		t.Errorf("Approve of nobody = %v, want ErrNone", err)
	}
	if fmt.Sprint(told) != "[dora corp waiting]" {
		t.Errorf("told of %v, want dora, once", told)
	}
}

// Nobody waits whom no rule could ever admit.
func TestApprovalAsksTheRules(t *testing.T) {
	r, _ := newWaitingRoom(t)
	mallory := from("corp", "1", "mallory")
	mallory.Name = "Mallory"
	if u, err := r.Resolve(t.Context(), mallory); !errors.Is(err, accounts.ErrNotRegistered) || u.ID != "" {
		t.Errorf("Resolve = %+v, %v; want ErrNotRegistered", u, err)
	}
	if all, err := r.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("List = %v, %v; want nobody", all, err)
	}
}

// At most a hundred wait, however many come at once, and only for a month.
func TestWaitingHasBounds(t *testing.T) {
	r, pass := newWaitingRoom(t)
	errs := make([]error, 130)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = r.Resolve(t.Context(), from("corp", fmt.Sprint(i), "")) })
	}
	all.Wait()
	count := map[string]int{}
	for _, err := range errs {
		switch {
		case errors.Is(err, accounts.ErrWaiting):
			count["waits"]++
		case errors.Is(err, accounts.ErrNotRegistered) && errors.Is(err, accounts.ErrFull):
			count["full"]++
		default:
			t.Errorf("Resolve = %v", err)
		}
	}
	if count["waits"] != 100 || count["full"] != 30 {
		t.Errorf("%v, want 100 who wait", count)
	}
	if u := resolve(t, r, from("google", "1", "")); u.Status != identity.Active {
		t.Errorf("another door: %+v", u)
	}
	pass(30 * 24 * time.Hour)
	late := waits(t, r, from("corp", "late", "")) // the others do not count any more, though nobody has swept
	gone, err := r.Forget(t.Context())
	if err != nil || len(gone) != 0 { // not yet before the moment
		t.Fatalf("Forget = %d, %v", len(gone), err)
	}
	pass(time.Minute)
	if gone, err = r.Forget(t.Context()); err != nil || len(gone) != 100 {
		t.Fatalf("Forget = %d, %v; want all but the last", len(gone), err)
	}
	for _, u := range gone {
		if _, err := r.User(t.Context(), u.ID); !errors.Is(err, accounts.ErrNone) {
			t.Errorf("User of one who is forgotten = %v, want ErrNone", err)
		}
	}
	if u, err := r.User(t.Context(), late.ID); err != nil || u.Status != identity.Waiting {
		t.Errorf("the last one is %+v, %v", u, err)
	}
}

// doubtful is an identity whose address the provider does not vouch for.
func doubtful(subject string) identity.Identity {
	id := from("google", subject, "")
	id.EmailVerified = false
	return id
}

// Whose address is not verified is known, and let in once it is, or once an
// admin says so.
func TestUnverified(t *testing.T) {
	r, pass := newWaitingRoom(t)
	proof := accounts.Origin{Registration: accounts.Open, RequireVerified: true}
	r.Origins["google"] = proof
	refused := func(story string, id identity.Identity, want error) identity.User {
		t.Helper()
		u, err := r.Resolve(t.Context(), id)
		if !errors.Is(err, want) {
			t.Errorf("%s: Resolve = %+v, %v, want %v", story, u, err, want)
		}
		return u
	}
	u := refused("at first", doubtful("1"), accounts.ErrUnverified)
	if u.Status != identity.Unverified || u.EmailVerified || u.Login != "google:1" {
		t.Errorf("known is %+v", u)
	}
	if again := refused("again", doubtful("1"), accounts.ErrUnverified); again.ID != u.ID {
		t.Errorf("again it is %+v, want %+v", again, u)
	}
	r.Admit = func(p identity.Principal) bool { return p.EmailVerified && p.Email == "1@example.com" }
	other := from("google", "1", "")
	other.Email = "other@example.com"
	refused("verified is an address that no rule admits", other, accounts.ErrNotRegistered)
	r.Origins["google"] = accounts.Origin{Registration: accounts.Closed, RequireVerified: true}
	refused("the door has closed", from("google", "1", ""), accounts.ErrUnverified)
	r.Origins["google"] = proof
	if in := resolve(t, r, from("google", "1", "")); in.ID != u.ID || in.Status != identity.Active || !in.EmailVerified {
		t.Errorf("with a verified address it is %+v", in)
	}
	if in := resolve(t, r, doubtful("1")); in.Status != identity.Active || in.EmailVerified {
		t.Errorf("who is active stays so, without a verified address: %+v", in)
	}

	refused("whom no rule could admit, verified or not", doubtful("2"), accounts.ErrNotRegistered)
	r.Admit = func(identity.Principal) bool { return true }
	nobody := doubtful("2")
	nobody.Email = ""
	second := refused("without an address", nobody, accounts.ErrUnverified)
	if in, err := r.Approve(t.Context(), second.ID); err != nil || in.Status != identity.Active || in.EmailVerified {
		t.Errorf("Approve = %+v, %v; want no address that counts as verified", in, err)
	}
	resolve(t, r, nobody)

	for i := range 100 {
		refused("there is room", doubtful(fmt.Sprint("many", i)), accounts.ErrUnverified)
	}
	refused("there is none", doubtful("late"), accounts.ErrFull)
	if in := resolve(t, r, from("google", "verified", "")); in.Status != identity.Active {
		t.Errorf("with a verified address there always is: %+v", in)
	}
	pass(31 * 24 * time.Hour)
	if gone, err := r.Forget(t.Context()); err != nil || len(gone) != 100 {
		t.Errorf("Forget = %d, %v; want all who were not confirmed", len(gone), err)
	}
}

// An invitation is no proof of an address: nothing is recorded and none used up.
func TestInvitedUnverified(t *testing.T) {
	r, _ := newWaitingRoom(t)
	r.Origins["google"] = accounts.Origin{Registration: accounts.Invited, RequireVerified: true}
	code := invite(t, r, accounts.Invitation{Origin: "google"})
	if u, taken, err := r.ResolveInvited(t.Context(), doubtful("1"), code); !errors.Is(err, accounts.ErrUnverified) || taken || u.ID != "" {
		t.Errorf("ResolveInvited = %+v, %v, %v; want ErrUnverified", u, taken, err)
	}
	if u, taken, err := r.ResolveInvited(t.Context(), from("google", "1", ""), code); err != nil || !taken || u.Status != identity.Active {
		t.Errorf("ResolveInvited = %+v, %v, %v; want an active user", u, taken, err)
	}
}
