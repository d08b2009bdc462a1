package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"gateway/internal/canonical"
)

// Observed returns the policy as it would be if what is only observed counted:
// another configuration, or this one with the candidates of its apps and the
// rules that are only observed. It is nil where nothing is. Nothing that it says
// changes what Decide says.
func (p *Policy) Observed() *Policy {
	if p == nil {
		return nil
	}
	return p.observed
}

// Observes reports whether requests to the host are to be decided beside, too.
func (p *Policy) Observes(h canonical.Host) bool {
	if p == nil || p.observed == nil {
		return false
	}
	return p.whole || p.app(h) != p.observed.app(h)
}

// Editions are the apps of which something is observed, by name, the host that
// no app has by the empty one. An app's edition changes with whatever a
// difference between both depends on: what was found about another one is
// history.
func (p *Policy) Editions() map[string]string {
	if p == nil {
		return nil
	}
	return p.editions
}

// ObservedRules names every rule of this configuration that is only observed,
// app by app, in order.
func (p *Policy) ObservedRules() []RuleName {
	var all []RuleName
	if p == nil || p.whole {
		return all
	}
	for _, a := range p.apps {
		observed := a.rules
		if a.beside != nil && a.beside.candidate {
			observed = a.beside.rules
		}
		for i := range observed {
			if a.beside != nil && (a.beside.candidate || observed[i].observed) {
				all = append(all, RuleName{a.name, observed[i].name})
			}
		}
	}
	return all
}

// candidate compiles what the app observes instead of its rules.
func (b *builder) candidate(at string, c App, a *app) {
	if c.Observe == nil {
		return
	}
	at += ".observe"
	if a.beside != nil {
		b.complain(at, "stands beside rules that are observed: put all of them here")
		return
	}
	if b.anyObserved(c.Observe.Rules) {
		b.complain(at+".rules", "one of them says observe: all of them are observed")
		return
	}
	a.beside = &app{name: a.name, fold: a.fold, origins: a.origins, candidate: true}
	b.says(at, c.Name+".observe", a.beside, c.Observe.Allow, c.Observe.Rules)
}

// anyObserved reports whether one of the rules, or of the sets that they use, is
// only observed.
func (b *builder) anyObserved(rules []Rule) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool {
		return r.Observe || slices.ContainsFunc(b.ruleSets[r.Use], func(r ready) bool { return r.observed })
	})
}

// observe makes the policy that is observed beside, if anything is.
func (b *builder) observe(c Config) {
	p := b.policy
	if c.Observe != nil {
		other, err := New(*c.Observe)
		if err != nil {
			b.complain("observe", "%v", err)
			return
		}
		p.observed, p.whole = other, true
		p.editions = editions(c, func(string) bool { return true })
		p.editions[""] = edition(c)
		return
	}
	if !slices.ContainsFunc(p.apps, func(a *app) bool { return a.beside != nil }) {
		return
	}
	observed := map[string]bool{}
	p.observed = &Policy{hosts: maps.Clone(p.hosts), wildcards: maps.Clone(p.wildcards), apps: slices.Clone(p.apps)}
	for i, a := range p.apps {
		if a.beside != nil {
			observed[a.name], p.observed.apps[i] = true, a.beside
		}
	}
	for _, hosts := range []map[canonical.Host]*app{p.observed.hosts, p.observed.wildcards} {
		for host, a := range hosts {
			if a.beside != nil {
				hosts[host] = a.beside
			}
		}
	}
	p.editions = editions(c, func(name string) bool { return observed[name] })
}

// editions are those of some of the apps.
func editions(c Config, some func(name string) bool) map[string]string {
	all := map[string]string{}
	apps := c.Apps
	c.Apps = nil
	shared := edition(c)
	for _, a := range apps {
		if some(a.Name) {
			all[a.Name] = edition([]any{shared, a})
		}
	}
	return all
}

// edition is the same for what says the same.
func edition(said any) string {
	text, err := json.Marshal(said)
	if err != nil { // text, numbers, lists and maps always encode
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
