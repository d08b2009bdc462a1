package telemetry_test

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	traces "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"gateway/internal/telemetry"
)

// collector takes spans as any OTLP receiver does.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string]*traces.Span
	said  []string // of resources
	deny  int      // status of what is refused
}

func collect(t *testing.T) *collector {
	c := &collector{spans: map[string]*traces.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data traces.TracesData
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &data) != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, r.Header)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.deny != 0 {
			w.WriteHeader(c.deny)
			return
		}
		for _, of := range data.ResourceSpans {
			for _, a := range of.Resource.Attributes {
				c.said = append(c.said, a.Key+"="+a.Value.GetStringValue())
			}
			for _, scope := range of.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[s.Name] = s
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) tracer(t *testing.T, wrong func(error)) *telemetry.Tracer {
	t.Helper()
	endpoint, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.NewTracer(telemetry.TracerOptions{
		Endpoint: endpoint, Service: "gateway", Version: "1", Sampled: map[string]float64{"rare": 0}, Wrong: wrong,
	})
}

func done(t *testing.T, tracer *telemetry.Tracer) {
	t.Helper()
	if err := tracer.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Spans arrive at a receiver with their place in the trace, what was said of
// them and how they ended.
func TestTraces(t *testing.T) {
	c := collect(t)
	tracer := c.tracer(t, func(err error) { t.Error(err) })
	ctx := tracer.Join(t.Context(), http.Header{"Traceparent": {parent}})
	ctx, check := tracer.Start(ctx, "check")
	check.Set("gateway.app", "wiki")
	telemetry.Did(ctx, "store", time.Now().Add(-time.Second), true)
	onwards := http.Header{"Traceparent": {"of a client"}, "Tracestate": {"x=y"}}
	tracer.Pass(ctx, onwards)
	check.End(false)
	_, root := tracer.Start(t.Context(), "sign-in")
	root.End(true)
	_, rare := tracer.Start(t.Context(), "rare")
	rare.End(false)
	done(t, tracer)

	got, store, signIn := c.spans["check"], c.spans["store"], c.spans["sign-in"]
	if len(c.spans) != 3 || got == nil || store == nil || signIn == nil {
		t.Fatalf("spans %v", c.spans)
	}
	if hex.EncodeToString(got.TraceId) != parent[3:35] || hex.EncodeToString(got.ParentSpanId) != parent[36:52] {
		t.Errorf("the trace of the request was not continued: %v", got)
	}
	if string(store.ParentSpanId) != string(got.SpanId) || store.Status.Code != traces.Status_STATUS_CODE_ERROR || store.EndTimeUnixNano-store.StartTimeUnixNano < uint64(time.Second) {
		t.Errorf("what was done in it: %v", store)
	}
	if len(got.Attributes) != 1 || got.Attributes[0].Key != "gateway.app" || got.Attributes[0].Value.GetStringValue() != "wiki" || got.Status.Code != 0 {
		t.Errorf("check: %v", got)
	}
	if len(signIn.ParentSpanId) != 0 || signIn.Status.Code != traces.Status_STATUS_CODE_ERROR || signIn.Kind != traces.Span_SPAN_KIND_SERVER {
		t.Errorf("sign-in: %v", signIn)
	}
	if want := "00-" + parent[3:35] + "-" + hex.EncodeToString(got.SpanId) + "-01"; onwards.Get("Traceparent") != want || onwards.Get("Tracestate") != "" {
		t.Errorf("passed on: %v, want %s", onwards, want)
	}
	if strings.Join(c.said, " ") != "service.name=gateway service.version=1" {
		t.Errorf("the resource says %q", c.said)
	}
}

// A collector that does not take spans costs them, and is told once.
func TestNoCollector(t *testing.T) {
	c := collect(t)
	c.deny = http.StatusServiceUnavailable
	var told []error
	tracer := c.tracer(t, func(err error) { told = append(told, err) })
	for range 3 {
		_, s := tracer.Start(t.Context(), "sign-in")
		s.End(false)
	}
	done(t, tracer)
	if len(told) != 1 || told[0] == nil {
		t.Errorf("told %v", told)
	}
}

// Without a tracer there are no spans, at no cost.
func TestNoTracer(t *testing.T) {
	var none *telemetry.Tracer
	h := http.Header{"Traceparent": {parent}}
	cost := testing.AllocsPerRun(100, func() {
		ctx := none.Join(t.Context(), h)
		ctx, s := none.Start(ctx, "check")
		s.Set("gateway.app", "wiki")
		telemetry.Did(ctx, "store", time.Time{}, false)
		none.Pass(ctx, h)
		s.End(true)
	})
	if cost != 0 || h.Get("Traceparent") != parent {
		t.Errorf("%v allocations, %v", cost, h)
	}
	done(t, none)
}
