// Package canonical turns the host, the target and the method of a request
// into the one form that everything else decides on. What could be read in two
// ways (by the gateway in one, by the app or a proxy between them in another)
// has no canonical form and is refused: encoded slashes, dot segments, double
// encoding, matrix parameters, fragments, numbers dressed up as hosts.
//
// The three parsers are pure, bounded in time by the length of their input, and
// never echo the input in their errors.
package canonical

import (
	"errors"
	"fmt"
)

// ErrHost says that a text is not a host with one canonical form.
var ErrHost = errors.New("canonical: not a usable host")

// ErrTarget says that a text is not a request target with one canonical form.
var ErrTarget = errors.New("canonical: not a usable request target")

// ErrMethod says that a text is not a request method that passes the gateway.
var ErrMethod = errors.New("canonical: not a usable method")

// refuse wraps one of the sentinels with a reason that a person understands.
func refuse(kind error, why string) error { return fmt.Errorf("%w: %s", kind, why) }
