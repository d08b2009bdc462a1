package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sendTime bounds one request to the collector.
const sendTime = 10 * time.Second

// exporter sends spans by OTLP/HTTP, as protobuf. The library's own exporter
// would bring gRPC along, which is half as large as the rest of the program's
// libraries together.
type exporter struct {
	address string
	client  *http.Client
	wrong   func(error)
	failing atomic.Bool
}

func newExporter(endpoint *url.URL, wrong func(error)) *exporter {
	return &exporter{
		address: endpoint.JoinPath("v1", "traces").String(), wrong: wrong,
		client: &http.Client{
			Transport:     &http.Transport{MaxConnsPerHost: 1, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ExportSpans sends spans. What cannot be sent is dropped: its caller would
// only write the error somewhere else than we do.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.send(ctx, spans)
	if e.failing.Swap(err != nil) != (err != nil) && e.wrong != nil {
		e.wrong(err)
	}
	return nil
}

// Shutdown closes the connection.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	body, err := proto.Marshal(message(spans))
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection is kept
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("otlp: the collector answered %s", resp.Status)
	}
	return nil
}

// message is an ExportTraceServiceRequest, which has the form of TracesData.
// All spans are of one resource and one scope: ours.
func message(spans []sdk.ReadOnlySpan) *traces.TracesData {
	all := make([]*traces.Span, len(spans))
	for i, s := range spans {
		all[i] = span(s)
	}
	return &traces.TracesData{ResourceSpans: []*traces.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: attributes(spans[0].Resource().Attributes())},
		ScopeSpans: []*traces.ScopeSpans{{Scope: &common.InstrumentationScope{Name: spans[0].InstrumentationScope().Name}, Spans: all}},
	}}}
}

func span(s sdk.ReadOnlySpan) *traces.Span {
	trace, id := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &traces.Span{
		TraceId: trace[:], SpanId: id[:], TraceState: s.SpanContext().TraceState().String(), Name: s.Name(),
		Kind:              traces.Span_SpanKind(s.SpanKind()), //nolint:gosec // G115: the numbers are the same, and few
		StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
		Attributes: attributes(s.Attributes()), Status: &traces.Status{},
	}
	if parent := s.Parent(); parent.IsValid() {
		id := parent.SpanID()
		out.ParentSpanId = id[:]
	}
	if s.Status().Code == codes.Error {
		out.Status.Code = traces.Status_STATUS_CODE_ERROR
	}
	return out
}

func nanos(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }

func attributes(all []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, len(all))
	for i, a := range all {
		out[i] = &common.KeyValue{Key: string(a.Key), Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.AsString()}}}
	}
	return out
}
