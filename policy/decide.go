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
	Method string // as canonical.ParseMethod returned it
	Host   canonical.Host
	Path   canonical.Path
	Client netip.Addr          // the zero Addr is an unknown client: in no network
	Who    *identity.Principal // nil, or without user id and login: nobody
}

// Decision is the answer to a Request. The zero Decision denies.
type Decision struct {
	Effect Effect
	App    string // the app that has the host; empty if none has
	Rule   string // the deciding rule: its own name, else app[index]; empty if none matched
	Reason Reason
	Public bool // the request would be allowed with nobody signed in, too
}

// Decide answers a request.
func (p *Policy) Decide(_ Request) Decision {
	return Decision{Reason: UnknownHost}
}
