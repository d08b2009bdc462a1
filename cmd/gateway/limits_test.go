package main

import (
	"strings"
	"testing"
	"time"

	"gateway/sessions"
)

const limited = portalOnly + `apps:
  bank: {host: bank.localhost, upstream: "$APP", allow: signed-in, sessions: {idle: 15m, lifetime: 4h}}
  some: {hosts: ["*.some.localhost", other.localhost], upstream: "$APP", allow: signed-in, sessions: {lifetime: 2h}}
  free: {host: free.some.localhost, upstream: "$APP", allow: signed-in}
`

// Each host has the limits of its app, and those of the configuration that
// counts now; what is remembered of sessions goes on where they stay.
func TestLimitsOfHosts(t *testing.T) {
	t.Parallel()
	r := runHouse(t, limited)
	manager := func() *sessions.Manager { return r.rooms.Load().server.Sessions }
	at := func(host string) sessions.Limits {
		return manager().Limits("http://" + host + r.ports.Replace(":$LISTEN"))
	}
	for host, want := range map[string]sessions.Limits{
		"bank.localhost":      {Idle: 15 * time.Minute, Lifetime: 4 * time.Hour},
		"other.localhost":     {Lifetime: 2 * time.Hour},
		"x.some.localhost":    {Lifetime: 2 * time.Hour},
		"free.some.localhost": {},
		"a.b.some.localhost":  {},
		"some.localhost":      {},
		"nowhere.localhost":   {},
		"":                    {},
	} {
		if got := at(host); got != want {
			t.Errorf("%s: %+v, want %+v", host, got, want)
		}
	}
	for _, step := range []struct {
		name, text string
		kept       bool // the one that knows the sessions
		want       time.Duration
	}{
		{"a rule alone", strings.Replace(limited, "signed-in", "{users: [alice]}", 1), true, 4 * time.Hour},
		{"another host", strings.Replace(limited, "other.localhost", "bank2.localhost", 1), false, 4 * time.Hour},
		{"shorter", strings.Replace(limited, "lifetime: 4h", "lifetime: 3h", 1), false, 3 * time.Hour},
		{"for all", limited + "sessions: {idle: 30m}\n", false, 4 * time.Hour},
	} {
		before := manager()
		r.mustReload(step.text)
		if kept := manager() == before; kept != step.kept {
			t.Errorf("%s: kept is %v, want %v", step.name, kept, step.kept)
		}
		if got := at("bank.localhost").Lifetime; got != step.want {
			t.Errorf("%s: lifetime %v, want %v", step.name, got, step.want)
		}
	}
	r.mustReload(everybody)
	if manager().Limits != nil {
		t.Error("no app has limits, and all are asked for theirs")
	}
}
