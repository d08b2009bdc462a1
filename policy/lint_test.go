package policy_test

import (
	"strings"
	"testing"
	"time"

	"gateway/policy"
)

func TestLint(t *testing.T) {
	c := policy.Config{
		Subjects: map[string]policy.Set{"crew": {Users: []string{"a"}}, "idle": {Users: []string{"b"}}, "inner": {Users: []string{"c"}}, "hers": {Users: []string{"d"}}},
		RuleSets: map[string][]policy.Rule{
			"health": {{Paths: []string{"/healthz"}, Allow: everyone}, {Paths: []string{"/x"}, Allow: &policy.Subjects{Sets: []string{"inner"}}}},
			"later":  {{Paths: []string{"/c"}, Allow: everyone, Observe: true}},
			"last":   {{Paths: []string{"/d", "/a"}, Allow: everyone}},
			"spare":  {{Paths: []string{"/y"}, Deny: true}},
		},
		Apps: []policy.App{
			{Name: "app", Host: "ex.test", Rules: []policy.Rule{
				{Paths: []string{"/healthz"}, Methods: []string{"GET"}, Deny: true},
				{Paths: []string{"/healthz"}, Methods: []string{"POST"}, Deny: true},
				{Use: "health"},
				{Paths: []string{"/two"}, Allow: signedIn, Factors: 2},
				{Paths: []string{"/a", "/x", "/healthz"}, Allow: &policy.Subjects{Sets: []string{"crew"}}},
				{Paths: []string{"/b"}, Allow: everyone, MaxAge: time.Hour},
				{Paths: []string{"/c"}, Allow: everyone, When: `request.client != ""`},
				{Paths: []string{"/d"}, Allow: signedIn, Tokens: policy.AllowTokens},
				{Paths: []string{"/e"}, Allow: signedIn, Factors: 2, Tokens: policy.AllowTokens},
				{Paths: []string{"/f"}, Allow: signedIn, MaxAge: time.Hour, Tokens: policy.AllowTokens},
				{Paths: []string{"/g"}, Allow: signedIn, MaxAge: 5*time.Second - 1},
				{Paths: []string{"/h"}, Allow: signedIn, MaxAge: 5 * time.Second},
				{Allow: signedIn, Factors: 1, Tokens: policy.RefuseTokens},
			}},
			{Name: "loose", Host: "loose.test", CaseInsensitive: true, Rules: []policy.Rule{{Paths: []string{"/A"}, Deny: true}, {Paths: []string{"/a", "/b"}, Deny: true}}},
			{Name: "open", Host: "open.test", Allow: everyone},
			{Name: "soon", Host: "soon.test", Rules: []policy.Rule{
				{Paths: []string{"/a"}, Deny: true}, {Paths: []string{"/a", "/b"}, Allow: everyone, Observe: true}, {Paths: []string{"/b"}, Allow: signedIn}, {Use: "later"},
			}},
			{Name: "other", Host: "other.test", Allow: signedIn, Observe: &policy.Candidate{Rules: []policy.Rule{{Paths: []string{"/a"}, Deny: true}, {Use: "last"}, {Allow: &policy.Subjects{Sets: []string{"hers"}}}}}},
		},
	}
	remarks, err := policy.Lint(c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range remarks {
		sign := "note "
		if r.Wrong {
			sign = "wrong "
		}
		got = append(got, sign+r.Path+": "+r.Message)
	}
	want := []string{
		"note apps.app: app[2].health[0]: open to everyone: every method of /healthz",
		"wrong apps.app: app[3]: asks for 2 factors, and there is no second one yet that people could prove: admits nobody",
		"wrong apps.app: app[4]: never decides /x: app[2].health[1] before it has all its methods there",
		"wrong apps.app: app[4]: never decides /healthz: app[0], app[1], app[2].health[0] before it has all its methods there",
		"wrong apps.app: app[7]: tokens: allow says nothing without factors or max_age: app tokens pass as the person they are of",
		"wrong apps.app: app[8]: asks for 2 factors, and there is no second one yet that people could prove: admits app tokens alone",
		"wrong apps.app: app[10]: asks for a proof within 4.999999999s, which is over before anybody is back from it: admits nobody",
		"wrong apps.loose: loose[1]: never decides /a: loose[0] before it has all its methods there",
		"note apps.open: open[0]: open to everyone: every method of every path",
		"wrong apps.soon: soon[1]: never decides /a: soon[0] before it has all its methods there",
		"note apps.soon: soon[1]: is only observed",
		"note apps.soon: soon[2]: would decide nothing any more if what is only observed counted: soon[1] before it",
		"note apps.soon: soon[3].later[0]: is only observed",
		"note apps.other: other.observe[0]: is only observed",
		"wrong apps.other: other.observe[1].last[0]: never decides /a: other.observe[0] before it has all its methods there",
		"note apps.other: other.observe[1].last[0]: is only observed",
		"note apps.other: other.observe[2]: is only observed",
		"wrong subjects.idle: no rule names this set",
		"wrong rule_sets.spare: no app uses this set",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("Lint remarks\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if remarks, err := policy.Lint(policy.Config{Apps: []policy.App{{Name: "x"}}}); err == nil || remarks != nil {
		t.Errorf("Lint of what New refuses = %v, %v", remarks, err)
	}
}
