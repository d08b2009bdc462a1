package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway/internal/canonical"
	"gateway/internal/server/pages"
	"gateway/internal/throttle"
)

// problem is an RFC 9457 problem that also carries product.md's error word.
type problem struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Status      int    `json:"status"`
	Detail      string `json:"detail"`
	Error       string `json:"error"`
	ChallengeID string `json:"challenge_id,omitempty"`
	DecisionID  string `json:"decision_id,omitempty"`
	Reason      string `json:"reason,omitempty"`
	RequestID   string `json:"request_id,omitempty"` // ties the answer to its line in the log

	retry string // of a page: where to begin again
}

// handle adapts a handler that returns its error. It is the only place where
// an error becomes an answer.
func (s *Server) handle(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			s.fail(c.Writer, c.Request, err)
		}
	}
}

// fail answers an error: the stranger gets a word and a sentence, the log the
// whole chain.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.say(w, r, describe(w.Header(), err), err, wantsPage(r))
}

// describe finds the problem that an error is, and sets Retry-After where
// waiting helps.
func describe(h http.Header, err error) problem {
	if limited, ok := errors.AsType[*throttle.Limited](err); ok && limited.Shut {
		h.Set("Retry-After", "86400") // nothing sooner is worth a try
		return problem{
			Status: http.StatusTooManyRequests, Error: "TooManyAttempts", Reason: reasonShut, retry: retry(err),
			Detail: "Too many wrong passwords in a row: the sign-in by password is shut under this login until an administrator opens it. Other ways to sign in work.",
		}
	} else if ok {
		seconds := int(math.Ceil(limited.RetryAfter.Seconds()))
		h.Set("Retry-After", strconv.Itoa(max(seconds, 1)))
		return problem{Status: http.StatusTooManyRequests, Error: "TooManyAttempts", Detail: "Too many attempts. Wait, then try again.", retry: retry(err)}
	}
	a := answerFor(err)
	p := problem{Status: a.status, Error: a.code, Detail: detail(a, err), retry: retry(err)}
	if c, ok := errors.AsType[challengeError](err); ok {
		p.ChallengeID = c.id
	}
	if d, ok := errors.AsType[decisionError](err); ok {
		p.DecisionID = d.id
		h.Set(headerDecision, d.id)
	}
	if p.Error == "InvalidSession" {
		p.Reason = "refused"
	}
	return p
}

// detail is the sentence that a stranger reads about err.
func detail(a answer, err error) string {
	if e, ok := errors.AsType[explained](err); ok {
		return e.detail
	}
	if a.is == canonical.ErrTarget || a.is == canonical.ErrMethod { //nolint:errorlint // the table's own sentinel
		if _, why, ok := strings.Cut(err.Error(), a.is.Error()+": "); ok {
			return a.detail + " (" + why + ")"
		}
	}
	return a.detail
}

// say writes a problem: as a page for a person who navigates, else as JSON.
func (s *Server) say(w http.ResponseWriter, r *http.Request, p problem, cause error, page bool) {
	p.Type, p.Title, p.RequestID = "about:blank", http.StatusText(p.Status), rand.Text()
	level := slog.LevelInfo
	switch {
	case p.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	case p.Status == http.StatusUnauthorized: // everyday life
		level = slog.LevelDebug
	}
	s.log().Log(r.Context(), level, "answered with an error", slog.Int("status", p.Status), slog.String("error", p.Error),
		slog.String("cause", text(cause)), slog.String("request_id", p.RequestID), slog.String("asked", asked(r)))
	if page {
		s.page(w, p.Status, pages.Failure{Status: p.Status, At: s.now().UTC(), Detail: p.Detail, RequestID: p.RequestID, Retry: p.retry})
		return
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

// page renders a page with the headers that every page has.
func (s *Server) page(w http.ResponseWriter, status int, value any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pages.CSP)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	w.WriteHeader(status)
	if err := pages.Render(w, value); err != nil {
		s.log().Error("page could not be written", slog.Any("cause", err))
	}
}

func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	body, err := json.Marshal(value)
	if err != nil { // our own structs always encode
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// asked says what a request was for, without its query: the original one, where
// a front proxy asks about it. It is as the peer wrote it, for the log alone.
func asked(r *http.Request) string {
	address := r.Host + r.URL.Path
	if strings.HasPrefix(r.URL.Path, "/.gateway/authz/") {
		address = r.Header.Get("X-Forwarded-Host") + r.Header.Get("X-Forwarded-Uri") + r.Header.Get("X-Original-Url")
	}
	address, _, _ = strings.Cut(address, "?")
	return clipped(address)
}

// clipped bounds what a stranger can make the log grow by.
func clipped(path string) string { return strings.ToValidUTF8(path[:min(len(path), 256)], "\uFFFD") }

// challengeError carries the challenge_id that an error speaks of.
type challengeError struct {
	error
	id string
}

func (e challengeError) Unwrap() error { return e.error }

// decisionError carries the decision_id of a refusal.
type decisionError struct {
	error
	id string
}

func (e decisionError) Unwrap() error { return e.error }

// flowError carries where a person begins again.
type flowError struct {
	error
	retry string
}

func (e flowError) Unwrap() error { return e.error }

// retry is where a person begins again, or "".
func retry(err error) string {
	f, _ := errors.AsType[flowError](err)
	return f.retry
}
