package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"gateway/internal/identity"
	"gateway/internal/once"
	"gateway/internal/secret"
)

// What else the register answers where it is brought an invitation.
var (
	// ErrNoInvitation: there is no such invitation, or it was used, withdrawn or
	// is too old.
	ErrNoInvitation = errors.New("accounts: no such invitation")
	// ErrOtherEmail: the invitation is for an e-mail address that the provider
	// does not vouch for. It also is ErrNotRegistered.
	ErrOtherEmail = errors.New("accounts: invited by another e-mail address")
)

// Purpose is what an invitation opens.
type Purpose string

// The purposes of invitations.
const (
	Join  Purpose = "invite" // whoever holds it becomes a user, by the door that it names
	Enrol Purpose = "enrol"  // its user, who has no password yet, chooses one
	Reset Purpose = "reset"  // its user chooses another password
)

// Invitation is a link that an admin hands out. It opens one thing, once.
type Invitation struct {
	ID      string // for admins: it opens nothing
	Hash    [32]byte
	Purpose Purpose
	Origin  string   // the door
	UserID  string   // whose password it sets; empty for Join
	Email   string   // of Join: the provider has to vouch for this address. Empty: for any
	Groups  []string // of Join: our own groups, given to the new user
	Created time.Time
	Expires time.Time
}

// How long an invitation may last.
const (
	shortest = time.Minute
	longest  = 30 * 24 * time.Hour
)

// hashOf returns what is kept of the secret of an invitation.
func hashOf(code secret.Text) [32]byte { return once.Hash("invitation", code.Reveal()) }

// Invite records an invitation to become a user: origin, e-mail address and
// groups are those of i. It returns ErrInvalid for an origin that lets in
// nobody new, an address or a group that is none, and a lifetime that is not
// from a minute to 30 days.
func (r *Register) Invite(ctx context.Context, i Invitation, lifetime time.Duration) (Invitation, secret.Text, error) {
	groups, err := GroupEdit{Add: i.Groups}.apply(nil)
	switch {
	case err != nil:
		return Invitation{}, secret.Text{}, err
	case i.Origin == identity.Local:
		return Invitation{}, secret.Text{}, fmt.Errorf("origin %s: a login has to be chosen: %w", i.Origin, ErrInvalid)
	case !r.Origins[i.Origin].invites():
		return Invitation{}, secret.Text{}, fmt.Errorf("origin %q lets in nobody new: %w", i.Origin, ErrInvalid)
	case i.Email != "" && !validEmail(i.Email):
		return Invitation{}, secret.Text{}, fmt.Errorf("e-mail address %q: %w", i.Email, ErrInvalid)
	}
	return r.handOut(ctx, Invitation{Purpose: Join, Origin: i.Origin, Email: i.Email, Groups: groups}, lifetime)
}

// invites reports whether who is invited may come through the door.
func (o Origin) invites() bool {
	switch o.Registration {
	case Open, Approval, Invited:
		return true
	case Closed:
	default:
	}
	return false
}

// LetChoose records an invitation to choose a password, the first or another
// one. Those that the user had before count no more. It returns ErrNone, and
// ErrInvalid for a user who does not sign in by password.
func (r *Register) LetChoose(ctx context.Context, userID string, p Purpose, lifetime time.Duration) (Invitation, secret.Text, error) {
	links, err := r.Store.Links(ctx, userID)
	if err != nil {
		return Invitation{}, secret.Text{}, err
	}
	for _, l := range links {
		if l.Issuer == identity.Local {
			return r.handOut(ctx, Invitation{Purpose: p, Origin: identity.Local, UserID: userID}, lifetime)
		}
	}
	return Invitation{}, secret.Text{}, fmt.Errorf("user does not sign in by password: %w", ErrInvalid)
}

func (r *Register) handOut(ctx context.Context, i Invitation, lifetime time.Duration) (Invitation, secret.Text, error) {
	if lifetime < shortest || lifetime > longest {
		return Invitation{}, secret.Text{}, fmt.Errorf("lifetime %v is not from %v to %v: %w", lifetime, shortest, longest, ErrInvalid)
	}
	code := secret.New(rand.Text())
	i.ID, i.Hash, i.Created = rand.Text()[:12], hashOf(code), r.now()
	i.Expires = i.Created.Add(lifetime)
	if err := r.Store.CreateInvitation(ctx, i); err != nil {
		return Invitation{}, secret.Text{}, err
	}
	return i, code, nil
}

// Invitation returns the invitation of a secret that still counts, or
// ErrNoInvitation. It takes nothing.
func (r *Register) Invitation(ctx context.Context, code secret.Text) (Invitation, error) {
	if code.Empty() {
		return Invitation{}, ErrNoInvitation
	}
	return r.Store.Invitation(ctx, hashOf(code), r.now())
}

// Invitations returns those that still count, oldest first.
func (r *Register) Invitations(ctx context.Context) ([]Invitation, error) {
	return r.Store.Invitations(ctx, r.now())
}

// Withdraw ends an invitation by its id. It returns ErrNoInvitation.
func (r *Register) Withdraw(ctx context.Context, id string) error {
	return r.Store.DeleteInvitation(ctx, id)
}

