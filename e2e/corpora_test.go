package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var escaped = regexp.MustCompile(`<(TAB|LF|CR|NUL|DEL|SP|BOM|RLO|ESC|[0-9A-F]{2}|U\+[0-9A-F]{4})>`)

// corpus returns the lines of a file of what strangers send that can be part of
// a request's head: those with ends of lines are another request.
func corpus(t *testing.T, name string) []string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "internal", "hostiletest", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	bytes := map[string]string{"TAB": "\t", "LF": "\n", "CR": "\r", "NUL": "\x00", "DEL": "\x7f", "SP": " ", "BOM": "\ufeff", "RLO": "\u202e", "ESC": "\x1b"}
	var lines []string
	for line := range strings.Lines(string(file)) {
		if strings.HasPrefix(line, "# ") {
			continue
		}
		line = escaped.ReplaceAllStringFunc(strings.TrimSuffix(line, "\n"), func(name string) string {
			name = name[1 : len(name)-1]
			if b, ok := bytes[name]; ok {
				return b
			}
			digits, isRune := strings.CutPrefix(name, "U+")
			if n, err := strconv.ParseInt(digits, 16, 32); err == nil && isRune {
				return string(rune(n))
			} else if err == nil {
				return string([]byte{byte(n)})
			}
			return name
		})
		if !strings.ContainsAny(line, "\r\n") {
			lines = append(lines, line)
		}
	}
	if len(lines) < 15 {
		t.Fatalf("%s has %d lines", name, len(lines))
	}
	return lines
}

// mostEager returns the path that an app sees which decodes three times, cuts
// parameters off and cleans.
func mostEager(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	for range 3 {
		if decoded, err := url.PathUnescape(uri); err == nil {
			uri = decoded
		}
	}
	segments := strings.Split(strings.ReplaceAll(uri, `\`, "/"), "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return path.Clean(strings.Join(segments, "/"))
}

// open is for everybody but for one folder: what does not reach the app was
// refused for what it is.
const open = `apps:
  one:
    host: one.localhost
    rules:
      - {paths: [/admin/**], allow: {groups: [ops]}}
      - {allow: everyone}
  two: {host: two.other.localhost, allow: everyone}
`

// Whatever strangers have fooled others with, tried on each front proxy: no
// target and no host without one reading reaches an app, and no name of a header
// tells an app who is there.
func TestCorporaAtFrontProxies(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			app, other := startEcho(t), startEcho(t)
			s := newSite(t, true, open).serve()
			f.start(t, s, app, other)
			send := func(target, host string, lines ...string) string {
				t.Helper()
				return raw(t, s.public, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n"+strings.Join(append(lines, "", ""), "\r\n"))
			}
			one := fmt.Sprintf("one.localhost:%d", s.public)
			if got := send("/public/x", one); !strings.Contains(got, " 200 ") || app.hits() != 1 {
				t.Fatalf("a good request: %.200s", got)
			}
			targets := corpus(t, "targets")
			passed := 0
			for _, target := range targets {
				hits := app.hits()
				got := send(target, one)
				if app.hits() == hits {
					continue
				}
				passed++ // the proxy has made one reading of it, for the check and the app alike
				if uri := app.last(t).URI; slices.Contains(targets, uri) || strings.HasPrefix(mostEager(uri)+"/", "/admin/") {
					t.Errorf("target %q reaches the app as %s: %.200s", target, uri, got)
				}
			}
			if passed > len(targets)/10 {
				t.Errorf("%d of %d targets have reached the app", passed, len(targets))
			}
			hits := app.hits()
			for _, host := range corpus(t, "hosts") {
				if got := send("/public/x", host); app.hits()+other.hits() != hits {
					t.Fatalf("host %q reaches an app: %.200s", host, got)
				}
			}
			for _, name := range append(corpus(t, "headers"), corpus(t, "spellings")...) {
				before := app.hits()
				send("/public/x", one, name+": canary")
				if app.hits() == before {
					continue
				}
				for key, values := range app.last(t).Header {
					if strings.Contains(strings.Join(values, ","), "canary") {
						t.Errorf("%s reaches the app as %s", name, key)
					}
				}
			}
		})
	}
}
