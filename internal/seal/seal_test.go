package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gateway/internal/seal"
)

func box(t *testing.T, fill byte, purpose string) *seal.Box {
	t.Helper()
	b, err := seal.New(bytes.Repeat([]byte{fill}, seal.KeySize), purpose)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOpen(t *testing.T) {
	b := box(t, 1, "challenge")
	sealed := b.Seal([]byte("state"))
	for _, row := range []struct {
		name, text string
		by         *seal.Box
		want       error
	}{
		{"as it was sealed", sealed, b, nil},
		{"after a restart", sealed, box(t, 1, "challenge"), nil},
		{"for another purpose", sealed, box(t, 1, "request"), seal.ErrForged},
		{"under another key", sealed, box(t, 2, "challenge"), seal.ErrForged},
		{"empty", "", b, seal.ErrForged},
		{"padded", sealed + "=", b, seal.ErrForged},
		{"with a line break", sealed[:8] + "\n" + sealed[8:], b, seal.ErrForged},
		{"with a line break at the end", sealed + "\r\n", b, seal.ErrForged},
		{"in the other alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(sealed) + "+/", b, seal.ErrForged},
		{"twice", sealed + sealed, b, seal.ErrForged},
	} {
		got, err := row.by.Open(row.text)
		if !errors.Is(err, row.want) || err == nil && string(got) != "state" {
			t.Errorf("%s: Open = %q, %v; want %v", row.name, got, err, row.want)
		}
	}
}

// Each sealed text has one spelling, and no part of it can be changed or cut.
func TestEveryCharacterCounts(t *testing.T) {
	b := box(t, 1, "challenge")
	sealed := b.Seal([]byte("some state that travels"))
	for i := range len(sealed) {
		if got, err := b.Open(sealed[:i]); err == nil {
			t.Fatalf("cut at %d it opens: %q", i, got)
		}
		for _, c := range "ABCDwxyz0189-_" {
			if changed := sealed[:i] + string(c) + sealed[i+1:]; changed != sealed {
				if got, err := b.Open(changed); err == nil {
					t.Fatalf("with %c at %d it opens: %q", c, i, got)
				}
			}
		}
	}
}

func TestNoTwoAreAlike(t *testing.T) {
	b := box(t, 1, "challenge")
	first, second := b.Seal([]byte("state")), b.Seal([]byte("state"))
	if first == second {
		t.Error("the same text sealed twice is the same")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, attempt := range map[string]func() (*seal.Box, error){
		"no key":      func() (*seal.Box, error) { return seal.New(nil, "challenge") },
		"a short key": func() (*seal.Box, error) { return seal.New([]byte("short"), "challenge") },
		"no purpose":  func() (*seal.Box, error) { return seal.New(make([]byte, seal.KeySize), "") },
	} {
		if b, err := attempt(); err == nil {
			t.Errorf("%s: New = %v, nil; want an error", name, b)
		}
	}
}

func FuzzOpen(f *testing.F) {
	b, err := seal.New(make([]byte, seal.KeySize), "challenge")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Seal([]byte("state")))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := b.Open(text)
		if err != nil && !errors.Is(err, seal.ErrForged) {
			t.Fatalf("Open(%q) = %v, want ErrForged", text, err)
		}
		if err == nil && string(plain) != "state" {
			t.Fatalf("Open(%q) = %q, which nobody sealed", text, plain)
		}
	})
}
