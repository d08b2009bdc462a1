package policy_test

import (
	"strings"
	"testing"

	"gateway/internal/identity"
	"gateway/policy"
)

// Who has an id or a login is somebody.
func TestWhoIsSomebody(t *testing.T) {
	p := build(t, policy.App{Name: "a", Host: "ex.test", Allow: &policy.Subjects{SignedIn: true}})
	for _, row := range []struct {
		who  identity.Principal
		want policy.Effect
	}{
		{identity.Principal{}, policy.Login},
		{identity.Principal{UserID: "u1"}, policy.Allow},
		{identity.Principal{Login: "alice"}, policy.Allow},
		{identity.Principal{Origin: "corp", Email: "a@ex.test", EmailVerified: true, Groups: []string{"staff"}}, policy.Login},
	} {
		if got := p.Decide(request(t, &row.who, "", "GET", "ex.test/")).Effect; got != row.want {
			t.Errorf("Decide as %+v: %v, want %v", row.who, got, row.want)
		}
	}
}

// Addresses count up to their very bounds, and in all their characters.
func TestEdgesOfAddresses(t *testing.T) {
	label := strings.Repeat("a", 62)
	long := label + "." + label + "." + label + ".a" // 190 bytes
	p := build(t, policy.App{Name: "mail", Host: "ex.test", Allow: &policy.Subjects{EmailDomains: []string{long, long[1:], "az09.test", "az09.test.example"}}})
	for email, want := range map[string]policy.Effect{
		strings.Repeat("a", 64) + "@" + long[1:]:     policy.Allow, // 254 bytes
		strings.Repeat("a", 64) + "@" + long:         policy.Deny,
		"azAZ09.!#$%&'*+-/=?^_`{|}~@AZ09.test":       policy.Allow,
		"a@az09.TEST":                                policy.Allow,
		"a[@az09.test":                               policy.Deny,
		"a`{b@az09.test.example":                     policy.Allow,
		"a:b@az09.test":                              policy.Deny,
		"a/b@az09.test":                              policy.Allow,
		"@az09.test":                                 policy.Deny,
		"a@[z09.test":                                policy.Deny,
		"a@az09.test\x00":                            policy.Deny,
		"a@AZ09.test.example." + label:               policy.Deny,
		strings.Repeat("a", 65) + "@az09.test":       policy.Deny,
		strings.Repeat("a", 64) + "@az09.test":       policy.Allow,
		"a@" + strings.Repeat("b", 248) + ".az09.tt": policy.Deny,
	} {
		who := &identity.Principal{UserID: "u", Login: "x", Email: email, EmailVerified: true}
		if got := p.Decide(request(t, who, "", "GET", "ex.test/")).Effect; got != want {
			t.Errorf("%d bytes, %q: %v, want %v", len(email), email, got, want)
		}
	}
}

// The larger of two networks with one address counts, in whatever order they stand.
func TestNetworksOfOneAddress(t *testing.T) {
	for _, list := range [][]string{{"10.0.0.0/16", "10.0.0.0/8"}, {"10.0.0.0/8", "10.0.0.0/16"}, {"10.0.0.0/24", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/31"}} {
		p := build(t, policy.App{Name: "net", Host: "ex.test", Allow: &policy.Subjects{Networks: list}})
		for _, client := range []string{"10.0.0.0", "10.0.0.1", "10.0.1.0", "10.1.0.0", "10.255.255.255"} {
			if got := p.Decide(request(t, nobody, client, "GET", "ex.test/")).Effect; got != policy.Allow {
				t.Errorf("%v from %s: %v, want allow", list, client, got)
			}
		}
	}
}
