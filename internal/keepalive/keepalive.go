// Package keepalive serves persistent connections (RFC 9112, section 9.3) that
// bring one small request after the other, as those of front proxies do, for
// less than net/http takes. A connection comes from net/http with its first
// request, and stays until one of both sides ends it. Requests are read by the
// parser of net/http and answered one by one, each in a single write, by the
// goroutine that has read them: none waits beside it for the peer to go away,
// so a request's context does not end with its connection.
package keepalive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// maxBody is how much of a body that the handler left is read for the sake of
// the next request; of a longer one the connection ends.
const maxBody = 256 << 10

// Conns are the connections of one listener. Its fields are set before its
// first use and left alone.
type Conns struct {
	Handler       http.Handler
	HeaderTimeout time.Duration // for the rest of a header, once it has begun
	BodyTimeout   time.Duration // for what the handler left of a body
	IdleTimeout   time.Duration // between an answer and the next request; may end by a sixteenth earlier
	MaxHeader     int           // bytes of a request's line and header fields
	Log           *slog.Logger  // panics
	Now           func() time.Time

	mu      sync.Mutex
	open    map[*conn]struct{}
	closing atomic.Bool
	stamp   atomic.Pointer[stamp]
}

// ServeHTTP takes over the connection of a request that others can follow, and
// serves them all. Any other request is the handler's, by net/http.
func (all *Conns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hijacker, ok := w.(http.Hijacker)
	if !ok || r.ProtoMajor != 1 || !r.ProtoAtLeast(1, 1) || r.Close || r.Body != http.NoBody || len(r.Header["Expect"]) > 0 || len(r.Header["Upgrade"]) > 0 || r.TLS != nil {
		all.Handler.ServeHTTP(w, r)
		return
	}
	socket, buffered, err := hijacker.Hijack()
	if err != nil {
		all.Handler.ServeHTTP(w, r)
		return
	}
	first, _ := buffered.Peek(buffered.Reader.Buffered())
	c := &conn{Conn: socket, all: all, peer: r.RemoteAddr, early: bytes.Clone(first), answer: answer{header: http.Header{}}}
	c.answer.conn = c
	c.in = bufio.NewReader(c)
	if !all.enter(c) {
		_ = socket.Close()
		return
	}
	defer all.leave(c)
	c.serve(r)
}

func (all *Conns) enter(c *conn) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.closing.Load() {
		return false
	}
	if all.open == nil {
		all.open = map[*conn]struct{}{}
	}
	all.open[c] = struct{}{}
	return true
}

func (all *Conns) leave(c *conn) {
	_ = c.Close()
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.open, c)
}

// Shutdown lets no connection begin another request, and waits for those under
// way. What goes on at the end of the context is cut off; that is its error.
func (all *Conns) Shutdown(ctx context.Context) error {
	all.closing.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if all.end(false) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			all.end(true)
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// end closes the connections that are idle, or all, and returns how many there
// are.
func (all *Conns) end(busy bool) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	for c := range all.open {
		if busy || c.idle.Load() {
			_ = c.Close()
		}
	}
	return len(all.open)
}

func (all *Conns) now() time.Time {
	if all.Now != nil {
		return all.Now()
	}
	return time.Now()
}

// stamp is a Date header of one second.
type stamp struct {
	second int64
	line   string
}

