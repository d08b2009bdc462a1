package providers_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"gateway/internal/once"
	"gateway/internal/seal"
	"gateway/providers"
	"gateway/providers/oidc"
	"gateway/providers/providertest"
)

// taken is Spent in memory.
type taken struct {
	mu   sync.Mutex
	hash map[[32]byte]time.Time
	err  error // said instead of an answer
}

func (s *taken) Take(_ context.Context, hash [32]byte, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if _, ok := s.hash[hash]; ok {
		return once.ErrSpent
	}
	if s.hash == nil {
		s.hash = map[[32]byte]time.Time{}
	}
	s.hash[hash] = expires
	return nil
}

func (s *taken) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.hash)
}

// door is the Foreign door with two providers, corp and partner, at one moment
// that only the test moves.
type door struct {
	*providers.Foreign
	corp, partner *providertest.Server
	spent         *taken
	now           time.Time
}

func newDoor(t testing.TB) *door {
	t.Helper()
	d := &door{
		corp: providertest.Offline(t), partner: providertest.Offline(t), spent: &taken{},
		now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
	d.partner.URL = "http://127.0.0.1:2"
	clock := func() time.Time { return d.now }
	d.corp.Now, d.partner.Now = clock, clock
	box, err := seal.New(make([]byte, seal.KeySize), "providers test")
	if err != nil {
		t.Fatal(err)
	}
	d.Foreign = &providers.Foreign{
		Providers: []providers.Named{
			{ID: "corp", Name: "Corp", Provider: open(t, "corp", d.corp, clock)},
			{ID: "partner", Name: "Partner", Provider: open(t, "partner", d.partner, clock)},
		},
		Seal: box, Spent: d.spent, Now: clock,
	}
	return d
}

func open(t testing.TB, id string, s *providertest.Server, now func() time.Time) *oidc.Provider {
	t.Helper()
	c := oidc.Of(id, s.Config(), s.RedirectURL)
	c.TokenAudiences = []string{"https://api.example"}
	c.Transport, c.Now = s, now
	p, err := oidc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// begin starts a sign-in at corp in alice's browser and returns what the
// provider sends back.
func (d *door) begin(t testing.TB, returnTo string) providers.Callback {
	t.Helper()
	address, err := d.Begin(t.Context(), "corp", "alices", returnTo, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d.corp.Callback(t, address)
}
