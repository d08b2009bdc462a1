package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"gateway/policy"
)

// complaints returns the lines of an error of New.
func complaints(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not joined", err)
	}
	var lines []string
	for _, e := range joined.Unwrap() {
		if complaint := (*policy.Complaint)(nil); !errors.As(e, &complaint) || complaint.Path == "" || complaint.Message == "" {
			t.Errorf("%v is no complaint with path and message", e)
		}
		lines = append(lines, e.Error())
	}
	return lines
}

func TestComplaints(t *testing.T) {
	everyone, ops := &policy.Subjects{Everyone: true}, &policy.Subjects{Groups: []string{"ops"}}
	rules := func(rules ...policy.Rule) []policy.App {
		return []policy.App{{Name: "a", Host: "a.test", Rules: rules}}
	}
	allow := func(s policy.Subjects) []policy.App {
		return []policy.App{{Name: "a", Host: "a.test", Allow: &s}}
	}
	hosts := func(hosts ...string) []policy.App {
		return []policy.App{{Name: "a", Hosts: hosts, Allow: everyone}}
	}
	for _, row := range []struct {
		story string
		apps  []policy.App
		want  string // the beginning of each complaint, one a line
	}{
		{"no apps", nil, ""},
		{"no name", []policy.App{{Host: "a.test", Allow: everyone}}, `apps: "" is no name`},
		{"a name with brackets", []policy.App{{Name: "a[0]", Host: "a.test", Allow: everyone}}, `apps: "a[0]" is no name`},
		{"two of a name", []policy.App{{Name: "a", Host: "a.test", Allow: everyone}, {Name: "a", Host: "b.test", Allow: everyone}}, "apps.a: two apps have this name"},
		{"no host", hosts(), "apps.a.host: missing"},
		{"an empty host", hosts(""), "apps.a.hosts[0]: not a usable host: empty"},
		{"host and hosts", []policy.App{{Name: "a", Host: "a.test", Hosts: []string{"b.test"}, Allow: everyone}}, "apps.a.hosts: stands beside host"},
		{"a port", hosts("a.test:8443"), "apps.a.hosts[0]: a host has no port here"},
		{"an address is a host", hosts("192.0.2.1", "[2001:db8::1]"), ""},
		{"a number for a host", hosts("0x7f.1"), "apps.a.hosts[0]: not a usable host"},
		{"Unicode", hosts("bücher.test"), "apps.a.hosts[0]: not a usable host"},
		{"a URL", hosts("https://a.test"), "apps.a.hosts[0]: not a usable host"},
		{"upper case is one spelling", hosts("A.test"), ""},
		{"a bare wildcard", hosts("*"), "apps.a.hosts[0]: not a usable host"},
		{"a wildcard of nothing", hosts("*."), "apps.a.hosts[0]: not a usable host"},
		{"two wildcards", hosts("*.*.test"), "apps.a.hosts[0]: not a usable host"},
		{"a deep wildcard", hosts("**.test"), "apps.a.hosts[0]: not a usable host"},
		{"a partial wildcard", hosts("a*.test"), "apps.a.hosts[0]: not a usable host"},
		{"an inner wildcard", hosts("a.*.test"), "apps.a.hosts[0]: not a usable host"},
		{"a wildcard before an address", hosts("*.192.0.2.1"), "apps.a.hosts[0]: an address has no labels for *"},
		{"a wildcard before an IPv6 address", hosts("*.[2001:db8::1]"), "apps.a.hosts[0]: an address has no labels for *"},
		{"a host twice", hosts("a.test", "A.test."), "apps.a.hosts[1]: a already has this host"},
		{"a host of another", []policy.App{{Name: "a", Host: "a.test", Allow: everyone}, {Name: "b", Hosts: []string{"b.test", "a.test"}, Allow: everyone}}, "apps.b.hosts[1]: a already has this host"},
		{"a wildcard of another", []policy.App{{Name: "a", Host: "*.a.test", Allow: everyone}, {Name: "b", Host: "*.a.test", Allow: everyone}}, "apps.b.host: a already has this host"},
		{"a wildcard beside a name", []policy.App{{Name: "a", Host: "*.a.test", Allow: everyone}, {Name: "b", Host: "b.a.test", Allow: everyone}}, ""},
		{"neither allow nor rules", []policy.App{{Name: "a", Host: "a.test"}}, "apps.a: neither allow nor rules"},
		{"no rules", []policy.App{{Name: "a", Host: "a.test", Rules: []policy.Rule{}}}, "apps.a: neither allow nor rules"},
		{"allow and rules", []policy.App{{Name: "a", Host: "a.test", Allow: everyone, Rules: []policy.Rule{{Deny: true}}}}, "apps.a.allow: stands beside rules"},
		{"allow and no rules", []policy.App{{Name: "a", Host: "a.test", Allow: everyone, Rules: []policy.Rule{}}}, "apps.a.allow: stands beside rules"},
		{"an empty rule", rules(policy.Rule{}), "apps.a.rules[0]: neither allow nor deny"},
		{"deny and allow", rules(policy.Rule{Deny: true, Allow: ops}), "apps.a.rules[0].allow: stands beside deny"},
		{"deny and networks", rules(policy.Rule{Deny: true, Networks: []string{"10.0.0.0/8"}}), "apps.a.rules[0].networks: stands beside deny"},
		{"a rule's name", rules(policy.Rule{Name: "Only ops", Allow: ops}), ""},
		{"a rule's name like another's number", rules(policy.Rule{Name: "a[1]", Allow: ops}), `apps.a.rules[0].name: "a[1]" is no name`},
		{"a rule's name with a line feed", rules(policy.Rule{Name: "a\nb", Allow: ops}), `apps.a.rules[0].name: "a\nb" is no name`},
		{"two rules of a name", rules(policy.Rule{Name: "x", Paths: []string{"/a"}, Deny: true}, policy.Rule{Name: "x", Deny: true}), `apps.a.rules[1].name: two rules have the name "x"`},
		{"no methods", rules(policy.Rule{Methods: []string{}, Allow: ops}), "apps.a.rules[0].methods: is empty"},
		{"methods", rules(policy.Rule{Methods: []string{"GET", "get", "NO", "", "GETS", "CONNECT", "TRACE", "*"}, Allow: ops}), "apps.a.rules[0].methods[1]: \"get\" is no\napps.a.rules[0].methods[2]: \"NO\" is no\napps.a.rules[0].methods[3]: \"\" is no\napps.a.rules[0].methods[4]: \"GETS\" is no\napps.a.rules[0].methods[5]: \"CONNECT\" is no\napps.a.rules[0].methods[6]: \"TRACE\" is no\napps.a.rules[0].methods[7]: \"*\" is no"},
		{"no paths", rules(policy.Rule{Paths: []string{}, Allow: ops}), "apps.a.rules[0].paths: is empty"},
		{"paths", rules(policy.Rule{Paths: []string{"/a", "b"}, Allow: ops}), "apps.a.rules[0].paths[1]: does not begin with a slash"},
		{"a path twice", rules(policy.Rule{Paths: []string{"/a", "/a"}, Allow: ops}), ""},
		{"no networks", rules(policy.Rule{Networks: []string{}, Allow: ops}), "apps.a.rules[0].networks: is empty"},
		{"networks", rules(policy.Rule{Networks: []string{"10.0.0.0/8", "10.0.0.1/8", "10/8", "0.0.0.0/0", "::/0", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "fe80::1%eth0", "fe80::%eth0/10", "", "localhost", "10.0.0.0/33", "010.0.0.1"}, Allow: ops}), "apps.a.rules[0].networks[1]: has bits beyond its mask: did you mean 10.0.0.0/8?\napps.a.rules[0].networks[2]: not an\napps.a.rules[0].networks[3]: has every\napps.a.rules[0].networks[4]: has every\napps.a.rules[0].networks[5]: IPv4 within\napps.a.rules[0].networks[6]: not an\napps.a.rules[0].networks[7]: not an\napps.a.rules[0].networks[8]: not an\napps.a.rules[0].networks[9]: not an\napps.a.rules[0].networks[10]: not an\napps.a.rules[0].networks[11]: not an\napps.a.rules[0].networks[12]: not an"},
		{"nobody", allow(policy.Subjects{}), "apps.a.allow: admits nobody"},
		{"nobody, in a rule", rules(policy.Rule{Allow: &policy.Subjects{}}), "apps.a.rules[0].allow: admits nobody"},
		{"everyone and more", allow(policy.Subjects{Everyone: true, Groups: []string{"ops"}}), "apps.a.allow: everyone and signed-in stand alone"},
		{"signed-in and more", allow(policy.Subjects{SignedIn: true, Networks: []string{"10.0.0.0/8"}}), "apps.a.allow: everyone and signed-in stand alone"},
		{"everyone and signed-in", allow(policy.Subjects{Everyone: true, SignedIn: true}), "apps.a.allow: everyone and signed-in stand alone"},
		{"an empty list", allow(policy.Subjects{Users: []string{"a"}, Groups: []string{}}), "apps.a.allow.groups: is empty"},
		{"users", allow(policy.Subjects{Users: []string{"alice", "", " bob", "a\nb", "corp:42"}}), "apps.a.allow.users[1]: not a login\napps.a.allow.users[2]: not a login\napps.a.allow.users[3]: not a login"},
		{"groups", allow(policy.Subjects{Groups: []string{"ops", "", "a,b", "corp:engineering"}}), "apps.a.allow.groups[1]: not a group\napps.a.allow.groups[2]: not a group"},
		{"domains", allow(policy.Subjects{EmailDomains: []string{"ex.test", "@ex.test", "*.ex.test", "ex.test.", "ex.test:25", "192.0.2.1", "[::1]", "", "bücher.test"}}), "apps.a.allow.email_domains[1]: not a usable host\napps.a.allow.email_domains[2]: not a usable host\napps.a.allow.email_domains[3]: not a domain\napps.a.allow.email_domains[4]: not a domain\napps.a.allow.email_domains[5]: not a domain\napps.a.allow.email_domains[6]: not a domain\napps.a.allow.email_domains[7]: not a usable host\napps.a.allow.email_domains[8]: not a usable host"},
		{"origins", allow(policy.Subjects{Origins: []string{"corp", "local", "Corp", "", "a/b", "1a"}}), "apps.a.allow.origins[2]: not the id\napps.a.allow.origins[3]: not the id\napps.a.allow.origins[4]: not the id\napps.a.allow.origins[5]: not the id"},
		{"every complaint in one go", []policy.App{{Name: "a", Host: "a_b", Rules: []policy.Rule{{Methods: []string{"get"}, Paths: []string{"x"}}}}, {Name: "b"}}, "apps.a.host: \napps.a.rules[0].methods[0]: \napps.a.rules[0].paths[0]: \napps.a.rules[0]: \napps.b.host: \napps.b: "},
	} {
		p, err := policy.New(policy.Config{Apps: row.apps})
		got := complaints(t, err)
		want := strings.Split(row.want, "\n")
		if row.want == "" {
			want = nil
		}
		if (p == nil) != (err != nil) {
			t.Errorf("%s: New = %v, %v", row.story, p, err)
		}
		if len(got) != len(want) {
			t.Errorf("%s: New complains\n%s\nwant\n%s", row.story, strings.Join(got, "\n"), row.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: New complains %q, want %q", row.story, got[i], want[i])
			}
		}
	}
}

