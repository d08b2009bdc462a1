package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/server"
)

func serveCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the gateway", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := o.path()
			if err != nil {
				return err
			}
			from := source{path, os.Environ()}
			cfg, err := from.load(c.ErrOrStderr())
			if err != nil {
				return err
			}
			hangup := make(chan os.Signal, 1) // also of a lost terminal, which ends nothing
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			collectLess()
			h, err := build(c.Context(), cfg, logsTo(c.ErrOrStderr(), cfg.Log))
			if err != nil {
				return err
			}
			return errors.Join(h.serve(c.Context(), from, hangup, nil), h.close())
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

// service is the house while it runs: its listeners, and what goes on beside
// them. One goroutine owns it.
type service struct {
	*house
	listeners []*listener
	running   sync.WaitGroup
	failed    chan error
	fail      context.CancelFunc
	leave     context.CancelFunc // ends what goes on for the rooms that are in use
}

// serve answers on every listener until the context ends, then finishes what
// is under way. Meanwhile it reads the configuration again whenever it has
// changed, or on hangup. Once all listen, ready is called.
func (h *house) serve(ctx context.Context, from source, hangup <-chan os.Signal, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &service{house: h, failed: make(chan error, 1), fail: cancel}
	first := *h.rooms.Load()
	if err := first.secure(&rooms{}); err != nil {
		return err
	}
	h.rooms.Store(&first)
	listeners, err := h.listen(ctx, places(first.config))
	if err != nil {
		return err
	}
	s.start(listeners)
	s.running.Go(func() { h.sweep(ctx) })
	s.running.Go(func() { h.keepBook(ctx) })
	s.running.Go(func() { h.watch(ctx) })
	lasting, stopStreams := context.WithCancel(context.WithoutCancel(ctx)) // while requests are still under way
	defer stopStreams()
	s.running.Go(func() { h.streams.Watch(lasting, func() *server.Server { return h.rooms.Load().server }) })
	s.running.Go(func() { h.observer.Watch(lasting) })
	s.running.Go(func() { h.allows.Watch(ctx) })
	s.running.Go(func() { h.watchCertificates(ctx) })
	s.running.Go(func() { h.turnKeys(ctx) })
	s.enter(ctx)
	if ready != nil {
		ready()
	}
	s.reloads(ctx, from, hangup)
	h.log.Info("stopping")
	h.rooms.Load().server.Stop()
	s.leave()
	stopAll(s.listeners)
	stopStreams()
	h.rooms.Load().tracing.close()
	s.running.Wait()
	h.rooms.Load().server.Sessions.Settle(context.WithoutCancel(ctx))
	select {
	case err := <-s.failed:
		return err
	default:
		return h.throttle.Flush(context.WithoutCancel(ctx))
	}
}

// start answers on listeners that are open.
func (s *service) start(listeners []*listener) {
	for _, l := range listeners {
		s.running.Go(func() {
			if err := l.answer(); err != nil {
				select {
				case s.failed <- err:
				default: // the first one ends it all
				}
				s.fail()
			}
		})
		s.log.Info("listening", slog.String("listener", l.name), slog.String("address", l.socket.Addr().String()))
	}
	s.listeners = append(s.listeners, listeners...)
}

// enter begins what goes on for the rooms that are in use now.
func (s *service) enter(ctx context.Context) {
	ctx, s.leave = context.WithCancel(ctx)
	if door := s.rooms.Load().server.Foreign; door != nil {
		s.running.Go(func() { door.Keep(ctx) })
	}
}

// sweep removes what is over, every minute.
func (h *house) sweep(ctx context.Context) {
	var lately quarter
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			_, err1 := h.rooms.Load().server.Sessions.Clean(ctx)
			_, err2 := h.store.Sweep(ctx, lately.earliest(now))
			err3 := h.rooms.Load().server.ForgetWaiting(ctx)
			err := errors.Join(err1, err2, err3, h.throttle.Flush(ctx))
			if err != nil && ctx.Err() == nil {
				h.log.Error("what is over could not be removed", slog.Any("cause", err))
			}
		}
	}
}

// quarter is what the clock said in the last quarter of an hour, told once a
// minute. What was used once is forgotten by the earliest of these: a clock
// that runs ahead for less than that, as long as anything waits to be used,
// makes nothing good a second time when it is set right. The zero time, before
// there are so many, forgets nothing.
type quarter [15]time.Time

func (q *quarter) earliest(now time.Time) time.Time {
	copy(q[1:], q[:len(q)-1])
	q[0] = now.Round(0) // the wall clock, which may step
	return slices.MinFunc(q[:], time.Time.Compare)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
