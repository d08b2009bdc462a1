// Package audit keeps the book: who signed in, who was refused and why, and
// what an administrator changed. Lines go to a slog.Handler, the seam of the
// standard library; they name people by user_id and login, never by e-mail
// address, and hold no secret.
package audit

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// Kind is what happened.
type Kind string

// The kinds of events.
const (
	SignIn  Kind = "sign-in"
	SignOut Kind = "sign-out"
	Refusal Kind = "refusal" // the policy said no
	Admin   Kind = "admin"   // an administrator changed something

	Link         Kind = "link"         // a one-time link was used, or tried
	Registration Kind = "registration" // somebody became known, or waited for it in vain
)

// Outcome is how it ended.
type Outcome string

// The outcomes of events. The zero value is written as "unknown".
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
	Failed  Outcome = "failed" // could not tell: a store or a provider did not answer
)

// Event is one line of the book. Empty fields are left out.
type Event struct {
	Kind       Kind
	Outcome    Outcome
	Action     string     // of an Admin event: "user add", "session revoke"; of a Link: what it is for
	Groups     []string   // of an Admin event: the user's own groups from now on
	Status     string     // of a Registration event: what the user is now
	Reason     string     // why, in one word of the room that refused
	UserID     string     // whom it is about
	Login      string     // the name that was used or is recorded
	Origin     string     // the door
	Session    string     // sid
	Invitation string     // id of an invitation, which opens nothing
	Decision   string     // decision_id of a refusal
	App        string     // the app's name
	Rule       string     // the rule that decided
	Method     string     // of a Refusal
	Host       string     // canonical
	Path       string     // canonical, without the query
	Client     netip.Addr // where the request came from
}

// Log writes the book.
type Log struct{ Handler slog.Handler }

// Record writes the event before the caller answers. It fails if the line
// cannot be written.
func (l *Log) Record(ctx context.Context, e Event) error {
	if l == nil || l.Handler == nil {
		return nil
	}
	if e.Outcome == "" {
		e.Outcome = "unknown"
	}
	r := slog.NewRecord(time.Now().UTC(), slog.LevelInfo, "audit", 0) //nolint:forbidigo // the line's own time stamp, as slog takes it
	r.AddAttrs(slog.String("audit", string(e.Kind)), slog.String("outcome", string(e.Outcome)))
	for _, f := range []struct{ key, value string }{
		{"action", e.Action},
		{"status", e.Status},
		{"reason", e.Reason},
		{"user_id", e.UserID},
		{"login", e.Login},
		{"origin", e.Origin},
		{"sid", e.Session},
		{"invitation", e.Invitation},
		{"decision_id", e.Decision},
		{"app", e.App},
		{"rule", e.Rule},
		{"method", e.Method},
		{"host", e.Host},
		{"path", clip(e.Path)},
	} {
		if f.value != "" {
			r.AddAttrs(slog.String(f.key, f.value))
		}
	}
	if e.Kind == Admin && e.Groups != nil {
		r.AddAttrs(slog.Any("groups", e.Groups))
	}
	if e.Client.IsValid() {
		r.AddAttrs(slog.String("client", e.Client.String()))
	}
	return l.Handler.Handle(ctx, r)
}

// clip bounds what a stranger can make us write.
func clip(s string) string {
	const limit = 512
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
