package policy_test

import (
	"strings"
	"testing"
	"time"

	"gateway/internal/identity"
	"gateway/policy"
)

// one is a policy of one app at ex.test with these rules.
func one(rules ...policy.Rule) policy.Config {
	return policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Rules: rules}}}
}

func compiled(t testing.TB, c policy.Config) *policy.Policy {
	t.Helper()
	p, err := policy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	everyone = &policy.Subjects{Everyone: true}
	signedIn = &policy.Subjects{SignedIn: true}
)

func TestTimes(t *testing.T) {
	office := policy.Time{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "08:00", To: "18:00", Zone: "Europe/Berlin"}
	night := policy.Time{Days: []string{"fri"}, From: "22:00", To: "06:00", Zone: "Europe/Berlin"}
	small := policy.Time{From: "02:15", To: "02:45", Zone: "Europe/Berlin"}
	for _, row := range []struct {
		story string
		times []policy.Time
		now   string
		want  policy.Effect
	}{
		{"a Monday morning", []policy.Time{office}, "2026-11-23T08:00:00+01:00", policy.Allow},
		{"a second before", []policy.Time{office}, "2026-11-23T07:59:59+01:00", policy.Deny},
		{"to is no more included", []policy.Time{office}, "2026-11-23T18:00:00+01:00", policy.Deny},
		{"a second before that", []policy.Time{office}, "2026-11-23T17:59:59+01:00", policy.Allow},
		{"a Sunday", []policy.Time{office}, "2026-11-22T12:00:00+01:00", policy.Deny},
		{"Monday in Berlin, Sunday in New York", []policy.Time{{Days: []string{"mon"}, Zone: "Europe/Berlin"}}, "2026-11-22T20:00:00-05:00", policy.Allow},
		{"summer time counts", []policy.Time{office}, "2026-07-06T06:00:00Z", policy.Allow},
		{"and winter time", []policy.Time{office}, "2026-11-23T06:30:00Z", policy.Deny},
		{"a Friday night", []policy.Time{night}, "2026-11-27T23:00:00+01:00", policy.Allow},
		{"goes on into Saturday", []policy.Time{night}, "2026-11-28T05:59:00+01:00", policy.Allow},
		{"and ends there", []policy.Time{night}, "2026-11-28T06:00:00+01:00", policy.Deny},
		{"not from Thursday", []policy.Time{night}, "2026-11-27T05:00:00+01:00", policy.Deny},
		{"nor on Saturday night", []policy.Time{night}, "2026-11-28T23:00:00+01:00", policy.Deny},
		{"one of two", []policy.Time{office, night}, "2026-11-28T00:00:00+01:00", policy.Allow},
		{"until the end of the day", []policy.Time{{From: "20:00", To: "24:00", Zone: "UTC"}}, "2026-11-23T23:59:59Z", policy.Allow},
		{"midnight is the next day", []policy.Time{{From: "20:00", To: "24:00", Zone: "UTC"}}, "2026-11-24T00:00:00Z", policy.Deny},
		{"until midnight, from later", []policy.Time{{From: "20:00", To: "00:00", Zone: "UTC"}}, "2026-11-23T23:59:59Z", policy.Allow},
		{"an hour that clocks skip", []policy.Time{small}, "2026-03-29T01:20:00Z", policy.Deny},
		{"an hour that they show twice, first", []policy.Time{small}, "2026-10-25T00:30:00Z", policy.Allow},
		{"and again", []policy.Time{small}, "2026-10-25T01:30:00Z", policy.Allow},
		{"nobody knows when", []policy.Time{office, night}, "0001-01-01T00:00:00Z", policy.Deny},
	} {
		p := compiled(t, one(policy.Rule{Allow: everyone, Times: row.times}))
		now, err := time.Parse(time.RFC3339, row.now)
		if err != nil {
			t.Fatal(err)
		}
		r := request(t, nobody, "", "GET", "ex.test/")
		r.Now = now
		if got := p.Decide(r).Effect; got != row.want {
			t.Errorf("%s: %v, want %v", row.story, got, row.want)
		}
	}
}

