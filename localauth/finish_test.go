package localauth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/localauth"
	"gateway/localauth/scram"
)

func TestSignIn(t *testing.T) {
	h := open(t)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	h.Now = func() time.Time { return at }
	for _, name := range []string{"alice", "Alice", "ＡＬＩＣＥ"} {
		k := h.begin(t, name, password("alice"))
		out, err := h.finish(t.Context(), k.reply)
		if err != nil {
			t.Fatalf("Finish(%s): %v", name, err)
		}
		if err := k.client.Verify(out.ServerFinal); err != nil {
			t.Errorf("Verify(%s): %v", name, err)
		}
		want := identity.Key{Issuer: identity.Local, Subject: "id-alice"}
		if who := out.Identity; who.Key != want || who.Provider != identity.Local || who.Username != "alice" || !who.AuthTime.Equal(at) {
			t.Errorf("Finish(%s) = %+v, want alice, just now, through the Local door", name, who)
		}
		if out.UserID != "id-alice" {
			t.Errorf("Finish(%s) = %+v, want id-alice and her groups", name, out)
		}
	}
}

func TestSignInForAToken(t *testing.T) {
	h := open(t)
	client := &scram.Client{Username: "alice", Password: secret.New(password("alice")), MinIterations: 1}
	first, err := client.First()
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Begin(t.Context(), "", first, localauth.WantToken)
	if err != nil {
		t.Fatal(err)
	}
	final, err := client.Final(c.ServerFirst)
	if err != nil {
		t.Fatal(err)
	}
	reply := localauth.Reply{Username: "alice", ChallengeID: c.ID, ClientFinal: final}
	for _, row := range []struct {
		browser string
		want    localauth.Want
	}{
		{"", localauth.WantCookie}, {browser, localauth.WantCookie}, {browser, localauth.WantToken}, {"", 2},
	} {
		if _, err := h.Open(row.browser, reply, row.want); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Errorf("Open(%q, %d) = %v, want ErrNoChallenge", row.browser, row.want, err)
		}
	}
	p, err := h.Open("", reply, localauth.WantToken)
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Finish(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Verify(out.ServerFinal); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

func TestWantNeedsItsBrowser(t *testing.T) {
	h := open(t)
	for _, row := range []struct {
		browser string
		want    localauth.Want
	}{
		{"", localauth.WantCookie}, {browser, localauth.WantToken}, {"", 2},
	} {
		if _, err := h.Begin(t.Context(), row.browser, clientFirst("alice"), row.want); err == nil || answers(err) {
			t.Errorf("Begin(%q, %d) = %v, want an error of the caller's", row.browser, row.want, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name, password string
		change         func(*localauth.User) // after the challenge
		want           localauth.Reason
	}{
		{"alice", "wrong", nil, localauth.WrongProof},
		{"nosuch", "wrong", nil, localauth.Unknown},
		{"not a login", "wrong", nil, localauth.Unknown},
		{"carol", password("carol"), nil, localauth.Inactive},
		{"carol", "wrong", nil, localauth.Inactive},
		{"alice", password("alice"), func(u *localauth.User) { u.Disabled = true }, localauth.Inactive},
		{"alice", password("alice"), func(u *localauth.User) { *u = user(t, "alice", password("alice"), 2) }, localauth.Changed},
		{"alice", password("alice"), func(u *localauth.User) { u.Iterations++ }, localauth.Changed},
		{"alice", password("alice"), func(u *localauth.User) { u.Salt = []byte("another 16 bytes") }, localauth.Changed},
		{"alice", password("alice"), func(u *localauth.User) { u.UserID = "id-bob" }, localauth.Unreadable},
		{"alice", password("alice"), func(u *localauth.User) { u.StoredKey = user(t, "alice", "an older one", 0).StoredKey }, localauth.Unreadable},
		{"alice", password("alice"), func(u *localauth.User) { u.StoredKey, u.ServerKey = u.ServerKey, u.StoredKey }, localauth.Unreadable},
		{"alice", password("alice"), func(u *localauth.User) { u.ServerKey = user(t, "bob", "x", 1).ServerKey }, localauth.Unreadable},
		{"alice", password("alice"), func(u *localauth.User) { u.StoredKey = nil }, localauth.Unreadable},
		{"alice", password("alice"), func(u *localauth.User) { u.UserID = "" }, localauth.Unreadable},
		{"alice", password("alice"), func(u *localauth.User) { *u = localauth.User{} }, localauth.Unreadable},
		{"nosuch", "made since", func(u *localauth.User) { *u = user(t, "nosuch", "made since", 1) }, localauth.Changed},
	} {
		h := open(t)
		k := h.begin(t, row.name, row.password)
		if row.change != nil {
			h.people.change(row.name, row.change)
		}
		_, err := h.finish(t.Context(), k.reply)
		var no *localauth.Refusal
		if !errors.Is(err, localauth.ErrBadCredentials) || !errors.As(err, &no) {
			t.Errorf("Finish(%s) = %v, want ErrBadCredentials", row.name, err)
			continue
		}
		if no.Reason != row.want {
			t.Errorf("Finish(%s): reason %s, want %s", row.name, no.Reason, row.want)
		}
		if strings.Contains(err.Error(), row.name) {
			t.Errorf("Finish(%s): error %q names somebody", row.name, err)
		}
	}
}

func TestAnotherPepper(t *testing.T) {
	h := open(t)
	k := h.begin(t, "alice", password("alice"))
	h.Local = &localauth.Local{
		Users: h.people, Spent: h.ledger, Seal: h.Seal, Pepper: saltKey, SaltKey: saltKey, Portal: h.Portal, Iterations: rounds,
	}
	if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrBadCredentials) {
		t.Errorf("Finish = %v, want ErrBadCredentials", err)
	}
}

func TestChallengeIsBound(t *testing.T) {
	h := open(t)
	k := h.begin(t, "alice", password("alice"))
	elsewhere := &localauth.Local{
		Users: h.people, Spent: h.ledger, Seal: h.Seal, Pepper: pepper, SaltKey: saltKey, Portal: "https://other.example.com",
	}
	for _, row := range []struct {
		name    string
		door    *localauth.Local
		browser string
		want    localauth.Want
	}{
		{"another browser", h.Local, "another", localauth.WantCookie},
		{"no browser", h.Local, "", localauth.WantCookie},
		{"for a token", h.Local, "", localauth.WantToken},
		{"for a token, with a browser", h.Local, browser, localauth.WantToken},
		{"another portal", elsewhere, browser, localauth.WantCookie},
	} {
		if _, err := row.door.Open(row.browser, k.reply, row.want); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Errorf("%s: Open = %v, want ErrNoChallenge", row.name, err)
		}
	}
	if h.ledger.size() != 0 {
		t.Error("what did not open has touched the store")
	}
	if _, err := h.finish(t.Context(), k.reply); err != nil {
		t.Errorf("Finish = %v, want nil: the challenge was not spent", err)
	}
}

func TestChallengeOfAnotherLogin(t *testing.T) {
	h := open(t)
	k := h.begin(t, "alice", password("bob"))
	k.reply.Username = "bob"
	p, err := h.Open(browser, k.reply, localauth.WantCookie)
	if err != nil || p.Login != "alice" {
		t.Fatalf("Open = %q, %v, want alice: the try counts against the challenge's login", p.Login, err)
	}
	if _, err := h.Finish(t.Context(), p); !errors.Is(err, localauth.ErrNoChallenge) {
		t.Errorf("Finish as bob = %v, want ErrNoChallenge", err)
	}
	if h.people.asked != 1 {
		t.Errorf("looked up %d times, want once, at Begin", h.people.asked)
	}
	k.reply.Username = "alice"
	if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrNoChallenge) {
		t.Errorf("Finish as alice after = %v, want ErrNoChallenge: it is spent", err)
	}
}

func TestChallengeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for _, row := range []struct {
			wait time.Duration
			want error
		}{
			{88 * time.Second, nil},
			{90 * time.Second, localauth.ErrNoChallenge},
			{92 * time.Second, localauth.ErrNoChallenge},
		} {
			k := h.begin(t, "alice", password("alice"))
			time.Sleep(row.wait)
			if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, row.want) {
				t.Errorf("Finish after %v = %v, want %v", row.wait, err, row.want)
			}
		}
	})
}

func TestClockSetBack(t *testing.T) {
	h := open(t)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	h.Now = func() time.Time { return at }
	k := h.begin(t, "alice", password("alice"))
	if _, err := h.finish(t.Context(), k.reply); err != nil {
		t.Fatal(err)
	}
	for _, kept := range h.ledger.taken {
		if kept.Before(at.Add(10 * time.Minute)) {
			t.Errorf("a spent challenge is remembered until %v, too short for a clock that is set back", kept)
		}
	}
	at = at.Add(-time.Hour)
	if _, err := h.Open(browser, k.reply, localauth.WantCookie); !errors.Is(err, localauth.ErrNoChallenge) {
		t.Errorf("Open an hour before it was made = %v, want ErrNoChallenge", err)
	}
}

func TestReplay(t *testing.T) {
	for _, tried := range []string{password("alice"), "wrong"} {
		h := open(t)
		k := h.begin(t, "alice", tried)
		_, _ = h.finish(t.Context(), k.reply)
		if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrNoChallenge) {
			t.Errorf("%s again: Finish = %v, want ErrNoChallenge", tried, err)
		}
	}
}

