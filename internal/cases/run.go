package cases

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gateway/internal/identity"
	"gateway/policy"
)

// Runner tries cases on a policy.
type Runner struct {
	Policy *policy.Policy
	User   func(login string) (identity.Principal, error) // from the store; nil: there is none
	Now    time.Time                                      // of cases that name no moment
}

// String names the person.
func (p Person) String() string {
	name := cmp.Or(p.word, p.User, p.Login)
	if p.Token {
		name += " by token"
	}
	return name
}

// Try tries all cases of all files.
func (r *Runner) Try(files ...File) Report {
	report := Report{Results: []Result{}, Missed: []string{}, Unobserved: []string{}}
	for _, f := range files {
		for _, c := range f.Cases {
			result := r.try(c)
			result.File = f.Path
			if !result.Holds {
				report.Failed++
			}
			report.Results = append(report.Results, result)
		}
	}
	for _, rule := range r.Policy.Rules() {
		report.Rules++
		reached := func(one Result) bool { return one.Got.App == rule.App && one.Got.Rule == rule.Rule }
		if !slices.ContainsFunc(report.Results, reached) {
			report.Missed = append(report.Missed, rule.String())
		}
	}
	for _, rule := range r.Policy.ObservedRules() {
		report.Observed++
		reached := func(one Result) bool {
			return one.Got.Observed != nil && one.Got.Observed.App == rule.App && one.Got.Observed.Rule == rule.Rule
		}
		if !slices.ContainsFunc(report.Results, reached) {
			report.Unobserved = append(report.Unobserved, rule.String())
		}
	}
	return report
}

func (r *Runner) try(c Case) Result {
	result := Result{Line: c.Line, Title: c.title(), Expect: c.Expect}
	ask, err := c.ask()
	var request policy.Request
	if err == nil {
		request, err = r.request(c, ask)
	}
	if err != nil {
		result.Wrong = "cannot be tried: " + err.Error()
		return result
	}
	if result.Refused = ask.Refuse; ask.Refuse == "" {
		result.Got = r.Policy.Explain(request)
	}
	result.Wrong = c.compare(result.Got)
	result.Holds = result.Wrong == ""
	return result
}

// request is what the policy is asked.
func (r *Runner) request(c Case, ask Ask) (policy.Request, error) {
	client, err := c.address()
	if err != nil {
		return policy.Request{}, err
	}
	now, err := c.moment(r.Now)
	if err != nil {
		return policy.Request{}, err
	}
	return r.Request(ask, c.As, client, now)
}

// Request is what the policy is asked when a person asks from a client.
func (r *Runner) Request(ask Ask, p Person, client netip.Addr, now time.Time) (policy.Request, error) {
	who, err := r.principal(p, now)
	q := policy.Request{Method: ask.Method, Host: ask.Host, Path: ask.Path, Client: client, Who: who, Now: now}
	if who != nil {
		q.Reach = policy.Factors(slices.Concat(who.AMR, p.More))
	}
	return q, err
}

// principal makes the person of a case; nobody is nil.
func (r *Runner) principal(p Person, now time.Time) (*identity.Principal, error) {
	if p.nobody() {
		return nil, nil //nolint:nilnil // nobody is nil
	}
	who := identity.Principal{
		UserID: cmp.Or(p.UserID, p.Login), Login: p.Login, Name: p.Name, Email: p.Email, EmailVerified: p.Email != "" && (p.Proven == nil || *p.Proven),
	}
	if p.User != "" {
		if r.User == nil {
			return nil, fmt.Errorf("%s is to be taken from the store, and there is none", p.User)
		}
		var err error
		if who, err = r.User(p.User); err != nil {
			return nil, err
		}
	}
	who.Groups = identity.Merge(who.Groups, p.Groups)
	who.Origin = cmp.Or(p.Origin, who.Origin, identity.Local)
	if p.Token {
		who.Token, who.AMR = true, []string{identity.ByToken}
		return &who, nil
	}
	who.AuthTime = now.Add(-p.Ago)
	if who.AMR = p.Factors; p.Factors == nil {
		who.AMR = []string{"fed"}
		if who.Origin == identity.Local {
			who.AMR = []string{"pwd"}
		}
	}
	return &who, nil
}

// compare says what is not as expected.
func (c *Case) compare(got policy.Explanation) string {
	var wrong []string
	if got.Effect.String() != c.Expect {
		wrong = append(wrong, fmt.Sprintf("got %v, want %s", got.Effect, c.Expect))
	}
	if rule := cmp.Or(got.Rule, NoRule); c.Rule != "" && rule != c.Rule {
		wrong = append(wrong, fmt.Sprintf("by rule %s, want %s", rule, c.Rule))
	}
	if c.Reason != "" && string(got.Reason) != c.Reason {
		wrong = append(wrong, fmt.Sprintf("reason %s, want %s", got.Reason, c.Reason))
	}
	switch {
	case c.Observed == "":
	case got.Observed == nil:
		wrong = append(wrong, "nothing is observed there, want "+c.Observed)
	case got.Observed.Effect.String() != c.Observed:
		wrong = append(wrong, fmt.Sprintf("observed %v, want %s", got.Observed.Effect, c.Observed))
	}
	return strings.Join(wrong, "; ")
}

// NoRule is the word for no rule at all.
const NoRule = "none"
