package sessions_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gateway/sessions"
)

var dawn = time.Date(2030, 1, 1, 6, 0, 0, 0, time.UTC)

func newRing(t testing.TB) sessions.Keyring {
	t.Helper()
	k, err := sessions.NewKeyring(24*time.Hour, dawn)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rotated(t testing.TB, k sessions.Keyring, longest time.Duration, at time.Time) sessions.Keyring {
	t.Helper()
	k, err := k.Rotate(longest, at)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// retiredIDs are the retired keys, the last one first.
func retiredIDs(k sessions.Keyring) (ids []string) {
	for _, r := range k.Retired {
		ids = append(ids, r.ID)
	}
	return ids
}

// Next becomes active, active becomes retired, and retired ones go when nothing
// that they have signed can still be valid.
func TestKeyring(t *testing.T) {
	first := newRing(t)
	if !first.Ready().IsZero() {
		t.Errorf("the first next key is ready %v, want at once: nobody has seen the keys without it", first.Ready())
	}
	second := rotated(t, first, time.Hour, dawn.Add(time.Hour))
	if second.Active.ID != first.Next.ID || second.Next.ID == first.Next.ID || !slices.Equal(retiredIDs(second), []string{first.Active.ID}) {
		t.Errorf("rotated: active %s, next %s, retired %v; before active %s, next %s", second.Active.ID, second.Next.ID, retiredIDs(second), first.Active.ID, first.Next.ID)
	}
	if want := dawn.Add(time.Hour + sessions.PublishedFor); !second.Ready().Equal(want) {
		t.Errorf("the next key is ready %v, want %v", second.Ready(), want)
	}
	third := rotated(t, second, time.Hour, dawn.Add(2*time.Hour))
	if !slices.Equal(retiredIDs(third), []string{second.Active.ID, first.Active.ID}) {
		t.Errorf("retired %v", retiredIDs(third))
	}
	// What the first signed lived for a day, what the second signed for an hour.
	for _, row := range []struct {
		after time.Duration
		want  []string
	}{
		{2 * time.Hour, []string{second.Active.ID, first.Active.ID}},
		{3 * time.Hour, []string{second.Active.ID, first.Active.ID}},
		{3*time.Hour + 6*time.Minute, []string{first.Active.ID}},
		{25 * time.Hour, []string{first.Active.ID}},
		{25*time.Hour + 6*time.Minute, nil},
	} {
		swept, over := third.Sweep(dawn.Add(row.after))
		if !slices.Equal(retiredIDs(swept), row.want) || over != (len(row.want) != 2) {
			t.Errorf("after %v: retired %v, %t; want %v", row.after, retiredIDs(swept), over, row.want)
		}
	}
	if len(third.Retired) != 2 {
		t.Error("sweeping changes what it was asked of")
	}
}

// Tokens of every key that is left are good, those of any other are not.
func TestKeyringTurns(t *testing.T) {
	k := newRing(t)
	s, err := k.Signer()
	if err != nil {
		t.Fatal(err)
	}
	turn := func() {
		t.Helper()
		if err := k.Turn(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{k.Active.ID, k.Next.ID} {
		if !strings.Contains(string(s.JWKS()), id) {
			t.Errorf("%s is not published", id)
		}
	}
	old := k.Active.ID
	k = rotated(t, k, time.Hour, dawn)
	turn()
	if s.KeyID() != k.Active.ID || !strings.Contains(string(s.JWKS()), old) {
		t.Errorf("signs with %s, want %s; %s", s.KeyID(), k.Active.ID, s.JWKS())
	}
	k, _ = k.Sweep(dawn.Add(48 * time.Hour))
	turn()
	if strings.Contains(string(s.JWKS()), old) {
		t.Error("a key that is over is published")
	}
	if err := (sessions.Keyring{}).Turn(s); !errors.Is(err, sessions.ErrKey) || s.KeyID() != k.Active.ID {
		t.Errorf("no keys: %v, want ErrKey, and nothing changed", err)
	}
}

func TestKeyringIsBounded(t *testing.T) {
	k := newRing(t)
	var err error
	for n := 0; err == nil; n++ {
		if n > 1000 {
			t.Fatal("a thousand retired keys, and no end")
		}
		k, err = k.Rotate(time.Hour, dawn)
	}
	if k = newRing(t); len(rotated(t, k, time.Hour, dawn).Retired) != 1 {
		t.Error("one retired key is too many")
	}
}

func TestKeyringAtRest(t *testing.T) {
	k := rotated(t, rotated(t, newRing(t), time.Hour, dawn.Add(time.Hour)), 90*24*time.Hour, dawn.Add(2*time.Hour+time.Millisecond))
	text, err := k.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	got, err := sessions.ParseKeyring(append([]byte("\n"), text...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(k, got); diff != "" {
		t.Errorf("written -, read +\n%s", diff)
	}
	if n := bytes.Count(text, []byte("PRIVATE KEY-----\n")); n != 4 { // two blocks begin and end
		t.Errorf("%d lines of private keys, want those of two keys: a retired one has none", n)
	}
	alone, err := k.Active.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	if got, err = sessions.ParseKeyring(alone); err != nil || got.Active.ID != k.Active.ID || got.Next.ID != "" {
		t.Errorf("a key alone: %v, %v; want it active", got.Active.ID, err)
	}
	if _, err := (sessions.Keyring{}).MarshalPEM(); !errors.Is(err, sessions.ErrKey) {
		t.Errorf("nothing: %v, want ErrKey", err)
	}
}

// A file in which anything is wrong is no keyring: nobody guesses which key was meant.
func TestParseKeyringRefuses(t *testing.T) {
	whole, err := rotated(t, newRing(t), time.Hour, dawn).MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	change := func(old, by string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in\n%s", old, text)
		}
		return strings.Replace(text, old, by, 1)
	}
	first, rest := pem.Decode(whole)
	for name, text := range map[string]string{
		"nothing":                "",
		"no PEM":                 "keys",
		"half a block":           text[:len(text)/2],
		"words before":           "hello\n" + text,
		"words after":            text + "hello\n",
		"no active one":          string(rest),
		"two active ones":        string(pem.EncodeToMemory(first)) + text,
		"two next ones":          change("State: active", "State: next"),
		"a state nobody knows":   change("State: next", "State: late"),
		"a private retired one":  change("State: next", "State: retired"),
		"a public active one":    change("State: retired", "State: active"),
		"no time that is one":    change("Since: 2030", "Since: then"),
		"a retired one for ever": change("Until: 2030-01-02T06:05:00Z\n", ""),
		"no duration":            change("Longest: 1h0m0s", "Longest: long"),
		"less than no duration":  change("Longest: 1h0m0s", "Longest: -1h0m0s"),
		"no id":                  change("Kid: ", "Kin: "),
	} {
		if got, err := sessions.ParseKeyring([]byte(text)); !errors.Is(err, sessions.ErrKey) || got.Active.ID != "" {
			t.Errorf("%s: %v, %v; want ErrKey", name, got.Active.ID, err)
		}
	}
	if _, err := sessions.ParseKeyring(whole); err != nil {
		t.Errorf("the whole: %v", err)
	}
}
