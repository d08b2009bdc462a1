package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gateway/internal/config"
	"gateway/internal/keepalive"
)

// The names of the listeners, as the configuration has them.
const (
	listenPublic     = "listen"
	listenRedirect   = "tls.redirect"
	listenAuthz      = "authz.listen"
	listenManagement = "management"
	listenAdmin      = "admin.sock"
)

// Bounds of every listener. Bodies have no deadline of their own: uploads and
// streams may take their time.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	drainTime     = 20 * time.Second
)

// place is where a listener waits.
type place struct{ name, network, address string }

// places are those of a configuration.
func places(cfg *config.Config) []place {
	all := []place{
		{listenPublic, "tcp", string(cfg.Listen)},
		{listenRedirect, "tcp", string(cfg.TLS.Redirect)},
		{listenAuthz, "tcp", string(cfg.Authz.Listen)},
		{listenManagement, "tcp", string(cfg.Management)},
		{listenAdmin, "unix", adminSocket(cfg.Data)},
	}
	return slices.DeleteFunc(all, func(p place) bool { return p.address == "" })
}

// listener is one of the ways in.
type listener struct {
	place
	socket net.Listener
	server *http.Server
	kept   *keepalive.Conns // that the server gave away; nil: none
	gone   atomic.Bool      // nobody waits here any more
}

// answer serves until the listener is left or stopped.
func (l *listener) answer() error {
	err := l.server.Serve(l.socket)
	if errors.Is(err, http.ErrServerClosed) || l.gone.Load() {
		return nil
	}
	return fmt.Errorf("%s: %w", l.name, err)
}

// leave frees the place at once. What has come in goes on.
func (l *listener) leave() {
	l.gone.Store(true)
	_ = l.socket.Close()
}

// listen opens the places, all or none.
func (h *house) listen(ctx context.Context, where []place) (open []*listener, err error) {
	for _, p := range where {
		socket, err := bind(ctx, p.network, p.address)
		if err != nil {
			stopAll(open)
			return nil, fmt.Errorf("%s %s: %w", p.name, p.address, permitted(err))
		}
		socket = steady{socket}
		if p.name == listenPublic {
			socket = secured{socket, func() *tls.Config { return h.rooms.Load().tls }}
		}
		l := &listener{place: p, socket: socket}
		handler := h.at(p.name)
		if p.name == listenAuthz {
			l.kept = &keepalive.Conns{
				Handler: handler, HeaderTimeout: headerTimeout, BodyTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeader: maxHeader, Log: h.log,
			}
			handler = l.kept
		}
		l.server = h.httpServer(handler)
		open = append(open, l)
	}
	return open, nil
}

// at is what answers at a listener: whatever the rooms are at the time.
func (h *house) at(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.rooms.Load().handlers[name].ServeHTTP(w, r) })
}

func (h *house) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, DisableGeneralOptionsHandler: true, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
	}
}

// steady ends with its listener and by nothing else: whatever else goes wrong
// with a connection that comes in (no files, no memory, no buffers, a firewall)
// passes, and is tried again after a rest.
type steady struct{ net.Listener }

func (s steady) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return nil, passing{err}
	}
	return conn, err
}

// passing is an error after which net/http rests and tries again.
type passing struct{ error }

func (passing) Temporary() bool { return true }
func (passing) Timeout() bool   { return false }
func (p passing) Unwrap() error { return p.error }

// secured speaks TLS on connections that come while there is a configuration
// for it.
type secured struct {
	net.Listener
	config func() *tls.Config
}

func (s secured) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if c := s.config(); c != nil {
		return tls.Server(conn, c), nil
	}
	return conn, nil
}

// bind listens. A unix socket is for the owner alone, from its first moment;
// a stale one goes, since the folder's lock is ours.
func bind(ctx context.Context, network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	if network != "unix" {
		return lc.Listen(ctx, network, address)
	}
	if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	socket, err := lc.Listen(ctx, network, address) // its folder has mode 0700
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(address, 0o600); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

// permitted adds to the system's refusal of an address what would help.
func permitted(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; a port below 1024 takes the capability CAP_NET_BIND_SERVICE, which deploy/systemd/gateway.service gives", err)
	}
	return err
}

// stopAll drains every listener, and cuts off what does not end.
func stopAll(listeners []*listener) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Go(func() {
			if l.kept != nil {
				all.Go(func() { _ = l.kept.Shutdown(ctx) }) // beside the server's, which gives no more away by then
			}
			if l.server.Shutdown(ctx) != nil {
				_ = l.server.Close()
			}
			_ = l.socket.Close() // one that was never served
		})
	}
	all.Wait()
}
