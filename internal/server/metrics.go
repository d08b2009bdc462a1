package server

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gateway/internal/audit"
	"gateway/internal/identity"
	"gateway/internal/telemetry"
	"gateway/internal/throttle"
	"gateway/policy"
)

// Metrics counts what the front does. It outlasts a Server: counters never
// fall while the program runs. What labels say is known beforehand: apps and
// origins of the configuration, or unknown, and words of this file; never what
// a stranger sent. A nil *Metrics counts nothing.
type Metrics struct {
	registry  *telemetry.Registry
	checks    telemetry.Counters
	signIns   telemetry.Counters
	took      [len(ways)]telemetry.Histogram
	untrusted telemetry.Counter
	panics    telemetry.Counter
	besides   telemetry.Counters
	skipped   telemetry.Counter
	openings  [len(opened)]telemetry.Counter
	guests    telemetry.Counter
	mu        sync.Mutex                   // of who adds names, and of observed
	observed  map[string]*observedCounters // by app; of unknown hosts the empty one
	apps      atomic.Pointer[map[string]*[len(ways)][len(outcomes)]telemetry.Counter]
	origins   atomic.Pointer[map[string]*[len(results)]telemetry.Counter]
}

// unknown is the app of a host that no app has, and the origin of a door that
// is not there.
const unknown = "unknown"

// way is how a check came in.
type way int

const (
	byForwardAuth way = iota
	byAuthRequest
	byExtAuthz
	byProxy
)

var ways = [...]string{byForwardAuth: "forward_auth", byAuthRequest: "auth_request", byExtAuthz: "ext_authz", byProxy: "proxy"}

// outcome is how a check ended. The zero value is that of a panic.
type outcome int

const (
	checkUnavailable outcome = iota // cannot tell
	checkAllowed
	checkSignIn // nobody is signed in, or not lately enough: sent to the sign-in
	checkRefused
	checkMalformed // no question that could be decided
)

var outcomes = [...]string{
	checkUnavailable: "unavailable", checkAllowed: "allowed", checkSignIn: "sign_in", checkRefused: "refused", checkMalformed: "malformed",
}

// result is how a sign-in ended.
type result int

const (
	signInFailed result = iota // could not tell
	signInDone
	signInRefused
	signInThrottled
	signInWaiting // for approval, or for an address to be verified
	signInShut    // by password, after a hundred that failed
)

var results = [...]string{signInFailed: "failed", signInDone: "done", signInRefused: "refused", signInThrottled: "throttled", signInWaiting: "waiting", signInShut: reasonShut}

// opening is how it ended that somebody wanted to open a guest link.
type opening int

const (
	openingFailed opening = iota // could not tell
	openingDone
	openingRefused
	openingThrottled
)

var opened = [...]string{openingFailed: "failed", openingDone: "done", openingRefused: "refused", openingThrottled: "throttled"}

// checkBounds are fine where a check that finds everything in memory ends.
var checkBounds = []time.Duration{
	10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, time.Millisecond,
	5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2500 * time.Millisecond,
}

// NewMetrics returns the front's metrics in a registry, which /metrics shows.
func NewMetrics(r *telemetry.Registry) *Metrics {
	m := &Metrics{
		registry:  r,
		checks:    r.Counters("gateway_checks_total", "Requests that were decided on, by app, way in and outcome.", "app", "way", "outcome"),
		signIns:   r.Counters("gateway_sign_ins_total", "Sign-ins that came to an end, by origin and outcome.", "origin", "outcome"),
		untrusted: r.Counters("gateway_untrusted_peers_total", "Requests to authz.listen from peers that are not in trusted_proxies.").Of(),
		panics:    r.Counters("gateway_panics_total", "Requests that ended in a panic, which refuses.").Of(),
		besides:   r.Counters("gateway_observed_decisions_total", "Decisions that were made beside the real one, by app, effect and the effect that they would have.", "app", "effect", "observed"),
		skipped:   r.Counters("gateway_observed_skipped_total", "Decisions that should have been made beside the real one and were not.").Of(),
		guests:    r.Counters("gateway_guest_checks_total", "Checks that a guest link let pass; they are among those that were allowed.").Of(),
	}
	openings := r.Counters("gateway_guest_openings_total", "Guest links that somebody wanted to open, by outcome.", "outcome")
	for x, word := range opened {
		m.openings[x] = openings.Of(word)
	}
	took := r.Histograms("gateway_check_duration_seconds", "Time from reading a request to its decision, by way in.", checkBounds, "way")
	for i, w := range ways {
		m.took[i] = took.Of(w)
	}
	m.apps.Store(&map[string]*[len(ways)][len(outcomes)]telemetry.Counter{})
	m.origins.Store(&map[string]*[len(results)]telemetry.Counter{})
	m.Know([]string{unknown}, []string{unknown})
	return m
}

