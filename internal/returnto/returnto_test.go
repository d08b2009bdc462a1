package returnto_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"gateway/internal/hostiletest"
	"gateway/internal/returnto"
)

func TestParse(t *testing.T) {
	for _, row := range []struct{ story, raw, want string }{
		{"the root", "/", "/"},
		{"a page", "/wiki/Main_Page", "/wiki/Main_Page"},
		{"a trailing slash", "/wiki/", "/wiki/"},
		{"a query", "/search?q=a+b&page=2", "/search?q=a+b&page=2"},
		{"an empty query", "/search?", "/search"},
		{"another site in the query stays there", "/search?next=https://evil.test//x", "/search?next=https://evil.test//x"},
		{"a spelling of its own", "/%7Ealice/caf%c3%a9", "/~alice/caf%C3%A9"},
		{"a name that looks like a URL", "/https:/evil.test", "/https:/evil.test"},
		{"an @", "/@evil.test", "/@evil.test"},
		{"the longest", "/" + strings.Repeat("a", 4095), "/" + strings.Repeat("a", 4095)},
	} {
		got, err := returnto.Parse(row.raw)
		if err != nil || got.String() != row.want {
			t.Errorf("%s: Parse(%q) = %q, %v, want %q", row.story, row.raw, got, err, row.want)
			continue
		}
		staysHome(t, got)
	}
}

func TestZeroAddressIsTheRoot(t *testing.T) {
	if got := (returnto.Address{}).String(); got != "/" {
		t.Errorf("Address{} = %q, want /", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, raw := range append(hostiletest.Lines(t, "addresses"), "", strings.Repeat("/", 10_000), "/"+strings.Repeat("a", 4096)) {
		if got, err := returnto.Parse(raw); !errors.Is(err, returnto.ErrAddress) || got != (returnto.Address{}) {
			t.Errorf("Parse(%q) = %q, %v, want %v", raw, got, err, returnto.ErrAddress)
		}
	}
}

// staysHome checks that a browser that follows the address stays on the site.
func staysHome(t *testing.T, address returnto.Address) {
	t.Helper()
	location := address.String()
	if location[0] != '/' || len(location) > 1 && (location[1] == '/' || location[1] == '\\') {
		t.Fatalf("%q does not begin with one slash", location)
	}
	for i := range len(location) {
		if location[i] <= ' ' || location[i] >= 0x7f {
			t.Fatalf("%q has the byte %#x", location, location[i])
		}
	}
	base := &url.URL{Scheme: "https", Host: "app1.ex.test", Path: "/.gateway/sign-in"}
	target, err := base.Parse(location)
	if err != nil || target.Scheme != base.Scheme || target.Host != base.Host || target.User != nil {
		t.Fatalf("%q leads to %v, %v", location, target, err)
	}
	if again, err := returnto.Parse(location); err != nil || again != address {
		t.Fatalf("Parse(%q) = %q, %v, want it unchanged", location, again, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range hostiletest.Lines(f, "addresses") {
		f.Add(line)
	}
	for _, seed := range []string{"/", "/wiki/Main_Page?a=b", "/%7Ealice/caf%c3%a9", "/@evil.test"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		address, err := returnto.Parse(raw)
		if err != nil {
			if !errors.Is(err, returnto.ErrAddress) || address != (returnto.Address{}) {
				t.Fatalf("Parse(%q) = %q, %v", raw, address, err)
			}
			return
		}
		staysHome(t, address)
	})
}
