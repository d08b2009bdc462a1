package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer makes spans and sends them by OTLP. A nil Tracer makes none, for
// nothing. What a span says is for its caller to choose, and is nothing that
// somebody sent.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// TracerOptions say where spans go and whose they are.
type TracerOptions struct {
	Endpoint *url.URL // of the collector: /v1/traces is appended
	Service  string
	Version  string
	Sampled  map[string]float64 // of spans by this name that begin a trace, which part is kept; 1 where none is named
	Wrong    func(error)        // is told when sending begins to fail, and nil when it works again
}

// NewTracer returns a tracer. It sends in the background, and drops what the
// collector does not take in time.
func NewTracer(o TracerOptions) *Tracer {
	p := sdk.NewTracerProvider(
		sdk.WithBatcher(newExporter(o.Endpoint, o.Wrong)),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", o.Service), attribute.String("service.version", o.Version))),
		sdk.WithSampler(sdk.ParentBased(byName(o.Sampled))),
	)
	return &Tracer{p, p.Tracer("gateway")}
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// byName samples what begins a trace by its name.
type byName map[string]float64

// ShouldSample decides by the name and the id of the trace.
func (s byName) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	part, named := s[p.Name]
	if !named {
		part = 1
	}
	return sdk.TraceIDRatioBased(part).ShouldSample(p)
}

// Description is for the library's own log.
func (s byName) Description() string { return "by name" }

// Span is one thing that took time. A nil Span is none.
type Span struct{ s trace.Span }

// Start begins a span below that of the context, or else a trace.
func (t *Tracer) Start(ctx context.Context, name string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer))
	return ctx, &Span{s}
}

// Set says something about the span.
func (s *Span) Set(key, value string) {
	if s != nil {
		s.s.SetAttributes(attribute.String(key, value))
	}
}

// End ends the span.
func (s *Span) End(failed bool) {
	if s == nil {
		return
	}
	if failed {
		s.s.SetStatus(codes.Error, "")
	}
	s.s.End()
}

// Did notes what was done below the span of the context, if there is one.
func Did(ctx context.Context, name string, began time.Time, failed bool) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	_, s := parent.TracerProvider().Tracer("gateway").Start(ctx, name, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindClient))
	(&Span{s}).End(failed)
}

// W3C Trace Context, https://www.w3.org/TR/trace-context/.
var traceContext propagation.TraceContext

// Join continues the trace that a request names.
func (t *Tracer) Join(ctx context.Context, h http.Header) context.Context {
	if t == nil {
		return ctx
	}
	return traceContext.Extract(ctx, propagation.HeaderCarrier(h))
}

// Pass names the trace of the context in a request that goes on, and no other.
func (t *Tracer) Pass(ctx context.Context, h http.Header) {
	if t == nil {
		return
	}
	h.Del("Traceparent")
	h.Del("Tracestate")
	traceContext.Inject(ctx, propagation.HeaderCarrier(h))
}
