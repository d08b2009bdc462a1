package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gateway/internal/identity"
)

// Explanation is a decision and how it came about: every rule that was looked
// at, up to the one that decides. It is made by going from rule to rule, as
// people read a configuration; that it never disagrees with Decide is a test.
type Explanation struct {
	Decision
	Rules []Look   `json:"rules"` // in order; the last one decides, if one does
	Needs []string `json:"needs"` // what would have to change for the request to pass: all of it. None if it passes

	Observed *Explanation `json:"observed,omitempty"` // what would be if what is only observed counted; nil where nothing is
}

// Look is what was found about one rule.
type Look struct {
	Rule     string    `json:"rule"`               // its own name, else app[index]
	Decides  bool      `json:"decides"`            // it has the method and the path
	Findings []Finding `json:"findings"`           // of a rule that decides also what it says of the client and the person
	Observed bool      `json:"observed,omitempty"` // it is only observed, and decides nothing
}

// Finding is one thing that a rule asks, and whether the request has it. Of
// those about lists of allow one is enough; of the others all have to hold.
type Finding struct {
	About string `json:"about"` // the key: methods, paths, deny, networks, allow.groups
	Holds bool   `json:"holds"`
	Wants string `json:"wants"` // what the rule says
	Has   string `json:"has"`   // what the request brings
}

// Admits reports whether the finding is about one of the lists of allow, of
// which one is enough.
func (f Finding) Admits() bool { return strings.HasPrefix(f.About, "allow") }

// Explain answers a request as Decide does, and says why. It takes time in the
// number of the app's rules: it is for people who ask, not for each request.
func (p *Policy) Explain(r Request) Explanation {
	e := p.explain(r)
	if p.Observes(r.Host) {
		would := p.observed.explain(r)
		e.Observed = &would
	}
	return e
}

func (p *Policy) explain(r Request) Explanation {
	e := Explanation{Decision: p.Decide(r), Rules: []Look{}, Needs: []string{}}
	a := p.app(r.Host)
	if a == nil {
		e.Needs = []string{"an app that has the host " + string(r.Host)}
		return e
	}
	for i := range a.rules {
		look := a.rules[i].look(a, r)
		e.Rules = append(e.Rules, look)
		if look.Decides {
			e.Needs = a.rules[i].needs(e.Effect, look)
			return e
		}
	}
	e.Needs = []string{fmt.Sprintf("a rule of %s that has %s %s", a.name, r.Method, r.Path)}
	return e
}

// look goes through what the rule says, in the order of the documentation.
func (r *rule) look(a *app, q Request) Look {
	methods := Finding{"methods", r.methods&methodBit(q.Method) != 0 && q.Method != "", some(r.named, "every method"), q.Method}
	paths := Finding{"paths", a.covers(r, string(q.Path)), some(r.paths, "every path"), string(q.Path)}
	l := Look{Rule: r.name, Decides: !r.observed && methods.Holds && paths.Holds, Findings: []Finding{methods, paths}, Observed: r.observed}
	if l.Decides {
		l.Findings = append(l.Findings, r.findings(a, q)...)
	}
	return l
}

// findings is what a deciding rule says of the client, the moment and the person.
func (r *rule) findings(a *app, q Request) []Finding {
	if r.deny {
		return []Finding{{"deny", false, "nobody", person(q.Who)}}
	}
	var all []Finding
	if len(r.from) > 0 {
		all = append(all, Finding{"networks", r.from.contain(q.Client), r.from.String(), clientOf(q)})
	}
	if len(r.times) > 0 {
		all = append(all, Finding{"times", r.times.have(q.Now), r.times.String(), momentOf(q.Now)})
	}
	if len(a.origins) > 0 && !nobody(q.Who) && (r.personal() || !r.admits.anybody(q.Client)) {
		all = append(all, Finding{"origins", a.origins.has(q.Who.Origin), some(slices.Sorted(maps.Keys(a.origins)), ""), orNone(q.Who.Origin)})
	}
	all = append(all, r.admits.findings("allow", q)...)
	if r.when != nil && (!r.when.personal || !nobody(q.Who) || !r.personal() && r.admits.anybody(q.Client)) {
		all = append(all, r.when.finding(&q))
	}
	if r.tokens == RefuseTokens && token(q.Who) {
		all = append(all, Finding{"tokens", false, "no app token", "one of " + person(q.Who)})
	}
	return append(all, r.proofs(q)...)
}

// finding is what the expression comes to.
func (c *condition) finding(q *Request) Finding {
	holds, err := c.holds(q)
	has := fmt.Sprint(holds)
	if err != nil {
		has = "an error: " + err.Error()
	}
	return Finding{"when", holds, c.text, has}
}

