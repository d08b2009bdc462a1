package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gateway/internal/identity"
)

// NewID returns a fresh user id: 130 random bits in base32.
func NewID() string { return rand.Text() }

// reserved are logins that no claim gives: they mean something to the policy
// or to people who read them.
var reserved = []string{
	"admin", "administrator", "anonymous", "everyone", "gateway", "guest", "local", "nobody",
	"operator", "postmaster", "root", "security", "signed-in", "staff", "support", "system", "webmaster",
}

// register makes a user of an identity that nobody has.
func (r *Register) register(ctx context.Context, id identity.Identity) (Account, error) {
	var status identity.Status
	switch r.Origins[id.Provider].Registration {
	case Open:
		status = identity.Active
		if r.Origins[id.Provider].lacksProof(id) {
			status = identity.Unverified
		}
	case Approval:
		status = identity.Waiting
	case Invited, Closed:
		fallthrough
	default:
		return Account{}, fmt.Errorf("registration of %s is closed: %w", id.Provider, ErrNotRegistered)
	}
	a, err := r.newcomer(ctx, id, nil, status, func(a Account, l Link) error {
		if a.Status == identity.Active {
			return r.Store.CreateUser(ctx, a, l, nil)
		}
		return r.Store.CreatePending(ctx, a, l, maxPending, a.Created.Add(-patience))
	})
	if err != nil {
		return a, err
	}
	return a, admitted(a.Status)
}

// newcomer makes a user of an identity that nobody has, by the best login that
// is free and under which some rule could ever admit the person in the groups,
// and tells of it.
func (r *Register) newcomer(ctx context.Context, id identity.Identity, groups []string, status identity.Status, create func(Account, Link) error) (Account, error) {
	now := r.now()
	l := Link{Key: id.Key, Provider: id.Provider, Username: id.Username, Email: id.Email, Linked: now, LastSignIn: now}
	refusal := errors.New("no rule could ever admit the person")
	asked := id
	if status == identity.Unverified {
		asked.EmailVerified = id.Email != "" // it will be, before they come in
	}
	for _, login := range r.logins(id) {
		if !r.admits(asked, login, groups) {
			continue
		}
		a := Account{User: identity.User{
			ID: NewID(), Login: login, Name: id.Name, Email: id.Email, EmailVerified: id.EmailVerified,
			Groups: groups, Status: status, Created: now, Generation: 1,
		}}
		l.UserID = a.ID
		switch err := create(a, l); {
		case errors.Is(err, ErrLoginTaken):
			refusal = err
			continue
		case errors.Is(err, ErrFull):
			return Account{}, fmt.Errorf("%w: %w", ErrNotRegistered, err)
		case err != nil:
			return Account{}, err
		}
		if r.Registered != nil {
			r.Registered(ctx, a.User, id.Provider)
		}
		return a, nil
	}
	return Account{}, fmt.Errorf("%w: %w", ErrNotRegistered, refusal)
}

// admits reports whether some rule could ever admit the identity under a login
// and in our own groups.
func (r *Register) admits(id identity.Identity, login string, groups []string) bool {
	return r.Admit != nil && r.Admit(identity.Principal{
		Login: login, Name: id.Name, Email: id.Email, EmailVerified: id.EmailVerified,
		Groups: identity.Merge(id.Groups, groups), Origin: id.Provider, AuthTime: id.AuthTime,
	})
}

// returns bounds how often one foreign person can be deleted and come back.
const returns = 9

// logins returns the logins that a new foreign user may have, the best first:
// the claimed one, origin:subject, and for one who was deleted and comes back
// origin:subject~2 and so on, since no login is given twice.
func (r *Register) logins(id identity.Identity) []string {
	var all []string
	if claimed, ok := r.claimed(id); ok {
		all = append(all, claimed)
	}
	own := id.Provider + ":" + escape(id.Subject)
	all = append(all, own)
	for n := 2; n <= returns; n++ {
		all = append(all, fmt.Sprintf("%s~%d", own, n))
	}
	return all
}

// claimed returns the username as a login, if its origin says that it is one
// and everybody may have it.
func (r *Register) claimed(id identity.Identity) (string, bool) {
	if !r.Origins[id.Provider].LoginClaim {
		return "", false
	}
	login, err := r.canonical(id.Username)
	return login, err == nil && !slices.Contains(reserved, login)
}

// canonical returns the canonical form of a login without a colon, which would
// be origin:subject.
func (r *Register) canonical(raw string) (string, error) {
	if r.Login == nil {
		return "", errors.New("accounts: Register.Login is not set")
	}
	login, err := r.Login(raw)
	switch {
	case err != nil:
		return "", fmt.Errorf("login: %w: %w", ErrInvalid, err)
	case login == "" || strings.ContainsAny(login, ":@"):
		return "", fmt.Errorf("login is empty or has a colon or an at sign: %w", ErrInvalid)
	}
	return login, nil
}

// escape writes a subject so that different ones stay different wherever a
// login is shown or sent: all but visible ASCII, and our own marks, as %XX.
func escape(subject string) string {
	var b strings.Builder
	for i := range len(subject) {
		if c := subject[i]; c <= ' ' || c >= 0x7f || c == '%' || c == '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
