package canonical_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"gateway/internal/canonical"
	"gateway/internal/hostiletest"
)

func TestParseTarget(t *testing.T) {
	type target = canonical.Target
	for _, row := range []struct {
		story, raw string
		want       target
	}{
		{"the root", "/", target{"/", "", "/"}},
		{"a plain path", "/a/b", target{"/a/b", "", "/a/b"}},
		{"a trailing slash", "/a/", target{"/a/", "", "/a/"}},
		{"a query", "/a?x=y&z", target{"/a", "x=y&z", "/a"}},
		{"an empty query", "/a?", target{"/a", "", "/a"}},
		{"a second question mark", "/a?b?c", target{"/a", "b?c", "/a"}},
		{"a path in the query", "/admin/?x=/public/", target{"/admin/", "x=/public/", "/admin/"}},
		{"dots and slashes in the query", "/a?next=//evil.test/../x;y", target{"/a", "next=//evil.test/../x;y", "/a"}},
		{"encoded controls in the query", "/a?text=1%0d%0a2", target{"/a", "text=1%0d%0a2", "/a"}},
		{"what browsers leave in the query", `/a?q={"x":[1|2]}\^'` + "`", target{"/a", `q={"x":[1|2]}\^'` + "`", "/a"}},
		{"broken encoding in the query", "/a?100%", target{"/a", "100%", "/a"}},
		{"all that a segment may have", "/-._~!$&'()*+,=:@0aZ", target{"/-._~!$&'()*+,=:@0aZ", "", "/-._~!$&'()*+,=:@0aZ"}},
		{"an encoded letter", "/%61dmin", target{"/admin", "", "/admin"}},
		{"encoded unreserved characters", "/%7Ea%2Eb%2db", target{"/~a.b-b", "", "/~a.b-b"}},
		{"encoded reserved characters stay", "/a%40b%2Cc", target{"/a@b,c", "", "/a%40b%2Cc"}},
		{"lower-case digits", "/caf%c3%a9", target{"/café", "", "/caf%C3%A9"}},
		{"brackets and bars, as browsers leave them", "/a[0]|b^c", target{"/a[0]|b^c", "", "/a%5B0%5D%7Cb%5Ec"}},
		{"brackets and bars, as they should be", "/a%5b0%5D%7cb%5Ec", target{"/a[0]|b^c", "", "/a%5B0%5D%7Cb%5Ec"}},
		{"a bracket among letters that are encoded", "/%61[", target{"/a[", "", "/a%5B"}},
		{"an inner space", "/my%20file.pdf", target{"/my file.pdf", "", "/my%20file.pdf"}},
		{"an encoded question mark", "/admin/%3f/public/", target{"/admin/?/public/", "", "/admin/%3F/public/"}},
		{"an encoded fragment sign", "/c%23", target{"/c#", "", "/c%23"}},
		{"an encoded percent sign", "/100%25", target{"/100%", "", "/100%25"}},
		{"a percent sign before no digits", "/5%25zz", target{"/5%zz", "", "/5%25zz"}},
		{"a percent sign before a digit and none", "/5%25az", target{"/5%az", "", "/5%25az"}},
		{"a percent sign before none and a digit", "/5%25za", target{"/5%za", "", "/5%25za"}},
		{"a percent sign before one digit", "/5%25a", target{"/5%a", "", "/5%25a"}},
		{"case is kept", "/ADMIN/", target{"/ADMIN/", "", "/ADMIN/"}},
		{"a dotless i is no i", "/adm%C4%B1n", target{"/admın", "", "/adm%C4%B1n"}},
		{"three dots are a name", "/.../x", target{"/.../x", "", "/.../x"}},
		{"dots around a name", "/.git/..x/x..", target{"/.git/..x/x..", "", "/.git/..x/x.."}},
		{"an encoded replacement character", "/%EF%BF%BD", target{"/\uFFFD", "", "/%EF%BF%BD"}},
		{"a whole URL in the path", "/https:/evil.test", target{"/https:/evil.test", "", "/https:/evil.test"}},
		{"the longest", "/" + strings.Repeat("a", 8191), target{canonical.Path("/" + strings.Repeat("a", 8191)), "", "/" + strings.Repeat("a", 8191)}},
	} {
		got, err := canonical.ParseTarget(row.raw)
		if err != nil || got != row.want {
			t.Errorf("%s: ParseTarget(%q) = %q, %v, want %q", row.story, row.raw, got, err, row.want)
		}
		again, err := canonical.ParseTarget(got.Raw)
		if err != nil || again.Path != got.Path || again.Raw != got.Raw {
			t.Errorf("%s: ParseTarget(%q) = %q, %v, want the same as of %q", row.story, got.Raw, again, err, row.raw)
		}
		if text := got.String(); strings.HasSuffix(text, "?") || text != strings.TrimSuffix(row.want.Raw+"?"+row.want.Query, "?") {
			t.Errorf("%s: %q is written %q", row.story, row.raw, text)
		}
	}
}

func TestParseTargetRefuses(t *testing.T) {
	lines := append(hostiletest.Lines(t, "targets"),
		"/"+strings.Repeat("a", 8192),
		"/"+strings.Repeat("/", 4000),
		"/a?"+strings.Repeat("a", 8190),
	)
	for _, raw := range lines {
		got, err := canonical.ParseTarget(raw)
		if !errors.Is(err, canonical.ErrTarget) || got != (canonical.Target{}) {
			t.Errorf("ParseTarget(%q) = %q, %v, want %v", raw, got, err, canonical.ErrTarget)
		}
		if err != nil && len(raw) > 12 && strings.Contains(err.Error(), raw) {
			t.Errorf("ParseTarget(%q) repeats its input: %v", raw, err)
		}
	}
}

