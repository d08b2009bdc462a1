package localauth

// Reason says why a sign-in was refused. It is for the book alone: whoever
// tried learns nothing of it.
type Reason string

// The reasons of a refusal.
const (
	Unknown    Reason = "unknown"    // nobody signs in by password under this login
	Unreadable Reason = "unreadable" // the record is not whole, or wrapped under another pepper
	Inactive   Reason = "disabled"   // the user may not sign in, whatever the proof
	Changed    Reason = "changed"    // the record is not the one the challenge was made from
	WrongProof Reason = "proof"
)

// Refusal is ErrBadCredentials with what the book should know.
type Refusal struct {
	Login  string // as in Pending
	UserID string // empty for Unknown
	Reason Reason
}

// Error implements error. It names nobody.
func (r *Refusal) Error() string { return ErrBadCredentials.Error() + ": " + string(r.Reason) }

// Unwrap makes a Refusal ErrBadCredentials.
func (r *Refusal) Unwrap() error { return ErrBadCredentials }

// refusal names the first thing that stood against the sign-in.
func refusal(p Pending, r record, readable, same int) *Refusal {
	no := &Refusal{Login: p.Login, UserID: r.UserID, Reason: WrongProof}
	switch {
	case !r.genuine:
		no.UserID, no.Reason = "", r.lacks
	case r.Disabled:
		no.Reason = Inactive
	case readable == 0:
		no.Reason = Unreadable
	case same == 0 || !p.state.genuine:
		no.Reason = Changed
	}
	return no
}
