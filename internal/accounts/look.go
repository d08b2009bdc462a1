package accounts

import (
	"context"
	"errors"

	"gateway/internal/identity"
)

// ByLogin returns the user who has the login, in canonical form or any other,
// or ErrNone.
func (r *Register) ByLogin(ctx context.Context, login string) (identity.User, error) {
	a, err := r.Store.AccountByLogin(ctx, login)
	if !errors.Is(err, ErrNone) {
		return a.User, err
	}
	canonical, bad := r.canonical(login)
	if bad != nil || canonical == login {
		return identity.User{}, err
	}
	a, err = r.Store.AccountByLogin(ctx, canonical)
	return a.User, err
}

// List returns every user, ordered by login.
func (r *Register) List(ctx context.Context) ([]identity.User, error) {
	all, err := r.Store.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	users := make([]identity.User, len(all))
	for i, a := range all {
		users[i] = a.User
	}
	return users, nil
}

// Show returns all that is recorded of a user but the verifier: the account and
// the ways in, oldest first. It returns ErrNone.
func (r *Register) Show(ctx context.Context, id string) (Account, []Link, error) {
	a, err := r.Store.Account(ctx, id)
	if err != nil {
		return Account{}, nil, err
	}
	links, err := r.Store.Links(ctx, id)
	return a, links, err
}
