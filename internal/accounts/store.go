package accounts

import (
	"context"
	"time"

	"gateway/internal/identity"
)

// Store keeps the register. A method that changes something has done all of it
// or nothing when it returns, and what it has done outlives the process.
type Store interface {
	Users
	Links
	Invitations
	GuestLinks
}

// Users keeps the records of people.
type Users interface {
	// CreateUser records a new user with the link that it comes in by, and with
	// a verifier if the user signs in by password. It returns ErrLoginTaken if
	// somebody has the login or had it once, ErrLinked if somebody has the key.
	CreateUser(ctx context.Context, a Account, l Link, v *Verifier) error
	// CreatePending is CreateUser for one who has yet to be let in and has no
	// password. It returns ErrFull if most users of the same status have been
	// created after since.
	CreatePending(ctx context.Context, a Account, l Link, most int, since time.Time) error
	// DeletePending removes the users who are waiting or unverified and were
	// created before a moment, and returns them. Nothing remains of them, not
	// even that their logins were taken.
	DeletePending(ctx context.Context, before time.Time) ([]Account, error)
	// UpdateUser replaces all but the id, the login and the time of creation
	// of the record whose generation is still a.Generation, and adds one to its
	// generation. It returns ErrConflict if the record has changed since, and
	// ErrNone if it is gone.
	UpdateUser(ctx context.Context, a Account) error
	// DeleteUser removes the user with links, verifier and sessions. Of the user
	// remains that the login is taken. It returns ErrNone if there is none.
	DeleteUser(ctx context.Context, id string) error
	// Account returns a user by id, or ErrNone.
	Account(ctx context.Context, id string) (Account, error)
	// AccountByLogin returns the user who has exactly this login, or ErrNone.
	AccountByLogin(ctx context.Context, login string) (Account, error)
	// Accounts returns every user, ordered by login.
	Accounts(ctx context.Context) ([]Account, error)
}

// Links keeps the ways in.
type Links interface {
	// AccountByKey returns the user who comes in by the key, and the link, or
	// ErrNone.
	AccountByKey(ctx context.Context, k identity.Key) (Account, Link, error)
	// UpdateLink replaces provider, username, address and time of the last
	// sign-in of the link with this key. It returns ErrNone if there is none.
	UpdateLink(ctx context.Context, l Link) error
	// Links returns the user's links, oldest first.
	Links(ctx context.Context, userID string) ([]Link, error)
}

// Invitations keeps what was handed out. What is past its expiry does not count.
type Invitations interface {
	// CreateInvitation records an invitation; if it is a user's, those that the
	// user had go. It returns ErrNone if there is no such user.
	CreateInvitation(ctx context.Context, i Invitation) error
	// Invitation returns the invitation of a hash, or ErrNoInvitation.
	Invitation(ctx context.Context, hash [32]byte, now time.Time) (Invitation, error)
	// Invitations returns all that count, oldest first.
	Invitations(ctx context.Context, now time.Time) ([]Invitation, error)
	// DeleteInvitation removes one by its id. It returns ErrNoInvitation.
	DeleteInvitation(ctx context.Context, id string) error
	// CreateInvited takes an invitation that is nobody's and does what
	// CreateUser does for a user without a password, or neither. The first
	// caller wins, the others get ErrNoInvitation.
	CreateInvited(ctx context.Context, hash [32]byte, now time.Time, a Account, l Link) error
	// UpdateInvited takes an invitation that is nobody's and does what UpdateUser
	// does, or neither.
	UpdateInvited(ctx context.Context, hash [32]byte, now time.Time, a Account) error
	// VerifierVersion returns the version of the user's verifier, 0 if there is none.
	VerifierVersion(ctx context.Context, userID string) (int64, error)
	// SetVerifier takes an invitation of the user, records the verifier, whose
	// version is one more than the last, and removes the user's sessions and
	// other invitations; or none of that. The first caller wins, the others get
	// ErrNoInvitation; ErrConflict is for another version.
	SetVerifier(ctx context.Context, hash [32]byte, now time.Time, userID string, v Verifier) error
}

// GuestLinks keeps what guests were given. What is past its expiry does not count.
type GuestLinks interface {
	// CreateGuest keeps a guest link.
	CreateGuest(ctx context.Context, g Guest) error
	// GuestByHash returns a link, used up or not, or ErrNoGuest.
	GuestByHash(ctx context.Context, hash [32]byte, now time.Time) (Guest, error)
	// Guest returns a link by its id, used up or not, or ErrNoGuest.
	Guest(ctx context.Context, id string, now time.Time) (Guest, error)
	// Guests returns all, oldest first.
	Guests(ctx context.Context, now time.Time) ([]Guest, error)
	// OpenGuest counts an opening. It returns ErrNoGuest if there is none left.
	OpenGuest(ctx context.Context, hash [32]byte, now time.Time) error
	// DeleteGuest removes a link. It returns ErrNoGuest.
	DeleteGuest(ctx context.Context, id string) error
}