// A rule that can never decide is a complaint that names what stands before it.
func TestShadowedRules(t *testing.T) {
	type rules = []policy.Rule
	deny := func(methods string, paths ...string) policy.Rule {
		return policy.Rule{Deny: true, Methods: strings.Fields(methods), Paths: paths}
	}
	for _, row := range []struct {
		story string
		rules rules
		want  string
	}{
		{"after all", rules{deny("GET POST"), deny("GET", "/a")}, "app.rules[1]: never decides: app[0] before it"},
		{"after the same", rules{deny("GET", "/a/b"), deny("GET", "/a/b")}, "app.rules[1]: never decides: app[0] before it"},
		{"after a folder", rules{deny("GET", "/a/**"), deny("GET", "/a/b/*", "/a", "/a/", "/a/**/z")}, "app.rules[1]: never decides: app[0] before it"},
		{"after one segment", rules{deny("GET", "/a/*"), deny("GET", "/a/b", "/a/*")}, "app.rules[1]: never decides: app[0] before it"},
		{"after any depth, within", rules{deny("GET", "/**/z"), deny("GET", "/a/*/z", "/z", "/a/**/z")}, "app.rules[1]: never decides: app[0] before it"},
		{"after two together, by path", rules{deny("GET", "/a"), deny("GET", "/b/**"), deny("GET", "/a", "/b/c")}, "app.rules[2]: never decides: app[0], app[1] before it"},
		{"after two together, by method", rules{deny("GET", "/a"), deny("POST", "/a"), deny("HEAD POST GET", "/a")}, "app.rules[2]: never decides: app[0], app[1] before it"},
		{"HEAD after GET", rules{deny("GET", "/a"), deny("HEAD", "/a")}, "app.rules[1]: never decides: app[0] before it"},
		{"GET after HEAD", rules{deny("HEAD", "/a"), deny("GET", "/a")}, ""},
		{"one path is left", rules{deny("GET", "/a/**"), deny("GET", "/a/b", "/b")}, ""},
		{"one method is left", rules{deny("GET", "/a/**"), deny("GET PUT", "/a/b")}, ""},
		{"the folder itself is left", rules{deny("GET", "/a/*"), deny("GET", "/a/**")}, ""},
		{"a trailing slash is left", rules{deny("GET", "/a"), deny("GET", "/a/")}, ""},
		{"the empty segment is no *", rules{deny("GET", "/a/*"), deny("GET", "/a/")}, ""},
		{"* is more than a word", rules{deny("GET", "/a/b"), deny("GET", "/a/*")}, ""},
		{"** is more than *", rules{deny("GET", "/a/*/z"), deny("GET", "/a/**/z")}, ""},
		{"deeper is left", rules{deny("GET", "/**/z"), deny("GET", "/a/**")}, ""},
	} {
		_, err := policy.New(policy.Config{Apps: []policy.App{{Name: "app", Host: "ex.test", Rules: row.rules}}})
		got := strings.Join(complaints(t, err), "\n")
		if row.want == "" && err != nil || !strings.HasPrefix(strings.TrimPrefix(got, "apps."), row.want) {
			t.Errorf("%s: New complains %q, want %q", row.story, got, row.want)
		}
	}
}