func TestOneOfManyWins(t *testing.T) {
	h := open(t)
	k := h.begin(t, "alice", password("alice"))
	var won, lost int
	var mu sync.Mutex
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for range 50 {
		wg.Go(func() {
			<-gate
			_, err := h.finish(context.Background(), k.reply)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, localauth.ErrNoChallenge):
				lost++
			default:
				t.Errorf("Finish = %v, want nil or ErrNoChallenge", err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if won != 1 || lost != 49 {
		t.Errorf("%d won and %d lost, want 1 and 49", won, lost)
	}
}

func TestCannotTell(t *testing.T) {
	broken := errors.New("the disk is gone")
	h := open(t)
	k := h.begin(t, "alice", password("alice"))
	h.ledger.err = broken
	if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, broken) || answers(err) {
		t.Errorf("Finish without Spent = %v, want %v alone", err, broken)
	}
	h.ledger.err, h.people.err = nil, broken
	if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, broken) || answers(err) {
		t.Errorf("Finish without Users = %v, want %v alone", err, broken)
	}
	if h.ledger.size() != 1 {
		t.Error("the challenge was not taken before the user was looked up")
	}
	if _, err := h.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie); !errors.Is(err, broken) || answers(err) {
		t.Errorf("Begin without Users = %v, want %v alone", err, broken)
	}
	h.people.err = nil
	h.Live = func(context.Context) ([]int, error) { return nil, broken }
	if _, err := h.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie); !errors.Is(err, broken) || answers(err) {
		t.Errorf("Begin without Live = %v, want %v alone", err, broken)
	}
}

// answers reports whether err is a no.
func answers(err error) bool {
	return errors.Is(err, localauth.ErrBadCredentials) || errors.Is(err, localauth.ErrNoChallenge) || errors.Is(err, localauth.ErrMalformed)
}

func TestNothingWired(t *testing.T) {
	h := open(t)
	for name, door := range map[string]*localauth.Local{
		"zero":       {},
		"no pepper":  {Users: h.people, Spent: h.ledger, Seal: h.Seal, SaltKey: saltKey, Portal: "x"},
		"no saltkey": {Users: h.people, Spent: h.ledger, Seal: h.Seal, Pepper: pepper, Portal: "x"},
		"no portal":  {Users: h.people, Spent: h.ledger, Seal: h.Seal, Pepper: pepper, SaltKey: saltKey},
	} {
		if _, err := door.Begin(t.Context(), browser, clientFirst("alice"), localauth.WantCookie); err == nil || answers(err) {
			t.Errorf("%s: Begin = %v, want what is missing", name, err)
		}
		if _, err := door.Open(browser, localauth.Reply{}, localauth.WantCookie); err == nil || answers(err) {
			t.Errorf("%s: Open = %v, want what is missing", name, err)
		}
	}
	if _, err := h.Finish(t.Context(), localauth.Pending{}); !errors.Is(err, localauth.ErrNoChallenge) || h.ledger.size() != 0 {
		t.Errorf("Finish(zero) = %v, want ErrNoChallenge and nothing taken", err)
	}
}

