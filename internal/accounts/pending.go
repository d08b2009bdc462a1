package accounts

import (
	"context"
	"fmt"
	"time"

	"gateway/internal/identity"
)

// Bounds of what those can take up who have yet to be let in: strangers do not
// fill the store, and do not hold the places of others for ever.
const (
	maxPending = 100 // of each status
	patience   = 30 * 24 * time.Hour
)

// Approve lets in a user who waits or whose address is not verified; that it is
// verified is not said by that. One who is active stays so; ErrInvalid for one
// who is disabled. It returns ErrNone.
func (r *Register) Approve(ctx context.Context, id string) (identity.User, error) {
	return r.change(ctx, id, func(a *Account) error {
		switch a.Status {
		case identity.Active, identity.Waiting, identity.Unverified:
			a.Status = identity.Active
			return nil
		case identity.Disabled:
		default:
		}
		return fmt.Errorf("user is %s: %w", a.Status, ErrInvalid)
	})
}

// Forget removes those who have waited for too long, and returns them. They
// were never let in, so nothing remains of them: not even the login is taken.
func (r *Register) Forget(ctx context.Context) ([]identity.User, error) {
	gone, err := r.Store.DeletePending(ctx, r.now().Add(-patience))
	users := make([]identity.User, len(gone))
	for i, a := range gone {
		users[i] = a.User
		r.Cache.drop(a.ID)
	}
	return users, err
}

// lacksProof reports whether a new user has yet to have the provider vouch for
// the address.
func (o Origin) lacksProof(id identity.Identity) bool { return o.RequireVerified && !id.EmailVerified }

// confirm lets in a user whose address was not verified, once it is, where the
// door is still open and some rule could ever admit the person with it.
func (r *Register) confirm(ctx context.Context, a Account, l Link, id identity.Identity) (Account, error) {
	o := r.Origins[id.Provider]
	switch {
	case o.lacksProof(id), o.Registration != Open:
		return a, ErrUnverified
	case !r.admits(id, a.Login, a.Groups):
		return Account{}, fmt.Errorf("no rule could ever admit the person: %w", ErrNotRegistered)
	}
	a.Status = identity.Active
	if err := r.update(ctx, &a); err != nil {
		return Account{}, err
	}
	return r.signIn(ctx, a, l, id)
}
