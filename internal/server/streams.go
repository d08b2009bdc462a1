package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gateway/internal/proxy"
	"gateway/policy"
)

// How open streams are watched. What ended must be cut within R, one second:
// the next round finds it, and who cannot be told about in maxUnclear rounds
// counts as ended, whatever the store is waiting for.
const (
	askEvery   = 300 * time.Millisecond
	maxUnclear = 3
	useEvery   = 5 * time.Second // no idle time is shorter than a minute
)

// Streams are the requests that apps are serving: downloads, event streams,
// WebSockets, and all the short ones. They outlast a configuration. The zero
// Streams is ready to use.
type Streams struct {
	mu    sync.Mutex
	open  []*stream
	round atomic.Int64
}

// stream is a request under way.
type stream struct {
	proxy.Stream
	q     question
	app   string
	told  string       // user_id that the app was told; empty: nobody's
	good  atomic.Int64 // the last round in which it could go on
	place int          // in Streams.open; of Streams.mu
}

// enter adds a request that was just allowed.
func (all *Streams) enter(q question, v verdict) *stream {
	s := &stream{q: q, app: v.decision.App}
	if v.who != nil {
		s.told = v.who.UserID
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	s.good.Store(all.round.Load())
	s.place = len(all.open)
	all.open = append(all.open, s)
	return s
}

func (all *Streams) leave(s *stream) {
	all.mu.Lock()
	defer all.mu.Unlock()
	last := all.open[len(all.open)-1]
	all.open[s.place], last.place = last, s.place
	all.open[len(all.open)-1] = nil
	all.open = all.open[:len(all.open)-1]
}

// under returns the streams that are under way.
func (all *Streams) under(into []*stream) []*stream {
	all.mu.Lock()
	defer all.mu.Unlock()
	return append(into[:0], all.open...)
}

// byApp counts the streams that are under way.
func (all *Streams) byApp() map[string]int {
	all.mu.Lock()
	defer all.mu.Unlock()
	open := map[string]int{}
	for _, s := range all.open {
		open[s.app]++
	}
	return open
}

// Watch asks about every open stream again, for as long as the context is good:
// whether its session lives and the policy still allows it, as the current
// server sees them. One that may not go on is cut. To be open is to be used.
func (all *Streams) Watch(ctx context.Context, current func() *Server) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { all.use(ctx, current) })
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	asking, overdue := make(chan struct{}, 1), []*stream(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		round := all.round.Add(1)
		overdue = all.cutOverdue(round, current(), overdue)
		select {
		case asking <- struct{}{}:
			running.Go(func() {
				defer func() { <-asking }()
				all.ask(ctx, current())
			})
		default: // the round before waits for the store; its streams become overdue
		}
	}
}

// cutOverdue ends what could not be told about for too long. Rounds are
// counted, not measured: a machine that slept has missed nothing.
func (all *Streams) cutOverdue(round int64, s *Server, buf []*stream) []*stream {
	buf = all.under(buf)
	for _, st := range buf {
		if round-st.good.Load() >= maxUnclear {
			s.cut(st, verdict{}, fmt.Errorf("%w: whether the request may go on", errUnavailable))
		}
	}
	return buf
}

// ask is one round of questions.
func (all *Streams) ask(ctx context.Context, s *Server) {
	var refused []cutError
	for _, st := range all.under(nil) {
		asked := all.round.Load()
		v, err := s.again(ctx, st)
		switch {
		case err != nil: // until it is overdue
		case v.allowed() && (st.told == "" || v.who != nil):
			st.good.Store(asked)
		case s.cut(st, v, nil) && v.decision.Effect == policy.Deny:
			refused = append(refused, cutError{q: st.q, v: v})
		}
	}
	for _, cut := range refused { // the book may be slow: all are cut by now
		s.auditRefusal(ctx, cut.q, cut.v)
	}
}

// again asks about a stream as its request would be asked about now. An error
// means that it cannot be told.
func (s *Server) again(ctx context.Context, st *stream) (v verdict, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log().Error("panic", slog.Any("cause", cause))
			v, err = verdict{}, errUnavailable
		}
	}()
	v, err = s.judge(ctx, st.q, peeking)
	switch {
	case err != nil:
		return verdict{}, err
	case st.told != "" && v.who == nil && v.unclear(): // open to everyone, but it was somebody's
		return verdict{}, fmt.Errorf("%w: %w", errUnavailable, v.err)
	case v.decision.Effect == policy.Deny:
		v.id = rand.Text()
	}
	return v, nil
}

// cut cuts a stream, and reports whether it was still to be cut.
func (s *Server) cut(st *stream, v verdict, err error) bool {
	if !st.Cut(cutError{st.q, v, err}) {
		return false
	}
	s.log().Info("a request under way was ended", slog.String("host", string(st.q.host)), slog.String("user_id", st.told),
		slog.String("effect", v.decision.Effect.String()), slog.String("decision_id", v.id), slog.String("cause", text(err)))
	return true
}

// use notes that the sessions of open streams are used. It may wait for the
// store; the questions do not wait for it.
func (all *Streams) use(ctx context.Context, current func() *Server) {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := current()
		for _, st := range all.under(nil) {
			if st.told != "" && ctx.Err() == nil {
				s.touch(ctx, st)
			}
		}
	}
}

// touch uses the session of a stream. Whether it lives is for the questions.
func (s *Server) touch(ctx context.Context, st *stream) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log().Error("panic", slog.Any("cause", cause))
		}
	}()
	_ = s.asks(ctx, using, st.q)
}

// cutError is why a stream was cut.
type cutError struct {
	q   question
	v   verdict
	err error // it could not be told
}

func (e cutError) Error() string { return "request under way was ended" }

// Farewell is what a WebSocket's page is told: 1008 where it may not go on, and
// 1011 where nobody can tell (RFC 6455, section 7.4.1). Who was there, and what
// the policy says, is not for every page that has opened one.
func (e cutError) Farewell() (code uint16, reason string) {
	if e.err != nil {
		return 1011, "cannot tell whether this may go on"
	}
	return 1008, "this may not go on: the session is over, or the policy says no"
}

// sayCut answers a request that was cut before anything was answered.
func (s *Server) sayCut(w http.ResponseWriter, r *http.Request, cut cutError) {
	switch {
	case cut.err != nil:
		s.letReadError(w.Header(), cut.q, cut.err)
		s.fail(w, r, cut.err)
	case cut.v.allowed(): // to everyone, but its session is over
		s.letReadError(w.Header(), cut.q, errEnded)
		s.fail(w, r, errEnded)
	default:
		s.refuse(w, r, cut.q, cut.v)
	}
}
