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
	status, may := r.Origins[id.Provider].newcomer()
	if !may {
		return Account{}, fmt.Errorf("registration of %s is closed: %w", id.Provider, ErrNotRegistered)
	}
	now := r.now()
	l := Link{Key: id.Key, Provider: id.Provider, Username: id.Username, Email: id.Email, Linked: now, LastSignIn: now}
	refusal := errors.New("no rule could ever admit the person")
	for _, login := range r.logins(id) {
		if !r.admits(id, login) {
			continue
		}
		a := Account{User: identity.User{
			ID: NewID(), Login: login, Name: id.Name, Email: id.Email, EmailVerified: id.EmailVerified,
			Status: status, Created: now, Generation: 1,
		}}
		l.UserID = a.ID
		err := r.create(ctx, a, l)
		if err == nil {
			return a, admitted(a.Status)
		}
		if !errors.Is(err, ErrLoginTaken) {
			return Account{}, err
		}
		refusal = err
	}
	return Account{}, fmt.Errorf("%w: %w", ErrNotRegistered, refusal)
}

// newcomer returns the status of a new user of the origin, if there may be any.
func (o Origin) newcomer() (s identity.Status, may bool) {
	switch o.Registration {
	case Open:
		return identity.Active, true
	case Approval:
		return identity.Waiting, true
	case Closed:
	default:
	}
	return "", false
}

// create records a new user, where there is room for those who are yet to be
// let in, and tells of it.
func (r *Register) create(ctx context.Context, a Account, l Link) error {
	var err error
	if a.Status == identity.Active {
		err = r.Store.CreateUser(ctx, a, l, nil)
	} else {
		err = r.Store.CreatePending(ctx, a, l, maxPending, a.Created.Add(-patience))
	}
	switch {
	case errors.Is(err, ErrFull):
		return fmt.Errorf("%w: %w", ErrNotRegistered, err)
	case err == nil && r.Registered != nil:
		r.Registered(ctx, a.User, l.Provider)
	}
	return err
}

// admits reports whether some rule could ever admit the identity under a login.
func (r *Register) admits(id identity.Identity, login string) bool {
	return r.Admit != nil && r.Admit(identity.Principal{
		Login: login, Name: id.Name, Email: id.Email, EmailVerified: id.EmailVerified,
		Groups: identity.Merge(id.Groups), Origin: id.Provider, AuthTime: id.AuthTime,
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
