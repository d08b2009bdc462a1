// Package sessions is the key of the house. A person who came through a door
// gets a session: a record in the Store and a token (a JWT) that names it. The
// token travels, the record is the truth: a token counts only at the audience
// it was made for and only while its record is live, so that sessions can be
// listed and revoked at once.
//
// A session without parent is a portal session, the single sign-on; each app
// host gets a child of it by a hand-off code. A child lives no longer than its
// parent, and use of a child is use of its parent. An app may have limits of its
// own, for its children alone.
//
// The package also makes the assertions that tell apps who is there. Nobody
// but this package reads or writes JWTs of the gateway.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gateway/internal/identity"
)

// The answers "no". Any other error of this package means "cannot tell".
var (
	// ErrNone says that there is no such live session.
	ErrNone = errors.New("sessions: no such session")
	// ErrExpired says that the session has reached its idle or absolute limit. It is an ErrNone.
	ErrExpired = fmt.Errorf("%w: expired", ErrNone)
	// ErrTooLongAgo says that a session at an app wants a newer sign-in than that of its portal session.
	ErrTooLongAgo = errors.New("sessions: the sign-in is too long ago for this app")
	// ErrMalformed says that a text is no session token of ours for this audience.
	ErrMalformed = errors.New("sessions: not a session token for this audience")
	// ErrNoCode says that there is no such hand-off code for this audience and nonce: never made, used or expired.
	ErrNoCode = errors.New("sessions: no such hand-off code")
)

// Session is the record of a sign-in. Its times are UTC with microseconds.
// Groups and AMR may be shared between copies: whoever reads a Session leaves
// them unchanged.
type Session struct {
	ID        string // random, at least 128 bits; the token's sid
	Parent    string // the portal session's ID; empty for a session that has none
	Audience  string // the portal URL or an app origin: where its token counts
	UserID    string
	Key       identity.Key // who came through the door
	Provider  string       // which door: a provider's id, or identity.Local
	ForeignID string       // the provider's own session id (sid of OpenID Connect Back-Channel Logout 1.0), or empty
	Groups    []string     // of the identity that opened the session, not of the user
	AMR       []string     // the factors (RFC 8176)
	AuthTime  time.Time    // when the person last proved who they are; zero: nobody said
	Created   time.Time
	Seen      time.Time // last use, at most five minutes behind
	Expires   time.Time // absolute limit
	Address   string    // where it was opened from, shown in lists; decides nothing
	UserAgent string    // at most 256 bytes; decides nothing
}

// Store keeps sessions. It keeps what it is given and judges no limits, but
// for DeleteExpiredSessions. An ID is never used twice. An error that is no
// ErrNone means "cannot tell". A write that has returned, with an error or
// without, changes nothing later.
type Store interface {
	// CreateSession keeps a new session. It fails with ErrNone if s has a
	// Parent and no session of that ID exists at the moment of writing.
	CreateSession(ctx context.Context, s Session) error
	// Session returns the session of that ID, or ErrNone.
	Session(ctx context.Context, id string) (Session, error)
	// TouchSession sets Seen of the session and, if it has a parent, of the
	// parent to the same time. It fails with ErrNone if there is no such session.
	TouchSession(ctx context.Context, id string, seen time.Time) error
	// TouchSessions sets Seen of the sessions of those IDs, and of no others.
	// Those that are not there are left out.
	TouchSessions(ctx context.Context, ids []string, seen time.Time) error
	// DeleteSession removes the session and all sessions whose Parent it is,
	// and returns how many it removed. Removing none is no error, and a child
	// that outlived its parent goes too.
	DeleteSession(ctx context.Context, id string) (int, error)
	// DeleteSessionsOf removes all sessions of a user and returns how many.
	DeleteSessionsOf(ctx context.Context, userID string) (int, error)
	// DeleteExpiredSessions removes every session with Expires <= now, every
	// session without parent with Seen+idle <= now, and the children of both;
	// it returns how many it removed. A child's own Seen does not end it.
	DeleteExpiredSessions(ctx context.Context, now time.Time, idle time.Duration) (int, error)
	// Sessions lists the sessions of a user, or of everybody if userID is
	// empty, by Created and then ID.
	Sessions(ctx context.Context, userID string) ([]Session, error)
}