// Every byte, raw and encoded, has one fate: it is refused, or it is what it
// was after any number of further decodings.
func TestParseTargetOfEachByte(t *testing.T) {
	const digits = "0123456789abcdef"
	for c := range 256 {
		for _, raw := range []string{"/a" + string([]byte{byte(c)}) + "b", "/a%" + string(digits[c>>4]) + string(digits[c&15]) + "b"} {
			target, err := canonical.ParseTarget(raw)
			if err == nil {
				promises(t, raw, target)
			}
		}
	}
}

// promises checks what every canonical target promises.
func promises(t *testing.T, raw string, target canonical.Target) {
	t.Helper()
	again, err := canonical.ParseTarget(target.String())
	if err != nil || again != target {
		t.Fatalf("ParseTarget(%q) = %q, which becomes %q, %v", raw, target, again, err)
	}
	p := string(target.Path)
	if !utf8.ValidString(p) || !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\\;\x00\r\n") {
		t.Fatalf("ParseTarget(%q).Path = %q", raw, p)
	}
	if seen := seenByApp(t, target.Raw); seen != p {
		t.Fatalf("an app that decodes and cleans %q sees %q, the policy %q", target.Raw, seen, p)
	}
	parsed, err := url.ParseRequestURI(target.Raw)
	if err != nil || parsed.Path != p || parsed.Host != "" || parsed.Scheme != "" {
		t.Fatalf("net/url reads %q as %+v, %v, want the path %q", target.Raw, parsed, err, p)
	}
}

// seenByApp decodes a path three times as far as it can be decoded, cuts
// parameters off, and cleans it, as the most eager app would.
func seenByApp(t *testing.T, raw string) string {
	t.Helper()
	for range 3 {
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			break
		}
		raw = decoded
	}
	segments := strings.Split(strings.ReplaceAll(raw, "\\", "/"), "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	raw = strings.Join(segments, "/")
	if cleaned := path.Clean(raw); strings.HasSuffix(raw, "/") && cleaned != "/" {
		return cleaned + "/"
	}
	return path.Clean(raw)
}

// Paths are put together of the segments that have fooled others; whatever is
// not refused reaches the app as what was decided on.
func TestParseTargetOfGrammar(t *testing.T) {
	words := []string{"public", "admin", "%61dmin", ".", "..", "%2e", "%2E.", "..;a=b", ";", "\\", "%5c", "", "%00", "%c3%a9", "%25", "%2561", "%252e", "%252f", "%2f", "%c0%af", "%ff", "a b", "#", "?"}
	passed := 0
	var build func(prefix string, depth int)
	build = func(prefix string, depth int) {
		if depth == 0 {
			return
		}
		for _, word := range words {
			for _, raw := range []string{prefix + "/" + word, prefix + word} {
				if target, err := canonical.ParseTarget(raw); err == nil {
					passed++
					promises(t, raw, target)
				}
				build(raw, depth-1)
			}
		}
	}
	build("", 3)
	if passed == 0 {
		t.Error("nothing passed")
	}
}

func TestParseTargetCopiesNothingPlain(t *testing.T) {
	for _, raw := range []string{"/", "/wiki/Main_Page", "/api/v1/query?from=1&to=2"} {
		if got := testing.AllocsPerRun(100, func() {
			if _, err := canonical.ParseTarget(raw); err != nil {
				t.Error(err)
			}
		}); got != 0 {
			t.Errorf("ParseTarget(%q) allocates %v times, want 0", raw, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, line := range hostiletest.Lines(f, "targets") {
		f.Add(line)
	}
	for _, seed := range []string{"/", "/a/b?x=y", "/%61dmin", "/caf%c3%a9/", "/100%25", "/a%40b", "/%2525"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := canonical.ParseTarget(raw)
		if err == nil {
			promises(t, raw, target)
			return
		}
		if target != (canonical.Target{}) || !errors.Is(err, canonical.ErrTarget) {
			t.Fatalf("ParseTarget(%q) = %q, %v", raw, target, err)
		}
	})
}

func BenchmarkParseTarget(b *testing.B) {
	for _, row := range []struct{ name, raw string }{
		{"plain", "/api/v1/dashboards/home"},
		{"query", "/api/v1/query?query=up&start=1&end=2&step=15"},
		{"encoded", "/caf%C3%A9/my%20file"},
		{"longest", "/" + strings.Repeat("abcdefg/", 1023)},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := canonical.ParseTarget(row.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A segment stands between two slashes, and has none.
func TestCheckSegment(t *testing.T) {
	for _, segment := range []string{"a", "a b", "...", "caf\u00e9", "100%", "%zz", "a:b"} {
		if err := canonical.CheckSegment(segment); err != nil {
			t.Errorf("CheckSegment(%q) = %v, want nil", segment, err)
		}
	}
	for _, segment := range []string{"", ".", "..", "a/b", "/", `a\b`, " a", "a ", "a;b", "a\x00", "a\u0085", "%61", "a\xff"} {
		if err := canonical.CheckSegment(segment); !errors.Is(err, canonical.ErrTarget) {
			t.Errorf("CheckSegment(%q) = %v, want ErrTarget", segment, err)
		}
	}
}

// Whoever is refused is told why, in words that fit.
func TestParseTargetTellsWhy(t *testing.T) {
	for raw, why := range map[string]string{
		"/a#b": "fragment", `/a\b`: "backslash", "/a;b": "semicolon", "/a\x1fb": "control", "/a\x7fb": "control", "/a\x80b": "ASCII", "/a b": "percent-encoded", "/a{b": "percent-encoded",
	} {
		if _, err := canonical.ParseTarget(raw); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseTarget(%q) = %v, want a word of %s", raw, err, why)
		}
	}
}
