package server

import "gateway/policy"

// Decide decides a request, and beside it, at once.
func (o *Observer) Decide(p *policy.Policy, r policy.Request) {
	o.decide(observation{policy: p, request: r, is: p.Decide(r)})
}

// Panic decides what cannot be, beside what was never decided.
func (o *Observer) Panic(p *policy.Policy, app string) {
	o.decide(observation{policy: p, is: policy.Decision{Effect: 99, App: app}})
}
