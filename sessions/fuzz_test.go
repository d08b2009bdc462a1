package sessions_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/internal/hostiletest"
	"gateway/internal/secret"
	"gateway/sessions"
)

// Whatever a stranger sends is refused, without a panic and without a read of
// the store; only the token that was issued opens its session.
func FuzzVerify(f *testing.F) {
	h := newHouse(f)
	s, token := h.signIn(f)
	good := token.Reveal()
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		"", ".", "..", "...", good[:40], parts[0] + ".." + parts[2], "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30.",
		b64.EncodeToString([]byte(headerOf(h.key.ID))) + ".e30.AAAA",
		b64.EncodeToString([]byte(`{"alg":"ES256","alg":"none"}`)) + "." + b64.EncodeToString([]byte(`{"sub":"a","SUB":"b"}`)) + ".AAAA",
		strings.Repeat("W", 4000), "\x00", "a.b.c\n",
	} {
		f.Add(seed, 0, 0)
	}
	for _, token := range hostiletest.Lines(f, "tokens") {
		f.Add(token, 0, 0)
	}
	f.Add("A", 10, 1)
	f.Add("", 200, 100)
	f.Add("\n", len(good), 0)
	f.Fuzz(func(t *testing.T, text string, at, cut int) {
		for _, sent := range []string{text, splice(good, text, at, cut)} {
			if sent == good && !sessions.IsToken(sent) {
				t.Error("ours is none of ours")
			}
			got, err := h.Verify(t.Context(), secret.New(sent), portal)
			switch {
			case sent == good:
				if err != nil || got.ID != s.ID {
					t.Errorf("ours: %v, %v", got, err)
				}
			case !errors.Is(err, sessions.ErrMalformed) || got.ID != "":
				t.Errorf("Verify(%q) = %v, %v; want ErrMalformed", sent, got, err)
			}
		}
	})
}

// splice replaces cut bytes of good at a place by text.
func splice(good, text string, at, cut int) string {
	at = min(max(at, 0), len(good))
	cut = min(max(cut, 0), len(good)-at)
	return good[:at] + text + good[at+cut:]
}

// Whatever comes as a code is refused without a panic.
func FuzzRedeem(f *testing.F) {
	h := newHouse(f)
	root, _ := h.signIn(f)
	code, err := h.Grant(f.Context(), root.ID, wiki, "flow", mine, "/")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", ".", "flow.", ".x", "flow.x", "flow.x.y", "flow.\x00", "flow.x\n", strings.Repeat("f.", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == code.Reveal() {
			return
		}
		if _, _, _, err := h.Redeem(t.Context(), secret.New(text), wiki, mine); !errors.Is(err, sessions.ErrNoCode) {
			t.Errorf("Redeem(%q) = %v, want ErrNoCode", text, err)
		}
	})
}

// Whatever stands in a key file is a key or an error.
func FuzzParseKey(f *testing.F) {
	text, err := newKey(f).MarshalPEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nKid: a\n\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := sessions.ParseKey(text)
		if err != nil {
			if !errors.Is(err, sessions.ErrKey) {
				t.Errorf("got %v, want ErrKey", err)
			}
			return
		}
		newSigner(t, key)
	})
}