// What the store and the pepper together give away does not open the door.
func TestVerifierIsNoPassword(t *testing.T) {
	h := open(t)
	v, err := localauth.Derive(password("alice"), []byte("aaaaaaaaaaaaaaaa"), rounds)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	for name, forge := range map[string]func(message string) []byte{
		"zero":                       func(string) []byte { return make([]byte, 32) },
		"ones":                       func(string) []byte { return []byte(strings.Repeat("\xff", 32)) },
		"stored key as client key":   func(m string) []byte { return xor(v.StoredKey, mac(v.StoredKey, m)) },
		"hashed key as client key":   func(m string) []byte { return xor(sum(v.StoredKey), mac(sum(v.StoredKey), m)) },
		"server key as client key":   func(m string) []byte { return xor(v.ServerKey, mac(v.StoredKey, m)) },
		"server signature":           func(m string) []byte { return mac(v.ServerKey, m) },
		"signature of a zero client": func(m string) []byte { return mac(sum(make([]byte, 32)), m) },
		"zero client":                func(m string) []byte { return mac(v.StoredKey, m) },
		"no proof":                   func(string) []byte { return nil },
		"1 byte":                     func(string) []byte { return []byte{0} },
		"31 bytes":                   func(string) []byte { return make([]byte, 31) },
		"33 bytes":                   func(string) []byte { return make([]byte, 33) },
		"64 bytes":                   func(string) []byte { return make([]byte, 64) },
	} {
		k := h.begin(t, "alice", "wrong")
		final, _, _ := strings.Cut(k.reply.ClientFinal, ",p=")
		message := strings.TrimPrefix(mustFirst(t, k), "n,,") + "," + k.challenge.ServerFirst + "," + final
		k.reply.ClientFinal = final + ",p=" + base64.StdEncoding.EncodeToString(forge(message))
		if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrBadCredentials) {
			t.Errorf("%s: Finish = %v, want ErrBadCredentials", name, err)
		}
	}
}

// A right proof with something more, or something less, is wrong.
func TestProofOfAnotherLength(t *testing.T) {
	h := open(t)
	for _, spoil := range []func([]byte) []byte{
		func(b []byte) []byte { return append(b, 0) },
		func(b []byte) []byte { return append(b, b...) },
		func(b []byte) []byte { return b[:31] },
	} {
		k := h.begin(t, "alice", password("alice"))
		head, proof, _ := strings.Cut(k.reply.ClientFinal, ",p=")
		raw, err := base64.StdEncoding.DecodeString(proof)
		if err != nil {
			t.Fatal(err)
		}
		k.reply.ClientFinal = head + ",p=" + base64.StdEncoding.EncodeToString(spoil(raw))
		if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrBadCredentials) {
			t.Errorf("proof of %d bytes: Finish = %v, want ErrBadCredentials", len(spoil(raw)), err)
		}
	}
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

func xor(a, b []byte) []byte {
	out := make([]byte, min(len(a), len(b)))
	subtle.XORBytes(out, a, b)
	return out
}

// mustFirst is the client-first message of a talk, rebuilt from its challenge.
func mustFirst(t testing.TB, k talk) string {
	t.Helper()
	nonce, _, ok := strings.Cut(strings.TrimPrefix(k.challenge.ServerFirst, "r="), ",")
	if !ok {
		t.Fatalf("challenge %q has no nonce", k.challenge.ServerFirst)
	}
	return "n,,n=" + k.client.Username + ",r=" + nonce[:52]
}

// The nonce of the reply is the challenge's, whole, and no other.
func TestAnotherNonce(t *testing.T) {
	h := open(t)
	older := h.begin(t, "alice", password("alice"))
	for name, spoil := range map[string]func(nonce string) string{
		"the client's alone":    func(n string) string { return n[:52] },
		"the server's alone":    func(n string) string { return n[52:] },
		"another server's":      func(n string) string { return n[:52] + strings.Repeat("x", len(n)-52) },
		"an older challenge's":  func(string) string { return nonceOf(older.reply.ClientFinal) },
		"one character more":    func(n string) string { return n + "x" },
		"one character less":    func(n string) string { return n[:len(n)-1] },
		"in another case":       strings.ToLower,
		"extended by one's own": func(n string) string { return "x" + n },
	} {
		k := h.begin(t, "alice", password("alice"))
		nonce := nonceOf(k.reply.ClientFinal)
		k.reply.ClientFinal = strings.Replace(k.reply.ClientFinal, nonce, spoil(nonce), 1)
		if _, err := h.finish(t.Context(), k.reply); !errors.Is(err, localauth.ErrBadCredentials) {
			t.Errorf("%s: Finish = %v, want ErrBadCredentials", name, err)
		}
	}
}

func nonceOf(final string) string {
	_, rest, _ := strings.Cut(final, ",r=")
	nonce, _, _ := strings.Cut(rest, ",")
	return nonce
}
