package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"

	"gateway/internal/config"
)

// logs is where the log goes. Its form changes with the configuration, under
// every logger that was handed out.
type logs struct {
	to      io.Writer
	current atomic.Pointer[slog.Handler]
}

func logsTo(to io.Writer, form config.Log) *logs {
	l := &logs{to: to}
	l.shape(form)
	return l
}

// shape gives lines another form and level from now on. They never have
// secrets: types that hold one hide themselves.
func (l *logs) shape(form config.Log) {
	opts := &slog.HandlerOptions{Level: form.Level}
	var h slog.Handler = slog.NewJSONHandler(l.to, opts)
	if form.Format == config.Text {
		h = slog.NewTextHandler(l.to, opts)
	}
	l.current.Store(&h)
}

func (l *logs) logger() *slog.Logger { return slog.New(logHandler{logs: l}) }

// logHandler hands lines on to what is current.
type logHandler struct {
	logs *logs
	with []func(slog.Handler) slog.Handler // what a logger was derived by
}

func (h logHandler) current() slog.Handler {
	now := *h.logs.current.Load()
	for _, derive := range h.with {
		now = derive(now)
	}
	return now
}

func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.current().Enabled(ctx, level)
}

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.current().Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derived(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return h.derived(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h logHandler) derived(by func(slog.Handler) slog.Handler) slog.Handler {
	h.with = append(slices.Clip(h.with), by)
	return h
}
