package localauth

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"gateway/internal/once"
)

// skew is how far the clocks of two nodes may be apart.
const skew = 30 * time.Second

// Pending is a reply whose challenge is ours and has not expired. Nothing is
// known yet of its proof, and nothing has been asked of the store. The zero
// Pending opens nothing.
type Pending struct {
	// Login is the login that the challenge was made for, in its canonical
	// spelling, and what to count tries under. A name that cannot be a login
	// has a stand-in here that begins with ':'.
	Login string

	hash  [32]byte // of the sealed state: what is taken
	state state
	first clientFirst
	final clientFinal
	other bool // the reply names another login
}

// Open opens the challenge that a reply answers. It touches no store, so that
// the caller can count the try before Finish. The error is ErrMalformed for what
// is no reply, ErrNoChallenge for a challenge that is not ours, expired, or made
// for another browser, portal or purpose.
func (l *Local) Open(browser string, reply Reply, want Want) (Pending, error) {
	if err := l.ready(); err != nil {
		return Pending{}, err
	}
	if len(reply.ChallengeID) < minID || len(reply.ChallengeID) > maxID {
		return Pending{}, fmt.Errorf("%w: challenge id of %d bytes", ErrMalformed, len(reply.ChallengeID))
	}
	if reply.Username == "" {
		return Pending{}, fmt.Errorf("%w: user is empty", ErrMalformed)
	}
	final, err := parseClientFinal(reply.ClientFinal)
	if err != nil {
		return Pending{}, err
	}
	plain, err := l.Seal.Open(reply.ChallengeID)
	if err != nil {
		return Pending{}, fmt.Errorf("%w: %w", ErrNoChallenge, err)
	}
	s, err := decodeState(plain)
	if err != nil {
		return Pending{}, err
	}
	if err := l.bound(s, browser, want); err != nil {
		return Pending{}, err
	}
	first, err := parseBare(s.bare)
	if err != nil {
		return Pending{}, errors.Join(ErrNoChallenge, err)
	}
	login := account(first.name)
	return Pending{
		Login: login, hash: once.Hash("localauth challenge", string(plain)),
		state: s, first: first, final: final, other: account(reply.Username) != login,
	}, nil
}

// bound checks that a challenge was made for this moment, browser, portal and purpose.
func (l *Local) bound(s state, browser string, want Want) error {
	left := s.expires.Sub(l.now())
	here, portal := digest(browser), digest(l.Portal)
	switch {
	case left <= 0:
		return fmt.Errorf("%w: expired", ErrNoChallenge)
	case left > l.lifetime()+skew:
		return fmt.Errorf("%w: made in the future", ErrNoChallenge)
	case s.want != want || !fits(browser, want):
		return fmt.Errorf("%w: made for another purpose", ErrNoChallenge)
	case !hmac.Equal(s.browser[:], here[:]):
		return fmt.Errorf("%w: made for another browser", ErrNoChallenge)
	case !hmac.Equal(s.portal[:], portal[:]):
		return fmt.Errorf("%w: made for another portal", ErrNoChallenge)
	}
	return nil
}
