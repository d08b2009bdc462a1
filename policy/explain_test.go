package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gateway/internal/identity"
	"gateway/policy"
)

func TestExplain(t *testing.T) {
	p := build(t, house...)
	for _, row := range []struct {
		story       string
		who         *identity.Principal
		client      string
		method, url string
		want        string // the looks, each with the findings that do not hold
		needs       string
	}{
		{"allowed by the first rule", nobody, "", "GET", "grafana.example.com/public/x", "grafana[0]!", ""},
		{"refused by the second", bob, "", "GET", "grafana.example.com/admin/x", "grafana[0] paths; grafana[1]! allow.groups", "allow.groups: ops"},
		{"asked to sign in", nobody, "", "GET", "grafana.example.com/admin/x", "grafana[0] paths; grafana[1]! allow.groups", "somebody who signs in and meets allow.groups: ops"},
		{"denied", alice, "", "POST", "grafana.example.com/metrics", "grafana[0] paths; grafana[1] paths; grafana[2] methods; metrics are read only! deny", "a rule before metrics are read only, since it refuses everybody"},
		{"from elsewhere", bob, "10.0.0.1", "GET", "grafana.example.com/lan/x", "grafana[0] paths; grafana[1] paths; grafana[2] paths; metrics are read only paths; grafana[4]! networks", "networks: 127.0.0.1, 192.168.0.0/16"},
		{"one list is enough", alice, "", "GET", "grafana.example.com/either", "grafana[0] paths; grafana[1] paths; grafana[2] paths; metrics are read only paths; grafana[4] paths; grafana[5]! allow.networks", ""},
		{"either would do", bob, "", "GET", "grafana.example.com/either", "grafana[0] paths; grafana[1] paths; grafana[2] paths; metrics are read only paths; grafana[4] paths; grafana[5]! allow.groups allow.networks", "allow.groups: ops or allow.networks: 10.0.0.0/8"},
		{"no rule", alice, "", "PATCH", "half.example.com/page", "half[0] methods; half[1] methods", "a rule of half that has PATCH /page"},
		{"no app", alice, "", "GET", "nowhere.example.com/", "", "an app that has the host nowhere.example.com"},
	} {
		e := p.Explain(request(t, row.who, row.client, row.method, row.url))
		var looks []string
		for _, l := range e.Rules {
			look := l.Rule
			if l.Decides {
				look += "!"
			}
			for _, f := range l.Findings {
				if !f.Holds {
					look += " " + f.About
				}
			}
			looks = append(looks, look)
		}
		if got := strings.Join(looks, "; "); got != row.want {
			t.Errorf("%s: looked at %q, want %q", row.story, got, row.want)
		}
		if got := strings.Join(e.Needs, "; "); got != row.needs {
			t.Errorf("%s: needs %q, want %q", row.story, got, row.needs)
		}
	}
}

// conclusion is what a reader of an explanation would say that the answer is,
// and by which rule.
func conclusion(e policy.Explanation, r policy.Request) (effect policy.Effect, rule string) {
	if len(e.Rules) == 0 || !e.Rules[len(e.Rules)-1].Decides {
		return policy.Deny, ""
	}
	l := e.Rules[len(e.Rules)-1]
	people, admitted, proved, asked := false, false, true, 1
	for _, f := range l.Findings {
		switch {
		case f.Admits():
			admitted = admitted || f.Holds
			people = people || !strings.HasSuffix(f.About, ".networks") && f.Has == "nobody signed in"
		case f.About == "factors", f.About == "max_age":
			if proved = proved && f.Holds; f.About == "factors" {
				asked = int(f.Wants[0] - '0')
			}
		case !f.Holds:
			return policy.Deny, l.Rule
		}
	}
	nobody := r.Who == nil || r.Who.Login+r.Who.UserID == ""
	switch {
	case admitted && proved:
		return policy.Allow, l.Rule
	case nobody && (people || admitted):
		return policy.Login, l.Rule
	case admitted && !nobody && r.Reach >= asked:
		return policy.StepUp, l.Rule
	}
	return policy.Deny, l.Rule
}

// explains checks that whoever reads the explanation of a request comes to the
// decision that was made about it.
func explains(t *testing.T, p *policy.Policy, r policy.Request) {
	t.Helper()
	e := p.Explain(r)
	if got := p.Decide(r); e.Decision != got {
		t.Fatalf("Explain(%+v) says %+v, Decide %+v", r, e.Decision, got)
	}
	if effect, rule := conclusion(e, r); effect != e.Effect || rule != e.Rule {
		t.Fatalf("Explain(%+v) reads as %v by %q, but is %+v\n%s", r, effect, rule, e.Decision, fmt.Sprintf("%+v", e.Rules))
	}
	if (len(e.Needs) == 0) != (e.Effect == policy.Allow) {
		t.Fatalf("Explain(%+v) is %v and needs %q", r, e.Effect, e.Needs)
	}
	if i := slices.IndexFunc(e.Rules, func(l policy.Look) bool { return l.Decides }); i >= 0 && i != len(e.Rules)-1 {
		t.Fatalf("Explain(%+v): rule %d decides, and more were looked at", r, i)
	}
}
