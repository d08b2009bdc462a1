package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Problem is the portal's no (RFC 9457). Fields but Status and RetryAfter are
// the portal's own words, and empty where somebody else has answered.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"-"` // of the answer
	Detail   string `json:"detail"`
	Instance string `json:"instance"`

	Code        string `json:"error"` // BadUserOrPassword, TooManyAttempts, …
	ChallengeID string `json:"challenge_id"`
	Reason      string `json:"reason"`
	DecisionID  string `json:"decision_id"`

	RetryAfter time.Duration `json:"-"` // how long to wait before trying again
}

// Error implements error. What the portal said is quoted, so that it cannot
// play tricks with a terminal.
func (p *Problem) Error() string {
	switch {
	case p.Code == "":
		return fmt.Sprintf("status %d %s", p.Status, http.StatusText(p.Status))
	case p.Detail == "":
		return fmt.Sprintf("status %d: %q", p.Status, p.Code)
	}
	text := fmt.Sprintf("status %d: %q: %q", p.Status, p.Code, p.Detail)
	if p.RetryAfter > 0 {
		text += ", in " + p.RetryAfter.String()
	}
	return text
}

// problem reads an answer that is no success.
func problem(resp *http.Response, body []byte) *Problem {
	p := &Problem{}
	if is(resp, "application/problem+json") && json.Unmarshal(body, p) != nil {
		p = &Problem{}
	}
	p.Status = resp.StatusCode
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	return p
}

// is reports whether an answer has the media type.
func is(resp *http.Response, want string) bool {
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && got == want
}
