package localauth

import "gateway/internal/identity"

// Want says what a sign-in is to be redeemed for.
type Want uint8

// What a sign-in can be redeemed for.
const (
	WantCookie Want = iota // a session cookie: the challenge is bound to a browser
	WantToken              // a token in the answer: there is no browser
)

// Challenge answers a client-first message.
type Challenge struct {
	ID          string // the sealed state; its length is the same for everybody
	ServerFirst string // RFC 5802, section 7: server-first-message
}

// Reply is what comes back.
type Reply struct {
	Username    string // canonicalises to the login that the challenge was made for
	ChallengeID string
	ClientFinal string // RFC 5802, section 7: client-final-message
}

// Outcome is a sign-in that succeeded.
type Outcome struct {
	Identity    identity.Identity
	UserID      string
	ServerFinal string // RFC 5802, section 7: proves to the client that we know its verifier
}
