package sessions

import (
	"context"
	"time"
)

// Code is a hand-off code as it is kept: the code itself is never stored.
type Code struct {
	Hash     [32]byte // of the code
	Flow     string   // the sign-in flow of the app host it answers
	Audience string   // the app origin where alone it counts
	Parent   string   // the portal session whose child it makes
	Nonce    [32]byte // hash of the nonce in the browser's cookie at the app host
	Target   string   // where the browser goes afterwards
	Expires  time.Time
}

// Codes keeps hand-off codes until they are taken.
type Codes interface {
	// PutCode keeps a code. The engine may drop codes past their Expires at any time.
	PutCode(ctx context.Context, c Code) error
	// TakeCode removes and returns the code with that hash, audience and nonce
	// and Expires > now, in one step: the first caller wins, all others get
	// ErrNoCode. Another audience or nonce is ErrNoCode and takes nothing.
	TakeCode(ctx context.Context, hash [32]byte, audience string, nonce [32]byte, now time.Time) (Code, error)
}
