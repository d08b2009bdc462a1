package localauth_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gateway/localauth"
)

// vectors are testdata/passwords.json, which the sign-in page's script runs too.
type vectors struct {
	Salt       string
	Iterations int
	Passwords  []struct {
		Name, UTF16, Mapped, Salted string
		Refused                     bool
	}
}

func TestPasswordVectors(t *testing.T) {
	file, err := os.ReadFile("testdata/passwords.json")
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Passwords) < 40 {
		t.Fatalf("%d passwords, want 40 or more", len(all.Passwords))
	}
	salt := unhex(t, all.Salt)
	for _, p := range all.Passwords {
		t.Run(p.Name, func(t *testing.T) {
			raw := text(t, p.UTF16)
			mapped, err := localauth.MapPassword(raw)
			if p.Refused {
				if !errors.Is(err, localauth.ErrPassword) {
					t.Errorf("MapPassword(%+q) = %+q, %v, want ErrPassword", raw, mapped, err)
				}
				if _, err := localauth.Derive(raw, salt, 1); !errors.Is(err, localauth.ErrPassword) {
					t.Errorf("Derive = %v, want ErrPassword", err)
				}
				return
			}
			if want := string(unhex(t, p.Mapped)); err != nil || mapped != want {
				t.Fatalf("MapPassword(%+q) = %+q, %v, want %+q", raw, mapped, err, want)
			}
			salted, err := localauth.SaltedPassword(raw, salt, all.Iterations)
			if got := hex.EncodeToString(salted); err != nil || got != p.Salted {
				t.Errorf("SaltedPassword = %s, %v, want %s", got, err, p.Salted)
			}
		})
	}
}

// text reads UTF-16 code units in hexadecimal. A lone surrogate becomes the
// three bytes that would encode it, which are no UTF-8.
func text(t *testing.T, units string) string {
	t.Helper()
	b := unhex(t, units)
	var s []byte
	for i := 0; i+1 < len(b); i += 2 {
		unit := rune(b[i])<<8 | rune(b[i+1])
		switch high, ok := pending(s); {
		case unit < 0xd800 || unit > 0xdfff:
			s = utf8.AppendRune(s, unit)
		case unit >= 0xdc00 && ok:
			s = utf8.AppendRune(s[:len(s)-3], 0x10000+(high-0xd800)<<10+(unit-0xdc00))
		default:
			s = append(s, 0xed, 0x80|byte(unit>>6&0x3f), 0x80|byte(unit&0x3f))
		}
	}
	return string(s)
}

// pending returns the high surrogate that s ends in.
func pending(s []byte) (rune, bool) {
	if len(s) < 3 || s[len(s)-3] != 0xed || s[len(s)-2] < 0xa0 || s[len(s)-2] > 0xaf {
		return 0, false
	}
	return 0xd000 | rune(s[len(s)-2]&0x3f)<<6 | rune(s[len(s)-1]&0x3f), true
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// No password is cut: what begins like it is another one.
func TestLongPasswordsCountWhole(t *testing.T) {
	h := open(t)
	long := strings.Repeat("0123456789abcdef", 64)
	for _, n := range []int{64, 256, 1024} {
		h.people.users["alice"] = user(t, "alice", long[:n], 1)
		k := h.begin(t, "alice", long[:n])
		if _, err := h.finish(t.Context(), k.reply); err != nil {
			t.Errorf("%d characters: Finish = %v, want nil", n, err)
		}
		for _, cut := range []int{8, 63, 72, n - 1} {
			if cut >= n {
				continue
			}
			k := h.begin(t, "alice", long[:cut])
			if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrBadCredentials) {
				t.Errorf("%d of %d characters: Finish = %v, want ErrBadCredentials", cut, n, err)
			}
		}
	}
}

// Mapping is done once and for all, and agrees with the library's normalization
// wherever that does not break up long runs of marks.
func FuzzMapPassword(f *testing.F) {
	for _, s := range []string{"pencil", "A\u030a", "\u1112\u1161\u11ab", "a\u0305\u0301", "\u00a0\u0301", "a" + strings.Repeat("\u0344", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		mapped, err := localauth.MapPassword(raw)
		if err != nil {
			if !errors.Is(err, localauth.ErrPassword) || mapped != "" {
				t.Fatalf("MapPassword(%+q) = %+q, %v, want ErrPassword", raw, mapped, err)
			}
			return
		}
		if again, err := localauth.MapPassword(mapped); err != nil || again != mapped {
			t.Errorf("MapPassword(%+q) = %+q, %v, want itself", mapped, again, err)
		}
		if composed := norm.NFC.String(mapped); composed != mapped && !slices.Contains([]rune(composed), '\u034f') {
			t.Errorf("MapPassword(%+q) = %+q, but NFC is %+q", raw, mapped, composed)
		}
	})
}
