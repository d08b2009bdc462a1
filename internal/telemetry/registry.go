// Package telemetry shows the program to those who watch it: metrics in the
// text form of Prometheus. It is a small tool without a word of the domain, and
// the one door of the libraries that it wraps.
//
// Every label has few values, known to who makes the metric: what a stranger
// sends is never one. Counters and histograms are resolved once, by Of, and
// cost some nanoseconds after that. The zero value of each counts nothing, and
// so does all that a nil Registry makes.
package telemetry

import (
	"bytes"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// Registry holds metrics, those of the Go runtime and of the process among them.
type Registry struct{ r *prometheus.Registry }

// NewRegistry returns a registry.
func NewRegistry() *Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Registry{r}
}

// ServeHTTP answers a scrape: all metrics as they are now, or 500.
func (r *Registry) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	form := expfmt.NewFormat(expfmt.TypeTextPlain)
	var page bytes.Buffer
	families, err := r.r.Gather()
	for _, f := range families {
		if err == nil {
			err = expfmt.NewEncoder(&page, form).Encode(f)
		}
	}
	if err != nil {
		http.Error(w, "metrics could not be gathered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", string(form))
	_, _ = w.Write(page.Bytes())
}

// Counters are counters of one name, by the values of their labels.
type Counters struct{ v *prometheus.CounterVec }

// Counters makes counters. Their name ends in _total.
func (r *Registry) Counters(name, help string, labels ...string) Counters {
	if r == nil {
		return Counters{}
	}
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.r.MustRegister(v)
	return Counters{v}
}

// Of returns the counter of these values, in the order of the labels. It is
// there, at zero, from now on.
func (c Counters) Of(values ...string) Counter {
	if c.v == nil {
		return Counter{}
	}
	return Counter{c.v.WithLabelValues(values...)}
}

// Counter counts what happens.
type Counter struct{ c prometheus.Counter }

// Inc counts one more.
func (c Counter) Inc() { c.Add(1) }

// Add counts n more.
func (c Counter) Add(n int) {
	if c.c != nil {
		c.c.Add(float64(n))
	}
}

// Histograms are histograms of one name, by the values of their labels.
type Histograms struct{ v *prometheus.HistogramVec }

// Histograms makes histograms of durations, with these upper bounds. Their
// name ends in _seconds.
func (r *Registry) Histograms(name, help string, bounds []time.Duration, labels ...string) Histograms {
	if r == nil {
		return Histograms{}
	}
	seconds := make([]float64, len(bounds))
	for i, b := range bounds {
		seconds[i] = b.Seconds()
	}
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
	r.r.MustRegister(v)
	return Histograms{v}
}

// Of returns the histogram of these values, in the order of the labels. It is
// there, empty, from now on.
func (h Histograms) Of(values ...string) Histogram {
	if h.v == nil {
		return Histogram{}
	}
	return Histogram{h.v.WithLabelValues(values...)}
}

// Histogram counts durations.
type Histogram struct{ h prometheus.Observer }

// Observe counts one duration.
func (h Histogram) Observe(d time.Duration) {
	if h.h != nil {
		h.h.Observe(d.Seconds())
	}
}

// Gauges makes a gauge that is read at each scrape: read calls show with each
// value and the values of the labels. It never shows the same labels twice.
func (r *Registry) Gauges(name, help string, labels []string, read func(show func(value float64, labels ...string))) {
	if r != nil {
		r.r.MustRegister(&gauges{prometheus.NewDesc(name, help, labels, nil), read})
	}
}

type gauges struct {
	desc *prometheus.Desc
	read func(show func(value float64, labels ...string))
}

// Describe names the gauge.
func (g *gauges) Describe(all chan<- *prometheus.Desc) { all <- g.desc }

// Collect reads it.
func (g *gauges) Collect(all chan<- prometheus.Metric) {
	g.read(func(value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, labels...)
	})
}
