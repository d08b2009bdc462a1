package proxy

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// farewell is how long a stream that is cut has to say so, where nothing was
// answered yet or to a WebSocket.
const farewell = 300 * time.Millisecond

// Stream is one request on its way through the proxy, whatever becomes of it:
// a short answer, a download, an event stream, a WebSocket. It can be cut at
// any time, from anywhere. The zero Stream is ready to be served, once.
type Stream struct {
	client http.ResponseWriter
	http10 bool
	rest   int64 // of an answer whose length is known: what is to come
	spoken bool  // the answer begins a WebSocket

	mu     sync.Mutex
	cancel context.CancelCauseFunc // nil: not begun, or over
	tunnel *tunnel                 // of a WebSocket
	cut    error
}

// Cut ends the stream: the app is let go at once, and the client is by the time
// that a farewell takes, even one that does not read. The cause reaches Failed if
// nothing was answered yet; a WebSocket is told the Farewell that it may be. Cut reports whether nobody has cut it before.
func (s *Stream) Cut(cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		return false
	}
	s.cut = cause
	if s.cancel != nil {
		s.sever()
	}
	return true
}

// WasCut reports whether the stream was cut.
func (s *Stream) WasCut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cut != nil
}

// sever ends what has begun.
func (s *Stream) sever() {
	if s.tunnel != nil {
		s.tunnel.cut(s.cut) // before the app is let go, which ends it, too
		s.cancel(s.cut)
		return
	}
	s.cancel(s.cut)
	now := time.Now() //nolint:forbidigo // the network's clock, not ours
	client := http.NewResponseController(s.client)
	_ = client.SetReadDeadline(now.Add(-time.Second)) // nothing of a body that still comes is of interest
	_ = client.SetWriteDeadline(now.Add(farewell))
}

// bare returns the connection below TLS: its end waits for nobody.
func bare(conn net.Conn) net.Conn {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn()
	}
	return conn
}

// begin returns the request as it is passed on.
func (s *Stream) begin(w http.ResponseWriter, r *http.Request, f *Forward) *http.Request {
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), forwardKey{}, f))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client, s.http10, s.cancel = w, !r.ProtoAtLeast(1, 1), cancel
	if s.cut != nil {
		s.sever()
	}
	return r.WithContext(ctx)
}

// end lets go of the client's end, which belongs to the server again.
func (s *Stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel(nil)
	s.cancel = nil
}

// Header implements http.ResponseWriter.
func (s *Stream) Header() http.Header { return s.client.Header() }

// Write implements http.ResponseWriter. What an app has sent does not wait here
// for what it has not sent yet.
func (s *Stream) Write(b []byte) (int, error) {
	n, err := s.client.Write(b)
	if s.rest -= int64(n); s.rest > 0 && err == nil {
		err = http.NewResponseController(s.client).Flush()
	}
	return n, err
}

// WriteHeader implements http.ResponseWriter. Clients of HTTP/1.0 know no
// interim answers (RFC 9110, section 15.2), and none sets a cookie.
func (s *Stream) WriteHeader(status int) {
	if s.http10 && status < http.StatusOK {
		return
	}
	if status < http.StatusOK {
		delete(s.client.Header(), "Set-Cookie")
	}
	s.client.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (s *Stream) Unwrap() http.ResponseWriter { return s.client }

// Hijack implements http.Hijacker: the connection of a tunnel is ours to end.
func (s *Stream) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.client).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tunnel = &tunnel{Conn: conn, spoken: s.spoken}
	if s.cut != nil {
		s.tunnel.cut(s.cut)
	}
	return s.tunnel, rw, nil
}

// cutBy returns what the stream of a request was cut by, or nil.
func cutBy(ctx context.Context) error {
	if why := context.Cause(ctx); why != nil && why != ctx.Err() { //nolint:errorlint // what context itself says is no cause of ours
		return why
	}
	return nil
}
