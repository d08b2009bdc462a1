package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// troubled is a listener whose first connections come to nothing.
type troubled struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (l *troubled) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	return l.Listener.Accept()
}

// Who may not have an address is told what would help; other causes are not.
func TestPermitted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{{syscall.EACCES, true}, {syscall.EPERM, true}, {syscall.EADDRINUSE, false}} {
		cause := &net.OpError{Op: "listen", Net: "tcp", Err: c.err}
		got := permitted(cause)
		if !errors.Is(got, c.err) || strings.Contains(got.Error(), "CAP_NET_BIND_SERVICE") != c.want {
			t.Errorf("permitted(%v) = %v, want the capability named: %v", cause, got, c.want)
		}
	}
}

// A listener goes on whatever an operating system may say to accept, and ends
// without an error when it is left.
func TestListenerGoesOn(t *testing.T) {
	socket, err := bind(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	trouble := []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EPROTO, syscall.ECONNABORTED}
	var said book
	l := &listener{
		place:  place{listenPublic, "tcp", socket.Addr().String()},
		socket: steady{&troubled{Listener: socket, errs: trouble}},
		server: &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(&said, nil), slog.LevelWarn)},
	}
	ended := make(chan error)
	go func() { ended <- l.answer() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	way := &http.Transport{DisableKeepAlives: true}
	resp, err := way.RoundTrip(req)
	if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("after the trouble: %v, %v", resp, err)
	}
	if got := strings.Count(said.String(), "retrying"); got != len(trouble) {
		t.Errorf("the log has %d lines, want %d:\n%s", got, len(trouble), said.String())
	}
	l.leave()
	if err := <-ended; err != nil {
		t.Errorf("a listener that is left ends with %v", err)
	}
	stopAll([]*listener{l})
}
