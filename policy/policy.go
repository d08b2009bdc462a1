// Package policy is the guard: it decides who may pass, app by app and path by
// path. A Policy is made once of a configuration and never changes; Decide is
// a pure function of values, without I/O, clock or memory.
//
// A request belongs to the app that has its host, by name before by wildcard.
// The app's rules stand in order, and the first whose methods and paths match
// decides, whatever it then says; no match is a refusal. A rule that can never
// be the first is a complaint, so that what stands there means something.
//
// Paths are matched segment by segment on the canonical form, case-sensitive
// and without the query: a literal segment is itself, * is one segment, ** is
// any number of segments, none too. So /admin/** covers /admin, /admin/ and
// /admin/x/y; /admin/* covers /admin/x alone; /admin covers neither /admin/ nor
// /administrator. GET covers HEAD, since both read the same; no other method
// covers another.
package policy

import (
	"errors"
	"slices"
	"strings"

	"gateway/internal/canonical"
	"gateway/internal/identity"
)

// Policy is a compiled configuration. The nil Policy and the zero Policy deny
// everything. It is safe for concurrent use.
type Policy struct {
	apps      []*app // as they were given
	hosts     map[canonical.Host]*app
	wildcards map[canonical.Host]*app // by what follows the first label
	people    subjects                // whom some rule admits, all rules together, of apps that take every door
	picky     []*app                  // apps that do not

	observed *Policy           // as it would be if what is only observed counted; nil: nothing is
	whole    bool              // observed is of another configuration
	editions map[string]string // of apps that are observed, by name
}

// app is a protected site: its rules in order, and the tree of their paths.
type app struct {
	name      string
	rules     []rule
	paths     node
	origins   set      // the doors that count; none: all
	people    subjects // whom some rule admits, if there are origins
	fold      bool     // paths are compared without regard to case
	candidate bool     // it is only observed
	beside    *app     // as it would be if what is only observed counted; nil: nothing is
}

// New compiles a configuration, or returns every complaint about it, each a
// *Complaint, joined as by errors.Join. No apps at all make a Policy that
// denies everything.
func New(c Config) (*Policy, error) {
	b := newBuilder(c)
	for _, a := range c.Apps {
		b.app(a)
	}
	b.observe(c)
	b.compile()
	if len(b.complaints) > 0 {
		return nil, errors.Join(b.complaints...)
	}
	return b.policy, nil
}

// App returns the name of the app that has the host; ok is false if none has.
func (p *Policy) App(h canonical.Host) (name string, ok bool) {
	a := p.app(h)
	if a == nil {
		return "", false
	}
	return a.name, true
}

// app finds the app that has the host: two lookups, however many apps there are.
func (p *Policy) app(h canonical.Host) *app {
	if p == nil {
		return nil
	}
	if a := p.hosts[h]; a != nil {
		return a
	}
	if dot := strings.IndexByte(string(h), '.'); dot > 0 {
		return p.wildcards[h[dot+1:]]
	}
	return nil
}

// CouldAdmit reports whether some rule of some app admits the person because of
// who it is, whatever the path, the method and the conditions. Rules that admit
// nobody in particular (everyone, networks) do not count: a person needs no
// record to pass them.
func (p *Policy) CouldAdmit(who identity.Principal) bool {
	if p == nil {
		return false
	}
	return p.people.person(&who) || slices.ContainsFunc(p.picky, func(a *app) bool {
		return a.origins.has(who.Origin) && a.people.person(&who)
	})
}

// TakesToken reports whether some rule of an app could let a person in by an app
// token, whatever the path, the method and the moment.
func (p *Policy) TakesToken(name string, who identity.Principal) bool {
	if p == nil {
		return false
	}
	i := slices.IndexFunc(p.apps, func(a *app) bool { return a.name == name })
	return i >= 0 && slices.ContainsFunc(p.apps[i].rules, func(r rule) bool { return r.takesToken(p.apps[i], &who) })
}

func (r *rule) takesToken(a *app, who *identity.Principal) bool {
	switch {
	case r.deny, r.tokens == RefuseTokens, r.personal() && r.tokens != AllowTokens:
		return false
	case r.admits.everyone, r.admits.anywhere():
		return true
	}
	return (len(a.origins) == 0 || a.origins.has(who.Origin)) && r.admits.person(who)
}

// RuleName names a rule of an app as decisions do.
type RuleName struct{ App, Rule string }

// String is the rule's name, after its app's if it has one of its own.
func (n RuleName) String() string {
	if strings.HasPrefix(n.Rule, n.App+"[") || strings.HasPrefix(n.Rule, n.App+".observe[") {
		return n.Rule
	}
	return n.App + ": " + n.Rule
}

// Rules names every rule that can decide, app by app, in order.
func (p *Policy) Rules() []RuleName {
	var all []RuleName
	if p == nil {
		return all
	}
	for _, a := range p.apps {
		for i := range a.rules {
			if !a.rules[i].observed {
				all = append(all, RuleName{a.name, a.rules[i].name})
			}
		}
	}
	return all
}

// TakesGuest reports whether a link that an administrator has handed out may
// stand for the sign-in that a request would be sent to: its rule asks who it is,
// and for nothing else that only a person has.
func (p *Policy) TakesGuest(r Request) bool {
	a := p.app(r.Host)
	if a == nil || len(a.origins) > 0 {
		return false
	}
	deciding := a.rule(r.Method, r.Path)
	if deciding == nil || deciding.personal() || deciding.when != nil && deciding.when.personal {
		return false
	}
	r.Who = nil
	effect, _, _ := deciding.judge(a, &r)
	return effect == Login
}
