package policy

import (
	"net/netip"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/identity"
)

// Effect is what a decision does to a request. The zero Effect denies.
type Effect int

// The effects of a decision.
const (
	Deny   Effect = iota // the request is refused, whoever signs in
	Login                // nobody is signed in, and signing in could help
	StepUp               // the person has to prove more, or once more, and can
	Allow                // the request passes
)

// String returns the effect's word: deny, login, step-up or allow.
func (e Effect) String() string {
	switch e {
	case Login:
		return "login"
	case StepUp:
		return "step-up"
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
	for _, known := range []Effect{Login, StepUp, Allow} {
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
	WrongTime    Reason = "wrong-time"    // the deciding rule admits at other times only
	WrongOrigin  Reason = "wrong-origin"  // the app takes other doors only
	NotListed    Reason = "not-listed"    // the deciding rule admits others
	NotTrue      Reason = "not-true"      // the deciding rule's when is false
	CannotTell   Reason = "cannot-tell"   // the deciding rule's when is in error
	FewFactors   Reason = "few-factors"   // the deciding rule asks for more factors
	TooLongAgo   Reason = "too-long-ago"  // the deciding rule asks for a more recent proof
	NoTokens     Reason = "no-tokens"     // the deciding rule refuses app tokens
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
	Now    time.Time           // the zero Time is unknown: no window has it, and nothing is fresh
	Reach  int                 // factors that a step-up could bring the session to; 0: none is possible
}

// Decision is the answer to a Request. The zero Decision denies.
type Decision struct {
	Effect Effect `json:"effect"`
	App    string `json:"app"`  // the app that has the host; empty if none has
	Rule   string `json:"rule"` // the deciding rule: its own name, else app[index]; empty if none matched
	Reason Reason `json:"reason"`
	Public bool   `json:"public"` // allowed, and would be for anybody else and for nobody, too
}

// Decide answers a request. It allocates nothing for an app whose paths have
// few wildcards side by side, but for the deciding rule's when, and takes time
// in the length of the path, not in the number of apps or rules.
func (p *Policy) Decide(r Request) Decision {
	a := p.app(r.Host)
	if a == nil {
		return Decision{Reason: UnknownHost}
	}
	deciding := a.rule(r.Method, r.Path)
	if deciding == nil {
		return Decision{App: a.name, Reason: NoRule}
	}
	effect, reason, public := deciding.judge(a, &r)
	return Decision{Effect: effect, App: a.name, Rule: deciding.name, Reason: reason, Public: public}
}

// rule returns the first rule that has the method and the path, nil if none has.
func (a *app) rule(method string, path canonical.Path) *rule {
	if method == "" || path == "" || path[0] != '/' {
		return nil
	}
	target := string(path)
	if a.fold {
		var sure bool
		if target, sure = folded(target); !sure {
			return nil
		}
	}
	if i := a.paths.first(target, methodBit(method), len(a.rules)); i < len(a.rules) {
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
	from    networks // the conditions; none: from anywhere,
	times   windows  // always,
	factors int      // however proved,
	maxAge  time.Duration
	when    *condition // whatever is true
	tokens  Tokens
	admits  subjects

	observed bool // it decides nothing: it is in no tree of its app
}

// personal reports whether the rule asks something that only a person meets.
func (r *rule) personal() bool { return r.factors > 0 || r.maxAge > 0 }

// judge says what the rule does to a request. It is the one place where an
// Allow is made: first what no sign-in changes, then who it is, then what the
// person has proved.
func (r *rule) judge(a *app, q *Request) (effect Effect, reason Reason, public bool) {
	switch {
	case r.deny:
		return Deny, RuleDenies, false
	case len(r.from) > 0 && !r.from.contain(q.Client):
		return Deny, WrongNetwork, false
	case len(r.times) > 0 && !r.times.have(q.Now):
		return Deny, WrongTime, false
	}
	if r.when != nil && !r.when.personal {
		if reason := r.when.refuses(q); reason != "" {
			return Deny, reason, false
		}
	}
	anybody := r.admits.anybody(q.Client)
	if !anybody || r.personal() {
		switch {
		case !anybody && !r.admits.people():
			return Deny, NotListed, false
		case nobody(q.Who):
			return Login, SignIn, false
		case len(a.origins) > 0 && !a.origins.has(q.Who.Origin):
			return Deny, WrongOrigin, false
		case !anybody && !r.admits.person(q.Who):
			return Deny, NotListed, false
		}
	}
	if r.when != nil && r.when.personal {
		if reason := r.when.refuses(q); reason != "" {
			return Deny, reason, false
		}
	}
	if r.tokens == RefuseTokens && token(q.Who) {
		return Deny, NoTokens, false
	}
	if lacks := r.lacks(q); lacks != "" {
		if q.Reach >= max(r.factors, 1) && !token(q.Who) { // a token proves nothing more
			return StepUp, lacks, false
		}
		return Deny, lacks, false
	}
	return Allow, Allowed, anybody && !r.personal() && (r.when == nil || !r.when.personal) && r.tokens != RefuseTokens
}

// refuses says why the expression does not hold; empty if it does.
func (c *condition) refuses(q *Request) Reason {
	switch holds, err := c.holds(q); {
	case err != nil:
		return CannotTell
	case !holds:
		return NotTrue
	}
	return ""
}

// lacks says what the person has not proved; empty if nothing.
func (r *rule) lacks(q *Request) Reason {
	switch {
	case !r.personal(), r.tokens == AllowTokens && token(q.Who):
		return ""
	case r.factors > 0 && (token(q.Who) || Factors(q.Who.AMR) < r.factors): // a token has proved nothing, whatever it says
		return FewFactors
	case r.maxAge > 0 && (token(q.Who) || !fresh(q, r.maxAge)):
		return TooLongAgo
	}
	return ""
}

// skew is how far the clocks of two machines may be apart.
const skew = time.Minute

// fresh reports whether the newest proof is no older than that. One from the
// future is none: a clock that was set back revives nothing.
func fresh(q *Request, age time.Duration) bool {
	if q.Now.IsZero() || q.Who.AuthTime.IsZero() {
		return false
	}
	since := q.Now.Sub(q.Who.AuthTime)
	return since <= age && since >= -skew
}

func nobody(who *identity.Principal) bool {
	return who == nil || who.UserID == "" && who.Login == ""
}

// token reports whether an app token asks.
func token(who *identity.Principal) bool { return !nobody(who) && who.Token }
