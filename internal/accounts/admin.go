package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gateway/internal/identity"
)

// New is a person whom an admin adds. The person signs in by password.
type New struct {
	ID       string // from NewID: the verifier's keys are wrapped for it
	Login    string // as typed; Register.Login makes it canonical
	Name     string
	Email    string // counts as verified, since an admin says so
	Groups   []string
	Verifier Verifier
	Chooses  bool // the password, by an invitation: there is no verifier yet
}

// Add records an active user who signs in by password, and cannot before there
// is one. It returns ErrInvalid or ErrLoginTaken.
func (r *Register) Add(ctx context.Context, n New) (identity.User, error) {
	login, err := r.canonical(n.Login)
	if err != nil {
		return identity.User{}, err
	}
	groups, err := GroupEdit{Add: n.Groups}.apply(nil)
	switch {
	case err != nil:
		return identity.User{}, err
	case n.ID == "" || n.Verifier.empty() != n.Chooses:
		return identity.User{}, fmt.Errorf("user without id or verifier: %w", ErrInvalid)
	case plain(n.Name) != n.Name:
		return identity.User{}, fmt.Errorf("name %q: %w", n.Name, ErrInvalid)
	case n.Email != "" && !validEmail(n.Email):
		return identity.User{}, fmt.Errorf("e-mail address %q: %w", n.Email, ErrInvalid)
	}
	now := r.now()
	a := Account{
		User: identity.User{
			ID: n.ID, Login: login, Name: n.Name, Email: n.Email, EmailVerified: n.Email != "",
			Groups: groups, Status: identity.Active, Created: now, Generation: 1,
		},
		NameSet: n.Name != "", EmailSet: n.Email != "",
	}
	l := Link{
		Key: identity.Key{Issuer: identity.Local, Subject: a.ID}, UserID: a.ID,
		Provider: identity.Local, Username: login, Email: n.Email, Linked: now,
	}
	v := &n.Verifier
	if n.Chooses {
		v = nil
	}
	if err := r.Store.CreateUser(ctx, a, l, v); err != nil {
		return identity.User{}, fmt.Errorf("login %q: %w", login, err)
	}
	return a.User, nil
}

// SetStatus gives the user a status. Ending the sessions of one who may no
// longer sign in is the caller's business. It returns ErrNone or ErrInvalid.
func (r *Register) SetStatus(ctx context.Context, id string, s identity.Status) (identity.User, error) {
	switch s {
	case identity.Active, identity.Waiting, identity.Unverified, identity.Disabled:
	default:
		return identity.User{}, fmt.Errorf("status %q: %w", s, ErrInvalid)
	}
	return r.change(ctx, id, func(a *Account) error {
		a.Status = s
		return nil
	})
}

// GroupEdit is a change of a user's own groups. Removing comes before adding.
type GroupEdit struct {
	Replace bool // begin with none
	Remove  []string
	Add     []string
}

// SetGroups changes the user's own groups and returns the user with them,
// sorted. It returns ErrNone, or ErrInvalid for a name that is no group, one
// with a colon, and more than 256 groups.
func (r *Register) SetGroups(ctx context.Context, id string, edit GroupEdit) (identity.User, error) {
	return r.change(ctx, id, func(a *Account) (err error) {
		a.Groups, err = edit.apply(a.Groups)
		return err
	})
}

// apply returns the groups after the edit.
func (e GroupEdit) apply(groups []string) ([]string, error) {
	for _, g := range e.Add {
		if err := ownGroup(g); err != nil {
			return nil, err
		}
	}
	if e.Replace {
		groups = nil
	}
	kept := slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return slices.Contains(e.Remove, g) })
	groups = identity.Merge(kept, e.Add)
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("%d groups, at most %d: %w", len(groups), maxGroups, ErrInvalid)
	}
	return groups, nil
}

// Delete removes the user for good, with links, password and sessions. The
// login stays taken. It returns ErrNone.
func (r *Register) Delete(ctx context.Context, id string) error {
	defer r.Cache.drop(id) // after a failure too: it may have been done
	return r.Store.DeleteUser(ctx, id)
}

// change applies a change to the user as recorded, again if somebody else was
// faster. A change that changes nothing writes nothing.
func (r *Register) change(ctx context.Context, id string, edit func(*Account) error) (identity.User, error) {
	for range maxAttempts {
		a, err := r.Store.Account(ctx, id)
		if err != nil {
			return identity.User{}, err
		}
		before := a
		if err := edit(&a); err != nil {
			return identity.User{}, err
		}
		if a.Status == before.Status && slices.Equal(a.Groups, before.Groups) {
			return a.User, nil
		}
		switch err := r.update(ctx, &a); {
		case err == nil:
			return a.User, nil
		case !errors.Is(err, ErrConflict):
			return identity.User{}, err
		}
	}
	return identity.User{}, fmt.Errorf("user %s: %w", id, ErrConflict)
}
