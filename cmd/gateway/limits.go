package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gateway/internal/canonical"
	"gateway/internal/config"
	"gateway/policy"
	"gateway/sessions"
)

// limits says what limits the sessions at an app's origin have; nil where no
// app has its own.
func limits(cfg *config.Config, guard *policy.Policy) func(audience string) sessions.Limits {
	own := make(map[string]sessions.Limits)
	for name, app := range cfg.Apps {
		if app.Sessions != (sessions.Limits{}) {
			own[name] = app.Sessions
		}
	}
	if len(own) == 0 {
		return nil
	}
	before, behind, _ := strings.Cut(cfg.URL.AppOrigin("\n"), "\n")
	return func(audience string) sessions.Limits {
		host := strings.TrimSuffix(strings.TrimPrefix(audience, before), behind)
		name, _ := guard.App(canonical.Host(host))
		return own[name]
	}
}

// tellLimits says for people how long a session at an app lasts, where the app
// has limits of its own.
func tellLimits(out io.Writer, cfg *config.Config, app string) error {
	l := cfg.Apps[app].Sessions
	var ends []string
	if l.Idle != 0 {
		ends = append(ends, fmt.Sprintf("%v after its last use there", l.Idle))
	}
	if l.Lifetime != 0 {
		ends = append(ends, fmt.Sprintf("%v after the sign-in", l.Lifetime))
	}
	if len(ends) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "a session at %s ends %s; then the person signs in again, as does whoever opens one later than %v after the sign-in\n",
		app, strings.Join(ends, " and "), l.Oldest())
	return err
}

// sameLimits reports whether sessions have the same limits under both, at every host.
func sameLimits(a, b *config.Config) bool {
	if a.Sessions != b.Sessions {
		return false
	}
	hosts := func(c *config.Config) map[string]sessions.Limits {
		all := make(map[string]sessions.Limits)
		for _, app := range c.Apps {
			for _, host := range slices.Concat([]string{app.Host}, app.Hosts) {
				if host != "" {
					all[host] = app.Sessions
				}
			}
		}
		return all
	}
	return maps.Equal(hosts(a), hosts(b))
}
