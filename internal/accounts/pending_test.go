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
