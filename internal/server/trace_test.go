package server_test

import (
	"context"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway/internal/store/sqlite"
	"gateway/internal/telemetry"
)

// traced opens a gateway that sends all of its traces; sent flushes and returns
// them as they went over the wire.
func traced(t *testing.T) (h *house, sent func() string) {
	t.Helper()
	var mu sync.Mutex
	var wire strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		wire.Write(body)
	}))
	t.Cleanup(collector.Close)
	endpoint, err := url.Parse(collector.URL)
	if err != nil {
		t.Fatal(err)
	}
	h = open(t, https, func(h *house) {
		h.server.Tracer = telemetry.NewTracer(telemetry.TracerOptions{Endpoint: endpoint, Service: "gateway", Wrong: func(err error) { t.Error(err) }})
		h.store.Watch(func(ctx context.Context, op sqlite.Operation, began time.Time, err error) {
			telemetry.Did(ctx, "store "+string(op), began, err != nil)
		})
	})
	return h, func() string {
		h.must(h.server.Tracer.Close(context.Background()))
		mu.Lock()
		defer mu.Unlock()
		return wire.String()
	}
}

// Traces tell of every kind of work, and of nobody: no secret, login, address,
// host or path is in them.
func TestTracesTellOfNobody(t *testing.T) {
	t.Parallel()
	h, sent := traced(t)
	h.uncached()
	h.tour(t)
	wire := sent()
	for _, told := range []string{"check", "proxy", "connect", "sign-in", "sign-out", "start", "callback", "authorize", "handoff", "store read", "store write", "provider", "gateway.app", "wiki", "gateway.way", "forward_auth", "gateway.outcome", "allowed", "sign_in", "http.response.status_code", "303"} {
		if !strings.Contains(wire, told) {
			t.Errorf("no trace tells of %q", told)
		}
	}
	secrets := map[string]string{}
	h.watch.mu.Lock()
	maps.Copy(secrets, h.watch.secrets)
	h.watch.mu.Unlock()
	if len(secrets) < 10 {
		t.Fatalf("the tour knows %d secrets", len(secrets))
	}
	maps.Copy(secrets, map[string]string{
		"alice": "login", "bob": "login", "dave": "login", "mail.example": "address", "canary": "query", "/closed": "path", "/admin": "path", "198.51.100.7": "client", h.site.wiki: "host", h.site.portal: "host",
	})
	for value, what := range secrets {
		if value != "" && strings.Contains(strings.ToLower(wire), strings.ToLower(value)) && len(value) > 1 {
			t.Errorf("the traces hold a %s: %q", what, value)
		}
	}
}

// A trace is continued for trusted proxies alone, and goes on to the app.
func TestWhoseTrace(t *testing.T) {
	t.Parallel()
	h, sent := traced(t)
	const ours, theirs = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
	parent := func(id string) []string {
		return []string{"Traceparent", "00-" + id + "-b7ad6b7169203331-01", "Tracestate", "vendor=them"}
	}
	h.asks(forwardAuth, h.about("/public/x", parent(ours)...)).wants(http.StatusOK)
	h.program().get(h.Wiki+"/public/x", parent(theirs)...).wants(http.StatusOK)
	got := h.echo.last(t).Header
	if id := got.Get("Traceparent"); len(id) != 55 || strings.Contains(id, theirs) || got.Get("Tracestate") != "" {
		t.Errorf("the app is told of trace %q, %q", id, got.Get("Tracestate"))
	}
	h.rawTo(h.front.Listener.Addr(), trusted, h.page("/public/x", append(parent(ours), "X-Forwarded-For", "192.0.2.1")...)).wants(http.StatusOK)
	if id := h.echo.last(t).Header.Get("Traceparent"); !strings.HasPrefix(id, "00-"+ours+"-") || strings.Contains(id, "b7ad6b7169203331") {
		t.Errorf("the app of a trusted proxy is told of trace %q", id)
	}
	wire := hex.EncodeToString([]byte(sent()))
	if !strings.Contains(wire, ours) || strings.Contains(wire, theirs) {
		t.Error("a stranger chooses our traces, or a trusted proxy does not")
	}
}

// Without a collector a client's headers pass as they are.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	h := open(t, https)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"
	h.program().get(h.Wiki+"/public/x", "Traceparent", parent).wants(http.StatusOK)
	if got := h.echo.last(t).Header.Get("Traceparent"); got != parent {
		t.Errorf("the app is told of trace %q", got)
	}
}