func TestWhen(t *testing.T) {
	who := &identity.Principal{
		UserID: "u1", Login: "alice", Name: "Alice A", Email: "alice@ex.test", EmailVerified: true, Groups: []string{"ops", "team-red"},
		Origin: "corp", AMR: []string{"fed", "otp"}, AuthTime: noon.Add(-10 * time.Minute),
	}
	for _, row := range []struct {
		when             string
		someone, nothing policy.Reason // what alice gets, and nobody
	}{
		{`user.login == "alice" && user.id == "u1" && user.name.startsWith("Alice")`, policy.Allowed, policy.NotTrue},
		{`user.email_verified && user.email.endsWith("@ex.test")`, policy.Allowed, policy.NotTrue},
		{`"ops" in user.groups`, policy.Allowed, policy.NotTrue},
		{`user.groups.exists(g, g.startsWith("team-") && request.path.startsWith("/" + g.substring(5)))`, "", ""},
		{`user.groups.exists(g, "/" + g == request.path)`, policy.Allowed, policy.NotTrue},
		{`user.groups.exists(g, g.matches("^team-(red|blue)$"))`, policy.Allowed, policy.NotTrue},
		{`session.origin == "corp" && "otp" in session.factors`, policy.Allowed, policy.NotTrue},
		{`now - session.auth_time < duration("15m")`, policy.Allowed, policy.CannotTell},
		{`now - session.auth_time < duration("5m")`, policy.NotTrue, policy.CannotTell},
		{`request.method == "GET" && request.host == "ex.test" && request.path == "/team-red" && request.client == "192.0.2.7"`, policy.Allowed, policy.Allowed},
		{`now.getHours() == 12 && now > timestamp("2026-01-01T00:00:00Z")`, policy.Allowed, policy.Allowed},
		{`now.getDayOfWeek() == 2`, policy.NotTrue, policy.NotTrue},
		{`int(user.login) == 1`, policy.CannotTell, policy.CannotTell},
		{`1 / size(request.path) > 0 || request.path.size() / (size(user.groups) - 2) > 0`, policy.CannotTell, policy.NotTrue},
	} {
		p, err := policy.New(one(policy.Rule{Allow: everyone, When: row.when}))
		if row.someone == "" {
			if err == nil {
				t.Errorf("%s compiles", row.when)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", row.when, err)
			continue
		}
		for _, side := range []struct {
			who  *identity.Principal
			want policy.Reason
		}{{who, row.someone}, {nobody, row.nothing}} {
			r := request(t, side.who, "192.0.2.7", "GET", "ex.test/team-red")
			r.Now = noon
			got := p.Decide(r)
			if got.Reason != side.want || (got.Effect == policy.Allow) != (side.want == policy.Allowed) {
				t.Errorf("%s, as %v: %v, %s, want %s", row.when, side.who, got.Effect, got.Reason, side.want)
			}
			explains(t, p, r)
		}
	}
}

// What is more than an expression was judged for is an error, and refuses.
func TestWhenIsBounded(t *testing.T) {
	many := make([]string, 501)
	for i := range many {
		many[i] = "g"
	}
	for _, row := range []struct {
		story, when string
		who         identity.Principal
		want        policy.Reason
	}{
		{"as many groups as there may be", `"g" in user.groups`, identity.Principal{Groups: many[:500]}, policy.Allowed},
		{"one more", `"g" in user.groups`, identity.Principal{Groups: many}, policy.CannotTell},
		{"one more, where nobody looks", `user.login == "x"`, identity.Principal{Login: "x", Groups: many}, policy.Allowed},
		{"a long group", `!("g" in user.groups)`, identity.Principal{Groups: []string{strings.Repeat("g", 256)}}, policy.CannotTell},
		{"a long login", `user.login != "x"`, identity.Principal{Login: strings.Repeat("x", 256)}, policy.CannotTell},
		{"a long name", `user.name != "x"`, identity.Principal{Name: strings.Repeat("x", 1024)}, policy.Allowed},
		{"too long a name", `user.name != "x"`, identity.Principal{Name: strings.Repeat("x", 1025)}, policy.CannotTell},
		{"too long a name beside what is true", `request.method == "GET" || user.name != "x"`, identity.Principal{Name: strings.Repeat("x", 1025)}, policy.Allowed},
		{"factors", `size(session.factors) > 0`, identity.Principal{AMR: many}, policy.CannotTell},
	} {
		p := compiled(t, one(policy.Rule{Allow: everyone, When: row.when}))
		row.who.UserID = "u"
		r := request(t, &row.who, "", "GET", "ex.test/")
		if got := p.Decide(r); got.Reason != policy.CannotTell {
			t.Errorf("%s, at no moment: %s, want %s", row.story, got.Reason, policy.CannotTell)
		}
		r.Now = noon
		if got := p.Decide(r); got.Reason != row.want {
			t.Errorf("%s: %s, want %s", row.story, got.Reason, row.want)
		}
	}
}

func TestStepUp(t *testing.T) {
	with := func(amr string, ago time.Duration) *identity.Principal {
		return &identity.Principal{UserID: "u", Login: "x", AMR: strings.Fields(amr), AuthTime: noon.Add(-ago)}
	}
	two, recent := policy.Rule{Allow: signedIn, Factors: 2}, policy.Rule{Allow: signedIn, MaxAge: 15 * time.Minute}
	both := policy.Rule{Allow: signedIn, Factors: 2, MaxAge: 15 * time.Minute}
	for _, row := range []struct {
		story  string
		rule   policy.Rule
		who    *identity.Principal
		reach  int
		want   policy.Effect
		reason policy.Reason
	}{
		{"two of two", two, with("pwd otp", 0), 0, policy.Allow, policy.Allowed},
		{"a recovery code is a one-time password", two, with("pwd recovery", 0), 0, policy.Allow, policy.Allowed},
		{"and no third beside one", policy.Rule{Allow: signedIn, Factors: 3}, with("pwd recovery otp", 0), 2, policy.Deny, policy.FewFactors},
		{"a passkey is two", two, with("passkey", 0), 0, policy.Allow, policy.Allowed},
		{"one, and nothing more to bring", two, with("pwd", 0), 1, policy.Deny, policy.FewFactors},
		{"one, and another to bring", two, with("pwd", 0), 2, policy.StepUp, policy.FewFactors},
		{"two doors are one factor", two, with("pwd fed", 0), 0, policy.Deny, policy.FewFactors},
		{"twice the same is one", two, with("pwd pwd", 0), 0, policy.Deny, policy.FewFactors},
		{"what is unknown is none", two, with("pwd face", 0), 0, policy.Deny, policy.FewFactors},
		{"nobody is asked to sign in", two, nil, 2, policy.Login, policy.SignIn},
		{"recent", recent, with("pwd", 15*time.Minute), 0, policy.Allow, policy.Allowed},
		{"not recent", recent, with("pwd", 16*time.Minute), 1, policy.StepUp, policy.TooLongAgo},
		{"not recent, and no way to prove again", recent, with("pwd", 16*time.Minute), 0, policy.Deny, policy.TooLongAgo},
		{"a clock that is a little off", recent, with("pwd", -time.Minute), 0, policy.Allow, policy.Allowed},
		{"a proof from the future is none", recent, with("pwd", -time.Hour), 1, policy.StepUp, policy.TooLongAgo},
		{"recent, one factor of two", both, with("pwd", 0), 2, policy.StepUp, policy.FewFactors},
		{"two factors, not recent, and one to bring", both, with("pwd otp", time.Hour), 1, policy.Deny, policy.TooLongAgo},
		{"two factors, not recent", both, with("pwd otp", time.Hour), 2, policy.StepUp, policy.TooLongAgo},
		{"everyone with factors is a person", policy.Rule{Allow: everyone, Factors: 1}, nil, 0, policy.Login, policy.SignIn},
		{"whom the rule does not admit, proves nothing", policy.Rule{Allow: &policy.Subjects{Users: []string{"y"}}, Factors: 2}, with("pwd", 0), 2, policy.Deny, policy.NotListed},
		{"nor where something else is false", policy.Rule{Allow: signedIn, Factors: 2, When: `user.login == "y"`}, with("pwd", 0), 2, policy.Deny, policy.NotTrue},
	} {
		p := compiled(t, one(row.rule))
		r := request(t, row.who, "", "GET", "ex.test/")
		r.Now, r.Reach = noon, row.reach
		got := p.Decide(r)
		if got.Effect != row.want || got.Reason != row.reason {
			t.Errorf("%s: %v, %s, want %v, %s", row.story, got.Effect, got.Reason, row.want, row.reason)
		}
		explains(t, p, r)
	}
	p := compiled(t, one(recent))
	r := request(t, with("pwd", 0), "", "GET", "ex.test/")
	r.Reach = 1
	if got := p.Decide(r); got.Effect != policy.StepUp {
		t.Errorf("at no moment: %v, want step-up", got.Effect)
	}
}

func TestSets(t *testing.T) {
	c := policy.Config{
		Subjects: map[string]policy.Set{
			"crew":  {Groups: []string{"ops"}, Users: []string{"carol"}},
			"house": {Networks: []string{"192.0.2.0/24"}},
		},
		RuleSets: map[string][]policy.Rule{
			"health": {
				{Paths: []string{"/healthz"}, Allow: everyone},
				{Name: "figures", Paths: []string{"/Metrics"}, Allow: &policy.Subjects{Sets: []string{"house"}}},
				{Paths: []string{"/debug/**"}, Deny: true},
			},
		},
		Apps: []policy.App{
			{Name: "wiki", Host: "wiki.test", Rules: []policy.Rule{
				{Paths: []string{"/debug/vars"}, Allow: signedIn},
				{Use: "health"},
				{Allow: &policy.Subjects{Sets: []string{"crew", "house"}, Groups: []string{"staff"}}},
			}},
			{Name: "loose", Host: "loose.test", CaseInsensitive: true, Rules: []policy.Rule{{Use: "health"}, {Allow: signedIn}}},
			{Name: "corp", Host: "corp.test", Origins: []string{"corp"}, Allow: &policy.Subjects{Users: []string{"dora"}, EmailDomains: []string{"ex.test"}}},
		},
	}
	p := compiled(t, c)
	carol := &identity.Principal{UserID: "c", Login: "carol", Origin: "local"}
	for _, row := range []struct {
		who         *identity.Principal
		client, url string
		rule        string
		want        policy.Effect
	}{
		{nobody, "", "wiki.test/healthz", "wiki[1].health[0]", policy.Allow},
		{nobody, "192.0.2.9", "wiki.test/Metrics", "figures", policy.Allow},
		{nobody, "", "wiki.test/Metrics", "figures", policy.Deny},
		{bob, "", "wiki.test/debug/vars", "wiki[0]", policy.Allow},
		{bob, "", "wiki.test/debug/x", "wiki[1].health[2]", policy.Deny},
		{alice, "", "wiki.test/x", "wiki[2]", policy.Allow},
		{carol, "", "wiki.test/x", "wiki[2]", policy.Allow},
		{eve, "", "wiki.test/x", "wiki[2]", policy.Deny},
		{nobody, "", "wiki.test/x", "wiki[2]", policy.Login},
		{nobody, "192.0.2.9", "wiki.test/x", "wiki[2]", policy.Allow},
		{nobody, "", "wiki.test/HEALTHZ", "wiki[2]", policy.Login},
		{nobody, "", "loose.test/HEALTHZ", "loose[0].health[0]", policy.Allow},
		{nobody, "192.0.2.9", "loose.test/metrics", "figures", policy.Allow},
		{nobody, "", "loose.test/Debug/X", "loose[0].health[2]", policy.Deny},
		{alice, "", "corp.test/", "corp[0]", policy.Deny},
		{eve, "", "corp.test/", "corp[0]", policy.Deny},
		{&identity.Principal{UserID: "d", Login: "dora", Origin: "corp"}, "", "corp.test/", "corp[0]", policy.Allow},
		{&identity.Principal{UserID: "d", Login: "dora", Origin: "local"}, "", "corp.test/", "corp[0]", policy.Deny},
		{nobody, "", "corp.test/", "corp[0]", policy.Login},
	} {
		r := request(t, row.who, row.client, "GET", row.url)
		if got := p.Decide(r); got.Effect != row.want || got.Rule != row.rule {
			t.Errorf("%s as %v from %q: %v by %s, want %v by %s", row.url, row.who, row.client, got.Effect, got.Rule, row.want, row.rule)
		}
		explains(t, p, r)
	}
	for _, row := range []struct {
		who  identity.Principal
		want bool
	}{{*alice, true}, {*bob, true}, {*carol, true}, {identity.Principal{Login: "dora", Origin: "corp"}, true}, {identity.Principal{Login: "dora", Origin: "local"}, true}} {
		if got := p.CouldAdmit(row.who); got != row.want { // loose admits any person
			t.Errorf("CouldAdmit(%+v) = %v, want %v", row.who, got, row.want)
		}
	}
	c.Apps = c.Apps[2:]
	p = compiled(t, c)
	for login, want := range map[string]bool{"dora": true, "carol": false} {
		if got := p.CouldAdmit(identity.Principal{Login: login, Origin: "corp"}); got != want {
			t.Errorf("CouldAdmit(%s through corp) = %v, want %v", login, got, want)
		}
		if p.CouldAdmit(identity.Principal{Login: login, Origin: "local"}) {
			t.Errorf("CouldAdmit(%s through local), and the app takes corp alone", login)
		}
	}
	if got, want := len(p.Rules()), 1; got != want {
		t.Errorf("Rules names %d rules, want %d", got, want)
	}
}

func TestCaseInsensitive(t *testing.T) {
	rules := []policy.Rule{{Paths: []string{"/Admin/**", "/straße/é"}, Deny: true}, {Allow: everyone}}
	for _, row := range []struct {
		path              string
		exact, regardless policy.Effect
	}{
		{"/Admin/x", policy.Deny, policy.Deny},
		{"/ADMIN/", policy.Allow, policy.Deny},
		{"/admin", policy.Allow, policy.Deny},
		{"/admins", policy.Allow, policy.Allow},
		{"/STRAẞE/É", policy.Allow, policy.Deny},
		{"/adm%C4%B1n/", policy.Allow, policy.Deny}, // dotless i
		{"/ADM%C4%B0N/", policy.Allow, policy.Deny}, // dotted I
		{"/%C5%BFtatic", policy.Allow, policy.Deny}, // long s
		{"/%E2%84%AA", policy.Allow, policy.Deny},   // Kelvin sign
		{"/K%C3%84SE", policy.Allow, policy.Allow},
	} {
		for fold, want := range map[bool]policy.Effect{false: row.exact, true: row.regardless} {
			p := compiled(t, policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Rules: rules, CaseInsensitive: fold}}})
			r := request(t, nobody, "", "GET", "ex.test"+strings.ReplaceAll(strings.ReplaceAll(row.path, "ẞ", "%E1%BA%9E"), "É", "%C3%89"))
			if got := p.Decide(r).Effect; got != want {
				t.Errorf("%s, regardless of case %v: %v, want %v", row.path, fold, got, want)
			}
			explains(t, p, r)
		}
	}
}

