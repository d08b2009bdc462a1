package server

import (
	"gateway/internal/canonical"
	"gateway/policy"
)

// Decide decides a request, and beside it, at once.
func (o *Observer) Decide(p *policy.Policy, r policy.Request) {
	o.decide(observation{policy: p, request: r, is: p.Decide(r)})
}

// Panic decides what cannot be, beside what was never decided.
func (o *Observer) Panic(p *policy.Policy, app string) {
	o.decide(observation{policy: p, is: policy.Decision{Effect: 99, App: app}})
}

// Allowed returns what remembers that the policy has allowed a request.
func (s *Server) Allowed(r policy.Request) func() {
	q := question{method: r.Method, host: r.Host, target: canonical.Target{Path: r.Path}, client: r.Client}
	v := verdict{visitor: visitor{who: r.Who}, decision: policy.Decision{Effect: policy.Allow}}
	return func() { s.allow(&q, &v) }
}

// Observed returns what hands over a decision to be made beside.
func (s *Server) Observed(r policy.Request) func() {
	q := question{method: r.Method, host: r.Host, target: canonical.Target{Path: r.Path}, client: r.Client}
	v := verdict{visitor: visitor{who: r.Who}, decision: s.Policy.Load().Decide(r)}
	return func() { s.observe(&q, &v) }
}

// Minutes lets as many pass for what is remembered.
func (a *Allows) Minutes(n int) {
	a.minute.Add(uint64(n))
	a.refill()
}

// Second lets one pass.
func (a *Allows) Second() { a.refill() }

// Listed is what is remembered, the oldest first.
func (a *Allows) Listed() []policy.Request { return a.list() }
