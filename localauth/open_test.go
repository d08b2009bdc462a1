package localauth_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"testing"

	"gateway/localauth"
)

func TestMalformedReplies(t *testing.T) {
	h := open(t)
	good := h.begin(t, "alice", password("alice")).reply
	for name, spoil := range map[string]func(*localauth.Reply){
		"empty":              func(r *localauth.Reply) { *r = localauth.Reply{} },
		"no user":            func(r *localauth.Reply) { r.Username = "" },
		"no challenge":       func(r *localauth.Reply) { r.ChallengeID = "" },
		"null":               func(r *localauth.Reply) { r.ChallengeID = "null" },
		"a path":             func(r *localauth.Reply) { r.ChallengeID = "../../x" },
		"an escape":          func(r *localauth.Reply) { r.ChallengeID = "%00" },
		"a mebibyte":         func(r *localauth.Reply) { r.ChallengeID = strings.Repeat("A", 1<<20) },
		"a mebibyte of name": func(r *localauth.Reply) { r.ChallengeID, r.Username = "", strings.Repeat("A", 1<<20) },
	} {
		r := good
		spoil(&r)
		if _, err := h.Open(browser, r, localauth.WantCookie); !errors.Is(err, localauth.ErrMalformed) {
			t.Errorf("%s: Open = %v, want ErrMalformed", name, err)
		}
	}
	for _, final := range malformedFinals(nonceOf(good.ClientFinal)) {
		r := good
		r.ClientFinal = final
		if _, err := h.Open(browser, r, localauth.WantCookie); !errors.Is(err, localauth.ErrMalformed) {
			t.Errorf("Open(%.80q) = %v, want ErrMalformed", final, err)
		}
	}
	if h.ledger.size() != 0 {
		t.Error("a malformed reply has touched the store")
	}
	if _, err := h.finish(t.Context(), good); err != nil {
		t.Errorf("Finish = %v, want nil: malformed replies do not spend the challenge", err)
	}
}

func malformedFinals(nonce string) []string {
	proof := base64.StdEncoding.EncodeToString(make([]byte, 32))
	return []string{
		"",
		"c=biws",
		"c=biws,r=" + nonce,
		"c=biws,r=" + nonce + ",p",
		"c=biws,r=" + nonce + "," + proof,
		nonce + ",p=" + proof,
		"c=biws," + nonce + ",p=" + proof,
		"c=biws,r=,p=" + proof,
		"c=biws,r=a b,p=" + proof,
		"c=biws,r=" + nonce + "\x00,p=" + proof,
		"c=biws,r=" + nonce + ",p=" + strings.TrimRight(proof, "="),
		"c=biws,r=" + nonce + ",p=" + proof + "\n",
		"c=biws,r=" + nonce + ",p=" + proof + "=",
		"c=biws,r=" + nonce + ",p=" + proof + ",x=y",
		"c=biws,r=" + nonce + ",x=y,p=" + proof,
		"c=biws,r=" + nonce + ",p=" + strings.Replace(proof, "A", "_", 1),
		"c=biws,r=" + nonce + ",p=" + proof[:42] + "B=", // stray bits
		"c=biws,r=" + nonce + ",P=" + proof,
		"c=biws,R=" + nonce + ",p=" + proof,
		"c=eSws,r=" + nonce + ",p=" + proof, // y,,
		"c=bixhPWJvYiw=,r=" + nonce + ",p=" + proof,
		"c=,r=" + nonce + ",p=" + proof,
		"r=" + nonce + ",c=biws,p=" + proof,
		"p=" + proof,
		"m=x,c=biws,r=" + nonce + ",p=" + proof,
		"c=biws,r=" + nonce + ",p=" + strings.Repeat("AAAA", 300),
		"c=biws,r=" + strings.Repeat("x", 1025-len("c=biws,r=,p="+proof)) + ",p=" + proof,
		strings.Repeat("c=biws,", 100_000),
	}
}

