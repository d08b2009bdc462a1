package policy_test

import (
	"testing"
	"time"

	"gateway/internal/identity"
	"gateway/policy"
)

// What an app token is good for, whatever it says that it has proved.
func TestTokens(t *testing.T) {
	who := &identity.Principal{UserID: "u", Login: "x", Groups: []string{"ops"}, Origin: "local", AMR: []string{"pwd", "otp"}, AuthTime: noon}
	token := *who
	token.Token = true
	bare := token
	bare.AMR, bare.AuthTime = []string{identity.ByToken}, time.Time{}
	for _, row := range []struct {
		story           string
		rule            policy.Rule
		person, byToken policy.Reason
		ever            bool // the app could take a token of the person
	}{
		{"signed-in", policy.Rule{Allow: signedIn}, policy.Allowed, policy.Allowed, true},
		{"a group", policy.Rule{Allow: &policy.Subjects{Groups: []string{"ops"}}}, policy.Allowed, policy.Allowed, true},
		{"another group", policy.Rule{Allow: &policy.Subjects{Groups: []string{"dev"}}}, policy.NotListed, policy.NotListed, false},
		{"everyone", policy.Rule{Allow: everyone}, policy.Allowed, policy.Allowed, true},
		{"deny", policy.Rule{Deny: true}, policy.RuleDenies, policy.RuleDenies, false},
		{"refused", policy.Rule{Allow: signedIn, Tokens: policy.RefuseTokens}, policy.Allowed, policy.NoTokens, false},
		{"refused where everyone may", policy.Rule{Allow: everyone, Tokens: policy.RefuseTokens}, policy.Allowed, policy.NoTokens, false},
		{"refused, of somebody who may not either", policy.Rule{Allow: &policy.Subjects{Users: []string{"y"}}, Tokens: policy.RefuseTokens}, policy.NotListed, policy.NotListed, false},
		{"factors", policy.Rule{Allow: signedIn, Factors: 1, Tokens: policy.AllowTokens}, policy.Allowed, policy.Allowed, true},
		{"factors and an age", policy.Rule{Allow: signedIn, Factors: 2, MaxAge: time.Hour, Tokens: policy.AllowTokens}, policy.Allowed, policy.Allowed, true},
		{"factors, of somebody who may not", policy.Rule{Allow: &policy.Subjects{Users: []string{"y"}}, Factors: 2, Tokens: policy.AllowTokens}, policy.NotListed, policy.NotListed, false},
		{"factors, and something else is false", policy.Rule{Allow: signedIn, Factors: 1, Tokens: policy.AllowTokens, When: "!session.token"}, policy.Allowed, policy.NotTrue, true},
		{"scripts alone", policy.Rule{Allow: signedIn, When: "session.token"}, policy.NotTrue, policy.Allowed, true},
	} {
		p := compiled(t, one(row.rule))
		for _, asker := range []*identity.Principal{who, &token, &bare} {
			r := request(t, asker, "", "GET", "ex.test/")
			r.Now, r.Reach = noon, 3
			want := row.person
			if asker.Token {
				want = row.byToken
			}
			if got := p.Decide(r); got.Reason != want || got.Effect == policy.StepUp {
				t.Errorf("%s, token %v: %v, %s, want %s", row.story, asker.Token, got.Effect, got.Reason, want)
			}
			explains(t, p, r)
		}
		if got := p.TakesToken("app", bare); got != row.ever {
			t.Errorf("%s: TakesToken = %v, want %v", row.story, got, row.ever)
		}
	}
	// Whatever a token says that it has proved, it has not.
	p := compiled(t, one(policy.Rule{Allow: signedIn, Factors: 1}))
	if p.TakesToken("nosuch", bare) || (*policy.Policy)(nil).TakesToken("app", bare) {
		t.Error("an app that is not there takes a token")
	}
	for _, asker := range []*identity.Principal{&token, &bare} {
		r := request(t, asker, "", "GET", "ex.test/")
		r.Now, r.Reach = noon, 3
		if got := p.Decide(r); got.Effect != policy.Deny || got.Reason != policy.FewFactors {
			t.Errorf("factors, by a token: %v, %s, want few-factors and no step-up", got.Effect, got.Reason)
		}
		explains(t, p, r)
	}
}
