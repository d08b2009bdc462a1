package server

import (
	"cmp"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// bodyTime is how long a stranger may take to send a body: the app's own time
// begins when the request is let in.
const bodyTime = 30 * time.Second

// guard wraps a listener's handler: a panic refuses, and bodies end in time.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recover(w)
		if r.ContentLength != 0 {
			s.hurry(w)
		}
		next.ServeHTTP(w, r)
	})
}

// hurry lets the rest of a body come for no longer than bodyTime.
func (s *Server) hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(cmp.Or(s.BodyTime, bodyTime))) //nolint:forbidigo // the network's clock, not ours
}

// endBody sends an answer off and lets what is left of the body come for a
// while: a connection that ends at once may take the answer with it. What is
// left to net/http has no limit in time, since it ends what the app still reads.
// Of a stream that was cut nothing more may come.
func (s *Server) endBody(w http.ResponseWriter, r *http.Request, cut bool) {
	_ = http.NewResponseController(w).Flush()
	if !cut {
		s.hurry(w)
	}
	_ = r.Body.Close()
}

// recover turns a panic into cannot-tell. http.ErrAbortHandler passes: it is
// how a broken stream ends.
func (s *Server) recover(w http.ResponseWriter) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(cause)
	}
	s.Metrics.panicked()
	s.log().Error("panic", slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	s.own(w.Header())
	w.WriteHeader(http.StatusServiceUnavailable)
}

// own sets what every answer of our own carries. What apps answer passes as
// they say it.
func (s *Server) own(h http.Header) {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = noReferrer
	if s.Site.Secure() {
		h["Strict-Transport-Security"] = strictTransport
	}
}

// Shared header values; nobody writes to them.
var (
	noStore         = []string{"no-store"}
	noSniff         = []string{"nosniff"}
	noReferrer      = []string{"no-referrer"}
	strictTransport = []string{"max-age=31536000"}
)

func (s *Server) refuseHost(w http.ResponseWriter, r *http.Request) {
	s.own(w.Header())
	s.fail(w, r, errHost)
}
