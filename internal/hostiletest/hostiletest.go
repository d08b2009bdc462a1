// Package hostiletest has what strangers send: one file for each kind, a line
// for each try. Unit tests, fuzz targets and end-to-end tests read the same
// files, so whatever has fooled somebody once is tried everywhere.
//
//	hosts      hosts that are none, as in a Host header
//	targets    request targets without one reading
//	addresses  return addresses that lead away
//	emails     addresses that are at no domain ex.test, whatever they look like
//	headers    names under which an app might read an identity
//	spellings  other spellings of forwarding headers
//	tokens     what is no session token
//	cookies    Cookie headers, {} where a session token is
//	bodies     what is no JSON that we would read
//
// Lines that begin with "# " tell the reader what follows. <LF>, <NUL> and the
// like stand for bytes, <FF> and other pairs of digits too, <U+0435> for what
// looks like something else.
package hostiletest

import (
	"embed"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

//go:embed *.txt
var files embed.FS

// Lines returns the lines of a corpus.
func Lines(t testing.TB, name string) []string {
	t.Helper()
	file, err := files.ReadFile(name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := Read(string(file))
	if len(lines) < 15 {
		t.Fatalf("%s.txt has %d lines", name, len(lines))
	}
	return lines
}

// Read returns the lines of a text.
func Read(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# ") {
			lines = append(lines, escape.ReplaceAllStringFunc(strings.TrimSuffix(line, "\n"), unescape))
		}
	}
	return lines
}

var escape = regexp.MustCompile(`<(TAB|LF|CR|NUL|DEL|SP|BOM|RLO|ESC|[0-9A-F]{2}|U\+[0-9A-F]{4})>`)

var names = map[string]string{"TAB": "\t", "LF": "\n", "CR": "\r", "NUL": "\x00", "DEL": "\x7f", "SP": " ", "BOM": "\ufeff", "RLO": "\u202e", "ESC": "\x1b"}

// unescape returns the bytes that <NAME> stands for.
func unescape(escaped string) string {
	name := escaped[1 : len(escaped)-1]
	if bytes, ok := names[name]; ok {
		return bytes
	}
	digits, isRune := strings.CutPrefix(name, "U+")
	n, _ := strconv.ParseUint(digits, 16, 16) // digits, as the pattern says
	if isRune {
		return string(rune(n))
	}
	return string([]byte{byte(n)}) //nolint:gosec // G115: two digits
}
