package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gateway/internal/identity"
)

// Registration says what becomes of a sound identity that nobody has.
type Registration string

// The kinds of registration. The empty one is closed.
const (
	Closed   Registration = "closed"   // it is refused
	Open     Registration = "open"     // it becomes a user, if some rule could ever admit the person
	Approval Registration = "approval" // likewise, but the user waits until an admin approves
	Invited  Registration = "invite"   // it is refused without an invitation
)

// Origin is what the register has to know of a door.
type Origin struct {
	Registration Registration
	// LoginClaim says that the door's usernames were chosen to be logins, by the
	// configuration of a claim. Without it a new user's login is origin:subject:
	// at most providers people choose their username, and could choose another's.
	LoginClaim bool
	// RequireVerified makes a new user whose address the provider does not vouch
	// for unverified, until it does.
	RequireVerified bool
}

// Register is the register. It is used by pointer and safe for concurrent use
// once its fields are set.
type Register struct {
	Store   Store
	Origins map[string]Origin // by the door's id; doors that are missing are closed
	// Admit reports whether some rule could ever admit the person. Nil admits nobody.
	Admit func(identity.Principal) bool
	// Login returns the canonical form of a login, or an error if it cannot be
	// one. Nil: nobody can be added by login, and no claim becomes one.
	Login func(raw string) (string, error)
	// Registered is told of each user whom a sign-in has made. Nil: nobody is.
	Registered func(ctx context.Context, u identity.User, origin string)
	// Cache holds users between the checks. Registers over the same store share
	// one: each has to know what another changed. Nil: every check asks the store.
	Cache *Cache
	Now   func() time.Time
}

// now returns the time as it is stored: UTC, microseconds.
func (r *Register) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

func (r *Register) clock() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// maxAttempts bounds how often a change starts over because another one came
// between its reading and its writing.
const maxAttempts = 16

// Resolve returns the user whom the identity belongs to, and makes one where
// the origin's registration is open. It brings the name and the address of a
// foreign user up to what the identity says, unless an admin has set them; an
// address is verified only if the provider says so.
//
// It returns ErrNotRegistered, ErrDisabled, ErrUnverified, or ErrWaiting, the
// last two together with the user.
func (r *Register) Resolve(ctx context.Context, id identity.Identity) (identity.User, error) {
	id, err := sound(id)
	if err != nil {
		return identity.User{}, err
	}
	if id.Issuer == identity.Local {
		return r.local(ctx, id)
	}
	for range maxAttempts {
		a, l, err := r.Store.AccountByKey(ctx, id.Key)
		switch {
		case errors.Is(err, ErrNone):
			a, err = r.register(ctx, id)
		case err == nil:
			a, err = r.signIn(ctx, a, l, id)
		}
		switch {
		case errors.Is(err, ErrConflict), errors.Is(err, ErrLinked), errors.Is(err, ErrNone):
			continue // another sign-in or an admin was faster: look again
		case errors.Is(err, ErrWaiting), errors.Is(err, ErrUnverified):
			return a.User, err
		case err != nil:
			return identity.User{}, err
		}
		return a.User, nil
	}
	return identity.User{}, fmt.Errorf("sign-in of %s: %w", id.Provider, ErrConflict)
}

// local returns the user who comes in by password. All that is known of such a
// user is ours, so memory answers, which is what the check asks too.
func (r *Register) local(ctx context.Context, id identity.Identity) (identity.User, error) {
	u, err := r.User(ctx, id.Subject)
	switch {
	case errors.Is(err, ErrNone):
		return identity.User{}, fmt.Errorf("%w: %w", ErrNotRegistered, err)
	case err != nil:
		return identity.User{}, err
	}
	switch err := admitted(u.Status); {
	case errors.Is(err, ErrWaiting), errors.Is(err, ErrUnverified):
		return u, err
	case err != nil:
		return identity.User{}, err
	}
	now := r.now()
	if now.Sub(r.Cache.signedIn(u.ID)).Abs() < time.Minute {
		return u, nil
	}
	err = r.Store.UpdateLink(ctx, Link{Key: id.Key, Provider: id.Provider, Username: u.Login, Email: u.Email, LastSignIn: now})
	switch {
	case errors.Is(err, ErrNone): // deleted since, or with no way in by password
		return identity.User{}, fmt.Errorf("%w: %w", ErrNotRegistered, err)
	case err != nil:
		return identity.User{}, err
	}
	r.Cache.signIn(u.ID, now)
	return u, nil
}

// signIn notes that a known user comes in.
func (r *Register) signIn(ctx context.Context, a Account, l Link, id identity.Identity) (Account, error) {
	if a.Status == identity.Unverified {
		return r.confirm(ctx, a, l, id)
	}
	if err := admitted(a.Status); err != nil {
		return a, err
	}
	if fresh := refreshed(a, id); fresh != a.profile() {
		a.Name, a.Email, a.EmailVerified = fresh.name, fresh.email, fresh.verified
		if err := r.update(ctx, &a); err != nil {
			return Account{}, err
		}
	}
	seen := l
	seen.Provider, seen.Username, seen.Email = id.Provider, id.Username, id.Email
	now := r.now()
	if seen == l && now.Sub(l.LastSignIn).Abs() < time.Minute {
		return a, nil
	}
	seen.LastSignIn = now
	return a, r.Store.UpdateLink(ctx, seen)
}

// profile is what a sign-in may change of a user.
type profile struct {
	name, email string
	verified    bool
}

func (a Account) profile() profile { return profile{a.Name, a.Email, a.EmailVerified} }

// refreshed returns the account's profile after a sign-in with the identity.
func refreshed(a Account, id identity.Identity) profile {
	p := a.profile()
	if !a.NameSet {
		p.name = id.Name
	}
	if !a.EmailSet {
		p.email, p.verified = id.Email, id.EmailVerified
	}
	return p
}

// update writes the account, whatever the cache holds of it.
func (r *Register) update(ctx context.Context, a *Account) error {
	defer r.Cache.drop(a.ID) // after a failure too: it may have been written
	if err := r.Store.UpdateUser(ctx, *a); err != nil {
		return err
	}
	a.Generation++
	return nil
}