func TestSubjectsFromYAML(t *testing.T) {
	for _, row := range []struct {
		text string
		want policy.Subjects
	}{
		{`everyone`, policy.Subjects{Everyone: true}},
		{`signed-in`, policy.Subjects{SignedIn: true}},
		{`"everyone"`, policy.Subjects{Everyone: true}},
		{`{groups: [ops, "corp:engineering"]}`, policy.Subjects{Groups: []string{"ops", "corp:engineering"}}},
		{`{users: [alice], email_domains: [example.com], origins: [corp], networks: [10.0.0.0/8]}`, policy.Subjects{Users: []string{"alice"}, EmailDomains: []string{"example.com"}, Origins: []string{"corp"}, Networks: []string{"10.0.0.0/8"}}},
		{"groups:\n  - ops\n  - staff\n", policy.Subjects{Groups: []string{"ops", "staff"}}},
		{`{groups: []}`, policy.Subjects{Groups: []string{}}},
	} {
		var got policy.Subjects
		if err := yaml.Unmarshal([]byte(row.text), &got); err != nil {
			t.Errorf("%s: %v", row.text, err)
		}
		if diff := cmp.Diff(got, row.want); diff != "" {
			t.Errorf("%s reads (-got +want):\n%s", row.text, diff)
		}
	}
	for _, text := range []string{
		`Everyone`, `nobody`, `true`, `1`, `""`, `signed_in`, `[everyone]`, `[alice]`, `~`, `{everyone: true}`, `{signed-in: true}`, `{group: [ops]}`, `{Groups: [ops]}`, `{groups: [ops], factors: 2}`,
		`{groups: ops}`, `{groups: {ops: true}}`, `{groups: ~}`, `{users: [~]}`, `{users: [1]}`, `{users: [true]}`, `{users: [[alice]]}`, `{users: [{alice: 1}]}`, `{groups: [a], groups: [b]}`, `{users: [1.0]}`, `{1: [a]}`,
	} {
		var got policy.Subjects
		err := yaml.Unmarshal([]byte("allow: "+text), &struct{ Allow *policy.Subjects }{&got})
		if err == nil && text == `~` {
			continue // a pointer left nil: neither allow nor deny
		}
		if err == nil {
			t.Errorf("%s reads %+v, want an error", text, got)
		}
		if diff := cmp.Diff(got, policy.Subjects{}); diff != "" {
			t.Errorf("%s is refused and reads (-got +want):\n%s", text, diff)
		}
	}
}

func TestAppFromYAML(t *testing.T) {
	const text = `
host: grafana.example.com
rules:
  - {paths: [/public/**], allow: everyone}
  - {name: operators, paths: [/admin/**], methods: [GET, POST], allow: {groups: [ops]}, networks: [10.0.0.0/8]}
  - {paths: [/old], deny: true}
  - {allow: signed-in}
`
	want := policy.App{Host: "grafana.example.com", Rules: []policy.Rule{
		{Paths: []string{"/public/**"}, Allow: &policy.Subjects{Everyone: true}},
		{Name: "operators", Paths: []string{"/admin/**"}, Methods: []string{"GET", "POST"}, Allow: &policy.Subjects{Groups: []string{"ops"}}, Networks: []string{"10.0.0.0/8"}},
		{Paths: []string{"/old"}, Deny: true},
		{Allow: &policy.Subjects{SignedIn: true}},
	}}
	var got policy.App
	if err := yaml.UnmarshalWithOptions([]byte(text), &got, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("reads (-got +want):\n%s", diff)
	}
	got.Name = "grafana"
	if p := build(t, got); p.Decide(request(t, bob, "", "GET", "grafana.example.com/x")).Effect != policy.Allow {
		t.Error("does not decide as it reads")
	}
}
