package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/audit"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// open opens a book, which the test closes.
func open(t *testing.T, dir string, fresh bool, o audit.Options) *audit.Book {
	t.Helper()
	b, err := audit.Open(dir, key, fresh, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, b *audit.Book, events ...audit.Event) {
	t.Helper()
	for _, e := range events {
		if _, err := b.Write(e); err != nil {
			t.Fatal(err)
		}
	}
}

func closed(t *testing.T, b *audit.Book) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// whole fails the test unless the chain holds. It returns the report.
func whole(t *testing.T, dir string) audit.Report {
	t.Helper()
	r, err := audit.Verify(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Breaks) > 0 {
		t.Fatalf("breaks: %+v", r.Breaks)
	}
	return r
}

// find returns the lines that a filter chooses, as "kind login".
func find(t *testing.T, dir string, f audit.Filter, limit int) []string {
	t.Helper()
	lines, err := audit.Find(dir, f, limit)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range lines {
		all = append(all, strings.TrimSpace(string(l.Kind)+" "+l.Login))
	}
	return all
}

func signIn(login string) audit.Event {
	return audit.Event{Kind: audit.SignIn, Outcome: audit.Done, Login: login, UserID: "id-" + login, Origin: "local", Client: netip.MustParseAddr("192.0.2.1")}
}

var refusal = audit.Event{Kind: audit.Refusal, Outcome: audit.Refused, Decision: "D1", App: "wiki", Host: "wiki.example.com", Path: "/a"}

func TestBook(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	b := open(t, dir, true, audit.Options{})
	write(t, b, signIn("alice"), refusal, audit.Event{Kind: audit.Admin, Outcome: audit.Done, Action: "user groups", Login: "bob", Groups: []string{}})
	closed(t, b)
	b = open(t, dir, false, audit.Options{})
	l, err := b.Write(signIn("bob"))
	if err != nil || l.Seq != 5 || len(l.MAC) != 32 {
		t.Errorf("the line after a restart: %+v, %v; want number 5", l, err)
	}
	closed(t, b)

	if got := whole(t, dir); got.Lines != 5 || got.Last != 5 || got.MAC != l.MAC || len(got.Notes) != 0 {
		t.Errorf("report %+v", got)
	}
	for _, name := range []string{".", "head", "00000001.jsonl"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; want it for the owner alone", name, info.Mode(), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "00000001.jsonl"))
	if err != nil || !strings.Contains(string(text), `"login":"bob","groups":[],`) || strings.Count(string(text), `"groups"`) != 1 {
		t.Errorf("%s, %v", text, err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start
	b := open(t, dir, true, audit.Options{FileSize: 300, Now: func() time.Time { now = now.Add(time.Minute); return now }})
	write(
		t, b,
		signIn("alice"), signIn("bob"), refusal, audit.Event{Kind: audit.SignIn, Outcome: audit.Refused, Login: "bob"},
		audit.Event{Kind: audit.Admin, Outcome: audit.Done, Action: "user disable", Login: "bob", UserID: "id-bob"}, audit.Event{Kind: audit.SignOut, Outcome: audit.Done, UserID: "id-alice"},
	)
	closed(t, b)
	if files, err := filepath.Glob(dir + "/*.jsonl"); err != nil || len(files) < 3 {
		t.Fatalf("%q: %v, want several files", files, err)
	}
	for _, row := range []struct {
		story string
		f     audit.Filter
		limit int
		want  []string
	}{
		{"everything", audit.Filter{}, 100, []string{"sign-in alice", "sign-in bob", "refusal", "sign-in bob", "admin bob", "sign-out"}},
		{"the newest", audit.Filter{}, 2, []string{"admin bob", "sign-out"}},
		{"none", audit.Filter{}, 0, nil},
		{"a kind", audit.Filter{Kind: audit.SignIn}, 100, []string{"sign-in alice", "sign-in bob", "sign-in bob"}},
		{"an outcome", audit.Filter{Kind: audit.SignIn, Outcome: audit.Refused}, 100, []string{"sign-in bob"}},
		{"a login", audit.Filter{User: "bob"}, 100, []string{"sign-in bob", "sign-in bob", "admin bob"}},
		{"a user_id", audit.Filter{User: "id-alice"}, 100, []string{"sign-in alice", "sign-out"}},
		{"an app", audit.Filter{App: "wiki"}, 100, []string{"refusal"}},
		{"a decision", audit.Filter{Decision: "D1"}, 100, []string{"refusal"}},
		{"another decision", audit.Filter{Decision: "D2"}, 100, nil},
		{"until", audit.Filter{Until: start.Add(4 * time.Minute)}, 100, []string{"sign-in alice"}},
		{"since", audit.Filter{Since: now.Add(-2 * time.Minute)}, 100, []string{"sign-out"}},
		{"the files themselves", audit.Filter{Kind: audit.Opened}, 1, []string{"file"}},
	} {
		if got := find(t, dir, row.f, row.limit); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.story, got, row.want)
		}
	}
	if got := find(t, filepath.Join(dir, "nowhere"), audit.Filter{}, 1); got != nil {
		t.Errorf("no book: %q", got)
	}
}

// The book does not grow for ever: the oldest files go, and the chain of what
// is left holds by itself, a file that is read while it goes included.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, true, audit.Options{FileSize: 1000, Files: 3})
	for i := range 60 {
		write(t, b, signIn(fmt.Sprintf("user%02d", i)))
		if i%10 == 0 {
			whole(t, dir)
		}
	}
	closed(t, b)
	files, err := filepath.Glob(dir + "/*.jsonl")
	if err != nil || len(files) != 3 {
		t.Fatalf("%q, %v; want 3 files", files, err)
	}
	r := whole(t, dir)
	if r.First < 40 || r.Last != r.First+uint64(r.Lines)-1 {
		t.Errorf("report %+v", r)
	}
	b = open(t, dir, false, audit.Options{FileSize: 1000, Files: 3})
	write(t, b, signIn("last"))
	closed(t, b)
	whole(t, dir)
	if files, err = filepath.Glob(dir + "/*.jsonl"); err != nil || os.Remove(files[0]) != nil { // one more than was dropped
		t.Fatalf("%q, %v", files, err)
	}
	if r, err := audit.Verify(dir, key); err != nil || len(r.Breaks) != 1 || !strings.Contains(r.Breaks[0].Says, "are missing") {
		t.Errorf("the oldest file is gone: %+v, %v", r.Breaks, err)
	}
}

// Many write at once: every line is there, once, and the chain holds.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, true, audit.Options{FileSize: 4000})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 8 {
				write(t, b, signIn(fmt.Sprintf("u%d.%d", i, j)), refusal)
			}
		})
	}
	all.Wait()
	closed(t, b)
	whole(t, dir)
	if got := find(t, dir, audit.Filter{Kind: audit.SignIn}, 1000); len(got) != 128 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 128 {
		t.Errorf("%d sign-ins, want 128 different ones", len(got))
	}
	if _, err := b.Write(signIn("late")); err == nil {
		t.Error("written to a closed book")
	}
}

