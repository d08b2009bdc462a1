package canonical_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/internal/canonical"
)

func TestParseMethod(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "X1", strings.Repeat("A", 32)} {
		if got, err := canonical.ParseMethod(method); err != nil || got != method {
			t.Errorf("ParseMethod(%q) = %q, %v, want it unchanged", method, got, err)
		}
	}
	for _, row := range []struct{ story, raw string }{
		{"nothing", ""},
		{"lower case", "get"},
		{"mixed case", "Get"},
		{"a trailing space", "GET "},
		{"an encoded space", "GET\u00a0"},
		{"two", "GET,POST"},
		{"a line feed", "GET\n"},
		{"a NUL", "GET\x00"},
		{"Unicode", "GÉT"},
		{"a tunnel", "CONNECT"},
		{"an echo of our cookies", "TRACE"},
		{"too long", strings.Repeat("A", 33)},
	} {
		if got, err := canonical.ParseMethod(row.raw); !errors.Is(err, canonical.ErrMethod) || got != "" {
			t.Errorf("%s: ParseMethod(%q) = %q, %v, want %v", row.story, row.raw, got, err, canonical.ErrMethod)
		}
	}
}
