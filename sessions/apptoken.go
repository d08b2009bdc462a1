package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The answers "no" about app tokens, each an ErrNone. Any other error means
// "cannot tell".
var (
	// ErrNoToken says that there is no such app token, or no more.
	ErrNoToken = fmt.Errorf("%w: no such app token", ErrNone)
	// ErrTokenOver says that the app token has expired or was revoked.
	ErrTokenOver = fmt.Errorf("%w: app token is over", ErrNone)
	// ErrTokenElsewhere says that the app token is for another app.
	ErrTokenElsewhere = fmt.Errorf("%w: app token is for another app", ErrNone)
)

// ErrUnsound says that no app token can be made as was asked.
var ErrUnsound = errors.New("no app token")

// AppToken is the record of a token for scripts and native apps: it speaks for
// one person at one app until it expires or is revoked. Its times are UTC with
// microseconds.
type AppToken struct {
	ID       string   // for lists; it opens nothing
	Hash     [32]byte // of the token, which is kept nowhere
	UserID   string
	Provider string // the door that the person was known by when it was made
	App      string // the app's name, where alone it counts
	Name     string // for people: what it is for
	Created  time.Time
	Seen     time.Time // last use, at most an hour behind; zero: never
	Expires  time.Time
	Ended    time.Time // when it was revoked, or first brought after Expires; zero: it counts
}

// AppTokenFilter picks app tokens: those that have all that it says.
type AppTokenFilter struct{ ID, UserID, App string }

// has reports whether the filter picks a token.
func (f AppTokenFilter) has(t *AppToken) bool {
	return (f.ID == "" || f.ID == t.ID) && (f.UserID == "" || f.UserID == t.UserID) && (f.App == "" || f.App == t.App)
}

// AppTokenStore keeps app tokens. It keeps what it is given and judges no
// limits. The tokens of a user who is deleted go too. An error that is no
// ErrNoToken means "cannot tell".
type AppTokenStore interface {
	// CreateAppToken keeps a new token. It fails with ErrNoToken if its user is
	// not active at the moment of writing.
	CreateAppToken(ctx context.Context, t AppToken) error
	// AppToken returns the token of that hash, ended or not, or ErrNoToken.
	AppToken(ctx context.Context, hash [32]byte) (AppToken, error)
	// AppTokens lists the tokens that f picks, ended or not, by Created and then ID.
	AppTokens(ctx context.Context, f AppTokenFilter) ([]AppToken, error)
	// TouchAppToken sets Seen. It fails with ErrNoToken if there is none, or it
	// has ended.
	TouchAppToken(ctx context.Context, hash [32]byte, seen time.Time) error
	// EndAppTokens sets Ended of the tokens that f picks and that have not ended,
	// and returns how many these were. A token that has ended never counts again.
	EndAppTokens(ctx context.Context, f AppTokenFilter, at time.Time) (int, error)
}
