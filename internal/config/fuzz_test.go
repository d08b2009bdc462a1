package config_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gateway/internal/config"
	"gateway/internal/secret"
)

// FuzzParse feeds files that nobody meant. Parse never panics, says where and
// why it refuses, and what it takes it prints, and reads again as the same.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "testdata/rooms/*.yaml"} {
		for _, path := range files(f, pattern) {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, seed := range []string{"", "{}", "url: http://localhost", "a: &a [*a]", "[[[[", "? a\n: b", "url: |\n  a", "url: 'a\n  b'", "- - -", "\"", "{a: b", "url: ${A}", "!", "%", "--- ---", "a:\n- b\n-c", "#\n\n#"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 || bytes.Contains(data, []byte("_file")) {
			return // files of any path are no business of a fuzzer
		}
		c, _, err := config.Parse("x.yaml", data, environ)
		if err != nil {
			refused(t, c, err)
			return
		}
		printed := c.Print()
		again, _, err := config.Parse("x.yaml", printed, nil)
		if err != nil {
			t.Fatalf("what was printed is refused: %v\n%s", err, printed)
		}
		if diff := cmp.Diff(c, again, same...); diff != "" {
			t.Errorf("printed and read again (-first +second):\n%s\n%s", diff, printed)
		}
		if _, _, err := config.Parse("x.yaml", append(printed, "zzz: 1\n"...), nil); err == nil {
			t.Errorf("an unknown key is taken:\n%s", printed)
		}
	})
}

// same compares configurations: a printed secret is its mask.
var same = cmp.Options{
	cmp.Comparer(func(a, b secret.Text) bool { return a.Empty() == b.Empty() }),
	cmpopts.EquateComparable(netip.Prefix{}),
	cmpopts.IgnoreUnexported(config.Config{}),
	cmpopts.EquateEmpty(),
}

// refused checks a refusal: no configuration, and complaints with a message in
// lines that the file has.
func refused(t *testing.T, c *config.Config, err error) {
	t.Helper()
	var complaints config.Complaints
	if c != nil || !errors.As(err, &complaints) || len(complaints) == 0 {
		t.Fatalf("Parse = %v, %v, want complaints", c, err)
	}
	for _, complaint := range complaints {
		if complaint.Message == "" || complaint.Place.Line < 0 || strings.ContainsAny(complaint.Error(), "\n\x00") {
			t.Errorf("complaint %q", complaint)
		}
	}
}
