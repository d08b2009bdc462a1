package main

import (
	"context"
	"log/slog"
	"time"
)

// watchEvery is how soon an operator reads that a provider has gone or come back.
const watchEvery = 5 * time.Second

// watch tells the log, once for each change, which providers cannot be reached
// and why. It looks at what is known already and asks nobody.
func (h *house) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	down := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		door := h.rooms.Load().server.Foreign
		if door == nil {
			clear(down)
			continue
		}
		for _, p := range door.Health() {
			switch {
			case !p.Up && !down[p.ID]:
				h.log.Warn("provider cannot be used", slog.String("origin", p.ID), slog.String("cause", p.Err))
			case p.Up && down[p.ID]:
				h.log.Info("provider can be used again", slog.String("origin", p.ID))
			}
			down[p.ID] = !p.Up
		}
	}
}
