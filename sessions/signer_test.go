package sessions_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"gateway/sessions"
)

// public returns the public keys by ID, as NewSigner wants them.
func public(keys ...sessions.Key) map[string]crypto.PublicKey {
	all := map[string]crypto.PublicKey{}
	for _, k := range keys {
		all[k.ID] = k.Private.Public()
	}
	return all
}

// Old tokens live through a rotation and end with their key; new ones work at once.
func TestRotation(t *testing.T) {
	h := newHouse(t)
	first := h.key
	old, oldToken := h.signIn(t)
	h.verify(t, oldToken, portal, old.ID, nil)

	second := newKey(t)
	if err := h.Signer.Replace(second, public(first)); err != nil {
		t.Fatal(err)
	}
	fresh, freshToken := h.signIn(t)
	h.verify(t, oldToken, portal, old.ID, nil)
	h.verify(t, freshToken, portal, fresh.ID, nil)
	if got := h.Signer.KeyID(); got != second.ID {
		t.Errorf("KeyID = %q, want %q", got, second.ID)
	}

	if err := h.Signer.Replace(second, nil); err != nil { // remembered tokens too
		t.Fatal(err)
	}
	h.verify(t, oldToken, portal, "", sessions.ErrMalformed)
	h.verify(t, freshToken, portal, fresh.ID, nil)

	// A key of the same ID is not the same key.
	impostor := newKey(t)
	impostor.ID = second.ID
	if err := h.Signer.Replace(impostor, nil); err != nil {
		t.Fatal(err)
	}
	h.verify(t, freshToken, portal, "", sessions.ErrMalformed)
}

func TestNoKeys(t *testing.T) {
	h := newHouse(t)
	_, token := h.signIn(t)
	h.Signer = new(sessions.Signer)
	h.verify(t, token, portal, "", sessions.ErrMalformed)
	if got := string(h.Signer.JWKS()); got != `{"keys":[]}` || h.Signer.KeyID() != "" {
		t.Errorf("zero signer: JWKS %s, key %q", got, h.Signer.KeyID())
	}
}

// An independent library reads the set and finds the same keys.
func TestJWKS(t *testing.T) {
	active, next := newKey(t), newKey(t)
	signer := newSigner(t, active, next)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(signer.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 {
		t.Fatalf("%d keys, want 2", len(set.Keys))
	}
	for _, want := range []sessions.Key{active, next} {
		got := set.Key(want.ID)
		if len(got) != 1 || got[0].Algorithm != "ES256" || got[0].Use != "sig" || !got[0].Valid() || !got[0].IsPublic() {
			t.Fatalf("key %s: %+v", want.ID, got)
		}
		if k, ok := got[0].Key.(*ecdsa.PublicKey); !ok || !k.Equal(want.Private.Public()) {
			t.Errorf("key %s is another", want.ID)
		}
	}
	if again := signer.JWKS(); !bytes.Equal(again, newSigner(t, active, next).JWKS()) {
		t.Error("the same keys give other bytes")
	}
	signer.JWKS()[0] = 'x'
	if !json.Valid(signer.JWKS()) {
		t.Error("a reader can change the set")
	}
}

func TestSignerRefuses(t *testing.T) {
	good := newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what   string
		active sessions.Key
		others map[string]crypto.PublicKey
	}{
		{"nothing", sessions.Key{}, nil},
		{"no ID", sessions.Key{Private: good.Private}, nil},
		{"a path as ID", sessions.Key{ID: "../../dev/null", Private: good.Private}, nil},
		{"a long ID", sessions.Key{ID: strings.Repeat("k", 65), Private: good.Private}, nil},
		{"no private key", sessions.Key{ID: "k"}, nil},
		{"nil private key", sessions.Key{ID: "k", Private: (*ecdsa.PrivateKey)(nil)}, nil},
		{"P-384", sessions.Key{ID: "k", Private: p384}, nil},
		{"Ed25519", sessions.Key{ID: "k", Private: edPrivate}, nil},
		{"other: itself", good, map[string]crypto.PublicKey{good.ID: good.Private.Public()}},
		{"other: nil", good, map[string]crypto.PublicKey{"k": nil}},
		{"other: nil key", good, map[string]crypto.PublicKey{"k": (*ecdsa.PublicKey)(nil)}},
		{"other: P-384", good, map[string]crypto.PublicKey{"k": &p384.PublicKey}},
		{"other: Ed25519", good, map[string]crypto.PublicKey{"k": edPublic}},
		{"other: bytes", good, map[string]crypto.PublicKey{"k": []byte("secret")}},
		{"other: no ID", good, map[string]crypto.PublicKey{"": good.Private.Public()}},
	} {
		if _, err := sessions.NewSigner(row.active, row.others); !errors.Is(err, sessions.ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", row.what, err)
		}
		h := newHouse(t)
		s, token := h.signIn(t)
		if err := h.Signer.Replace(row.active, row.others); err == nil {
			t.Errorf("%s: Replace: got no error", row.what)
		}
		h.verify(t, token, portal, s.ID, nil)
	}
}

func TestKeyAtRest(t *testing.T) {
	key := newKey(t)
	text, err := key.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	got, err := sessions.ParseKey(append([]byte("\n\n"), append(text, '\n')...))
	if private, ok := got.Private.(*ecdsa.PrivateKey); err != nil || got.ID != key.ID || !ok || !private.Equal(key.Private) {
		t.Errorf("ParseKey = %v, %v; want %v", got, err, key)
	}
	if _, err := (sessions.Key{}).MarshalPEM(); !errors.Is(err, sessions.ErrKey) {
		t.Errorf("MarshalPEM of nothing: %v, want ErrKey", err)
	}
	for _, shown := range []string{fmt.Sprint(key), fmt.Sprintf("%+v", key), key.String(), encoded(t, key)} {
		if len(shown) > 40 {
			t.Errorf("a key shows itself: %s", shown)
		}
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestParseKeyRefuses(t *testing.T) {
	text, err := newKey(t).MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	reblock := func(typ, kid string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Headers: map[string]string{"Kid": kid}, Bytes: raw}))
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw384, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ what, text string }{
		{"nothing", ""},
		{"no PEM", "secret"},
		{"text before", "x\n" + string(text)},
		{"text after", string(text) + "x"},
		{"two keys", string(text) + string(text)},
		{"cut", string(text[:len(text)/2])},
		{"other type", reblock("EC PRIVATE KEY", "kid", block.Bytes)},
		{"no ID", reblock("PRIVATE KEY", "", block.Bytes)},
		{"a path as ID", reblock("PRIVATE KEY", "../kid", block.Bytes)},
		{"empty", reblock("PRIVATE KEY", "kid", nil)},
		{"P-384", reblock("PRIVATE KEY", "kid", raw384)},
	} {
		if got, err := sessions.ParseKey([]byte(row.text)); !errors.Is(err, sessions.ErrKey) {
			t.Errorf("%s: ParseKey = %v, %v; want ErrKey", row.what, got, err)
		}
	}
}