func TestComplaintsOfTheLanguage(t *testing.T) {
	zone := "UTC"
	day := func(days ...string) policy.Config {
		return one(policy.Rule{Allow: everyone, Times: []policy.Time{{Days: append([]string{}, days...), Zone: zone}}})
	}
	at := func(from, to, zone string) policy.Config {
		return one(policy.Rule{Allow: everyone, Times: []policy.Time{{From: from, To: to, Zone: zone}}})
	}
	when := func(text string) policy.Config { return one(policy.Rule{Allow: everyone, When: text}) }
	crew := map[string]policy.Set{"crew": {Groups: []string{"ops"}}}
	set := func(rules ...policy.Rule) map[string][]policy.Rule { return map[string][]policy.Rule{"set": rules} }
	using := []policy.App{{Name: "app", Host: "ex.test", Rules: []policy.Rule{{Use: "set"}}}}
	for _, row := range []struct {
		story string
		c     policy.Config
		want  string
	}{
		{"no days", day(), "app.rules[0].times[0].days: is empty"},
		{"a day", day("Monday"), "app.rules[0].times[0].days[0]: must be one of mon"},
		{"no windows", one(policy.Rule{Allow: everyone, Times: []policy.Time{}}), "app.rules[0].times: is empty"},
		{"an hour", at("8:00", "", zone), "app.rules[0].times[0].from: must be a time of the day"},
		{"24:01", at("08:00", "24:01", zone), "app.rules[0].times[0].to: must be a time of the day"},
		{"from the end", at("24:00", "08:00", zone), "app.rules[0].times[0].from: is the end of the day"},
		{"no time at all", at("08:00", "08:00", zone), "app.rules[0].times[0].to: is from"},
		{"always", at("", "", zone), "app.rules[0].times[0]: is every day and all day"},
		{"no zone", at("08:00", "", ""), "app.rules[0].times[0].zone: missing"},
		{"the machine's zone", at("08:00", "", "Local"), "app.rules[0].times[0].zone: is no zone"},
		{"a zone that is none", at("08:00", "", "Europe/Nowhere"), "app.rules[0].times[0].zone: is no zone"},
		{"a zone that is a file", at("08:00", "", "../etc/passwd"), "app.rules[0].times[0].zone: is no zone"},
		{"too many factors", one(policy.Rule{Allow: everyone, Factors: 4}), "app.rules[0].factors: must be from 1 to 3"},
		{"fewer than none", one(policy.Rule{Allow: everyone, Factors: -1, MaxAge: -1}), "app.rules[0].factors: must be from 1 to 3\napp.rules[0].max_age: must be longer"},
		{"tokens of another word", one(policy.Rule{Allow: everyone, Tokens: "deny"}), "app.rules[0].tokens: must be allow or refuse"},
		{"deny and conditions", one(policy.Rule{Deny: true, Factors: 1, MaxAge: 1, When: "true", Tokens: policy.RefuseTokens, Times: []policy.Time{{From: "01:00", Zone: zone}}}), "app.rules[0].times: stands beside deny\napp.rules[0].factors: stands beside deny\napp.rules[0].max_age: stands beside deny\napp.rules[0].when: stands beside deny\napp.rules[0].tokens: stands beside deny"},
		{"a word that is not there", when(`user.nosuch == ""`), "app.rules[0].when: column 1: undeclared reference to 'user'"},
		{"types", when(`user.groups == "ops"`), "app.rules[0].when: column 13: found no matching overload"},
		{"no answer", when(`user.login`), "app.rules[0].when: says string, not true or false"},
		{"an answer that could be anything", when(`dyn(user.login)`), "app.rules[0].when: says dyn, not true or false"},
		{"syntax", when(`user.login ==`), "app.rules[0].when: column 14: Syntax error"},
		{"a broken pattern", when(`request.path.matches("(")`), "app.rules[0].when: column 22: invalid matches argument"},
		{"a broken duration", when(`now - session.auth_time < duration("15")`), "app.rules[0].when: column 36: invalid duration argument"},
		{"everything with everything", when(`user.groups.all(g, user.groups.exists(h, h == g))`), "app.rules[0].when: could cost 8002502, more than 500000"},
		{"a zone of its own", when(`now.getHours("Europe/Berlin") < 18`), "app.rules[0].when: reads a clock in a zone"},
		{"deep", when(strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300)), "app.rules[0].when: column"},
		{"long", when(strings.Repeat("true && ", 2000) + "true"), "app.rules[0].when: column"},
		{"no set of people", policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Allow: &policy.Subjects{Sets: []string{"crew"}}}}}, "app.allow.subjects[0]: no such set"},
		{"an empty list of sets", policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Allow: &policy.Subjects{Users: []string{"a"}, Sets: []string{}}}}}, "app.allow.subjects: is empty"},
		{"a set of nobody", policy.Config{Subjects: map[string]policy.Set{"none": {}}}, "subjects.none: admits nobody"},
		{"a set's name", policy.Config{Subjects: map[string]policy.Set{"a b": crew["crew"]}}, `subjects: "a b" is no name`},
		{"a set's group", policy.Config{Subjects: map[string]policy.Set{"a": {Groups: []string{"a,b"}}}}, "subjects.a.groups[0]: not a group"},
		{"no set of rules", policy.Config{Apps: using}, "app.rules[0].use: no such set"},
		{"an empty set of rules", policy.Config{RuleSets: set()}, "rule_sets.set: is empty"},
		{"a set that uses another", policy.Config{RuleSets: set(policy.Rule{Use: "other"})}, "rule_sets.set[0].use: a set uses no sets"},
		{"a rule of a set", policy.Config{RuleSets: set(policy.Rule{Paths: []string{"x"}}), Apps: using}, "rule_sets.set[0].paths[0]: does not begin\nrule_sets.set[0]: neither allow nor deny"},
		{"use and more", policy.Config{RuleSets: set(policy.Rule{Deny: true}), Apps: []policy.App{{Name: "app", Host: "ex.test", Rules: []policy.Rule{{Use: "set", Paths: []string{"/"}}}}}}, "app.rules[0].use: stands beside other keys"},
		{"a set that never decides", policy.Config{RuleSets: set(policy.Rule{Paths: []string{"/a"}, Deny: true}), Apps: []policy.App{{Name: "app", Host: "ex.test", Rules: []policy.Rule{{Allow: everyone}, {Use: "set"}}}}}, "app.rules[1]: never decides: app[0] before it"},
		{"a set twice", policy.Config{RuleSets: set(policy.Rule{Name: "x", Paths: []string{"/a"}, Deny: true}), Apps: []policy.App{{Name: "app", Host: "ex.test", Rules: []policy.Rule{{Use: "set"}, {Use: "set"}}}}}, "app.rules[1].use: two rules have the name\napp.rules[1]: never decides: x before it"},
		{"no origins", policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Allow: signedIn, Origins: []string{}}}}, "app.origins: is empty"},
		{"an origin", policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Allow: signedIn, Origins: []string{"Corp"}}}}, "app.origins[0]: not the id"},
		{"a letter of many cases", policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", CaseInsensitive: true, Rules: []policy.Rule{{Paths: []string{"/adm\u0131n"}, Deny: true}}}}}, "app.rules[0].paths[0]: a path has a letter"},
		{"a letter of many cases in a set", policy.Config{RuleSets: set(policy.Rule{Paths: []string{"/\u212A"}, Deny: true}), Apps: []policy.App{{Name: "app", Host: "ex.test", CaseInsensitive: true, Rules: []policy.Rule{{Use: "set"}}}}}, "app.rules[0].use: a path has a letter"},
		{"the same but for the case", policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", CaseInsensitive: true, Rules: []policy.Rule{{Paths: []string{"/A"}, Deny: true}, {Paths: []string{"/a"}, Deny: true}}}}}, "app.rules[1]: never decides: app[0] before it"},
	} {
		_, err := policy.New(row.c)
		got := complaints(t, err)
		want := strings.Split(row.want, "\n")
		if len(got) != len(want) {
			t.Errorf("%s: New complains\n%s\nwant\n%s", row.story, strings.Join(got, "\n"), row.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(strings.TrimPrefix(got[i], "apps."), want[i]) {
				t.Errorf("%s: New complains %q, want %q", row.story, got[i], want[i])
			}
		}
	}
}