// ResolveInvited is Resolve for somebody who brings an invitation. It is taken
// where it makes a new user, or lets in one who waits or is unverified, and only
// there, if some rule could ever admit the person with the groups that it gives.
// Besides what Resolve returns it returns ErrNoInvitation, ErrOtherEmail, and
// ErrUnverified without a user where the address has to be verified first.
func (r *Register) ResolveInvited(ctx context.Context, id identity.Identity, code secret.Text) (u identity.User, taken bool, err error) {
	if id, err = sound(id); err != nil {
		return identity.User{}, false, err
	}
	a, _, known := r.Store.AccountByKey(ctx, id.Key)
	pending := known == nil && (a.Status == identity.Waiting || a.Status == identity.Unverified)
	if !errors.Is(known, ErrNone) && !pending {
		u, err = r.Resolve(ctx, id) // nobody new, or it cannot be told
		return u, false, err
	}
	i, err := r.invitationOf(ctx, id, code)
	switch {
	case err != nil && pending:
		u, err = r.Resolve(ctx, id)
		return u, false, err
	case err != nil:
		return identity.User{}, false, err
	case pending:
		err = r.accept(ctx, &a, i, id)
	default:
		a, err = r.newcomer(ctx, id, i.Groups, identity.Active, func(a Account, l Link) error {
			return r.Store.CreateInvited(ctx, i.Hash, r.now(), a, l)
		})
	}
	if errors.Is(err, ErrLinked) || errors.Is(err, ErrConflict) { // in another tab, a moment ago
		u, err = r.Resolve(ctx, id)
		return u, false, err
	}
	if err != nil {
		return identity.User{}, false, err
	}
	return a.User, true, nil
}

// invitationOf returns the invitation if it is for whoever has the identity.
func (r *Register) invitationOf(ctx context.Context, id identity.Identity, code secret.Text) (Invitation, error) {
	i, err := r.Invitation(ctx, code)
	switch {
	case err != nil:
		return Invitation{}, err
	case i.Purpose != Join || i.Origin != id.Provider || !r.Origins[id.Provider].invites():
		return Invitation{}, fmt.Errorf("for another door: %w", ErrNoInvitation)
	case i.Email != "" && (!id.EmailVerified || !sameEmail(i.Email, id.Email)):
		return Invitation{}, fmt.Errorf("%w: %w", ErrNotRegistered, ErrOtherEmail)
	case r.Origins[id.Provider].lacksProof(id):
		return Invitation{}, ErrUnverified
	}
	return i, nil
}

// accept lets in a user who has yet to be let in, by an invitation.
func (r *Register) accept(ctx context.Context, a *Account, i Invitation, id identity.Identity) error {
	groups, err := GroupEdit{Add: i.Groups}.apply(a.Groups)
	if err != nil {
		return err
	}
	if !r.admits(id, a.Login, groups) {
		return fmt.Errorf("no rule could ever admit the person: %w", ErrNotRegistered)
	}
	fresh := refreshed(*a, id)
	a.Groups, a.Status = groups, identity.Active
	a.Name, a.Email, a.EmailVerified = fresh.name, fresh.email, fresh.verified
	defer r.Cache.drop(a.ID) // after a failure too: it may have been written
	return r.Store.UpdateInvited(ctx, i.Hash, r.now(), *a)
}

// sameEmail compares addresses letter by letter, whatever the case of ASCII
// letters: no provider tells people apart by that.
func sameEmail(a, b string) bool { return asciiLower(a) == asciiLower(b) }

func asciiLower(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}

// Password returns whose password an invitation sets, and which version of it
// comes next: the verifier's keys are wrapped for both. It returns
// ErrNoInvitation, also for a user who may not sign in.
func (r *Register) Password(ctx context.Context, code secret.Text, p Purpose) (u identity.User, version int64, err error) {
	i, err := r.Invitation(ctx, code)
	switch {
	case err != nil:
		return identity.User{}, 0, err
	case i.Purpose != p || i.UserID == "":
		return identity.User{}, 0, fmt.Errorf("for another purpose: %w", ErrNoInvitation)
	}
	if u, err = r.User(ctx, i.UserID); errors.Is(err, ErrNone) || (err == nil && u.Status != identity.Active) {
		return identity.User{}, 0, fmt.Errorf("user is gone or %s: %w", u.Status, ErrNoInvitation)
	}
	if err != nil {
		return identity.User{}, 0, err
	}
	version, err = r.Store.VerifierVersion(ctx, u.ID)
	return u, version + 1, err
}

// HasPassword reports whether there is a password that the user signs in by.
func (r *Register) HasPassword(ctx context.Context, userID string) (bool, error) {
	version, err := r.Store.VerifierVersion(ctx, userID)
	return version > 0, err
}

// SetPassword takes the invitation and records the verifier, for the user and
// as the version that Password has returned. All sessions of the user end, and
// all other invitations to choose a password. It returns ErrNoInvitation.
func (r *Register) SetPassword(ctx context.Context, code secret.Text, userID string, v Verifier) error {
	if v.empty() {
		return fmt.Errorf("no verifier: %w", ErrInvalid)
	}
	defer r.Cache.drop(userID)
	return r.Store.SetVerifier(ctx, hashOf(code), r.now(), userID, v)
}