// Strangers fill no disk: what is beyond the bound is counted, and the book
// says how much it was. What was done is never left out.
func TestStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := open(t, dir, true, audit.Options{})
		failed := audit.Event{Kind: audit.SignIn, Outcome: audit.Refused, Reason: "unknown"}
		known := audit.Event{Kind: audit.Refusal, Outcome: audit.Refused, UserID: "u", Login: "alice"}
		for range 5000 {
			write(t, b, refusal, failed)
		}
		write(t, b, known, signIn("alice"))
		if got := len(find(t, dir, audit.Filter{Outcome: audit.Refused}, 1<<20)); got != 301 {
			t.Errorf("%d refusals, want 300 of strangers and 1 of alice", got)
		}
		time.Sleep(10 * time.Second)
		for range 100 {
			write(t, b, refusal)
		}
		time.Sleep(time.Hour)
		for range 2000 {
			write(t, b, known)
		}
		closed(t, b)
		whole(t, dir)
		var counts []int
		lines, err := audit.Find(dir, audit.Filter{Kind: audit.Suppressed}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			counts = append(counts, l.Count)
		}
		if want := []int{9700, 90, 1000}; !slices.Equal(counts, want) {
			t.Errorf("left out %v, want %v", counts, want)
		}
		if got := len(find(t, dir, audit.Filter{Kind: audit.SignIn, Outcome: audit.Done}, 100)); got != 1 {
			t.Errorf("%d sign-ins that were done, want 1", got)
		}
	})
}

// Keep brings refusals to the disk within a second, after which they cannot be
// cut off in silence, and says within a minute what was left out.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := open(t, dir, true, audit.Options{})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { b.Keep(ctx, func(err error) { t.Error(err) }) })
		for range 301 {
			write(t, b, refusal)
		}
		time.Sleep(1500 * time.Millisecond)
		text, err := os.ReadFile(filepath.Join(dir, "00000001.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		head, err := os.ReadFile(filepath.Join(dir, "head"))
		if err != nil {
			t.Fatal(err)
		}
		cut := text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]
		if r, err := audit.Verify(lay(t, map[string][]byte{"00000001.jsonl": cut, "head": head}), key); err != nil || len(r.Breaks) != 1 {
			t.Errorf("a refusal is cut off: %+v, %v", r.Breaks, err)
		}
		time.Sleep(time.Minute)
		if got := find(t, dir, audit.Filter{Kind: audit.Suppressed}, 10); len(got) != 1 {
			t.Errorf("after a minute: %q", got)
		}
		stop()
		running.Wait()
		closed(t, b)
		whole(t, dir)
	})
}
