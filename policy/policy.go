// Package policy is the guard: it decides who may pass, app by app and path by
// path. A Policy is made once of a configuration and never changes; Decide is
// a pure function of values.
package policy

import (
	"gateway/internal/canonical"
	"gateway/internal/identity"
)

// Policy is a compiled configuration. The nil Policy and the zero Policy deny
// everything. It is safe for concurrent use.
type Policy struct{}

// New compiles the apps' rules, or returns every complaint about them, each a
// *Complaint, joined as by errors.Join.
func New(_ []App) (*Policy, error) { return &Policy{}, nil }

// App returns the name of the app that has the host.
func (p *Policy) App(_ canonical.Host) (name string, ok bool) { return "", false }

// CouldAdmit reports whether some rule of some app could ever admit the person.
func (p *Policy) CouldAdmit(_ identity.Principal) bool { return false }

// Hosts returns the host patterns of all apps, sorted.
func (p *Policy) Hosts() []string { return nil }
