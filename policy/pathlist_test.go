package policy_test

import (
	"slices"
	"strings"
	"testing"

	"gateway/internal/canonical"
	"gateway/policy"
)

// Paths outside rules mean what they mean in rules.
func TestPathsMeanWhatTheyDoInRules(t *testing.T) {
	t.Parallel()
	patterns := []string{"/", "/a", "/a/", "/a/*", "/a/**", "/**", "/*/b", "/**/b", "/a/**/c", "/a b"}
	paths := []canonical.Path{"/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/x/y/c", "/b", "/x/b", "/x/y/b", "/ab", "/a b", "/A"}
	for _, n := range [][]string{nil, {"/a", "/b"}, {"/a/*", "/b"}} {
		alike(t, n, paths)
	}
	for _, pattern := range patterns {
		alike(t, []string{pattern}, paths)
	}
}

func alike(t *testing.T, patterns []string, paths []canonical.Path) {
	t.Helper()
	all, err := policy.ParsePaths(patterns)
	if err != nil {
		t.Fatalf("ParsePaths(%q): %v", patterns, err)
	}
	guard, err := policy.New(policy.Config{Apps: []policy.App{{Name: "app", Host: "app.test", Rules: []policy.Rule{{Paths: patterns, Allow: &policy.Subjects{Everyone: true}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		want := guard.Decide(policy.Request{Method: "GET", Host: "app.test", Path: path}).Effect == policy.Allow
		if got := all.Have(path); got != want {
			t.Errorf("Paths(%q).Have(%q) = %v, a rule says %v", patterns, path, got, want)
		}
	}
}

func TestParsePathsRefuses(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "a", "/a*", "/a//b", "/../a", "/a?b", "/%61", "/**/**"} {
		patterns := []string{"/fine", wrong}
		if _, err := policy.ParsePaths(patterns); err == nil || !strings.HasPrefix(err.Error(), "[1]: ") {
			t.Errorf("ParsePaths(%q) = %v, want a complaint about [1]", patterns, err)
		}
		if _, err := policy.ParsePaths(slices.Repeat([]string{"/fine"}, 3)); err != nil {
			t.Error(err)
		}
	}
}
