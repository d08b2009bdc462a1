package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// upload is a request's body on its way to the app. As soon as an answer
// begins, net/http takes what is left of the body out of the transport's hands,
// which takes that for a failure and cuts the answer short: hence a body that
// has ended says so for ever, and an answer to one that has not ends the
// connection, which spares it.
type upload struct {
	io.ReadCloser
	ended  atomic.Bool
	broken atomic.Bool // it ends before its end
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	if u.ended.Load() {
		return 0, io.EOF
	}
	n, err := u.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		u.ended.Store(true)
	case err != nil:
		u.broken.Store(true)
	}
	return n, err
}

// early marks the answer to a request whose body is still on its way: nothing
// follows on its connection.
func early(h http.Header, r *http.Request) {
	f, ok := r.Context().Value(forwardKey{}).(*Forward)
	if ok && f.body != nil && !f.body.ended.Load() {
		lastOf(h, r)
	}
}

// lastOf marks an answer as the last of its connection.
func lastOf(h http.Header, r *http.Request) {
	if r.ProtoMajor == 1 {
		h["Connection"] = []string{"close"}
	}
}
