package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gateway/internal/audit"
)

// The audit log is read from its files, whether a gateway runs or not.

func auditCommand(o *options) *cobra.Command {
	return group("audit", "Read the audit log", auditList(o), auditVerify(o))
}

// choice is what the flags of audit list say.
type choice struct {
	since, until, kind, outcome string
	filter                      audit.Filter
	limit                       int
	json                        bool
}

func auditList(o *options) *cobra.Command {
	var ask choice
	c := &cobra.Command{
		Use: "list", Short: "List what the audit log has, oldest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := ask.read(time.Now()); err != nil { //nolint:forbidigo // "24h" is 24 hours ago
				return badUsage{err}
			}
			data, err := dataFolder(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			found, err := audit.Find(bookFolder(data), ask.filter, ask.limit)
			if err != nil {
				return err
			}
			if ask.json {
				if found == nil {
					found = []audit.Line{}
				}
				return printJSON(c.OutOrStdout(), found)
			}
			return table(c.OutOrStdout(), auditRows(found))
		},
	}
	f := c.Flags()
	f.StringVar(&ask.since, "since", "", "from this moment on: 2026-03-01, 2026-03-01T12:00:00Z, or 24h for so long ago")
	f.StringVar(&ask.until, "until", "", "before this moment")
	f.StringVar(&ask.kind, "kind", "", "only these: "+words(auditKinds))
	f.StringVar(&ask.outcome, "outcome", "", "only what ended so: "+words(auditOutcomes))
	f.StringVar(&ask.filter.User, "user", "", "only about this login or user_id")
	f.StringVar(&ask.filter.App, "app", "", "only about this app")
	f.StringVar(&ask.filter.Decision, "decision", "", "only the refusal with this decision_id")
	f.IntVar(&ask.limit, "limit", 1000, "at most so many, the newest")
	f.BoolVar(&ask.json, "json", false, "print JSON")
	return c
}

var (
	auditKinds    = []audit.Kind{audit.SignIn, audit.SignOut, audit.Refusal, audit.Admin, audit.Registration, audit.Link, audit.Note, audit.Suppressed}
	auditOutcomes = []audit.Outcome{audit.Done, audit.Refused, audit.Failed}
)

func words[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, w := range all {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// read turns the flags into a filter.
func (a *choice) read(now time.Time) error {
	var err1, err2 error
	a.filter.Since, err1 = moment("--since", a.since, now)
	a.filter.Until, err2 = moment("--until", a.until, now)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	a.filter.Kind, a.filter.Outcome = audit.Kind(a.kind), audit.Outcome(a.outcome)
	switch {
	case a.kind != "" && !slices.Contains(auditKinds, a.filter.Kind):
		return fmt.Errorf("--kind is one of %s", words(auditKinds))
	case a.outcome != "" && !slices.Contains(auditOutcomes, a.filter.Outcome):
		return fmt.Errorf("--outcome is one of %s", words(auditOutcomes))
	case a.limit < 1:
		return errors.New("--limit is at least 1")
	}
	return nil
}

// moment reads a time, a day, or how long ago it was.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is a moment such as 2026-03-01 or 2026-03-01T12:00:00Z, both UTC, or how long ago it was, such as 24h; 30 days are 720h", flag)
}

func auditRows(lines []audit.Line) []row {
	rows := []row{{"TIME", "KIND", "OUTCOME", "LOGIN", "FROM", "WHAT"}}
	for i := range lines {
		l := &lines[i]
		client := ""
		if l.Client.IsValid() {
			client = l.Client.String()
		}
		rows = append(rows, row{instant(l.Time), string(l.Kind), string(l.Outcome), l.Login, client, what(l)})
	}
	return rows
}

// what says a line's particulars.
func what(l *audit.Line) string {
	var parts []string
	for _, p := range []struct{ before, value string }{
		{"", l.Action},
		{"", l.Status},
		{"", l.Reason},
		{"by ", l.Origin},
		{"", l.App},
		{"rule ", l.Rule},
		{"", strings.TrimSpace(l.Method + " " + l.Host + l.Path)},
		{"decision ", l.Decision},
		{"session ", l.Session},
		{"token ", l.Token},
		{"invitation ", l.Invitation},
		{"groups ", strings.Join(l.Groups, " ")},
	} {
		if p.value != "" {
			parts = append(parts, p.before+p.value)
		}
	}
	if l.Count > 0 {
		parts = append(parts, fmt.Sprintf("%d lines were left out", l.Count))
	}
	return strings.Join(parts, ", ")
}

func auditVerify(o *options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "verify", Short: "Say whether the audit log is whole, and where it is not", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := dataFolder(o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			key, err := os.ReadFile(filepath.Join(data, "keys", bookName)) //nolint:gosec // G304: the administrator names the folder
			if err != nil {
				return fmt.Errorf("the key of the audit log: %w", err)
			}
			r, err := audit.Verify(bookFolder(data), key)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(c.OutOrStdout(), r)
			} else {
				err = tellReport(c.OutOrStdout(), r)
			}
			if err == nil && len(r.Breaks) > 0 {
				err = errors.New("the audit log is not whole")
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func tellReport(out io.Writer, r audit.Report) error {
	var text strings.Builder
	for _, b := range r.Breaks {
		place := b.File
		if b.Line > 0 {
			place = fmt.Sprintf("%s:%d", b.File, b.Line)
		}
		fmt.Fprintf(&text, "%s: %s\n", place, b.Says)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&text, "note: %s\n", n)
	}
	if r.Lines == 0 {
		text.WriteString("no lines\n")
	} else {
		fmt.Fprintf(&text, "%d lines, %d to %d, %s to %s, the last with mac %s\n", r.Lines, r.First, r.Last, instant(r.From), instant(r.To), r.MAC)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
