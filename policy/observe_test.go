package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gateway/internal/identity"
	"gateway/policy"
)

var (
	ops   = &policy.Subjects{Groups: []string{"ops"}}
	staff = &policy.Subjects{Groups: []string{"staff"}}
)

// What is observed is decided beside, and never decides.
func TestObserve(t *testing.T) {
	tighter := policy.App{Name: "x", Host: "x.test", Rules: []policy.Rule{
		{Paths: []string{"/admin/**"}, Allow: ops, Observe: true}, {Allow: signedIn},
	}}
	whole := policy.App{Name: "x", Host: "x.test", Rules: []policy.Rule{{Paths: []string{"/open"}, Allow: everyone}, {Allow: ops}}}
	for _, row := range []struct {
		story string
		app   policy.App
		who   *identity.Principal
		path  string
		is    string
		would string
	}{
		{"a rule would refuse", tighter, bob, "/admin/x", "allow x[1]", "deny x[0]"},
		{"a rule would let in, too", tighter, alice, "/admin/x", "allow x[1]", "allow x[0]"},
		{"a rule has another path", tighter, bob, "/", "allow x[1]", "allow x[1]"},
		{"a candidate would refuse", policy.App{Name: "x", Host: "x.test", Allow: signedIn, Observe: &policy.Candidate{Allow: ops}}, bob, "/", "allow x[0]", "deny x.observe[0]"},
		{"a candidate would let in", policy.App{Name: "x", Host: "x.test", Allow: signedIn, Observe: &policy.Candidate{Rules: whole.Rules}}, nobody, "/open", "login x[0]", "allow x.observe[0]"},
		{"a candidate has no rule", policy.App{Name: "x", Host: "x.test", Allow: signedIn, Observe: &policy.Candidate{Rules: whole.Rules[:1]}}, alice, "/", "allow x[0]", "deny "},
		{"a named rule", policy.App{Name: "x", Host: "x.test", Rules: []policy.Rule{{Name: "soon", Allow: ops, Observe: true}, {Allow: signedIn}}}, bob, "/", "allow x[1]", "deny soon"},
		{"a set, all of it", policy.App{Name: "x", Host: "x.test", Rules: []policy.Rule{{Use: "set", Observe: true}, {Allow: signedIn}}}, bob, "/s", "allow x[1]", "deny x[0].set[0]"},
		{"a rule of a set", policy.App{Name: "x", Host: "x.test", Rules: []policy.Rule{{Use: "half"}, {Allow: signedIn}}}, bob, "/h", "allow x[1]", "deny x[0].half[0]"},
	} {
		c := policy.Config{Apps: []policy.App{row.app}, RuleSets: map[string][]policy.Rule{
			"set":  {{Paths: []string{"/s"}, Allow: ops}},
			"half": {{Paths: []string{"/h"}, Allow: ops, Observe: true}, {Paths: []string{"/i"}, Allow: everyone}},
		}}
		p := compiled(t, c)
		r := request(t, row.who, "", "GET", "x.test"+row.path)
		is, would := p.Decide(r), p.Observed().Decide(r)
		if got := fmt.Sprint(is.Effect, " ", is.Rule); got != row.is || !p.Observes(r.Host) {
			t.Errorf("%s: is %s, want %s", row.story, got, row.is)
		}
		if got := fmt.Sprint(would.Effect, " ", would.Rule); got != row.would {
			t.Errorf("%s: would be %s, want %s", row.story, got, row.would)
		}
		e := p.Explain(r)
		if e.Decision != is || e.Observed == nil || e.Observed.Decision != would || e.Observed.Observed != nil {
			t.Errorf("%s: explained as %+v", row.story, e)
		}
	}
}

