package localauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"

	"gateway/localauth"
)

const clientNonce = "0123456789abcdefgh" // the shortest there may be

func clientFirst(name string) string { return "n,,n=" + name + ",r=" + clientNonce }

var shape = regexp.MustCompile(`^r=` + clientNonce + `[\w-]{32},s=[A-Za-z0-9+/]{22}==,i=4096$`)

// Nobody can tell from a challenge whether there is somebody behind the name.
func TestChallengesLookAlike(t *testing.T) {
	h := open(t)
	want := len(h.begin(t, "bob", "whatever").challenge.ID)
	for _, name := range []string{
		"alice", "carol", "nosuch", "a", "a b", "a:b", "a@b.example", "\x01", "=2C", "=3D=3D", "Алиса", "аlice",
		strings.Repeat("n", 256), strings.Repeat("=2C", 85), strings.Repeat("\U0001f600", 64),
	} {
		c, err := h.Begin(t.Context(), browser, clientFirst(name), localauth.WantCookie)
		if err != nil {
			t.Errorf("Begin(%q): %v", name, err)
			continue
		}
		if !shape.MatchString(c.ServerFirst) {
			t.Errorf("Begin(%q) = %q, want the shape %v", name, c.ServerFirst, shape)
		}
		if len(c.ID) != want {
			t.Errorf("Begin(%q): id of %d bytes, want %d", name, len(c.ID), want)
		}
	}
	if h.ledger.size() != 0 {
		t.Error("Begin has touched the store of spent things")
	}
}

// A record that is not whole looks like none at all.
func TestBrokenRecords(t *testing.T) {
	for name, spoil := range map[string]func(*localauth.User){
		"zero":            func(u *localauth.User) { *u = localauth.User{} },
		"no salt":         func(u *localauth.User) { u.Salt = nil },
		"short salt":      func(u *localauth.User) { u.Salt = u.Salt[1:] },
		"long salt":       func(u *localauth.User) { u.Salt = make([]byte, 65) },
		"no iterations":   func(u *localauth.User) { u.Iterations = 0 },
		"too many":        func(u *localauth.User) { u.Iterations = localauth.MaxIterations + 1 },
		"bare stored key": func(u *localauth.User) { u.StoredKey = u.StoredKey[:32] },
	} {
		h := open(t)
		h.people.change("alice", spoil)
		c, err := h.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie)
		if err != nil || !shape.MatchString(c.ServerFirst) {
			t.Errorf("%s: Begin = %q, %v, want the shape %v", name, c.ServerFirst, err, shape)
		}
		h.people.change("alice", func(u *localauth.User) { *u = user(t, "alice", password("alice"), 1) })
		sound, err := h.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie)
		if err != nil || saltOf(c) == saltOf(sound) {
			t.Errorf("%s: Begin = %q, want a made-up salt", name, c.ServerFirst)
		}
	}
}

// A made-up salt stays, is one for all spellings of a name, and is nobody else's.
func TestMadeUpSalts(t *testing.T) {
	salt := func(h house, name string) string {
		t.Helper()
		c, err := h.Begin(t.Context(), browser, clientFirst(name), localauth.WantCookie)
		if err != nil {
			t.Fatal(err)
		}
		return saltOf(c)
	}
	h := open(t)
	want := salt(h, "nosuch")
	for _, name := range []string{"nosuch", "NoSuch", "ｎｏｓｕｃｈ"} {
		if got := salt(h, name); got != want {
			t.Errorf("salt of %s = %s, want %s", name, got, want)
		}
	}
	if got := salt(open(t), "nosuch"); got != want {
		t.Errorf("salt after a restart = %s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, name := range []string{"nosuch", "nosuch2", "a b", "a  b", ":", "alice"} {
		s := salt(h, name)
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q share the salt %s", name, other, s)
		}
		seen[s] = name
	}
	other := open(t)
	other.SaltKey = pepper
	if got := salt(other, "nosuch"); got == want {
		t.Error("the made-up salt does not depend on the key")
	}
}

// saltOf is what follows the nonce: salt and iterations.
func saltOf(c localauth.Challenge) string {
	_, rest, _ := strings.Cut(c.ServerFirst, ",")
	return rest
}

