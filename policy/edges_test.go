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

// What passes by an expression about the person would not pass with nobody.
func TestPublicIsForNobodyInParticular(t *testing.T) {
	for when, public := range map[string]bool{"": true, `request.method == "GET"`: true, `user.login == "alice"`: false} {
		p, err := policy.New(policy.Config{Apps: []policy.App{{Name: "a", Host: "ex.test", Rules: []policy.Rule{{Allow: &policy.Subjects{Everyone: true}, When: when}}}}})
		if err != nil {
			t.Fatal(err)
		}
		r := request(t, alice, "", "GET", "ex.test/")
		r.Now = noon
		if got := p.Decide(r); got.Effect != policy.Allow || got.Public != public {
			t.Errorf("when %q: %v, public: %v, want allow, public: %v", when, got.Effect, got.Public, public)
		}
	}
}

// Who could ever be admitted is who is in a set, however often it is named, and
// anybody where a network or everyone stands beside what a person has to prove.
func TestCouldAdmitBySets(t *testing.T) {
	crew, office := policy.Subjects{Users: []string{"alice"}}, policy.Subjects{Networks: []string{"10.0.0.0/8"}}
	sets := map[string]policy.Set{"crew": {Users: crew.Users}, "office": {Networks: office.Networks}}
	for _, row := range []struct {
		story string
		rules []policy.Rule
		alice bool
		bob   bool
	}{
		{"a set", []policy.Rule{{Allow: &policy.Subjects{Sets: []string{"crew"}}}}, true, false},
		{"a set twice", []policy.Rule{{Paths: []string{"/x"}, Allow: &policy.Subjects{Sets: []string{"crew"}}}, {Allow: &policy.Subjects{Sets: []string{"crew"}}}}, true, false},
		{"a second set", []policy.Rule{{Paths: []string{"/x"}, Allow: &policy.Subjects{Sets: []string{"office"}}}, {Allow: &policy.Subjects{Sets: []string{"crew"}}}}, true, false},
		{"a network in a set", []policy.Rule{{Allow: &policy.Subjects{Sets: []string{"office"}}}}, false, false},
		{"a network in a set, and a factor", []policy.Rule{{Factors: 1, Allow: &policy.Subjects{Sets: []string{"office"}}}}, true, true},
		{"a network, and a factor", []policy.Rule{{Factors: 1, Allow: &office}}, true, true},
		{"everyone, and a factor", []policy.Rule{{Factors: 1, Allow: &policy.Subjects{Everyone: true}}}, true, true},
		{"one person, and a factor", []policy.Rule{{Factors: 1, Allow: &crew}}, true, false},
		{"a set of one person, and a factor", []policy.Rule{{Factors: 1, Allow: &policy.Subjects{Sets: []string{"crew"}}}}, true, false},
	} {
		p, err := policy.New(policy.Config{Subjects: sets, Apps: []policy.App{{Name: "a", Host: "ex.test", Rules: row.rules}}})
		if err != nil {
			t.Fatalf("%s: %v", row.story, err)
		}
		if got := p.CouldAdmit(*alice); got != row.alice {
			t.Errorf("%s: CouldAdmit(alice) = %v", row.story, got)
		}
		if got := p.CouldAdmit(*bob); got != row.bob {
			t.Errorf("%s: CouldAdmit(bob) = %v", row.story, got)
		}
	}
}

// Signing in could help whom a set might have.
func TestSetsAskWhoItIs(t *testing.T) {
	p, err := policy.New(policy.Config{
		Subjects: map[string]policy.Set{"crew": {Users: []string{"alice"}}},
		Apps:     []policy.App{{Name: "a", Host: "ex.test", Allow: &policy.Subjects{Sets: []string{"crew"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[*identity.Principal]policy.Effect{nobody: policy.Login, alice: policy.Allow, bob: policy.Deny} {
		if got := p.Decide(request(t, who, "", "GET", "ex.test/")).Effect; got != want {
			t.Errorf("Decide as %+v: %v, want %v", who, got, want)
		}
	}
}

// An effect is read by its word, and anything else denies.
func TestEffectsAreReadByTheirWords(t *testing.T) {
	for _, want := range []policy.Effect{policy.Deny, policy.Login, policy.StepUp, policy.Allow} {
		got := policy.Effect(7)
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Errorf("UnmarshalText(%s) = %v, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "ALLOW", "allowed", "allow ", "yes"} {
		got := policy.Allow
		if err := got.UnmarshalText([]byte(text)); err != nil || got != policy.Deny {
			t.Errorf("UnmarshalText(%q) = %v, %v, want deny", text, got, err)
		}
	}
}
