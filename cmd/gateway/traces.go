package main

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"gateway/internal/config"
	"gateway/internal/server"
	"gateway/internal/telemetry"
)

// tracing is where traces go, and who sends them there. The zero tracing sends none.
type tracing struct {
	to     string
	tracer *telemetry.Tracer
}

// trace keeps the tracer that is in use while its collector stays, and the one
// that was made last while its configuration is tried again and again.
func (h *house) trace(cfg *config.Config) tracing {
	endpoint := cfg.Telemetry.OTLP.Endpoint
	if endpoint == nil {
		return tracing{}
	}
	to := endpoint.String()
	if old := h.rooms.Load(); old != nil && old.tracing.to == to {
		return old.tracing
	}
	if h.tracing.to != to {
		h.tracing = tracing{to, h.tracer(endpoint)}
	}
	return h.tracing
}

func (h *house) tracer(endpoint *url.URL) *telemetry.Tracer {
	return telemetry.NewTracer(telemetry.TracerOptions{
		Endpoint: endpoint, Service: "gateway", Version: version, Sampled: server.Sampled(),
		Wrong: func(err error) {
			if err != nil {
				h.log.Warn("traces cannot be sent, and are dropped", slog.Any("cause", err))
				return
			}
			h.log.Info("traces can be sent again")
		},
	})
}

// closeTime bounds how long the collector may take for the last traces.
const closeTime = 3 * time.Second

// close sends what is left.
func (t tracing) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = t.tracer.Close(ctx) // what cannot be sent has been told
}
