package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Farewell is a cause that tells a WebSocket which it cuts why (RFC 6455,
// section 7.4).
type Farewell interface {
	error
	Farewell() (code uint16, reason string)
}

// tunnel is the client's end of a WebSocket. Where it is cut between two frames
// the client is told why; within one, or where nobody knows, nothing can be said.
type tunnel struct {
	net.Conn
	spoken bool // what follows is frames of RFC 6455
	begun  atomic.Bool
	over   atomic.Bool // nothing passes any more

	mu    sync.Mutex // of who sends
	sent  frames
	last  []byte      // to be said at the end
	limit *time.Timer // by which the end has come
}

// Read implements net.Conn.
func (t *tunnel) Read(p []byte) (int, error) {
	t.begun.Store(true) // the answer to the handshake has gone
	if t.over.Load() {
		return 0, net.ErrClosed
	}
	return t.Conn.Read(p)
}

// Write implements net.Conn.
func (t *tunnel) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over.Load() {
		return 0, net.ErrClosed
	}
	n, err := t.Conn.Write(p)
	if t.spoken {
		t.begun.Store(true)
		t.sent.pass(p[:n])
	}
	return n, err
}

// CloseWrite passes on that the app has no more to say.
func (t *tunnel) CloseWrite() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent.lost = true
	return shut(t.Conn)
}

func shut(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// cut ends the tunnel: at once, or with a farewell, which Close says. It does
// not wait for the client.
func (t *tunnel) cut(cause error) {
	t.over.Store(true)
	if !t.parts(cause) {
		_ = bare(t.Conn).Close()
	}
}

// parts prepares the farewell, if there is one and a place for it.
func (t *tunnel) parts(cause error) bool {
	why, ok := errors.AsType[Farewell](cause)
	if !ok || !t.spoken || !t.begun.Load() || !t.mu.TryLock() { // somebody is sending
		return false
	}
	defer t.mu.Unlock()
	if !t.sent.between() {
		return false
	}
	t.last = closeFrame(why.Farewell())
	t.limit = time.AfterFunc(farewell, func() { _ = bare(t.Conn).Close() })
	_ = t.SetReadDeadline(time.Unix(1, 0)) // who waits for the client lets go
	return true
}

// Close implements net.Conn.
func (t *tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		return t.Conn.Close()
	}
	defer t.limit.Stop()
	socket := bare(t.Conn)
	if _, err := t.Conn.Write(t.last); err == nil && shut(t.Conn) == nil {
		_ = socket.SetReadDeadline(time.Time{})
		_, _ = io.Copy(io.Discard, socket) // closed with something unread, it would take the farewell back
	}
	return socket.Close()
}
