package localauth_test

import (
	"errors"
	"strings"
	"testing"

	"gateway/localauth"
)

// A client-first message is answered or malformed, never anything else.
func FuzzClientFirst(f *testing.F) {
	for _, raw := range append(malformedFirsts, clientFirst("alice"), clientFirst("a=2Cb=3D"), clientFirst("Алиса")) {
		f.Add(raw)
	}
	h := open(f)
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := h.Begin(t.Context(), browser, raw, localauth.WantCookie)
		if err != nil {
			if !errors.Is(err, localauth.ErrMalformed) {
				t.Fatalf("Begin(%q) = %v, want ErrMalformed", raw, err)
			}
			return
		}
		nonce := raw[strings.LastIndex(raw, ",r=")+3:]
		if !strings.HasPrefix(raw, "n,,n=") || !strings.HasPrefix(c.ServerFirst, "r="+nonce) || strings.Count(c.ServerFirst, ",") != 2 {
			t.Errorf("Begin(%q) = %q", raw, c.ServerFirst)
		}
		p, err := h.Open(browser, localauth.Reply{Username: "x", ChallengeID: c.ID, ClientFinal: "c=biws,r=x,p="}, localauth.WantCookie)
		if err != nil || p.Login == "" {
			t.Errorf("Open after Begin(%q) = %q, %v, want nil", raw, p.Login, err)
		}
	})
}

// No client-final message but the right one opens the door.
func FuzzClientFinal(f *testing.F) {
	h := open(f)
	for _, final := range malformedFinals("abc") {
		f.Add(final, "alice")
	}
	good := h.begin(f, "alice", password("alice")).reply
	f.Add(good.ClientFinal, "alice")
	f.Add("c=biws,r=@,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "nosuch")
	f.Fuzz(func(t *testing.T, final, name string) {
		c, err := h.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie)
		if err != nil {
			t.Fatal(err)
		}
		nonce, _, _ := strings.Cut(strings.TrimPrefix(c.ServerFirst, "r="), ",")
		final = strings.Replace(final, "@", nonce, 1)
		_, err = h.finish(t.Context(), localauth.Reply{Username: name, ChallengeID: c.ID, ClientFinal: final})
		if !answers(err) {
			t.Errorf("Finish(%q, %q) = %v, want no", name, final, err)
		}
	})
}

// No text but the sealed one is a challenge.
func FuzzChallengeID(f *testing.F) {
	h := open(f)
	reply := h.begin(f, "alice", password("alice")).reply
	good := reply.ChallengeID
	for _, id := range []string{"@", "@A", "A@", "", strings.Repeat("A", len(good))} {
		f.Add(id, 0)
	}
	f.Add("@", 1)
	f.Add("@", len(good)*8)
	f.Fuzz(func(t *testing.T, id string, bit int) {
		text := []byte(strings.Replace(id, "@", good, 1)) // every process of the fuzzer has another good one
		if at := bit / 8; bit > 0 && at < len(text) {
			text[at] ^= 1 << (bit % 8)
		}
		id = string(text)
		r := reply
		r.ChallengeID = id
		_, err := h.Open(browser, r, localauth.WantCookie)
		if (err == nil) != (id == good) || (err != nil && !errors.Is(err, localauth.ErrMalformed) && !errors.Is(err, localauth.ErrNoChallenge)) {
			t.Errorf("Open(%q) = %v", id, err)
		}
	})
}
