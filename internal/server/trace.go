package server

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"gateway/internal/telemetry"
)

// Spans say which app, way, origin and outcome, all of them words that are known
// beforehand. They never say who, where or what for: no host, path, query,
// login or address.

// The spans of what happens all the time. Of those that begin a trace one in a
// hundred is kept.
const (
	spanCheck = "check"
	spanProxy = "proxy"
)

// Sampled says which part of the traces is kept, by the span that begins them;
// of others all are.
func Sampled() map[string]float64 { return map[string]float64{spanCheck: 0.01, spanProxy: 0.01} }

// span begins a span for a request, in the trace that it names if a trusted
// proxy sent it. A stranger chooses neither our traces nor whether we keep them.
func (s *Server) span(r *http.Request, name string) (*http.Request, *telemetry.Span) {
	if s.Tracer == nil {
		return r, nil
	}
	ctx := r.Context()
	if _, trusted := s.peer(r); trusted {
		ctx = s.Tracer.Join(ctx, r.Header)
	}
	ctx, span := s.Tracer.Start(ctx, name)
	return r.WithContext(ctx), span
}

// below begins a span below that of a request.
func (s *Server) below(r *http.Request, name string) (*http.Request, *telemetry.Span) {
	if s.Tracer == nil {
		return r, nil
	}
	ctx, span := s.Tracer.Start(r.Context(), name)
	return r.WithContext(ctx), span
}

// traced is handle with a span around it.
func (s *Server) traced(name string, h func(*gin.Context) error) gin.HandlerFunc {
	answer := s.handle(h)
	if s.Tracer == nil {
		return answer
	}
	return func(c *gin.Context) {
		var span *telemetry.Span
		c.Request, span = s.span(c.Request, name)
		status := http.StatusServiceUnavailable // of a panic
		defer func() {
			span.Set("http.response.status_code", strconv.Itoa(status))
			span.End(status >= http.StatusInternalServerError)
		}()
		answer(c)
		status = c.Writer.Status()
	}
}