// date returns the header line of a time (RFC 9110, section 6.6.1).
func (all *Conns) date(now time.Time) string {
	s := all.stamp.Load()
	if s == nil || s.second != now.Unix() {
		s = &stamp{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		all.stamp.Store(s)
	}
	return s.line
}

// conn is one connection.
type conn struct {
	net.Conn
	all    *Conns
	peer   string
	early  []byte // what net/http had read ahead
	left   int    // how much of a header may still be read; negative: any number
	in     *bufio.Reader
	until  time.Time // the read deadline; zero: it has to be set
	idle   atomic.Bool
	answer answer
}

var errTooLarge = errors.New("keepalive: header too large")

// Read reads what may be read.
func (c *conn) Read(p []byte) (n int, err error) {
	switch {
	case c.left == 0:
		return 0, errTooLarge
	case c.left > 0 && len(p) > c.left:
		p = p[:c.left]
	}
	if len(c.early) > 0 {
		n = copy(p, c.early)
		c.early = c.early[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	if c.left > 0 {
		c.left -= n
	}
	return n, err
}

// serve answers requests until the connection ends.
func (c *conn) serve(r *http.Request) {
	defer c.recover()
	for r != nil {
		now := c.all.now()
		c.answer.begin(r, now)
		c.all.Handler.ServeHTTP(&c.answer, r)
		stays := c.drain(r, now) && !r.Close && !c.all.closing.Load()
		if c.answer.finish(stays) != nil || !stays {
			return
		}
		r = c.next(now)
	}
}

// next reads a request, or answers what is none: then it is nil.
func (c *conn) next(now time.Time) *http.Request {
	if !c.wait(now) {
		return nil
	}
	c.left = c.all.MaxHeader
	if !bytes.Contains(c.peek(), []byte("\r\n\r\n")) { // it comes in pieces
		c.deadline(c.all.now().Add(c.all.HeaderTimeout))
		c.until = time.Time{}
	}
	r, err := http.ReadRequest(c.in)
	tooLarge := c.left == 0
	c.left = -1
	if err != nil {
		c.refuse(err, tooLarge)
		return nil
	}
	if err := c.sound(r); err != nil {
		c.refuse(err, false)
		return nil
	}
	r.RemoteAddr = c.peer
	return r
}

// wait waits for the first byte of a request.
func (c *conn) wait(now time.Time) bool {
	if c.until.Sub(now) < c.all.IdleTimeout-c.all.IdleTimeout/16 {
		c.deadline(now.Add(c.all.IdleTimeout))
	}
	if c.in.Buffered() > 0 {
		return true
	}
	c.left = -1
	c.idle.Store(true)
	if c.all.closing.Load() { // and nobody has seen it idle
		return false
	}
	_, err := c.in.Peek(1)
	c.idle.Store(false)
	return err == nil
}

func (c *conn) peek() []byte {
	b, _ := c.in.Peek(c.in.Buffered())
	return b
}

func (c *conn) deadline(t time.Time) {
	c.until = t
	_ = c.SetReadDeadline(t)
}

// problem is why a request is answered without the handler.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

// sound refuses what net/http's server refuses after it has read a request.
func (c *conn) sound(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1:
		return problem{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	case r.ProtoMinor > 0 && r.Host == "" || r.URL.Host != "" || !httpguts.ValidHostHeader(r.Host):
		return problem{http.StatusBadRequest, "missing or malformed Host header"}
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return problem{http.StatusBadRequest, "invalid header"}
		}
	}
	if expect := r.Header.Get("Expect"); expect != "" {
		if !strings.EqualFold(expect, "100-continue") {
			return problem{http.StatusExpectationFailed, ""}
		}
		r.Close = r.Close || r.Body != http.NoBody // nobody asks for the body, and it may not come (RFC 9110, section 10.1.1)
	}
	r.Close = r.Close || r.ProtoMinor == 0
	return nil
}

// refuse answers what is no request, as far as it can be answered.
func (c *conn) refuse(err error, tooLarge bool) {
	var network net.Error
	var known problem
	status := http.StatusBadRequest
	switch {
	case tooLarge:
		status = http.StatusRequestHeaderFieldsTooLarge
	case errors.As(err, &known):
		status = known.status
	case errors.Is(err, io.EOF), errors.As(err, &network):
		return
	}
	c.answer.begin(nil, c.all.now())
	c.answer.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	c.answer.WriteHeader(status)
	_, _ = io.WriteString(&c.answer, http.StatusText(status)+"\n")
	_ = c.answer.finish(false)
}

// drain reads what is left of a body, and reports whether the next request
// begins where it ends.
func (c *conn) drain(r *http.Request, now time.Time) bool {
	if r.Body == http.NoBody || r.Body == nil {
		return true
	}
	if r.Close {
		return false
	}
	c.deadline(now.Add(c.all.BodyTimeout))
	c.until = time.Time{}
	_, err := io.CopyN(io.Discard, r.Body, maxBody)
	return errors.Is(err, io.EOF)
}

// recover ends the connection of a handler that panicked.
func (c *conn) recover() {
	if cause := recover(); cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		c.all.Log.Error("panic", slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	}
}
