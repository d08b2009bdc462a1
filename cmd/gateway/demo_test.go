package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// What the demo prints stands in columns, however long its addresses are.
func TestGreetIsAligned(t *testing.T) {
	t.Parallel()
	for _, port := range []uint16{80, 443, 8080, 18080, 65535} {
		var out strings.Builder
		s := &stage{folder: "/tmp/demo", address: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)}
		s.greet(&out, fmt.Sprintf("http://auth.localhost:%d", port), nil)
		var lists [][]int // the columns in which texts beside addresses begin
		inside := false
		for line := range strings.Lines(out.String()) {
			rest, listed := strings.CutPrefix(line, "  http://")
			if !listed {
				inside = false
				continue
			}
			if !inside {
				lists, inside = append(lists, nil), true
			}
			address, text, found := strings.Cut(rest, "  ")
			if !found {
				t.Fatalf("port %d: nothing beside %q", port, line)
			}
			column := len(address) + len(text) - len(strings.TrimLeft(text, " "))
			lists[len(lists)-1] = append(lists[len(lists)-1], column)
		}
		for i, want := range []int{3, 2} {
			if len(lists) != 2 || len(lists[i]) != want || len(slices.Compact(slices.Clone(lists[i]))) != 1 {
				t.Errorf("port %d: columns %v, want two lists, of three and of two lines, each with one:\n%s", port, lists, out.String())
				break
			}
		}
	}
}

// The command that the demo prints is one that whoever started it can type.
func TestStartedAs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, want string }{
		{"gateway", "gateway"},
		{"./bin/gateway", "./bin/gateway"},
		{"/usr/local/bin/gateway", "/usr/local/bin/gateway"},
		{"/home/alice/my tools/gateway", "'/home/alice/my tools/gateway'"},
		{"/home/alice/it's/gateway", `'/home/alice/it'\''s/gateway'`},
		{"/home/alice/$HOME/gateway", "'/home/alice/$HOME/gateway'"},
		{"/tmp/go-build2214185554/b001/exe/gateway", "go run ./cmd/gateway"},
		{"/home/alice/.cache/go-build/9a/9a87d9520a2db15943781523de6f32f8ee68c450fd9c9d620b943909e4135939-d/gateway", "go run ./cmd/gateway"},
		{"/srv/cache/9a/9a87d9520a2db15943781523de6f32f8ee68c450fd9c9d620b943909e4135939-d/gateway", "go run ./cmd/gateway"},
		{"/srv/go-build/bin/gateway", "/srv/go-build/bin/gateway"},
	} {
		if got := startedAs(row.name); got != row.want {
			t.Errorf("startedAs(%q) = %s, want %s", row.name, got, row.want)
		}
	}
}