// proofs is what the rule asks the session for.
func (r *rule) proofs(q Request) []Finding {
	var all []Finding
	who := q.Who
	if nobody(who) {
		who = &identity.Principal{}
	}
	if token(who) && r.personal() {
		if r.tokens == AllowTokens {
			return append(all, Finding{"tokens", true, string(AllowTokens), "an app token of " + person(who)})
		}
		all = append(all, Finding{"tokens", false, string(AllowTokens), "nothing: an app token proves neither factors nor an age"})
	}
	if r.factors > 0 {
		has := fmt.Sprintf("%d (%s)", Factors(who.AMR), orNone(strings.Join(who.AMR, ", ")))
		all = append(all, Finding{"factors", Factors(who.AMR) >= r.factors, fmt.Sprint(r.factors), has})
	}
	if r.maxAge > 0 {
		holds := fresh(&Request{Now: q.Now, Who: who}, r.maxAge)
		all = append(all, Finding{"max_age", holds, "a proof within " + r.maxAge.String(), "one of " + momentOf(who.AuthTime)})
	}
	return all
}

func clientOf(q Request) string {
	if q.Client.IsValid() {
		return q.Client.String()
	}
	return "an unknown address"
}

func momentOf(t time.Time) string {
	if t.IsZero() {
		return "an unknown moment"
	}
	return t.UTC().Format(time.RFC3339)
}

// findings is what each list of allow says.
func (s *subjects) findings(at string, q Request) []Finding {
	switch {
	case s.everyone:
		return []Finding{{at, true, "everyone", person(q.Who)}}
	case s.signedIn:
		return []Finding{{at, !nobody(q.Who), "signed-in", person(q.Who)}}
	}
	who := q.Who
	if nobody(who) {
		who = &identity.Principal{}
	}
	var all []Finding
	for _, list := range []struct {
		about string
		set   set
		holds bool
		has   string
	}{
		{".users", s.users, s.users.has(who.Login), who.Login},
		{".groups", s.groups, slices.ContainsFunc(who.Groups, s.groups.has), strings.Join(who.Groups, ", ")},
		{".email_domains", s.domains, who.EmailVerified && s.domain(who.Email), mailOf(who)},
		{".origins", s.origins, s.origins.has(who.Origin), who.Origin},
	} {
		if len(list.set) == 0 {
			continue
		}
		if list.holds = list.holds && !nobody(q.Who); nobody(q.Who) {
			list.has = person(nil)
		}
		all = append(all, Finding{at + list.about, list.holds, some(slices.Sorted(maps.Keys(list.set)), ""), orNone(list.has)})
	}
	if len(s.networks) > 0 {
		all = append(all, Finding{at + ".networks", s.networks.contain(q.Client), s.networks.String(), clientOf(q)})
	}
	for _, set := range s.sets {
		all = append(all, set.findings(at+".subjects."+set.name, q)...)
	}
	return all
}

// needs says what would have to change for a request that the rule decides.
func (r *rule) needs(effect Effect, l Look) []string {
	needs, either := []string{}, []string(nil)
	if effect == Allow {
		return needs
	}
	admitted := slices.ContainsFunc(l.Findings, func(f Finding) bool { return f.Admits() && f.Holds })
	for _, f := range l.Findings {
		switch {
		case f.Holds:
		case f.About == "deny":
			needs = append(needs, "a rule before "+l.Rule+", since it refuses everybody")
		case f.Admits() && !admitted:
			either = append(either, wish(f))
		case !f.Admits():
			needs = append(needs, wish(f))
		}
	}
	switch {
	case len(either) > 0 && effect == Login:
		needs = append(needs, "somebody who signs in and meets "+strings.Join(either, " or "))
	case len(either) > 0:
		needs = append(needs, strings.Join(either, " or "))
	}
	return needs
}

// wish says a finding that does not hold as what would make it hold.
func wish(f Finding) string { return f.About + ": " + f.Wants }

// person names who asks.
func person(who *identity.Principal) string {
	switch {
	case nobody(who):
		return "nobody signed in"
	case who.Login == "":
		return "user " + who.UserID
	}
	return who.Login
}

// mailOf is the e-mail address as email_domains sees it.
func mailOf(who *identity.Principal) string {
	if who.Email != "" && !who.EmailVerified {
		return who.Email + " (not verified)"
	}
	return who.Email
}

func orNone(has string) string {
	if has == "" {
		return "none"
	}
	return has
}

// some lists a few entries; what is meant where there are none.
func some(entries []string, all string) string {
	const few = 8
	switch {
	case len(entries) == 0:
		return all
	case len(entries) > few:
		return fmt.Sprintf("%s and %d more", strings.Join(entries[:few], ", "), len(entries)-few)
	}
	return strings.Join(entries, ", ")
}
