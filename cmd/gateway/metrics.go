package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gateway/internal/config"
	"gateway/internal/identity"
	"gateway/internal/server"
	"gateway/internal/store/sqlite"
	"gateway/internal/telemetry"
)

// storeBounds reach from a row in memory to a disk that hangs.
var storeBounds = []time.Duration{
	25 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 10 * time.Millisecond,
	25 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2500 * time.Millisecond,
}

// scrapeTime bounds what a scrape may ask of the store.
const scrapeTime = 2 * time.Second

// measure makes the metrics of every room. It is called once, before there are
// rooms: what it reads is read when somebody asks.
func (h *house) measure() {
	r := telemetry.NewRegistry()
	h.metrics = server.NewMetrics(r)
	h.metrics.Show(h.streams)
	h.store.Watch(both(storeWatcher(r), storeTeller(h.log)))
	h.reloaded = reloadWatcher(r)
	h.audit.Wrote = auditWatcher(r)
	r.Gauges("gateway_build_info", "1, by the program's version and Go's.", []string{"version", "goversion"}, func(show func(float64, ...string)) {
		goVersion := ""
		if info, ok := debug.ReadBuildInfo(); ok {
			goVersion = info.GoVersion
		}
		show(1, version, goVersion)
	})
	r.Gauges("gateway_certificate_expiry_timestamp_seconds", "When the first certificate of listen ends; absent without one.", nil, h.showExpiry)
	r.Gauges("gateway_sessions", "Sessions that are live, at the portal and at apps.", []string{"at"}, h.countSessions)
	r.Gauges("gateway_provider_up", "Whether a provider can be used now: 1 or 0.", []string{"origin"}, func(show func(float64, ...string)) {
		h.eachProvider(func(id string, up float64, _ time.Time) { show(up, id) })
	})
	r.Gauges("gateway_provider_last_error_timestamp_seconds", "When a provider last could not be used; absent if never since the start.", []string{"origin"}, func(show func(float64, ...string)) {
		h.eachProvider(func(id string, _ float64, failed time.Time) {
			if !failed.IsZero() {
				show(seconds(failed), id)
			}
		})
	})
}

// count makes labels of what a configuration names.
func (h *house) count(cfg *config.Config) {
	h.metrics.Know(sortedKeys(cfg.Apps), append(sortedKeys(cfg.Providers), identity.Local))
}

// observe takes over what a configuration observes, and forgets what it does
// not want to be remembered.
func (h *house) observe(r *rooms) {
	file := server.AdminObservedFile{Path: r.config.Observe}
	if r.config.Observed != nil {
		file.Wrong = r.config.Observed.Wrong
	}
	if r.server.Allows == nil {
		h.allows.Forget()
	}
	h.observer.Know(r.server.Policy.Load(), file, time.Now()) //nolint:forbidigo // the real time is what an operator asks about
}

// auditWatcher counts the lines of the audit log.
func auditWatcher(r *telemetry.Registry) func(bool, error) {
	lines := r.Counters("gateway_audit_lines_total", "Lines for the audit log, by what became of them.", "outcome")
	written, suppressed, failed := lines.Of("written"), lines.Of("suppressed"), lines.Of("failed")
	return func(left bool, err error) {
		switch {
		case err != nil:
			failed.Inc()
		case left:
			suppressed.Inc()
		default:
			written.Inc()
		}
	}
}

// reloadWatcher measures how reloads end. To start is to load the first time.
func reloadWatcher(r *telemetry.Registry) func(error) {
	reloads := r.Counters("gateway_config_reloads_total", "Reloads of the configuration, by outcome.", "outcome")
	done, failed := reloads.Of("done"), reloads.Of("failed")
	var good atomic.Bool
	var last atomic.Int64
	good.Store(true)
	last.Store(time.Now().UnixMilli()) //nolint:forbidigo // the real time is what an operator asks about
	r.Gauges("gateway_config_last_reload_successful", "Whether the last attempt to load the configuration succeeded: 1 or 0.", nil, func(show func(float64, ...string)) {
		show(number(good.Load()))
	})
	r.Gauges("gateway_config_last_reload_success_timestamp_seconds", "When the configuration was last loaded.", nil, func(show func(float64, ...string)) {
		show(float64(last.Load()) / 1000)
	})
	return func(err error) {
		good.Store(err == nil)
		if err != nil {
			failed.Inc()
			return
		}
		done.Inc()
		last.Store(time.Now().UnixMilli()) //nolint:forbidigo // the real time is what an operator asks about
	}
}

// showExpiry shows when the certificate that is served ends.
func (h *house) showExpiry(show func(float64, ...string)) {
	secure := h.rooms.Load().tls
	if secure == nil {
		return
	}
	first := secure.Certificates[0].Leaf.NotAfter
	for _, c := range secure.Certificates {
		if c.Leaf.NotAfter.Before(first) {
			first = c.Leaf.NotAfter
		}
	}
	show(seconds(first))
}

// storeWatcher measures what the store does.
func storeWatcher(r *telemetry.Registry) sqlite.Watcher {
	took := r.Histograms("gateway_store_operation_duration_seconds", "Time of the store's operations, by kind; a write until it is on the disk.", storeBounds, "operation")
	failed := r.Counters("gateway_store_errors_total", "Operations that the store could not carry out, by kind.", "operation")
	times := map[sqlite.Operation]telemetry.Histogram{}
	failures := map[sqlite.Operation]telemetry.Counter{}
	for _, op := range []sqlite.Operation{sqlite.Read, sqlite.Write} {
		times[op], failures[op] = took.Of(string(op)), failed.Of(string(op))
	}
	spans := map[sqlite.Operation]string{sqlite.Read: "store read", sqlite.Write: "store write"}
	return func(ctx context.Context, op sqlite.Operation, began time.Time, err error) {
		telemetry.Did(ctx, spans[op], began, err != nil)
		times[op].Observe(time.Since(began))
		if err != nil {
			failures[op].Inc()
		}
	}
}

// countSessions shows nothing while the store does not answer.
func (h *house) countSessions(show func(float64, ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	portal, apps, err := h.store.CountSessions(ctx, time.Now(), h.rooms.Load().config.Sessions.Idle) //nolint:forbidigo // the real time is what an operator asks about
	if err != nil {
		h.log.Error("sessions could not be counted", slog.Any("cause", err))
		return
	}
	show(float64(portal), "portal")
	show(float64(apps), "app")
}

func (h *house) eachProvider(tell func(id string, up float64, failed time.Time)) {
	door := h.rooms.Load().server.Foreign
	if door == nil {
		return
	}
	for _, p := range door.Health() {
		tell(p.ID, number(p.Up), p.Failed)
	}
}

// number is 1 for yes and 0 for no.
func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds is a moment as metrics have it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