// Whatever bit of a challenge's id is turned, it is no challenge, always in the
// same words, and nothing is taken.
func TestTurnedBits(t *testing.T) {
	h := open(t)
	k := h.begin(t, "alice", password("alice"))
	id := k.reply.ChallengeID
	for i := range len(id) * 8 {
		turned := []byte(id)
		turned[i/8] ^= 1 << (i % 8)
		k.reply.ChallengeID = string(turned)
		if _, err := h.Open(browser, k.reply, localauth.WantCookie); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Fatalf("bit %d: Open = %v, want ErrNoChallenge", i, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		k.reply.ChallengeID = base64.RawURLEncoding.EncodeToString(raw)
		raw[i/8] ^= 1 << (i % 8)
		if _, err := h.Open(browser, k.reply, localauth.WantCookie); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Fatalf("bit %d of what is sealed: Open = %v, want ErrNoChallenge", i, err)
		}
	}
	for _, id := range []string{id[1:], id[:len(id)-1], id + "A", id + "=", id + "\n", "\n" + id, " " + id, strings.ToLower(id)} {
		k.reply.ChallengeID = id
		if _, err := h.Open(browser, k.reply, localauth.WantCookie); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Errorf("Open(%.20q…) = %v, want ErrNoChallenge", id, err)
		}
	}
	if h.ledger.size() != 0 {
		t.Error("what did not open has touched the store")
	}
	k.reply.ChallengeID = id
	if _, err := h.finish(t.Context(), k.reply); err != nil {
		t.Errorf("Finish = %v, want nil", err)
	}
}

// What our own key sealed for something else, or by another version, is no challenge.
func TestSealedOtherwise(t *testing.T) {
	h := open(t)
	k := h.begin(t, "alice", password("alice"))
	plain, err := h.Seal.Open(k.challenge.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"another format": func(b []byte) []byte { b[0]++; return b },
		"another want":   func(b []byte) []byte { b[1] = 7; return b },
		"longer":         func(b []byte) []byte { return append(b, 0) },
		"shorter":        func(b []byte) []byte { return b[:len(b)-1] },
		"longer salt":    func(b []byte) []byte { b[23] = 65; return b },
		"longer message": func(b []byte) []byte { b[184], b[185] = 0xff, 0xff; return b },
		"no message":     func(b []byte) []byte { b[184], b[185] = 0, 0; return b },
	} {
		k.reply.ChallengeID = h.Seal.Seal(spoil(append([]byte(nil), plain...)))
		if _, err := h.Open(browser, k.reply, localauth.WantCookie); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Errorf("%s: Open = %v, want ErrNoChallenge", name, err)
		}
	}
}

// The longest of everything is read: what is one longer is malformed.
func TestLongestMessages(t *testing.T) {
	h := open(t)
	h.people.change("alice", func(u *localauth.User) {
		v, err := localauth.Derive(password("alice"), bytes.Repeat([]byte("s"), 64), rounds)
		if err != nil {
			t.Fatal(err)
		}
		*u = record(t, "id-alice", 1, v)
	})
	if _, err := h.finish(t.Context(), h.begin(t, "alice", password("alice")).reply); err != nil {
		t.Errorf("Finish with the longest salt = %v, want nil", err)
	}

	name, nonce := strings.Repeat("n", 256), strings.Repeat("~", 128)
	c, err := h.Begin(t.Context(), browser, "n,,n="+name+",r="+nonce, localauth.WantCookie)
	if err != nil {
		t.Fatal(err)
	}
	proof := ",p=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	head := "c=biws,r=" + nonceOf(c.ServerFirst)
	final := head + strings.Repeat("x", 1024-len(head+proof)) + proof
	if _, err := h.finish(t.Context(), localauth.Reply{Username: name, ChallengeID: c.ID, ClientFinal: final}); !errors.Is(err, localauth.ErrBadCredentials) {
		t.Errorf("Finish with the longest name, nonce and reply = %v, want ErrBadCredentials", err)
	}
}

// Who is unknown looks like everybody else, where nobody says how many
// iterations records have.
func TestMadeUpIterations(t *testing.T) {
	h := open(t)
	h.Iterations = 0
	c, err := h.Begin(t.Context(), browser, clientFirst("nosuch"), localauth.WantCookie)
	if err != nil || !strings.HasSuffix(c.ServerFirst, ",i="+strconv.Itoa(localauth.DefaultIterations)) {
		t.Errorf("Begin = %q, %v, want the default iterations", c.ServerFirst, err)
	}
}
