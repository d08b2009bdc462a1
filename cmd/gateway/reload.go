package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"gateway/internal/config"
)

// lookEvery is how often the files of the configuration are looked at. What
// has changed is read once it has stayed the same from one look to the next:
// no half of a file that somebody is writing becomes a configuration.
const lookEvery = time.Second

// reloads puts the configuration into effect whenever it has changed, and on
// hangup, until the context ends. One that is wrong is tried again at every
// look, since it may be wrong for what stands in no file, and told once.
func (s *service) reloads(ctx context.Context, from source, hangup <-chan os.Signal) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	files := &changes{files: s.rooms.Load().config.Files()}
	told := ""
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			asked = true
			files.look()
		case <-tick.C:
			tick.Reset(lookEvery) // from now on, however late this one comes: two looks are never close to each other
			if !files.due() {
				continue
			}
		}
		changed, err := s.reload(ctx, from, files)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errMoving) {
			continue // there will be another look
		}
		files.done(s.rooms.Load().config.Files(), err == nil)
		again := ""
		if err != nil {
			again = err.Error()
		}
		if asked || changed || again != told {
			s.tell(changed, err)
		}
		told = again
	}
}

// errMoving says that the files changed while they were read.
var errMoving = errors.New("the files of the configuration change while they are read")

// reload puts the configuration that the files hold now into effect, whole;
// or, with an error, nothing of it.
func (s *service) reload(ctx context.Context, from source, files *changes) (changed bool, err error) {
	cfg, warnings, err := from.read()
	if err != nil {
		return false, err
	}
	old := s.rooms.Load()
	if err := cfg.Replaces(old.config); err != nil {
		return false, err
	}
	next, err := s.furnish(cfg)
	if err != nil {
		return false, err
	}
	if err := next.secure(old); err != nil {
		return false, err
	}
	switch {
	case files.moved():
		return false, errMoving
	case cfg.Same(old.config) && next.tls == old.tls && maps.Equal(next.upstreams, old.upstreams) && len(s.listeners) == len(places(cfg)):
		return false, nil
	}
	if err := s.move(ctx, next); err != nil {
		return false, err
	}
	for _, w := range warnings {
		s.log.Warn("configuration", slog.String("warning", w.String()))
	}
	return true, nil
}

// move goes over to other rooms: what they need is open before what they do
// not need any more is closed.
func (s *service) move(ctx context.Context, next *rooms) error {
	wanted := places(next.config)
	kept := make([]*listener, 0, len(s.listeners))
	var left []*listener
	for _, l := range s.listeners {
		if i := slices.Index(wanted, l.place); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			kept = append(kept, l)
			continue
		}
		left = append(left, l)
	}
	fresh, err := s.listen(ctx, wanted)
	if errors.Is(err, syscall.EADDRINUSE) && len(left) > 0 {
		fresh, err = s.trade(ctx, kept, left, wanted)
	}
	if err != nil {
		return err
	}
	old := s.rooms.Swap(next)
	if err := s.keys.sessions.allow(next.config.Sessions.Lifetime); err != nil { // once more: they may have been rotated meanwhile
		s.log.Error("keys", slog.Any("cause", err))
	}
	s.count(next.config)
	s.observe(next)
	s.logs.shape(next.config.Log)
	s.leave()
	s.enter(ctx)
	s.listeners = kept
	s.start(fresh)
	s.retire(left)
	old.vacate(next)
	if old.tracing != next.tracing {
		s.running.Go(old.tracing.close)
	}
	return nil
}

// trade gives up places for others that cannot be had beside them, :8080 for
// 127.0.0.1:8080; if they cannot be had at all, it takes the former again.
func (s *service) trade(ctx context.Context, kept, left []*listener, wanted []place) ([]*listener, error) {
	former := make([]place, len(left))
	for i, l := range left {
		former[i] = l.place
		l.leave()
	}
	fresh, err := s.listen(ctx, wanted)
	if err == nil {
		return fresh, nil
	}
	again, lost := s.listen(ctx, former)
	s.listeners = kept
	s.start(again)
	s.retire(left)
	return nil, errors.Join(err, lost)
}

// retire waits no longer at places, and lets what has come in there end.
func (s *service) retire(left []*listener) {
	for _, l := range left {
		l.leave()
		s.log.Info("no longer listening", slog.String("listener", l.name), slog.String("address", l.address))
	}
	s.running.Go(func() { stopAll(left) })
}

// vacate gives up what other rooms do not use.
func (r *rooms) vacate(next *rooms) {
	for name, p := range r.upstreams {
		if next.upstreams[name] != p {
			p.Close()
		}
	}
	for id, p := range r.providers {
		if next.providers[id] != p {
			p.Close()
		}
	}
}

// tell says in the log what a look at the configuration came to.
func (s *service) tell(changed bool, err error) {
	switch complaints, ok := errors.AsType[config.Complaints](err); {
	case err == nil && changed:
		s.log.Info("configuration reloaded")
	case err == nil:
		s.log.Info("configuration is as it was")
	case ok:
		for _, c := range complaints {
			s.log.Error("configuration", slog.String("complaint", c.Error()))
		}
		s.log.Error("configuration not reloaded: the one from before stays in effect", slog.Int("complaints", len(complaints)))
	default:
		s.log.Error("configuration not reloaded: the one from before stays in effect", slog.Any("cause", err))
	}
	s.reloaded(err)
}
