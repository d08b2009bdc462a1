package server

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gateway/internal/telemetry"
	"gateway/policy"
)

// maxObserving is how many decisions may wait to be made beside. Those beyond
// it are skipped, since no request waits for them.
const maxObserving = 1024

// Observer decides beside what was decided: as it would be if what is only
// observed counted. It counts both answers and remembers where they differ, in
// memory alone. It is asked with values once the real decision has been made, in
// a goroutine of its own: no request waits for it, and nothing that it does, a
// panic included, changes an answer. It outlasts reloads.
type Observer struct {
	log     *slog.Logger
	metrics *Metrics
	asked   chan observation
	skipped atomic.Uint64

	mu     sync.Mutex
	file   AdminObservedFile
	apps   map[string]*observedApp // by name; the empty one is the host that no app has
	people differences
	nobody differences
}

// observedApp is an app of which something is observed.
type observedApp struct {
	edition string
	since   time.Time
	asked   uint64 // decisions made beside
	differ  uint64 // with another effect
}

// observation is a decision to be made beside.
type observation struct {
	policy  *policy.Policy
	request policy.Request
	is      policy.Decision
	guest   bool // it passed by a guest link
}

// NewObserver returns an observer that knows no app yet.
func NewObserver(m *Metrics, log *slog.Logger) *Observer {
	o := &Observer{log: log, metrics: m, asked: make(chan observation, maxObserving), apps: map[string]*observedApp{}}
	o.people.most, o.nobody.most = maxDifferences, maxDifferencesOfNobody
	return o
}

// Know takes over what a policy observes, and of which file that is. What was
// found about apps of which something has changed that it depends on is forgotten.
func (o *Observer) Know(p *policy.Policy, file AdminObservedFile, now time.Time) {
	editions := p.Editions()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.file = file
	apps := make(map[string]*observedApp, len(editions))
	for name, edition := range editions {
		apps[name] = &observedApp{edition: edition, since: now}
		if known := o.apps[name]; known != nil && known.edition == edition {
			apps[name] = known
		}
		o.metrics.knowObserved(name)
	}
	gone := func(app string) bool { return o.apps[app] != apps[app] }
	o.people.forget(gone)
	o.nobody.forget(gone)
	o.apps = apps
}

// take hands a decision over, or skips it where too many wait.
func (o *Observer) take(one observation) {
	select {
	case o.asked <- one:
	default:
		o.skip()
	}
}

func (o *Observer) skip() {
	o.skipped.Add(1)
	o.metrics.unobserved()
}

// Watch decides beside for as long as the context is good.
func (o *Observer) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-o.asked:
			o.decide(one)
		}
	}
}

func (o *Observer) decide(one observation) {
	defer func() {
		if cause := recover(); cause != nil {
			o.log.Error("panic", slog.String("of", "a decision that is only observed"), slog.Any("cause", cause))
			o.skip()
		}
	}()
	beside := one.policy.Observed()
	would := beside.Decide(one.request)
	if one.guest && beside.TakesGuest(one.request) {
		would.Effect = policy.Allow
	}
	o.note(one, would)
}

// note counts what came of a decision, and keeps it unless it is of a policy
// that counts no more.
func (o *Observer) note(one observation, would policy.Decision) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.metrics.wasObserved(one.is.App, one.is.Effect, would.Effect)
	app := o.apps[one.is.App]
	if app == nil || app.edition != one.policy.Editions()[one.is.App] {
		return
	}
	app.asked++
	if one.is.Effect == would.Effect {
		return
	}
	app.differ++
	kept := &o.people
	if one.request.Who == nil {
		kept = &o.nobody
	}
	kept.add(one.request, one.is, would)
}

// observe hands a decision of the policy over to be made beside, if anything is
// observed there. What was no decision of the policy about who asked is left
// out: requests that a page of another origin makes, preflights, tokens that are
// good for nothing, and people of whom it cannot be told who they are.
func (s *Server) observe(q *question, v *verdict) {
	p := s.Policy.Load()
	if s.Observer == nil || !p.Observes(q.host) {
		return
	}
	if v.preflight || v.unclear() || beyondPolicy(v.decision.Reason) || s.elsewhere(q) && (v.who == nil || !q.credential.bearer) {
		return
	}
	one := observation{policy: p, request: s.request(*q, v.who), is: v.decision, guest: v.guest}
	if v.allowed() {
		one.is.Effect = policy.Allow
	}
	s.Observer.take(one)
}

// observedCounters count by both effects.
type observedCounters [len(effects)][len(effects)]telemetry.Counter

// effects are those of decisions, as labels.
var effects = [...]policy.Effect{policy.Deny, policy.Login, policy.StepUp, policy.Allow}

// knowObserved makes labels of an app of which something is observed, at zero.
func (m *Metrics) knowObserved(app string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.observed == nil {
		m.observed = map[string]*observedCounters{}
	}
	if m.observed[app] != nil {
		return
	}
	name := app
	if name == "" {
		name = unknown
	}
	all := new(observedCounters)
	for i, is := range effects {
		for j, would := range effects {
			all[i][j] = m.besides.Of(name, is.String(), would.String())
		}
	}
	m.observed[app] = all
}

// wasObserved counts a decision that was made beside.
func (m *Metrics) wasObserved(app string, is, would policy.Effect) {
	if m == nil {
		return
	}
	m.mu.Lock()
	counters := m.observed[app]
	m.mu.Unlock()
	if counters != nil {
		counters[is][would].Inc()
	}
}

// unobserved counts a decision that was not made beside.
func (m *Metrics) unobserved() {
	if m != nil {
		m.skipped.Inc()
	}
}
