// Package audit keeps the book: who signed in, who was refused and why, and
// what an administrator changed. Lines go to files that are only ever appended
// to, each chained to the one before it by a keyed hash (Book), and to a
// slog.Handler, the seam of the standard library. They name people by user_id
// and login, never by e-mail address, and hold no secret.
package audit

import (
	"context"
	"errors"
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

// Event is what a line of the book is about. Empty fields are left out.
type Event struct {
	Kind       Kind       `json:"audit"`
	Outcome    Outcome    `json:"outcome,omitempty"`
	Action     string     `json:"action,omitempty"`      // of an Admin event: "user add", "session revoke"; of a Link: what it is for
	Status     string     `json:"status,omitempty"`      // of a Registration event: what the user is now
	Reason     string     `json:"reason,omitempty"`      // why, in one word of the room that refused
	UserID     string     `json:"user_id,omitempty"`     // whom it is about
	Login      string     `json:"login,omitempty"`       // the name that was used or is recorded
	Origin     string     `json:"origin,omitempty"`      // the door
	Session    string     `json:"sid,omitempty"`         //
	Token      string     `json:"token_id,omitempty"`    // id of an app token, which opens nothing
	Invitation string     `json:"invitation,omitempty"`  // id of an invitation, which opens nothing
	Guest      string     `json:"guest,omitempty"`       // name of a guest link
	Decision   string     `json:"decision_id,omitempty"` // of a refusal
	App        string     `json:"app,omitempty"`         // the app's name
	Rule       string     `json:"rule,omitempty"`        // the rule that decided
	Method     string     `json:"method,omitempty"`      // of a Refusal
	Host       string     `json:"host,omitempty"`        // canonical
	Path       string     `json:"path,omitempty"`        // canonical, without the query
	Groups     []string   `json:"groups,omitzero"`       // of an Admin event: the user's own groups from now on
	Client     netip.Addr `json:"client,omitzero"`       // where the request came from
}

// Log writes the book, and says the same in the log.
type Log struct {
	Book    *Book        // nil: the log alone
	Handler slog.Handler // nil: the book alone

	// Wrote, if set, is told how each line ended: left is true for one that was
	// left out because strangers cause too many.
	Wrote func(left bool, err error)
}

// Record writes the event before the caller answers. It fails if the line
// cannot be written. What has to outlive the machine's fall is on the disk when
// Record returns: whatever was done. Refusals follow within a second.
func (l *Log) Record(ctx context.Context, e Event) error {
	if l == nil {
		return nil
	}
	if e.Outcome == "" {
		e.Outcome = "unknown"
	}
	e.Path = clip(e.Path)
	if e.Kind != Admin {
		e.Groups = nil
	}
	var kept Line
	var err error
	if l.Book != nil {
		kept, err = l.Book.Write(e)
		if l.Wrote != nil {
			l.Wrote(err == nil && kept.Seq == 0, err)
		}
	}
	if l.Handler == nil {
		return err
	}
	return errors.Join(err, l.tell(ctx, e, kept))
}

// tell says the event in the log, with its place in the book: who collects the
// log elsewhere has a witness that the book cannot be rewritten against.
func (l *Log) tell(ctx context.Context, e Event, kept Line) error {
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
		{"token_id", e.Token},
		{"invitation", e.Invitation},
		{"guest", e.Guest},
		{"decision_id", e.Decision},
		{"app", e.App},
		{"rule", e.Rule},
		{"method", e.Method},
		{"host", e.Host},
		{"path", e.Path},
	} {
		if f.value != "" {
			r.AddAttrs(slog.String(f.key, f.value))
		}
	}
	if e.Groups != nil {
		r.AddAttrs(slog.Any("groups", e.Groups))
	}
	if e.Client.IsValid() {
		r.AddAttrs(slog.String("client", e.Client.String()))
	}
	if kept.Seq != 0 {
		r.AddAttrs(slog.Uint64("seq", kept.Seq), slog.String("mac", kept.MAC))
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
