package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gateway/internal/datadir"
	"gateway/internal/server"
	"gateway/sessions"
)

// openKeys opens the keys of a kind in a data folder, as a start does.
func openKeys(t *testing.T, folder string, published bool, now time.Time) (*signing, func()) {
	t.Helper()
	dir, err := datadir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	s := &signing{kind: keysOfAssertions, file: "assertion.pem", dir: dir, published: published}
	if err := s.open(time.Hour, now); err != nil {
		t.Fatal(err)
	}
	return s, func() { _ = dir.Close() }
}

// states says which keys there are, in words that fit a table.
func states(all []server.AdminKey) string {
	var words []string
	for _, k := range all {
		words = append(words, k.State)
	}
	return strings.Join(words, " ")
}

// Keys turn when they are due, those that others keep copies of not before
// these know the next one, and nobody loses one over a restart.
func TestKeysTurn(t *testing.T) {
	t.Parallel()
	const every = 2 * time.Hour
	folder, now := filepath.Join(t.TempDir(), "data"), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s, shut := openKeys(t, folder, true, now)
	for _, step := range []struct {
		after   time.Duration
		rotated bool
		want    string
	}{
		{0, false, "next active"},
		{every - time.Second, false, "next active"},
		{every, true, "next active retired"},
		{every + time.Minute, false, "next active retired"},
		{every + time.Hour, false, "next active retired"},
		{every + time.Hour + 6*time.Minute, false, "next active"},
		{2 * every, true, "next active retired"},
		{20 * every, true, "next active retired"}, // the one of long ago is gone
		{20*every + time.Minute, false, "next active retired"},
	} {
		before := s.signer.KeyID()
		rotated, err := s.turn(time.Hour, every, now.Add(step.after))
		if err != nil || rotated != step.rotated || states(s.list()) != step.want || (s.signer.KeyID() != before) != rotated {
			t.Errorf("after %v: rotated %t, %v, %s; want %t, %s", step.after, rotated, err, states(s.list()), step.rotated, step.want)
		}
		was := s.list()
		shut()
		s, shut = openKeys(t, folder, true, now)
		for i, k := range s.list() {
			if k.ID != was[i].ID || k.State != was[i].State {
				t.Errorf("after %v: a restart finds %s %s, want %s %s", step.after, k.State, k.ID, was[i].State, was[i].ID)
			}
		}
	}
	shut()
}

func TestKeysWaitUntilTheyAreKnown(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		published bool
		after     time.Duration
		good      bool
	}{
		{true, 0, false},
		{true, sessions.PublishedFor - time.Second, false},
		{true, sessions.PublishedFor, true},
		{true, -time.Hour, true}, // the clock was set back
		{false, 0, true},
	} {
		s, shut := openKeys(t, filepath.Join(t.TempDir(), "data"), row.published, now)
		if err := s.rotatable(now); err != nil {
			t.Errorf("the first rotation has to wait: %v", err)
		}
		if err := s.rotate(time.Hour, now); err != nil {
			t.Fatal(err)
		}
		if err := s.rotatable(now.Add(row.after)); (err == nil) != row.good {
			t.Errorf("published %t, after %v: %v, want it to be good: %t", row.published, row.after, err, row.good)
		}
		shut()
	}
}

// A key from before there were rings signs on, and gets a next one that is not
// used before it is known.
func TestKeyAloneGetsARing(t *testing.T) {
	t.Parallel()
	folder, now := filepath.Join(t.TempDir(), "data"), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	old, err := sessions.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := old.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "keys", "assertion.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and at the second start it is one
		s, shut := openKeys(t, folder, true, now)
		if s.signer.KeyID() != old.ID || states(s.list()) != "next active" || s.rotatable(now) == nil {
			t.Errorf("signs with %s, want %s; %s; %v", s.signer.KeyID(), old.ID, states(s.list()), s.rotatable(now))
		}
		shut()
	}
}

// Whoever allows longer sessions keeps what has signed them for as long.
func TestKeysOutliveWhatTheySign(t *testing.T) {
	t.Parallel()
	folder, now := filepath.Join(t.TempDir(), "data"), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s, shut := openKeys(t, folder, false, now)
	for _, longest := range []time.Duration{48 * time.Hour, time.Minute} { // longer, then shorter again
		if err := s.allow(longest); err != nil {
			t.Fatal(err)
		}
	}
	shut()
	s, shut = openKeys(t, folder, false, now)
	defer shut()
	if err := s.rotate(time.Minute, now); err != nil {
		t.Fatal(err)
	}
	if until := s.list()[2].Until; until.Sub(now) < 48*time.Hour {
		t.Errorf("a key that signed for 48 hours is kept until %v", until)
	}
}
