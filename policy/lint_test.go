package policy_test

import (
	"strings"
	"testing"
	"time"

	"gateway/policy"
)

func TestLint(t *testing.T) {
	c := policy.Config{
		Subjects: map[string]policy.Set{"crew": {Users: []string{"a"}}, "idle": {Users: []string{"b"}}, "inner": {Users: []string{"c"}}},
		RuleSets: map[string][]policy.Rule{
			"health": {{Paths: []string{"/healthz"}, Allow: everyone}, {Paths: []string{"/x"}, Allow: &policy.Subjects{Sets: []string{"inner"}}}},
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
				{Allow: signedIn, Factors: 1},
			}},
			{Name: "loose", Host: "loose.test", CaseInsensitive: true, Rules: []policy.Rule{{Paths: []string{"/A"}, Deny: true}, {Paths: []string{"/a", "/b"}, Deny: true}}},
			{Name: "open", Host: "open.test", Allow: everyone},
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
		"wrong apps.loose: loose[1]: never decides /a: loose[0] before it has all its methods there",
		"note apps.open: open[0]: open to everyone: every method of every path",
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
