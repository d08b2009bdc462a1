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

// Approve lets in a user who waits or whose address is not confirmed. One who
// is active stays so; ErrInvalid for one who is disabled. It returns ErrNone.
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
