package canonical_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/internal/canonical"
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
	for _, row := range []struct{ story, raw string }{
		{"nothing", ""},
		{"only a dot", "."},
		{"only a port", ":80"},
		{"two trailing dots", "example.com.."},
		{"an empty label", "a..example.com"},
		{"a leading dot", ".example.com"},
		{"a wildcard", "*.example.com"},
		{"a long label", strings.Repeat("a", 64) + ".example"},
		{"a long name", strings.Repeat("abcdefg.", 31) + "abcdef"},
		{"a leading hyphen", "-a.example"},
		{"a trailing hyphen", "a-.example"},
		{"an underscore", "a_b.example"},
		{"a space", "example.com "},
		{"a space before", " example.com"},
		{"a list", "a.example,b.example"},
		{"a list with a space", "a.example, b.example"},
		{"a tab", "a\t.example"},
		{"a line feed", "a.example\n"},
		{"a NUL", "a.example\x00.evil.test"},
		{"DEL", "a\x7f.example"},
		{"percent-encoding", "a%2eexample.com"},
		{"a user", "wiki@evil.test"},
		{"a scheme", "https://example.com"},
		{"a path", "example.com/x"},
		{"a backslash", "example.com\\x"},
		{"Unicode", "bücher.example"},
		{"a Cyrillic letter", "аpp1.ex.test"},
		{"the Kelvin sign", "wi\u212Ai.example.com"},
		{"a full-width dot", "example。com"},
		{"not UTF-8", "a\xff.example"},
		{"an A-label of nothing", "xn--.example"},
		{"an A-label of ASCII", "xn--app1-.ex.test"},
		{"an A-label that does not decode", "xn--x-.test"},
		{"an A-label of an upper-case letter", "xn--bcher-2pa.example"},
		{"an A-label of what is not normal form C", "xn--bucher-xyd.example"},
		{"an empty port", "example.com:"},
		{"port zero", "example.com:0"},
		{"a port with a leading zero", "example.com:080"},
		{"a port too large", "example.com:65536"},
		{"a port that overflows", "example.com:18446744073709551696"},
		{"a port with a letter", "example.com:8a"},
		{"brackets left open before a port", "[1::2:80"},
		{"a signed port", "example.com:+80"},
		{"a negative port", "example.com:-80"},
		{"two ports", "example.com:80:80"},
		{"a short IPv4 address", "127.1"},
		{"a decimal address", "2130706433"},
		{"a hexadecimal address", "0x7f000001"},
		{"a hexadecimal part", "127.0.0.0x1"},
		{"a bare 0x", "127.0.0.0x"},
		{"an octal address", "0177.0.0.1"},
		{"five parts", "1.2.3.4.5"},
		{"too large a part", "1.2.3.256"},
		{"a last label of digits", "example.123"},
		{"IPv6 without brackets", "2001:db8::1"},
		{"IPv6 with a zone", "[fe80::1%25eth0]"},
		{"IPv6 with a raw zone", "[fe80::1%eth0]"},
		{"IPv4 within IPv6", "[::ffff:127.0.0.1]"},
		{"IPv4 within IPv6, in hexadecimal", "[::ffff:7f00:1]"},
		{"IPv4 in brackets", "[127.0.0.1]"},
		{"a name in brackets", "[example.com]"},
		{"open brackets", "[::1"},
		{"closed brackets", "::1]"},
		{"empty brackets", "[]"},
		{"something after the brackets", "[::1]x"},
		{"a dot after the brackets", "[::1]."},
		{"IPvFuture", "[v1.a]"},
	} {
		if got, err := canonical.ParseHost(row.raw); !errors.Is(err, canonical.ErrHost) || got != "" {
			t.Errorf("%s: ParseHost(%q) = %q, %v, want %v", row.story, row.raw, got, err, canonical.ErrHost)
		}
	}
}

func FuzzParseHost(f *testing.F) {
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
