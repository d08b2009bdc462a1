package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/config"
)

func serveCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the gateway", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			signal.Ignore(syscall.SIGHUP) // a configuration is read at the start; losing a terminal ends nothing
			collectLess()
			h, err := build(c.Context(), cfg, logger(cfg.Log, c.ErrOrStderr()))
			if err != nil {
				return err
			}
			return errors.Join(h.serve(c.Context(), nil), h.close())
		},
	}
}

// collectLess lets the heap grow to some 16 MB before it is collected, where
// the operator has not said otherwise: the live heap is a few MB, and would be
// collected dozens of times a second under load.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// logger writes lines without secrets: types that hold one hide themselves.
func logger(form config.Log, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: form.Level}
	if form.Format == config.Text {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// Bounds of every listener. Bodies have no deadline of their own: uploads and
// streams may take their time.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	drainTime     = 20 * time.Second
)

// serve answers on every listener until the context ends, then finishes what
// is under way. Once all listen, ready is called.
func (h *house) serve(ctx context.Context, ready func()) error {
	listeners, err := h.listen(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		running.Go(func() {
			if err := l.serve(); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s: %w", l.name, err)
				cancel()
			}
		})
		h.log.Info("listening", slog.String("listener", l.name), slog.String("address", l.socket.Addr().String()))
	}
	running.Go(func() { h.sweep(ctx) })
	if h.server.Foreign != nil {
		running.Go(func() { h.server.Foreign.Keep(ctx) })
		running.Go(func() { h.watch(ctx) })
	}
	if ready != nil {
		ready()
	}
	<-ctx.Done()
	h.log.Info("stopping")
	h.server.Stop()
	stopAll(listeners)
	running.Wait()
	close(failed)
	for err := range failed {
		return err
	}
	return h.server.Throttle.Flush(context.WithoutCancel(ctx))
}

// listener is one of the ways in.
type listener struct {
	name   string
	socket net.Listener
	server *http.Server // with a certificate: TLS
}

func (l *listener) serve() error {
	if l.server.TLSConfig != nil {
		return l.server.ServeTLS(l.socket, "", "")
	}
	return l.server.Serve(l.socket)
}

// listen opens every listener, or none.
func (h *house) listen(ctx context.Context) (open []*listener, err error) {
	defer func() {
		if err != nil {
			stopAll(open)
		}
	}()
	cfg := h.config
	secure, err := tlsConfig(cfg.TLS)
	if err != nil {
		return nil, err
	}
	for _, way := range []struct {
		name, network, address string
		handler                http.Handler
	}{
		{"listen", "tcp", string(cfg.Listen), h.server.Handler()},
		{"authz.listen", "tcp", string(cfg.Authz.Listen), h.server.AuthzHandler()},
		{"management", "tcp", string(cfg.Management), h.server.ManagementHandler()},
		{"admin.sock", "unix", h.adminSocket(), h.server.AdminHandler()},
	} {
		if way.address == "" {
			continue
		}
		socket, err := bind(ctx, way.network, way.address)
		if err != nil {
			return open, fmt.Errorf("%s %s: %w", way.name, way.address, err)
		}
		l := &listener{name: way.name, socket: socket, server: h.httpServer(way.handler)}
		if way.name == "listen" {
			l.server.TLSConfig = secure
		}
		open = append(open, l)
	}
	return open, nil
}

func (h *house) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, DisableGeneralOptionsHandler: true, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
	}
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

// stopAll drains every listener, and cuts off what does not end.
func stopAll(listeners []*listener) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Go(func() {
			if l.server.Shutdown(ctx) != nil {
				_ = l.server.Close()
			}
			_ = l.socket.Close() // one that was never served
		})
	}
	all.Wait()
}

// sweep removes what is over, every minute.
func (h *house) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			_, err1 := h.server.Sessions.Clean(ctx)
			_, err2 := h.store.Sweep(ctx, now)
			err := errors.Join(err1, err2, h.server.Throttle.Flush(ctx))
			if err != nil && ctx.Err() == nil {
				h.log.Error("what is over could not be removed", slog.Any("cause", err))
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
