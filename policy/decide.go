package policy

import (
	"net/netip"

	"gateway/internal/canonical"
	"gateway/internal/identity"
)

// Effect is what a decision does to a request. The zero Effect denies.
type Effect int

// The effects of a decision.
const (
	Deny  Effect = iota // the request is refused, whoever signs in
	Login               // nobody is signed in, and signing in could help
	Allow               // the request passes
)

// String returns the effect's word: deny, login or allow.
func (e Effect) String() string {
	switch e {
	case Login:
		return "login"
	case Allow:
		return "allow"
	case Deny:
	}
	return "deny"
}

// MarshalText writes the effect's word.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the effect's word; any other denies.
func (e *Effect) UnmarshalText(text []byte) error {
	*e = Deny
	for _, known := range []Effect{Login, Allow} {
		if string(text) == known.String() {
			*e = known
		}
	}
	return nil
}

// Reason says in a word why a decision fell as it did.
type Reason string

// The reasons of decisions.
const (
	UnknownHost  Reason = "unknown-host"  // no app has this host
	NoRule       Reason = "no-rule"       // no rule of the app has this method and path
	RuleDenies   Reason = "rule-denies"   // the deciding rule says deny
	WrongNetwork Reason = "wrong-network" // the deciding rule admits from other networks only
	NotListed    Reason = "not-listed"    // the deciding rule admits others
	SignIn       Reason = "sign-in"       // the deciding rule asks who it is
	Allowed      Reason = "allowed"
)

// Request is all that a decision depends on.
type Request struct {
	Method string              // as canonical.ParseMethod returned it
	Host   canonical.Host      // as canonical.ParseHost returned it
	Path   canonical.Path      // as canonical.ParseTarget returned it
	Client netip.Addr          // the zero Addr is an unknown client, which is in no network
	Who    *identity.Principal // nil, or one with neither user id nor login: nobody
}

// Decision is the answer to a Request. The zero Decision denies.
type Decision struct {
	Effect Effect `json:"effect"`
	App    string `json:"app"`  // the app that has the host; empty if none has
	Rule   string `json:"rule"` // the deciding rule: its own name, else app[index]; empty if none matched
	Reason Reason `json:"reason"`
	Public bool   `json:"public"` // allowed, and would be with nobody signed in, too
}

// Decide answers a request. It allocates nothing for an app whose paths have
// few wildcards side by side, and takes time in the length of the path, not in
// the number of apps or rules.
func (p *Policy) Decide(r Request) Decision {
	a := p.app(r.Host)
	if a == nil {
		return Decision{Reason: UnknownHost}
	}
	deciding := a.rule(r.Method, r.Path)
	if deciding == nil {
		return Decision{App: a.name, Reason: NoRule}
	}
	effect, reason, public := deciding.judge(r.Client, r.Who)
	return Decision{Effect: effect, App: a.name, Rule: deciding.name, Reason: reason, Public: public}
}

// rule returns the first rule that has the method and the path, nil if none has.
func (a *app) rule(method string, path canonical.Path) *rule {
	if method == "" || path == "" || path[0] != '/' {
		return nil
	}
	if i := a.paths.first(string(path), methodBit(method), len(a.rules)); i < len(a.rules) {
		return &a.rules[i]
	}
	return nil
}

// rule is a Rule compiled; its paths are in the app's tree.
type rule struct {
	name    string
	methods methodSet
	named   []string // the methods as written, for people; none: all
	paths   []string // the patterns as written, for people; none: all
	deny    bool
	from    networks // the condition; none: from anywhere
	admits  subjects
}

// judge says what the rule does to a client and person. It is the one place
// where an Allow is made.
func (r *rule) judge(client netip.Addr, who *identity.Principal) (effect Effect, reason Reason, public bool) {
	switch {
	case r.deny:
		return Deny, RuleDenies, false
	case len(r.from) > 0 && !r.from.contain(client):
		return Deny, WrongNetwork, false
	case r.admits.everyone || r.admits.networks.contain(client):
		return Allow, Allowed, true
	case !r.admits.people():
		return Deny, NotListed, false
	case nobody(who):
		return Login, SignIn, false
	case r.admits.person(who):
		return Allow, Allowed, false
	}
	return Deny, NotListed, false
}

func nobody(who *identity.Principal) bool {
	return who == nil || who.UserID == "" && who.Login == ""
}
