package audit_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"gateway/internal/audit"
)

// A line of the book is one JSON object, whatever strangers put into it.
func TestRecord(t *testing.T) {
	for _, row := range []struct {
		name  string
		event audit.Event
		want  map[string]any
	}{
		{
			"a refusal",
			audit.Event{Kind: audit.Refusal, Outcome: audit.Refused, Decision: "D", App: "wiki", Method: "GET", Host: "wiki.example.com", Path: "/a", Client: netip.MustParseAddr("192.0.2.1")},
			map[string]any{"audit": "refusal", "outcome": "refused", "decision_id": "D", "path": "/a", "client": "192.0.2.1"},
		},
		{"an outcome that nobody set", audit.Event{Kind: audit.SignIn}, map[string]any{"outcome": "unknown"}},
		{
			"a login that plays log",
			audit.Event{Kind: audit.SignIn, Outcome: audit.Done, Login: "alice\n{\"audit\":\"admin\"}\x1b[2J"},
			map[string]any{"login": "alice\n{\"audit\":\"admin\"}\x1b[2J"},
		},
		{"a long path", audit.Event{Kind: audit.Refusal, Path: "/" + strings.Repeat("a", 5000)}, map[string]any{"path": "/" + strings.Repeat("a", 511) + "…"}},
		{"groups", audit.Event{Kind: audit.Admin, Outcome: audit.Done, Action: "user groups", Groups: []string{"ops"}}, map[string]any{"action": "user groups"}},
	} {
		var out bytes.Buffer
		log := &audit.Log{Handler: slog.NewJSONHandler(&out, nil)}
		if err := log.Record(t.Context(), row.event); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
			t.Errorf("%s: %d lines, want 1: %q", row.name, n, out.String())
		}
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		for key, want := range row.want {
			if line[key] != want {
				t.Errorf("%s: %s = %v, want %v", row.name, key, line[key], want)
			}
		}
	}
	if err := (*audit.Log)(nil).Record(t.Context(), audit.Event{}); err != nil {
		t.Errorf("no book: %v", err)
	}
}
