package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whoever comes too early waits for being told so, but only so many at a time:
// the others are told at once.
func TestTooEarlyWaits(t *testing.T) {
	t.Parallel()
	const held, more = 256, 20
	h := open(t, plain)
	h.clock.stop()
	for range 5 {
		h.browser().login(nobody("alice"))
	}
	h.between(func() { h.server.HoldTime = time.Hour })
	h.browser().login(h.bob).wants(http.StatusOK) // who has not come too early waits for nothing
	ctx, done := context.WithCancel(t.Context())
	defer done()
	handler := h.server.Handler()
	body := h.alice.answers(h.program().connect("alice", "want", "token"), "want", "token")
	answers := make(chan int, held+more)
	var all sync.WaitGroup
	try := func() {
		all.Go(func() {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, h.Portal+"/.gateway/login", strings.NewReader(body))
			r.RequestURI, r.RemoteAddr = "/.gateway/login", "127.0.0.1:4711"
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			answers <- w.Code
		})
	}
	for range held {
		try()
	}
	for range more {
		try()
		if status := <-answers; status != http.StatusTooManyRequests {
			t.Errorf("status %d, want 429", status)
		}
	}
	select {
	case status := <-answers:
		t.Fatalf("one of those who wait was answered %d", status)
	case <-time.After(200 * time.Millisecond):
	}
	done()
	all.Wait()
	if len(answers) != held {
		t.Errorf("%d were answered when nobody waited any more, want %d", len(answers), held)
	}
}