// Another configuration is observed whole, whatever this one observes.
func TestObserveWhole(t *testing.T) {
	old := policy.Config{Apps: []policy.App{{Name: "x", Host: "x.test", Rules: []policy.Rule{{Allow: staff, Observe: true}, {Allow: signedIn}}}}}
	old.Observe = &policy.Config{Apps: []policy.App{{Name: "x", Host: "x.test", Allow: ops}, {Name: "y", Host: "y.test", Allow: everyone}}}
	p := compiled(t, old)
	for url, want := range map[string]string{"x.test/": "allow x[1], deny x[0]", "y.test/": "deny , allow y[0]"} {
		r := request(t, bob, "", "GET", url)
		is, would := p.Decide(r), p.Observed().Decide(r)
		if got := fmt.Sprintf("%v %s, %v %s", is.Effect, is.Rule, would.Effect, would.Rule); got != want || !p.Observes(r.Host) {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	if got := p.ObservedRules(); got != nil {
		t.Errorf("of another configuration, rules %v are to be tried", got)
	}
	old.Observe = &policy.Config{Apps: []policy.App{{Name: "x", Host: "x.test"}}}
	_, err := policy.New(old)
	if got := complaints(t, err); len(got) != 1 || !strings.HasPrefix(got[0], "observe: apps.x: neither allow nor rules") {
		t.Errorf("a wrong one is told as %q", got)
	}
}

// Nothing is observed where nothing says so.
func TestObserveNothing(t *testing.T) {
	p := build(t, house...)
	if p.Observed() != nil || p.Observes("grafana.example.com") || p.Editions() != nil || p.ObservedRules() != nil {
		t.Error("something is observed")
	}
	var none *policy.Policy
	if none.Observed() != nil || none.Observes("x") || none.Editions() != nil || none.ObservedRules() != nil {
		t.Error("no policy observes something")
	}
	two := compiled(t, policy.Config{Apps: []policy.App{
		{Name: "x", Hosts: []string{"x.test", "*.x.test"}, Allow: signedIn, Observe: &policy.Candidate{Allow: ops}}, {Name: "y", Host: "y.test", Allow: signedIn},
	}})
	for host, want := range map[string]bool{"x.test": true, "a.x.test": true, "y.test": false, "z.test": false} {
		if got := two.Observes(request(t, nobody, "", "GET", host+"/").Host); got != want {
			t.Errorf("%s is observed: %v, want %v", host, got, want)
		}
	}
	if e := two.Explain(request(t, nobody, "", "GET", "y.test/")); e.Observed != nil {
		t.Errorf("y is explained as %+v", e)
	}
}

// Who is only observed to be admitted is not.
func TestObservedRulesAdmitNobody(t *testing.T) {
	for _, app := range []policy.App{
		{Name: "x", Host: "x.test", Rules: []policy.Rule{{Paths: []string{"/a"}, Allow: signedIn, Observe: true}, {Allow: ops}}},
		{Name: "x", Host: "x.test", Allow: ops, Observe: &policy.Candidate{Allow: signedIn}},
		{Name: "x", Host: "x.test", Origins: []string{"local"}, Allow: ops, Observe: &policy.Candidate{Allow: signedIn}},
	} {
		p := compiled(t, policy.Config{Apps: []policy.App{app}})
		who := identity.Principal{UserID: "u", Login: "new", Origin: "local"}
		if p.CouldAdmit(who) {
			t.Errorf("%+v could admit anybody", app)
		}
		if p.TakesGuest(request(t, nobody, "", "GET", "x.test/a")) != p.TakesGuest(request(t, nobody, "", "GET", "x.test/b")) {
			t.Errorf("%+v takes guests where it is observed", app)
		}
	}
}

func TestObserveComplaints(t *testing.T) {
	for _, row := range []struct {
		story string
		app   policy.App
		want  string // none: empty
	}{
		{"a candidate that says nothing", policy.App{Allow: signedIn, Observe: &policy.Candidate{}}, "apps.x.observe: neither allow nor rules: nobody could pass"},
		{"a candidate that says two things", policy.App{Allow: signedIn, Observe: &policy.Candidate{Allow: ops, Rules: []policy.Rule{{Allow: ops}}}}, "apps.x.observe.allow: stands beside rules: make it the last rule"},
		{"a wrong rule of a candidate", policy.App{Allow: signedIn, Observe: &policy.Candidate{Rules: []policy.Rule{{Allow: ops, Paths: []string{"x"}}}}}, "apps.x.observe.rules[0].paths[0]: does not begin with a slash"},
		{"a candidate beside observed rules", policy.App{Rules: []policy.Rule{{Allow: ops, Observe: true}, {Allow: signedIn}}, Observe: &policy.Candidate{Allow: ops}}, "apps.x.observe: stands beside rules that are observed: put all of them here"},
		{"a candidate of observed rules", policy.App{Allow: signedIn, Observe: &policy.Candidate{Rules: []policy.Rule{{Allow: ops, Observe: true}}}}, "apps.x.observe.rules: one of them says observe: all of them are observed"},
		{"an observed rule after one that has all", policy.App{Rules: []policy.Rule{{Allow: signedIn}, {Allow: ops, Observe: true}}}, "apps.x.rules[1]: never decides: x[0] before it has all its methods and paths"},
		{"an observed rule before the one that it is to replace", policy.App{Rules: []policy.Rule{{Allow: ops, Observe: true}, {Allow: signedIn}}}, ""},
		{"two observed rules for the same", policy.App{Rules: []policy.Rule{{Allow: ops, Observe: true}, {Allow: staff, Observe: true}, {Allow: signedIn}}}, "apps.x.rules[1]: never decides: x[0] before it has all its methods and paths"},
		{"observed rules alone", policy.App{Rules: []policy.Rule{{Allow: ops, Observe: true}}}, ""},
	} {
		row.app.Name, row.app.Host = "x", "x.test"
		_, err := policy.New(policy.Config{Apps: []policy.App{row.app}})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.story, got, row.want)
		}
	}
}

