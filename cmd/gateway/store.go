package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gateway/internal/store/sqlite"
)

// storeTeller says in the log when the store begins to refuse work, what can
// be done about it, and when it does it again: once each, however many ask.
func storeTeller(log *slog.Logger) sqlite.Watcher {
	var reads, writes atomic.Bool // refused
	return func(ctx context.Context, op sqlite.Operation, _ time.Time, err error) {
		refused := &writes
		if op == sqlite.Read {
			refused = &reads
		}
		if refused.Load() == (err != nil) || !refused.CompareAndSwap(err == nil, err != nil) {
			return
		}
		why := []any{slog.Any("cause", err), slog.String("remedy", sqlite.Remedy(err))}
		switch {
		case err == nil && op == sqlite.Read:
			log.WarnContext(ctx, "the store is read again")
		case err == nil:
			log.WarnContext(ctx, "the store writes again")
		case op == sqlite.Read:
			log.ErrorContext(ctx, "the store cannot be read: who is not in memory is answered 503 until it can", why...)
		default:
			log.ErrorContext(ctx, "the store cannot write: sign-ins and changes are answered 503 until it can", why...)
		}
	}
}

// remedied says what can be done about an error of the store, where we know.
func remedied(err error) error {
	if remedy := sqlite.Remedy(err); remedy != "" {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// both tells two.
func both(a, b sqlite.Watcher) sqlite.Watcher {
	return func(ctx context.Context, op sqlite.Operation, began time.Time, err error) {
		a(ctx, op, began, err)
		b(ctx, op, began, err)
	}
}
