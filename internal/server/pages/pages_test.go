package pages_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gateway/internal/server/pages"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hash is what an asset's name carries; golden files leave it out.
var hash = regexp.MustCompile(`\.[0-9a-f]{16}(\.[a-z]+)`)

func render(t *testing.T, value any) string {
	t.Helper()
	var page strings.Builder
	if err := pages.Render(&page, value); err != nil {
		t.Fatalf("Render(%T) = %v", value, err)
	}
	return page.String()
}

func TestPagesAreAsTheyWere(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			got := hash.ReplaceAllString(render(t, s.value), ".HASH$1")
			file := filepath.Join("testdata", "golden", s.name+".html")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("page = %s\nwant %s\n(go test -update writes it anew)", got, want)
			}
		})
	}
}

func TestRenderWritesAllOrNothing(t *testing.T) {
	var page bytes.Buffer
	if err := pages.Render(&page, struct{}{}); err == nil || page.Len() > 0 {
		t.Errorf("Render(struct{}{}) = %v after %d bytes, want an error and nothing", err, page.Len())
	}
	if err := pages.Render(gone{}, pages.SignedOut{}); !errors.Is(err, errGone) {
		t.Errorf("Render to a client that left = %v, want %v", err, errGone)
	}
}

var errGone = errors.New("client left")

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errGone }

func TestPolicyOfContent(t *testing.T) {
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'", "form-action 'self'",
		"frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'", "require-trusted-types-for 'script'",
	} {
		if !slices.Contains(strings.Split(pages.CSP, "; "), want) {
			t.Errorf("CSP = %q, want %q in it", pages.CSP, want)
		}
	}
	if strings.Contains(pages.CSP, "unsafe") || strings.Contains(pages.CSP, "http") {
		t.Errorf("CSP = %q, want nothing unsafe and no other host", pages.CSP)
	}
}

func TestLinks(t *testing.T) {
	for _, row := range []struct{ url, want string }{
		{"/handbook?a=1#b", "/handbook?a=1#b"},
		{"https://wiki.example.com/x", "https://wiki.example.com/x"},
		{"http://wiki.localhost:8080/", "http://wiki.localhost:8080/"},
		{"", ""},
		{"//evil.test/", ""},
		{`/\evil.test`, ""},
		{"/\t/evil.test", ""},
		{"/\n/evil.test", ""},
		{"https:evil.test", ""},
		{"https://", ""},
		{"https://alice@evil.test/", ""},
		{"javascript:alert(1)", ""},
		{" javascript:alert(1)", ""},
		{"JaVaScRiPt:alert(1)", ""},
		{"data:text/html,x", ""},
		{"evil.test", ""},
	} {
		page := render(t, pages.Failure{Status: 500, Retry: row.url})
		got := ""
		if m := regexp.MustCompile(`class="button strong" href="([^"]*)"`).FindStringSubmatch(page); m != nil {
			got = strings.ReplaceAll(m[1], "&amp;", "&")
		}
		if got != row.want {
			t.Errorf("Retry %q links to %q, want %q", row.url, got, row.want)
		}
	}
}

func TestContinueStaysHere(t *testing.T) {
	for target, want := range map[string]string{
		"/.gateway/sign-in?rd=%2F": `content="0; url=/.gateway/sign-in?rd=%2F"`,
		"https://evil.test/":       `content="0; url=/"`,
		"//evil.test/":             `content="0; url=/"`,
		"javascript:alert(1)":      `content="0; url=/"`,
		"":                         `content="0; url=/"`,
	} {
		if page := render(t, pages.Continue{Target: target}); !strings.Contains(page, want) {
			t.Errorf("Continue{%q} = %s, want %s in it", target, page, want)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	long := strings.Repeat("ä", 8<<10)
	if page := render(t, pages.Refusal{Host: "wiki.example.com", Path: "/" + long}); len(page) > 4<<10 {
		t.Errorf("a path of %d bytes makes a page of %d", len(long), len(page))
	}
}
