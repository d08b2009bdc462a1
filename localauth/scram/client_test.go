package scram_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	xdg "github.com/xdg-go/scram"

	"gateway/internal/secret"
	"gateway/localauth"
	"gateway/localauth/scram"
)

// RFC 7677, section 3.
func TestPublishedVector(t *testing.T) {
	c := &scram.Client{Username: "user", Password: secret.New("pencil"), MinIterations: 4096}
	c.SetNonce("rOprNGfwEbeRWgbNEkqO")
	first, err := c.First()
	if want := "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"; err != nil || first != want {
		t.Fatalf("First = %q, %v, want %q", first, err, want)
	}
	final, err := c.Final("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
	if want := "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="; err != nil || final != want {
		t.Fatalf("Final = %q, %v, want %q", final, err, want)
	}
	if err := c.Verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err != nil {
		t.Errorf("Verify = %v, want nil", err)
	}
}

// Our client signs in at another's server, and each believes the other.
func TestAnothersServer(t *testing.T) {
	v, err := localauth.Derive("pencil", []byte("16 bytes of salt"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	server, err := xdg.SHA256.NewServer(func(name string) (xdg.StoredCredentials, error) {
		if name != "a=b,c" {
			return xdg.StoredCredentials{}, errors.New("nobody")
		}
		return xdg.StoredCredentials{
			KeyFactors: xdg.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations}, StoredKey: v.StoredKey, ServerKey: v.ServerKey,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		password string
		ok       bool
	}{
		{"pencil", true}, {"pencils", false},
	} {
		talk := server.NewConversation()
		c := &scram.Client{Username: "a=b,c", Password: secret.New(row.password), MinIterations: 4096}
		first, err := c.First()
		if err != nil {
			t.Fatal(err)
		}
		serverFirst, err := talk.Step(first)
		if err != nil {
			t.Fatalf("the server refuses %q: %v", first, err)
		}
		final, err := c.Final(serverFirst)
		if err != nil {
			t.Fatalf("Final(%q): %v", serverFirst, err)
		}
		serverFinal, err := talk.Step(final)
		if (err == nil) != row.ok || talk.Valid() != row.ok {
			t.Errorf("%s: the server says %q, %v, want ok %v", row.password, serverFinal, err, row.ok)
		}
		if err := c.Verify(serverFinal); (err == nil) != row.ok {
			t.Errorf("%s: Verify(%q) = %v, want ok %v", row.password, serverFinal, err, row.ok)
		}
	}
}

// What the server may not say ends the conversation before a key is derived.
func TestHostileServerFirst(t *testing.T) {
	salt := base64.StdEncoding.EncodeToString(make([]byte, 16))
	long := base64.StdEncoding.EncodeToString(make([]byte, 65))
	for _, row := range []struct{ name, nonce, rest string }{
		{"no iterations at all", "@0123456789abcdef", ",s=" + salt},
		{"1 iteration", "@0123456789abcdef", ",s=" + salt + ",i=1"},
		{"4,095 iterations", "@0123456789abcdef", ",s=" + salt + ",i=4095"},
		{"one below the fewest", "@0123456789abcdef", ",s=" + salt + ",i=599999"},
		{"one above the most", "@0123456789abcdef", ",s=" + salt + ",i=10000001"},
		{"a billion iterations", "@0123456789abcdef", ",s=" + salt + ",i=1000000000"},
		{"more than fits", "@0123456789abcdef", ",s=" + salt + ",i=99999999999999999999999999"},
		{"text", "@0123456789abcdef", ",s=" + salt + ",i=many"},
		{"empty", "@0123456789abcdef", ",s=" + salt + ",i="},
		{"fraction", "@0123456789abcdef", ",s=" + salt + ",i=600000.0"},
		{"exponent", "@0123456789abcdef", ",s=" + salt + ",i=6e5"},
		{"negative", "@0123456789abcdef", ",s=" + salt + ",i=-600000"},
		{"signed", "@0123456789abcdef", ",s=" + salt + ",i=+600000"},
		{"leading zero", "@0123456789abcdef", ",s=" + salt + ",i=0600000"},
		{"grouped", "@0123456789abcdef", ",s=" + salt + ",i=600_000"},
		{"hexadecimal", "@0123456789abcdef", ",s=" + salt + ",i=0x927C0"},
		{"space", "@0123456789abcdef", ",s=" + salt + ",i= 600000"},
		{"empty salt", "@0123456789abcdef", ",s=,i=600000"},
		{"salt of 1 byte", "@0123456789abcdef", ",s=AA==,i=600000"},
		{"salt of 65 bytes", "@0123456789abcdef", ",s=" + long + ",i=600000"},
		{"salt in base64url", "@0123456789abcdef", ",s=" + strings.Replace(salt, "A", "_", 1) + ",i=600000"},
		{"salt with a line break", "@0123456789abcdef", ",s=\n" + salt + ",i=600000"},
		{"nonce not extended", "@", ",s=" + salt + ",i=600000"},
		{"nonce barely extended", "@x", ",s=" + salt + ",i=600000"},
		{"another nonce", "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz", ",s=" + salt + ",i=600000"},
		{"nonce in front", "x@0123456789abcdef", ",s=" + salt + ",i=600000"},
		{"nonce with a space", "@0123456789 bcdef", ",s=" + salt + ",i=600000"},
		{"no nonce", "", ",s=" + salt + ",i=600000"},
		{"an extension", "@0123456789abcdef", ",s=" + salt + ",i=600000,x=y"},
		{"another order", "@0123456789abcdef", ",i=600000,s=" + salt},
		{"endless", "@" + strings.Repeat("x", 1<<20), ",s=" + salt + ",i=600000"},
	} {
		c, nonce := begun(t)
		said := "r=" + strings.Replace(row.nonce, "@", nonce, 1) + row.rest
		if final, err := c.Final(said); !errors.Is(err, scram.ErrServer) || final != "" {
			t.Errorf("%s: Final(%.100q) = %q, %v, want ErrServer", row.name, said, final, err)
		}
	}
	for _, said := range []string{"", "e=other-error", "m=x,r=1,s=2,i=3", "SCRAM-SHA-1", "n,,n=user,r=x"} {
		c, _ := begun(t)
		if final, err := c.Final(said); !errors.Is(err, scram.ErrServer) || final != "" {
			t.Errorf("Final(%q) = %q, %v, want ErrServer", said, final, err)
		}
	}
}

func TestHostileServerFinal(t *testing.T) {
	c, nonce := begun(t)
	c.MinIterations = 1
	if _, err := c.Final("r=" + nonce + "0123456789abcdef,s=" + base64.StdEncoding.EncodeToString(make([]byte, 16)) + ",i=1"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		said string
		want error
	}{
		{"", scram.ErrServer},
		{"e=invalid-proof", scram.ErrServer},
		{"v=?", scram.ErrServer},
		{"v=\n", scram.ErrServer},
		{"v=", scram.ErrSignature},
		{"v=AAAA", scram.ErrSignature},
		{"v=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), scram.ErrSignature},
	} {
		if err := c.Verify(row.said); !errors.Is(err, row.want) {
			t.Errorf("Verify(%q) = %v, want %v", row.said, err, row.want)
		}
	}
}

func TestOrder(t *testing.T) {
	c := &scram.Client{Username: "user", Password: secret.New("pencil")}
	if _, err := c.Final("r=x"); !errors.Is(err, scram.ErrOrder) {
		t.Errorf("Final first = %v, want ErrOrder", err)
	}
	if err := c.Verify("v="); !errors.Is(err, scram.ErrOrder) {
		t.Errorf("Verify first = %v, want ErrOrder", err)
	}
	c, nonce := begun(t)
	c.MinIterations = 1
	if _, err := c.First(); !errors.Is(err, scram.ErrOrder) {
		t.Errorf("First again = %v, want ErrOrder", err)
	}
	said := "r=" + nonce + "0123456789abcdef,s=" + base64.StdEncoding.EncodeToString(make([]byte, 16)) + ",i=1"
	if _, err := c.Final(said); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Final(said); !errors.Is(err, scram.ErrOrder) {
		t.Errorf("Final again = %v, want ErrOrder: one nonce proves once", err)
	}
}

func TestFirstRefuses(t *testing.T) {
	for _, row := range []struct{ name, password string }{
		{"", "pencil"},
		{"us\x00er", "pencil"},
		{"us\xffer", "pencil"},
		{strings.Repeat("u", 257), "pencil"},
		{"user", ""},
		{"user", "pen\ncil"},
	} {
		c := &scram.Client{Username: row.name, Password: secret.New(row.password)}
		if first, err := c.First(); err == nil || first != "" {
			t.Errorf("First(%.20q, %q) = %q, want an error", row.name, row.password, first)
		}
	}
}

// begun is a conversation that has said its first message, and its nonce.
func begun(t *testing.T) (*scram.Client, string) {
	t.Helper()
	c := &scram.Client{Username: "user", Password: secret.New("pencil")}
	first, err := c.First()
	if err != nil {
		t.Fatal(err)
	}
	return c, strings.TrimPrefix(first, "n,,n=user,r=")
}

func FuzzServerFirst(f *testing.F) {
	f.Add("r=@0123456789abcdef,s=AAAAAAAAAAAAAAAAAAAAAA==,i=1")
	f.Add("r=@,s=AAAAAAAAAAAAAAAAAAAAAA==,i=2")
	f.Add("e=other-error")
	f.Fuzz(func(t *testing.T, said string) {
		c := &scram.Client{Username: "user", Password: secret.New("pencil"), MinIterations: 600_000}
		c.SetNonce("0123456789")
		if _, err := c.First(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said, "i=") && len(said[strings.LastIndex(said, "i=")+2:]) > 5 {
			return // would derive for real
		}
		if final, err := c.Final(strings.Replace(said, "@", "0123456789", 1)); !errors.Is(err, scram.ErrServer) || final != "" {
			t.Errorf("Final(%q) = %q, %v, want ErrServer", said, final, err)
		}
	})
}
