package localauth_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"gateway/localauth"
)

func TestValidate(t *testing.T) {
	good := localauth.Verifier{
		Salt: make([]byte, 16), Iterations: 600_000,
		StoredKey: bytes.Repeat([]byte{1}, 32), ServerKey: bytes.Repeat([]byte{2}, 32),
	}
	for _, row := range []struct {
		name  string
		spoil func(*localauth.Verifier)
		ok    bool
	}{
		{"good", func(*localauth.Verifier) {}, true},
		{"longest salt", func(v *localauth.Verifier) { v.Salt = make([]byte, 64) }, true},
		{"most iterations", func(v *localauth.Verifier) { v.Iterations = localauth.MaxIterations }, true},
		{"zero", func(v *localauth.Verifier) { *v = localauth.Verifier{} }, false},
		{"no salt", func(v *localauth.Verifier) { v.Salt = nil }, false},
		{"short salt", func(v *localauth.Verifier) { v.Salt = make([]byte, 15) }, false},
		{"long salt", func(v *localauth.Verifier) { v.Salt = make([]byte, 65) }, false},
		{"few iterations", func(v *localauth.Verifier) { v.Iterations = 599_999 }, false},
		{"many iterations", func(v *localauth.Verifier) { v.Iterations = localauth.MaxIterations + 1 }, false},
		{"negative iterations", func(v *localauth.Verifier) { v.Iterations = -600_000 }, false},
		{"no stored key", func(v *localauth.Verifier) { v.StoredKey = nil }, false},
		{"short stored key", func(v *localauth.Verifier) { v.StoredKey = v.StoredKey[1:] }, false},
		{"long server key", func(v *localauth.Verifier) { v.ServerKey = bytes.Repeat([]byte{2}, 33) }, false},
		{"zero stored key", func(v *localauth.Verifier) { v.StoredKey = make([]byte, 32) }, false},
		{"zero server key", func(v *localauth.Verifier) { v.ServerKey = make([]byte, 32) }, false},
		{"same keys", func(v *localauth.Verifier) { v.ServerKey = v.StoredKey }, false},
	} {
		v := good
		row.spoil(&v)
		if err := v.Validate(600_000); (err == nil) != row.ok || (err != nil && !errors.Is(err, localauth.ErrVerifier)) {
			t.Errorf("%s: Validate = %v, want ok %v", row.name, err, row.ok)
		}
	}
	good.Iterations = 0
	if good.Validate(0) == nil || good.Validate(-1) == nil {
		t.Error("no iterations are valid where none are asked for")
	}
}

// RFC 7677, section 3, gives salt, iterations and what comes of them on the wire;
// the keys here are those that its proof and signature verify with.
func TestDerivePublishedVector(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	v, err := localauth.Derive("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	for what, row := range map[string]struct {
		got  []byte
		want string
	}{
		"stored key": {v.StoredKey, "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="},
		"server key": {v.ServerKey, "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
	} {
		if got := base64.StdEncoding.EncodeToString(row.got); got != row.want {
			t.Errorf("%s = %s, want %s", what, got, row.want)
		}
	}
	if !bytes.Equal(v.Salt, salt) || v.Iterations != 4096 {
		t.Errorf("Derive = %x, %d, want salt and iterations as given", v.Salt, v.Iterations)
	}
}

func TestDeriveRefuses(t *testing.T) {
	salt := make([]byte, 16)
	for _, row := range []struct {
		name, password string
		salt           []byte
		iterations     int
		want           error
	}{
		{"empty password", "", salt, 1, localauth.ErrPassword},
		{"control character", "a\x00", salt, 1, localauth.ErrPassword},
		{"no salt", "pencil", nil, 1, localauth.ErrVerifier},
		{"short salt", "pencil", salt[:15], 1, localauth.ErrVerifier},
		{"no iterations", "pencil", salt, 0, localauth.ErrVerifier},
		{"too many iterations", "pencil", salt, localauth.MaxIterations + 1, localauth.ErrVerifier},
	} {
		if v, err := localauth.Derive(row.password, row.salt, row.iterations); !errors.Is(err, row.want) || v.StoredKey != nil {
			t.Errorf("%s: Derive = %v, want %v", row.name, err, row.want)
		}
	}
}

func TestWrap(t *testing.T) {
	v, err := localauth.Derive("pencil", make([]byte, 16), 1)
	if err != nil {
		t.Fatal(err)
	}
	stored, server, err := localauth.Wrap(pepper, "u1", 1, v)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := localauth.Wrap(pepper, "u1", 1, v)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(stored, again) || bytes.Contains(stored, v.StoredKey) || bytes.Contains(server, v.ServerKey) {
		t.Error("Wrap tells what it wraps")
	}
	for name, row := range map[string]struct {
		pepper []byte
		user   string
		v      localauth.Verifier
	}{
		"no pepper":    {nil, "u1", v},
		"short pepper": {pepper[1:], "u1", v},
		"no user":      {pepper, "", v},
		"no verifier":  {pepper, "u1", localauth.Verifier{}},
	} {
		if s, k, err := localauth.Wrap(row.pepper, row.user, 1, row.v); err == nil || s != nil || k != nil {
			t.Errorf("%s: Wrap = nil, want an error", name)
		}
	}
}
