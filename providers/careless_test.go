package providers_test

import (
	"context"
	"errors"
	"testing"

	"gateway/internal/identity"
	"gateway/internal/secret"
	"gateway/providers"
)

// careless is a provider that checks nothing: what Foreign promises holds
// whatever kind of provider is plugged in.
type careless struct{ says providers.Assertion }

func (c careless) AuthCodeURL(_ context.Context, req providers.AuthRequest) (string, error) {
	return req.State, nil
}

func (c careless) Exchange(context.Context, providers.AuthRequest, string) (providers.Assertion, error) {
	return c.says, nil
}

func (c careless) VerifyToken(context.Context, secret.Text, string) (providers.Assertion, error) {
	return c.says, nil
}

func says(issuer, subject, origin string) providers.Assertion {
	return providers.Assertion{
		Identity: identity.Identity{Key: identity.Key{Issuer: issuer, Subject: subject}, Provider: origin}, Nonce: "n",
	}
}

func TestAssertionMustNameSomebodyHere(t *testing.T) {
	for _, row := range []struct {
		name string
		says providers.Assertion
		want error
	}{
		{"somebody", says("https://id.example", "x", "careless"), nil},
		{"nobody", says("https://id.example", "", "careless"), providers.ErrRefused},
		{"nobody's", says("", "x", "careless"), providers.ErrRefused},
		{"at another door", says("https://id.example", "x", "corp"), providers.ErrRefused},
		{"at the local door", says("local", "x", identity.Local), providers.ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDoor(t)
			d.Providers = []providers.Named{{ID: "careless", Provider: careless{row.says}}}
			state, err := d.Begin(t.Context(), "careless", "alices", "/", 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := d.Finish(t.Context(), "careless", "alices", providers.Callback{State: state, Code: "c"}); !errors.Is(err, row.want) {
				t.Errorf("Finish = %v, want %v", err, row.want)
			}
			challenge, _, err := d.BeginToken(t.Context(), "careless", "alices")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.FinishToken(t.Context(), "careless", "alices", challenge, secret.New("a.b.c")); !errors.Is(err, row.want) {
				t.Errorf("FinishToken = %v, want %v", err, row.want)
			}
		})
	}
}

// The same ID token is good once, under whatever challenge and signature, and
// never without a challenge.
func TestIDTokenIsGoodOnce(t *testing.T) {
	d := newDoor(t)
	d.Providers = []providers.Named{{ID: "careless", Provider: careless{says("https://id.example", "x", "careless")}}}
	for _, row := range []struct {
		token     string
		challenge bool
		want      error
	}{
		{"a.b.c", false, providers.ErrRefused},
		{"a.b.c", true, nil},
		{"a.b.c", true, providers.ErrRefused},
		{"a.b.d", true, providers.ErrRefused},
		{"a.e.c", true, nil},
	} {
		challenge := ""
		if row.challenge {
			var err error
			if challenge, _, err = d.BeginToken(t.Context(), "careless", "alices"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.FinishToken(t.Context(), "careless", "alices", challenge, secret.New(row.token)); !errors.Is(err, row.want) {
			t.Errorf("%s, challenge %v: %v, want %v", row.token, row.challenge, err, row.want)
		}
	}
}
