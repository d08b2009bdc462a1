package providers_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gateway/internal/secret"
	"gateway/providers"
	"gateway/providers/providertest"
)

func TestTokenLogin(t *testing.T) {
	for _, row := range []struct {
		name                   string
		beginAt, beginBy       string
		finishAt, finishBy     string
		late                   time.Duration
		keepNonce, noChallenge bool
		want                   error
	}{
		{"browser", "corp", "alices", "corp", "alices", 0, true, false, nil},
		{"token client", "corp", "", "corp", "", 0, true, false, nil},
		{"a token client's challenge in a browser", "corp", "", "corp", "mallorys", 0, true, false, providers.ErrNoRequest},
		{"a browser's challenge by a token client", "corp", "alices", "corp", "", 0, true, false, providers.ErrNoRequest},
		{"another browser", "corp", "alices", "corp", "mallorys", 0, true, false, providers.ErrNoRequest},
		{"another origin", "corp", "alices", "partner", "alices", 0, true, false, providers.ErrNoRequest},
		{"unknown origin", "corp", "alices", "nobody", "alices", 0, true, false, providers.ErrUnknownOrigin},
		{"too late", "corp", "alices", "corp", "alices", 10 * time.Minute, true, false, providers.ErrNoRequest},
		{"another nonce", "corp", "alices", "corp", "alices", 0, false, false, providers.ErrRefused},
		{"no challenge", "corp", "alices", "corp", "alices", 0, true, true, providers.ErrRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDoor(t)
			challenge, nonce, err := d.BeginToken(t.Context(), row.beginAt, row.beginBy)
			if err != nil {
				t.Fatal(err)
			}
			if !row.keepNonce {
				nonce = "another"
			}
			if row.noChallenge {
				challenge = ""
			}
			raw, err := d.corp.IDToken(nonce)
			if err != nil {
				t.Fatal(err)
			}
			d.now = d.now.Add(row.late)
			a, err := d.FinishToken(t.Context(), row.finishAt, row.finishBy, challenge, secret.New(raw))
			if !errors.Is(err, row.want) {
				t.Errorf("FinishToken = %v, want %v", err, row.want)
			}
			if (err == nil) != (a.Identity.Subject == "248289761001") {
				t.Errorf("FinishToken = %+v, %v", a.Identity, err)
			}
		})
	}
}

func TestChallengeIsTakenWhateverTheTokenIsWorth(t *testing.T) {
	d := newDoor(t)
	challenge, nonce, err := d.BeginToken(t.Context(), "corp", "alices")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.FinishToken(t.Context(), "corp", "alices", challenge, secret.New("nothing")); !errors.Is(err, providers.ErrRefused) {
		t.Errorf("no token: %v, want ErrRefused", err)
	}
	raw, err := d.corp.IDToken(nonce)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.FinishToken(t.Context(), "corp", "alices", challenge, secret.New(raw)); !errors.Is(err, providers.ErrNoRequest) {
		t.Errorf("the challenge again: %v, want ErrNoRequest", err)
	}
}

func TestTokenLoginOnce(t *testing.T) {
	d := newDoor(t)
	challenge, nonce, err := d.BeginToken(t.Context(), "corp", "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := d.corp.IDToken(nonce)
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := d.FinishToken(t.Context(), "corp", "", challenge, secret.New(raw)); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d logins, want 1", won.Load())
	}
	if got := d.spent.count(); got != 2 {
		t.Errorf("%d taken, want the challenge and the token", got)
	}
}

func TestUsesDoNotMix(t *testing.T) {
	d := newDoor(t)
	challenge, _, err := d.BeginToken(t.Context(), "corp", "alices")
	if err != nil {
		t.Fatal(err)
	}
	cb := d.begin(t, "/")
	if _, err := d.FinishToken(t.Context(), "corp", "alices", cb.State, secret.New("x")); !errors.Is(err, providers.ErrNoRequest) {
		t.Errorf("state as challenge: %v, want ErrNoRequest", err)
	}
	cb.State = challenge
	if _, _, err := d.Finish(t.Context(), "corp", "alices", cb); !errors.Is(err, providers.ErrNoRequest) {
		t.Errorf("challenge as state: %v, want ErrNoRequest", err)
	}
}

func TestTokenOfAnAudience(t *testing.T) {
	d := newDoor(t)
	raw, err := d.corp.Token(nil, map[string]any{
		"iss": d.corp.URL, "sub": "robot", "aud": "https://api.example", "iat": d.now.Unix(), "exp": d.now.Unix() + 60,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a, err := d.FinishToken(t.Context(), "corp", "", "", secret.New(raw))
		if err != nil || a.Identity.Subject != "robot" {
			t.Errorf("FinishToken = %+v, %v, want robot, as often as it comes", a.Identity, err)
		}
	}
	if got := d.spent.count(); got != 0 {
		t.Errorf("%d taken, want 0", got)
	}
	d.now = d.now.Add(time.Minute)
	if _, err := d.FinishToken(t.Context(), "corp", "", "", secret.New(raw)); !errors.Is(err, providers.ErrRefused) {
		t.Errorf("expired: %v, want ErrRefused", err)
	}
}

func TestProviderThatTakesNoTokens(t *testing.T) {
	d := newDoor(t)
	d.Providers = append(d.Providers, providers.Named{ID: "plain", Provider: struct{ providers.Provider }{d.Providers[0].Provider}})
	if _, _, err := d.BeginToken(t.Context(), "plain", "alices"); !errors.Is(err, providers.ErrRefused) {
		t.Errorf("BeginToken = %v, want ErrRefused", err)
	}
	if got := d.corp.Count(providertest.Discovery); got != 0 {
		t.Errorf("asked %d times, want 0", got)
	}
}
