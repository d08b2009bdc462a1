package e2e

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
)

// However often the configuration is reloaded under load, nobody is refused who
// may pass, nobody passes who may not, and nothing is left of the ones before.
func TestFaultReloads(t *testing.T) {
	t.Parallel()
	app := startNeighbour(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, nil)
	l := newSite(t, false, fmt.Sprintf("log: {level: warn}\napps:\n  one: {host: one.localhost, upstream: %q, allow: signed-in}\n", app.URL)).serve().load()
	token := l.mustSignIn(l.person("alice"))
	text := read(t, l.config)
	const done = `gateway_config_reloads_total{outcome="done"}`
	base, goroutines := 0.0, l.metric("go_goroutines")
	var stop atomic.Bool
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		together(2, func(int) {
			for !stop.Load() {
				l.mustPass(token, "a session during a reload")
				l.mustNotPass("", "nobody during a reload")
			}
		})
	}()
	for n := range again(t, 20) {
		before := l.metric(done)
		write(t, l.config, text+fmt.Sprintf("  other%d: {host: other%d.localhost, upstream: %q, allow: signed-in}\n", n%3, n%3, app.URL))
		if err := l.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the configuration is reloaded", func() bool { return l.metric(done) > before })
		if n == 9 {
			base = l.metric("go_memstats_sys_bytes") // with the heap of a program under load
		}
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	<-checked
	l.transport.CloseIdleConnections()
	eventually(t, "goroutines come back to base", func() bool { return l.metric("go_goroutines") <= goroutines+20 })
	if got := l.metric("go_memstats_sys_bytes"); got > base*1.5+32<<20 { // not what is resident: see TestFaultCrowdOfStrangers
		t.Errorf("%.0f MB of memory, %.0f MB after the first ten reloads", got/1e6, base/1e6)
	}
}
