package pages_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast keeps the colours readable: WCAG 2.2, 1.4.3 (text, 4.5:1) and
// 1.4.11 (controls and focus, 3:1), in the light and in the dark.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("assets/gateway.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "\n}\n")
	for scheme, colors := range map[string]map[string]float64{"light": luminances(t, light), "dark": luminances(t, dark)} {
		for _, row := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "ground", 4.5},
			{"ink", "card", 4.5},
			{"ink", "note-ground", 4.5},
			{"ink", "faint", 4.5},
			{"ink", "glow", 4.5},
			{"soft", "ground", 4.5},
			{"soft", "card", 4.5},
			{"soft", "floor", 4.5},
			{"soft", "glow", 4.5},
			{"accent", "ground", 4.5},
			{"accent", "card", 4.5},
			{"accent", "note-ground", 4.5},
			{"accent", "faint", 4.5},
			{"accent-high", "card", 4.5},
			{"on-accent", "accent", 4.5},
			{"on-accent", "accent-high", 4.5},
			{"bad", "bad-ground", 4.5},
			{"edge", "card", 3},
			{"focus", "card", 3},
			{"focus", "ground", 3},
		} {
			front, back := colors[row.front], colors[row.back]
			if got := (math.Max(front, back) + 0.05) / (math.Min(front, back) + 0.05); got < row.least {
				t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", scheme, row.front, row.back, got, row.least)
			}
		}
	}
}

var color = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// luminances reads the relative luminance of each custom property.
func luminances(t *testing.T, css string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, m := range color.FindAllStringSubmatch(css, -1) {
		rgb, err := strconv.ParseUint(m[2], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		found[m[1]] = 0.2126*linear(rgb>>16&255) + 0.7152*linear(rgb>>8&255) + 0.0722*linear(rgb&255)
	}
	if len(found) < 15 {
		t.Fatalf("only %d colours in %q", len(found), css)
	}
	return found
}

func linear(channel uint64) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}
