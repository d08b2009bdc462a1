package telemetry_test

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/telemetry"
)

// scrape returns the lines about metrics whose name begins with a prefix.
func scrape(t *testing.T, r *telemetry.Registry, prefix string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if kind := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Fatalf("status %d, %s: %s", w.Code, kind, w.Body)
	}
	var found []string
	for line := range strings.Lines(w.Body.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) || strings.HasPrefix(line, "# TYPE "+prefix) {
			found = append(found, line)
		}
	}
	return found
}

func TestRegistry(t *testing.T) {
	r := telemetry.NewRegistry()
	doors := r.Counters("test_doors_total", "Doors.", "door")
	front := doors.Of("front")
	doors.Of("back")
	front.Inc()
	doors.Of("front").Add(2) // the same counter
	took := r.Histograms("test_took_seconds", "Time.", []time.Duration{time.Millisecond, time.Second}).Of()
	took.Observe(time.Microsecond)
	took.Observe(2 * time.Millisecond)
	took.Observe(time.Minute)
	reads := 0
	r.Gauges("test_now", "Now.", []string{"of"}, func(show func(float64, ...string)) {
		reads++
		show(float64(reads), "this")
	})
	want := []string{
		`# TYPE test_doors_total counter`, `test_doors_total{door="back"} 0`, `test_doors_total{door="front"} 3`,
		`# TYPE test_now gauge`, `test_now{of="this"} 1`,
		`# TYPE test_took_seconds histogram`, `test_took_seconds_bucket{le="0.001"} 1`, `test_took_seconds_bucket{le="1"} 2`,
		`test_took_seconds_bucket{le="+Inf"} 3`, `test_took_seconds_sum 60.002001`, `test_took_seconds_count 3`,
	}
	if got := scrape(t, r, "test_"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := scrape(t, r, "test_now"); got[1] != `test_now{of="this"} 2` {
		t.Errorf("a gauge is not read at each scrape: %q", got)
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "process_start_time_seconds"} {
		if len(scrape(t, r, name)) != 2 {
			t.Errorf("no %s", name)
		}
	}
}

// Without a registry everything works and nothing is counted.
func TestNoRegistry(t *testing.T) {
	var none *telemetry.Registry
	none.Counters("x_total", "X.", "a").Of("b").Inc()
	none.Histograms("x_seconds", "X.", nil).Of().Observe(time.Second)
	none.Gauges("x", "X.", nil, func(func(float64, ...string)) { t.Error("read") })
}

// A gauge that shows the same thing twice makes the scrape fail: half a truth
// would look like a whole one.
func TestBrokenGauge(t *testing.T) {
	r := telemetry.NewRegistry()
	r.Gauges("test_twice", "Twice.", nil, func(show func(float64, ...string)) {
		show(1)
		show(2)
	})
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 500 || regexp.MustCompile(`(?m)^test_`).MatchString(w.Body.String()) {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