// An app's edition changes with what its differences depend on, and with
// nothing else.
func TestEditions(t *testing.T) {
	base := func() policy.Config {
		return policy.Config{Subjects: map[string]policy.Set{"crew": {Users: []string{"a"}}}, Apps: []policy.App{
			{Name: "x", Host: "x.test", Rules: []policy.Rule{{Paths: []string{"/a"}, Allow: ops, Observe: true}, {Allow: signedIn}}},
			{Name: "y", Host: "y.test", Allow: signedIn, Observe: &policy.Candidate{Allow: ops}},
			{Name: "z", Host: "z.test", Allow: signedIn},
		}}
	}
	before := compiled(t, base()).Editions()
	if got := slices.Sorted(maps.Keys(before)); strings.Join(got, " ") != "x y" {
		t.Errorf("observed are %q", got)
	}
	for _, row := range []struct {
		story  string
		change func(*policy.Config)
		want   string
	}{
		{"nothing", func(*policy.Config) {}, ""},
		{"a real rule", func(c *policy.Config) { c.Apps[0].Rules[1].Allow = ops }, "x"},
		{"an observed rule", func(c *policy.Config) { c.Apps[0].Rules[0].Allow = staff }, "x"},
		{"a candidate", func(c *policy.Config) { c.Apps[1].Observe.Allow = staff }, "y"},
		{"another app", func(c *policy.Config) { c.Apps[2].Allow = staff }, ""},
		{"one app more", func(c *policy.Config) { c.Apps = append(c.Apps, policy.App{Name: "w", Host: "w.test", Allow: ops}) }, ""},
		{"a set of people", func(c *policy.Config) { c.Subjects["crew"] = policy.Set{Users: []string{"b"}} }, "x y"},
	} {
		c := base()
		row.change(&c)
		var changed []string
		for app, edition := range compiled(t, c).Editions() {
			if edition != before[app] {
				changed = append(changed, app)
			}
		}
		slices.Sort(changed)
		if got := strings.Join(changed, " "); got != row.want {
			t.Errorf("%s changes the editions of %q, want %q", row.story, got, row.want)
		}
	}
	whole := base()
	other := base()
	whole.Observe = &other
	if got := slices.Sorted(maps.Keys(compiled(t, whole).Editions())); strings.Join(got, ",") != ",x,y,z" {
		t.Errorf("with another configuration observed are %q", got)
	}
}