func TestMadeUpIterationsFollowTheLiving(t *testing.T) {
	h := open(t)
	live := []int{600_000, 600_000, 600_000, 1_000_000}
	h.Live = func(context.Context) ([]int, error) { return live, nil }
	count := map[string]int{}
	iterations := func(name string) string {
		c, err := h.Begin(t.Context(), browser, clientFirst(name), localauth.WantCookie)
		if err != nil {
			t.Fatal(err)
		}
		_, i, _ := strings.Cut(c.ServerFirst, ",i=")
		return i
	}
	for i := range 400 {
		name := "nosuch" + strings.Repeat("x", i%20) + strings.Repeat("y", i/20)
		got := iterations(name)
		if again := iterations(name); again != got {
			t.Fatalf("iterations of %s = %s, then %s", name, got, again)
		}
		count[got]++
	}
	if n := count["600000"]; n+count["1000000"] != 400 || n < 250 || n > 350 {
		t.Errorf("iterations were drawn %v times, want some 300 to 100", count)
	}
	if got := iterations("alice"); got != "4096" {
		t.Errorf("iterations of alice = %s, want her own", got)
	}
	live = nil
	if got := iterations("nosuch"); got != "4096" {
		t.Errorf("iterations with no one living = %s, want the configured ones", got)
	}
}

func TestServerNoncesDiffer(t *testing.T) {
	h := open(t)
	seen := map[string]bool{}
	for range 10_000 {
		c, err := h.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie)
		if err != nil {
			t.Fatal(err)
		}
		nonce, _, _ := strings.Cut(strings.TrimPrefix(c.ServerFirst, "r="+clientNonce), ",")
		raw, err := base64.RawURLEncoding.DecodeString(nonce)
		if err != nil || len(raw)*8 < 144 || seen[nonce] {
			t.Fatalf("server nonce %q: %v, seen before: %v; want 144 fresh bits or more", nonce, err, seen[nonce])
		}
		seen[nonce] = true
	}
}

func TestMalformedClientFirst(t *testing.T) {
	h := open(t)
	for _, raw := range malformedFirsts {
		if c, err := h.Begin(t.Context(), browser, raw, localauth.WantCookie); !errors.Is(err, localauth.ErrMalformed) || c != (localauth.Challenge{}) {
			t.Errorf("Begin(%.60q) = %v, want ErrMalformed", raw, err)
		}
	}
	if h.people.asked != 0 {
		t.Errorf("a malformed message has been looked up %d times, want none", h.people.asked)
	}
}

var malformedFirsts = []string{
	"",
	"n",
	"n,,",
	"n,,n=alice",
	"n,,alice,r=" + clientNonce,
	"n,,n=alice," + clientNonce,
	"n,,n=alice,",
	"n,,n=alice,r=",
	"n,,n=alice,r=x",
	"n,,n=alice,r=" + clientNonce[1:],
	"n,,n=alice,r=" + strings.Repeat("x", 129),
	"n,,n=alice,r=" + strings.Repeat("x", 10_000),
	"n,,n=alice,r=" + clientNonce + ",",
	"n,,n=alice,r=" + clientNonce + ",x=y",
	"n,,n=alice,r=" + clientNonce + "x,i=1,s=AAAA",
	"n,,n=alice,r=" + clientNonce + " ",
	"n,,n=alice,r=" + clientNonce + "\x00",
	"n,,n=alice,r=" + clientNonce + "\n",
	"n,,n=alice,r=" + clientNonce + "\x7f",
	"n,,n=alice,r=" + clientNonce + "\ufeff",
	"n,,n=alice,r=" + clientNonce + "é",
	"n,,n=alice,n=bob,r=" + clientNonce,
	"n,,r=" + clientNonce + ",n=alice",
	"n,,m=x,n=alice,r=" + clientNonce,
	"n,,N=alice,r=" + clientNonce,
	"n,,n=alice,R=" + clientNonce,
	"n,,n=,r=" + clientNonce,
	"n,,n=al=ice,r=" + clientNonce,
	"n,,n=al=2,r=" + clientNonce,
	"n,,n=al=2c,r=" + clientNonce,
	"n,,n=al=3d,r=" + clientNonce,
	"n,,n=alice=,r=" + clientNonce,
	"n,,n==,r=" + clientNonce,
	"n,,n=al\x00ice,r=" + clientNonce,
	"n,,n=al\xffice,r=" + clientNonce,
	"n,,n=\xed\xa0\x80,r=" + clientNonce,
	"n,,n=" + strings.Repeat("n", 257) + ",r=" + clientNonce,
	"n,a=bob,n=alice,r=" + clientNonce,
	"y,,n=alice,r=" + clientNonce,
	"p=tls-exporter,,n=alice,r=" + clientNonce,
	"N,,n=alice,r=" + clientNonce,
	" n,,n=alice,r=" + clientNonce,
	"n,n=alice,r=" + clientNonce,
	"n=alice,r=" + clientNonce,
	`{"client_first":"n,,n=alice"}`,
	strings.Repeat("n,,", 100_000),
}
