package localauth_test

import (
	"errors"
	"testing"

	xdg "github.com/xdg-go/scram"

	"gateway/localauth"
)

// Another's client signs in at our door, and believes our signature.
func TestAnothersClient(t *testing.T) {
	h := open(t)
	h.people.users["a=b,c"] = user(t, "a=b,c", password("a=b,c"), 1)
	for _, row := range []struct {
		name, password string
		want           error
	}{
		{"alice", password("alice"), nil},
		{"a=b,c", password("a=b,c"), nil},
		{"alice", "wrong", localauth.ErrBadCredentials},
		{"nosuch", "wrong", localauth.ErrBadCredentials},
		{"carol", password("carol"), localauth.ErrBadCredentials},
	} {
		client, err := xdg.SHA256.NewClient(row.name, row.password, "")
		if err != nil {
			t.Fatal(err)
		}
		talk := client.NewConversation()
		first, err := talk.Step("")
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.Begin(t.Context(), browser, first, localauth.WantCookie)
		if err != nil {
			t.Fatalf("Begin(%q): %v", first, err)
		}
		final, err := talk.Step(c.ServerFirst)
		if err != nil {
			t.Fatalf("the client refuses %q: %v", c.ServerFirst, err)
		}
		out, err := h.finish(t.Context(), localauth.Reply{Username: row.name, ChallengeID: c.ID, ClientFinal: final})
		if !errors.Is(err, row.want) {
			t.Errorf("Finish(%s, %s) = %v, want %v", row.name, row.password, err, row.want)
		}
		if err != nil {
			continue
		}
		if _, err := talk.Step(out.ServerFinal); err != nil || !talk.Valid() {
			t.Errorf("the client refuses %q: %v", out.ServerFinal, err)
		}
	}
}

// Another's derivation of the same password gives the same keys.
func TestAnothersKeys(t *testing.T) {
	salt := []byte("another 16 bytes")
	ours, err := localauth.Derive("correct horse", salt, rounds)
	if err != nil {
		t.Fatal(err)
	}
	client, err := xdg.SHA256.NewClient("alice", "correct horse", "")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := client.GetStoredCredentialsWithError(xdg.KeyFactors{Salt: string(salt), Iters: rounds})
	if err != nil {
		t.Fatal(err)
	}
	if string(ours.StoredKey) != string(theirs.StoredKey) || string(ours.ServerKey) != string(theirs.ServerKey) {
		t.Errorf("Derive = %x %x, want %x %x", ours.StoredKey, ours.ServerKey, theirs.StoredKey, theirs.ServerKey)
	}
}
