package server

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
)

// ManagementHandler serves what operators ask: alive, ready, and how
// it goes.
func (s *Server) ManagementHandler() http.Handler {
	e := s.engine()
	e.Use(s.ownAnswer)
	both := []string{http.MethodGet, http.MethodHead}
	e.Match(both, "/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	e.Match(both, "/readyz", func(c *gin.Context) {
		if s.stopping.Load() {
			c.String(http.StatusServiceUnavailable, "stopping\n")
			return
		}
		if s.Ready != nil {
			if err := s.Ready(c.Request.Context()); err != nil {
				s.log().Error("not ready", slog.Any("cause", err))
				c.String(http.StatusServiceUnavailable, "not ready: the store does not answer\n")
				return
			}
		}
		c.String(http.StatusOK, "ok\n")
	})
	e.Match(both, "/metrics", gin.WrapH(s.Metrics.page()))
	return s.guard(e)
}
