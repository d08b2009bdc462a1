package canonical_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/internal/canonical"
	"gateway/internal/hostiletest"
)

func TestParseHost(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	long253 := strings.Repeat("abcdefg.", 31) + "abcde"
	for _, row := range []struct{ story, raw, want string }{
		{"as it should be", "wiki.example.com", "wiki.example.com"},
		{"one label", "localhost", "localhost"},
		{"upper case", "Wiki.EXAMPLE.com", "wiki.example.com"},
		{"a port", "wiki.example.com:8443", "wiki.example.com"},
		{"the first port", "wiki.example.com:1", "wiki.example.com"},
		{"a port of nines", "wiki.example.com:9999", "wiki.example.com"},
		{"the last port", "wiki.example.com:65535", "wiki.example.com"},
		{"a trailing dot", "wiki.example.com.", "wiki.example.com"},
		{"a trailing dot and a port", "WIKI.example.com.:443", "wiki.example.com"},
		{"an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"an A-label in upper case", "XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		{"two hyphens that are no A-label", "r3---sn-x.example", "r3---sn-x.example"},
		{"labels that begin with digits", "1and1.3com.example", "1and1.3com.example"},
		{"a last label with letters after 0x", "a.0xg", "a.0xg"},
		{"the longest label", label63 + ".example", label63 + ".example"},
		{"the longest name", long253, long253},
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"IPv4 and a port", "192.0.2.1:80", "192.0.2.1"},
		{"IPv4 and a trailing dot", "192.0.2.1.", "192.0.2.1"},
		{"IPv6", "[2001:DB8::1]", "[2001:db8::1]"},
		{"IPv6, written out, and a port", "[2001:db8:0:0:0:0:0:1]:8443", "[2001:db8::1]"},
	} {
		got, err := canonical.ParseHost(row.raw)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: ParseHost(%q) = %q, %v, want %q", row.story, row.raw, got, err, row.want)
		}
		if again, err := canonical.ParseHost(string(got)); err != nil || again != got {
			t.Errorf("%s: ParseHost(%q) = %q, %v, want it unchanged", row.story, got, again, err)
		}
	}
}

func TestParseHostRefuses(t *testing.T) {
	lines := append(hostiletest.Lines(t, "hosts"), "", strings.Repeat("a", 64)+".example", strings.Repeat("abcdefg.", 31)+"abcdef")
	for _, raw := range lines {
		if got, err := canonical.ParseHost(raw); !errors.Is(err, canonical.ErrHost) || got != "" {
			t.Errorf("ParseHost(%q) = %q, %v, want %v", raw, got, err, canonical.ErrHost)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	for _, line := range hostiletest.Lines(f, "hosts") {
		f.Add(line)
	}
	for _, seed := range []string{
		"wiki.example.com", "WIKI.example.com.:443", "[2001:db8::1]:80", "127.1", "xn--bcher-kva.example", "xn--app1-.ex.test", "[::ffff:7f00:1]", "a..b", "*.a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		host, err := canonical.ParseHost(raw)
		if err != nil {
			if host != "" || !errors.Is(err, canonical.ErrHost) {
				t.Fatalf("ParseHost(%q) = %q, %v", raw, host, err)
			}
			return
		}
		again, err := canonical.ParseHost(string(host))
		if err != nil || again != host {
			t.Fatalf("ParseHost(%q) = %q, which becomes %q, %v", raw, host, again, err)
		}
		if strings.ContainsAny(string(host), " ,/\\@%*_#?") || strings.HasSuffix(string(host), ".") || strings.ToLower(string(host)) != string(host) {
			t.Fatalf("ParseHost(%q) = %q", raw, host)
		}
	})
}

func BenchmarkParseHost(b *testing.B) {
	for _, row := range []struct{ name, raw string }{
		{"plain", "wiki.example.com"},
		{"port", "wiki.example.com:8443"},
		{"a-label", "xn--bcher-kva.example"},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := canonical.ParseHost(row.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
