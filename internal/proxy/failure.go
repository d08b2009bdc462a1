package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Why an app has not answered, where it is more than that it cannot be reached.
var (
	// ErrLate says that the app took too long, to connect to or to begin its answer.
	ErrLate = errors.New("proxy: the upstream took too long")
	// ErrBody says that the body of the request has not come whole.
	ErrBody = errors.New("proxy: the body of the request has not come whole")
	// ErrLeft says that the client has left; nobody reads an answer.
	ErrLeft = errors.New("proxy: the client has left")
)

// because says what a round trip failed of. The text names the upstream, for
// the log.
func (way *Way) because(r *http.Request, err error) error {
	f, ok := r.Context().Value(forwardKey{}).(*Forward)
	late, isNet := errors.AsType[net.Error](err)
	_, noName := errors.AsType[*net.DNSError](err)
	switch {
	case cutBy(r.Context()) != nil:
		return cutBy(r.Context())
	case r.Context().Err() != nil:
		return fmt.Errorf("%w: %w", ErrLeft, err)
	case ok && f.body != nil && f.body.broken.Load():
		return fmt.Errorf("%w: %w", ErrBody, err)
	case isNet && late.Timeout() && !noName:
		return fmt.Errorf("%w: %s: %w", ErrLate, way.upstream.URL.Redacted(), err)
	}
	return fmt.Errorf("%s: %w", way.upstream.URL.Redacted(), err)
}

// An app that restarts is not there for a moment: so often and after so long it
// is tried again.
const (
	tries      = 3
	firstPause = 50 * time.Millisecond // and four times as long after that
)

// persist makes a round trip, and again where the app could not be connected to
// and a second request can do no harm: nothing of the first has been sent.
// (Requests that may be repeated are so by http.Transport, too, where an idle
// connection turns out to be dead before any of the answer came.)
func persist(t *http.Transport, r *http.Request) (*http.Response, error) {
	for i, pause := 1, firstPause; ; i, pause = i+1, pause*4 {
		resp, err := t.RoundTrip(r)
		if err == nil || i == tries || !unsent(err) || !repeatable(r) || !sleep(r.Context(), pause) {
			return resp, err
		}
	}
}

// unsent reports whether there was no connection, and whoever refused it did so
// at once.
func unsent(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial" && !failed.Timeout()
}

// repeatable reports whether a request has no body and is idempotent (RFC 9110,
// section 9.2.2).
func repeatable(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// sleep waits, and reports whether the context is still good.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