// Whatever is observed, Decide answers as the reference does, which has never
// heard of it; and what is said beside is what the reference says once it counts.
func TestDecideIsTheSameWhateverIsObserved(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 40
	}
	d := &dice{next: 0, state: [32]byte{7}}
	differ, same, told := 0, 0, 0
	for range rounds {
		apps := observing(d)
		p, err := policy.New(policy.Config{Apps: apps})
		for err != nil {
			apps = lessShadowed(t, apps, complaints(t, err))
			p, err = policy.New(policy.Config{Apps: apps})
		}
		without := withoutObserved(apps)
		bare, err := policy.New(policy.Config{Apps: without})
		if err != nil {
			t.Fatalf("%v\n%+v", err, without)
		}
		for range 60 {
			r := d.request()
			got, want := p.Decide(r), bare.Decide(r)
			if said := reference(apps).decide(r); got != said {
				t.Fatalf("Decide(%+v) = %+v, want %+v\n%+v", r, got, said, apps)
			}
			if got.Rule, want.Rule = "", ""; got != want || p.TakesGuest(r) != bare.TakesGuest(r) || r.Who != nil && p.CouldAdmit(*r.Who) != bare.CouldAdmit(*r.Who) {
				t.Fatalf("Decide(%+v) = %+v, without what is observed %+v\n%+v", r, got, want, apps)
			}
			explains(t, p, r)
			if !p.Observes(r.Host) {
				continue
			}
			would, want := p.Observed().Decide(r), reference(counting(apps)).decide(r)
			if would != want {
				t.Fatalf("beside Decide(%+v) stands %+v, want %+v\n%+v", r, would, want, apps)
			}
			explains(t, p.Observed(), r)
			if told++; would.Effect != p.Decide(r).Effect {
				differ++
			} else {
				same++
			}
		}
	}
	if differ < told/20 || same < told/20 || told == 0 {
		t.Errorf("%d differ and %d do not: the dice are loaded", differ, same)
	}
}

// observing throws apps of which something is observed.
func observing(d *dice) []policy.App {
	apps := d.apps()
	for i := range apps {
		if d.below(2) == 0 {
			for j := range apps[i].Rules {
				apps[i].Rules[j].Observe = d.below(3) == 0
			}
			continue
		}
		apps[i].Observe = &policy.Candidate{}
		for range 1 + d.below(6) {
			apps[i].Observe.Rules = append(apps[i].Observe.Rules, d.rule())
		}
	}
	return apps
}

// lessShadowed returns the apps without the last rule complained about of each list.
func lessShadowed(t *testing.T, apps []policy.App, lines []string) []policy.App {
	t.Helper()
	done := map[string]bool{}
	for _, line := range slices.Backward(lines) {
		where, _, found := strings.Cut(line, ": never decides: ")
		name, digit, _ := strings.Cut(strings.TrimPrefix(where, "apps."), "rules[")
		if !found && !strings.Contains(line, "neither allow nor rules") {
			t.Fatalf("New complains %q", line)
		}
		if done[name] || !found {
			continue
		}
		done[name] = true
		index := int(digit[0] - '0')
		for i := range apps {
			switch name {
			case apps[i].Name + ".":
				apps[i].Rules = slices.Delete(slices.Clone(apps[i].Rules), index, index+1)
			case apps[i].Name + ".observe.":
				apps[i].Observe = &policy.Candidate{Rules: slices.Delete(slices.Clone(apps[i].Observe.Rules), index, index+1)}
			}
		}
	}
	return apps
}

// withoutObserved is the same as if nobody had thought of observing.
func withoutObserved(apps []policy.App) []policy.App {
	apps = slices.Clone(apps)
	for i := range apps {
		apps[i].Observe = nil
		apps[i].Rules = slices.DeleteFunc(slices.Clone(apps[i].Rules), func(r policy.Rule) bool { return r.Observe })
		if len(apps[i].Rules) == 0 { // which decides nothing, as no rule does
			apps[i].Rules = []policy.Rule{{Paths: []string{"/never/asked/for"}, Deny: true}}
		}
	}
	return apps
}

// counting is what there would be if what is observed counted.
func counting(apps []policy.App) []policy.App {
	apps = slices.Clone(apps)
	for i := range apps {
		if c := apps[i].Observe; c != nil {
			apps[i].Rules = slices.Clone(c.Rules)
			for j := range apps[i].Rules {
				apps[i].Rules[j].Name = fmt.Sprintf("%s.observe[%d]", apps[i].Name, j)
			}
			continue
		}
		apps[i].Rules = slices.Clone(apps[i].Rules)
		for j := range apps[i].Rules {
			apps[i].Rules[j].Observe = false
		}
	}
	return apps
}
