package server

import (
	"cmp"
	"context"
	"errors"
	"time"

	"gateway/internal/throttle"
)

// A try that came too early waits holdTime for the answer that says so: else
// whoever guesses as fast as answers come would take the machine from everybody
// else. At most maxHeld wait at a time; the rest are answered at once.
const (
	holdTime = 250 * time.Millisecond
	maxHeld  = 256
)

// admit charges a try to its buckets before its proof is looked at.
func (s *Server) admit(ctx context.Context, buckets ...throttle.Bucket) error {
	err := s.Throttle.Admit(ctx, buckets...)
	if _, limited := errors.AsType[*throttle.Limited](err); limited {
		s.hold(ctx)
	}
	return err
}

func (s *Server) hold(ctx context.Context) {
	defer s.held.Add(-1)
	if s.held.Add(1) > maxHeld {
		return
	}
	wait := time.NewTimer(cmp.Or(s.HoldTime, holdTime))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}