// Know makes labels of the apps and origins of a configuration, at zero. Those
// of an earlier one stay.
func (m *Metrics) Know(apps, origins []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, o := maps.Clone(*m.apps.Load()), maps.Clone(*m.origins.Load())
	for _, app := range apps {
		all := new([len(ways)][len(outcomes)]telemetry.Counter)
		for w := range ways {
			for x := range outcomes {
				all[w][x] = m.checks.Of(app, ways[w], outcomes[x])
			}
		}
		a[app] = all
	}
	for _, origin := range origins {
		all := new([len(results)]telemetry.Counter)
		for x := range results {
			all[x] = m.signIns.Of(origin, results[x])
		}
		o[origin] = all
	}
	m.apps.Store(&a)
	m.origins.Store(&o)
}

// Show lets a gauge show how many streams are open, for each app that is known.
func (m *Metrics) Show(streams *Streams) {
	m.registry.Gauges("gateway_streams", "Requests under way through the own proxy, by app: WebSockets, event streams, downloads, and short ones.", []string{"app"}, func(show func(float64, ...string)) {
		open := streams.byApp()
		for app := range *m.apps.Load() {
			if app != unknown { // which nothing passes to
				show(float64(open[app]), app)
			}
		}
	})
}

// page is /metrics, or nothing.
func (m *Metrics) page() http.Handler {
	if m == nil {
		return http.NotFoundHandler()
	}
	return m.registry
}

// tally is one check that is to be counted, once.
type tally struct {
	server  *Server
	way     way
	began   time.Time
	counted bool
	span    *telemetry.Span
}

// tally begins to count a check. Whoever calls it defers lost, too.
func (s *Server) tally(w way) tally {
	t := tally{server: s, way: w}
	if s.Metrics != nil {
		t.began = time.Now() //nolint:forbidigo // a duration, not a time
	}
	return t
}

// decided counts the check by what came of it.
func (t *tally) decided(q question, v verdict, err error) {
	m := t.server.Metrics
	t.counted = true
	if m == nil && t.span == nil {
		return
	}
	app, x := v.decision.App, checkRefused
	switch {
	case limited(err):
	case err != nil && answerFor(err).status < http.StatusInternalServerError:
		x = checkMalformed
	case err != nil:
		x = checkUnavailable
	case v.allowed():
		x = checkAllowed
	case v.decision.Effect == policy.Login, v.decision.Effect == policy.StepUp:
		x = checkSignIn
	}
	if app == "" && q.host != "" {
		app, _ = t.server.Policy.Load().App(q.host)
	}
	if m != nil {
		m.check(app, t.way, x)
		m.took[t.way].Observe(time.Since(t.began))
		if x == checkAllowed && v.guest {
			m.guests.Inc()
		}
	}
	if t.span != nil {
		t.span.Set("gateway.app", cmp.Or(app, unknown))
		t.span.Set("gateway.way", ways[t.way])
		t.span.Set("gateway.outcome", outcomes[x])
		t.span.End(x == checkUnavailable)
	}
}

// limited reports whether somebody tried too often, which is a refusal.
func limited(err error) bool {
	_, yes := errors.AsType[*throttle.Limited](err)
	return yes
}

// lost counts a check that never came to a decision.
func (t *tally) lost() {
	if t.counted {
		return
	}
	t.span.End(true)
	if t.server.Metrics != nil {
		t.server.Metrics.check(unknown, t.way, checkUnavailable)
	}
}

func (m *Metrics) check(app string, w way, x outcome) {
	apps := *m.apps.Load()
	counters, known := apps[app]
	if !known {
		counters = apps[unknown]
	}
	counters[w][x].Inc()
}

// recorded counts what the book says of sign-ins and of guests.
func (m *Metrics) recorded(e audit.Event) {
	switch {
	case m == nil:
		return
	case e.Kind == audit.Link && e.Action == guestLinks:
		m.openings[openingOf(e)].Inc()
		return
	case e.Kind != audit.SignIn:
		return
	}
	x := signInFailed
	switch {
	case e.Reason == "TooManyAttempts":
		x = signInThrottled
	case e.Reason == reasonShut:
		x = signInShut
	case e.Reason == string(identity.Waiting), e.Reason == string(identity.Unverified):
		x = signInWaiting
	case e.Outcome == audit.Done:
		x = signInDone
	case e.Outcome == audit.Refused:
		x = signInRefused
	}
	origins := *m.origins.Load()
	counters, known := origins[e.Origin]
	if !known {
		counters = origins[unknown]
	}
	counters[x].Inc()
}

func openingOf(e audit.Event) opening {
	switch {
	case e.Reason == "TooManyAttempts":
		return openingThrottled
	case e.Outcome == audit.Done:
		return openingDone
	case e.Outcome == audit.Refused:
		return openingRefused
	}
	return openingFailed
}

func (m *Metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

func (m *Metrics) strangerAsked() {
	if m != nil {
		m.untrusted.Inc()
	}
}
