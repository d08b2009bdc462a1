package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/policy"
)

// FuzzDecide sends requests of any bytes: nothing panics, and nobody passes
// whom the reference refuses.
func FuzzDecide(f *testing.F) {
	p := build(f, house...)
	for _, seed := range [][5]string{
		{"GET", "grafana.example.com", "/admin/x", "10.1.2.3", "alice"},
		{"HEAD", "grafana.example.com", "/metrics", "::ffff:10.0.0.1", ""},
		{"get", "GRAFANA.example.com", "//admin", "", "bob"},
		{"GET", "a.wiki.example.com", "/../x", "fe80::1%eth0", ""},
		{"POST", "half.example.com", "/page", "x", "alice"},
		{"", ".wiki.example.com", "", "", ""},
		{"GET", "*.wiki.example.com", "*", "", "carol"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], "staff", "a@ex.test", true)
	}
	f.Fuzz(func(t *testing.T, method, host, path, client, login, group, email string, verified bool) {
		r := policy.Request{Method: method, Host: canonical.Host(host), Path: canonical.Path(path)}
		r.Client, _ = netip.ParseAddr(client)
		if login != "" {
			r.Who = &identity.Principal{Login: login, Groups: []string{group}, Email: email, EmailVerified: verified, Origin: group}
		}
		got := p.Decide(r)
		promisesOf(t, p, r)
		explains(t, p, r)
		if method == "" || !strings.HasPrefix(path, "/") {
			if got.Effect != policy.Deny {
				t.Fatalf("Decide(%+v) = %+v, want deny", r, got)
			}
			return
		}
		if want := reference(house).decide(r); got.Effect == policy.Allow && want.Effect != policy.Allow {
			t.Fatalf("Decide(%+v) = %+v, want %+v", r, got, want)
		}
	})
}

// FuzzPaths makes rules of any two patterns: whatever New accepts decides like
// the reference.
func FuzzPaths(f *testing.F) {
	for _, seed := range [][3]string{
		{"/admin/**", "/**", "/admin"},
		{"/a/**/b/*", "/*/b", "/a/b/b/c"},
		{"/**/x/**/x", "/x/x", "/x/x/x"},
		{"/a*", "/", "/a"},
		{"/a/", "/a/*", "/a/"},
		{"/a b", "/a%20b", "/a b"},
		{"/**/a/**/a/**/a", "/a/**/b", "/a/a/a/a/a/a/a/b"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, one, two, path string) {
		apps := []policy.App{{Name: "app", Host: "ex.test", Rules: []policy.Rule{
			{Paths: []string{one}, Allow: &policy.Subjects{Everyone: true}}, {Paths: []string{two}, Allow: &policy.Subjects{SignedIn: true}},
		}}}
		p, err := policy.New(policy.Config{Apps: apps})
		if err != nil || !strings.HasPrefix(path, "/") || strings.Count(one+two, "**") > 6 || len(path) > 200 {
			return
		}
		r := policy.Request{Method: "GET", Host: "ex.test", Path: canonical.Path(path)}
		if got, want := p.Decide(r), reference(apps).decide(r); got != want {
			t.Fatalf("with %q and %q, Decide(%q) = %+v, want %+v", one, two, path, got, want)
		}
		explains(t, p, r)
	})
}

// FuzzConfig reads any YAML as an app: nothing panics, and what New accepts
// admits nobody that it does not name.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"{host: a.test, allow: everyone}",
		"{host: a.test, allow: {groups: [ops], users: [alice]}}",
		"{hosts: [a.test, '*.b.test'], rules: [{paths: [/a/**], methods: [GET], allow: signed-in}, {deny: true}]}",
		"{host: a.test, rules: [{allow: {networks: [10.0.0.0/8]}, networks: ['::1']}]}",
		"{host: a.test, allow: ~}", "{host: [a], allow: [everyone]}", "allow: {group: [a]}", "rules: [{}]", "a: &a [*a, *a]",
	} {
		f.Add(seed)
	}
	stranger := &identity.Principal{UserID: "stranger", Login: "a stranger's login", Origin: "Nowhere", Groups: []string{"a,b"}}
	f.Fuzz(func(t *testing.T, text string) {
		app := policy.App{}
		if len(text) > 2000 || yaml.UnmarshalWithOptions([]byte(text), &app, yaml.Strict()) != nil {
			return
		}
		app.Name = "app"
		p, err := policy.New(policy.Config{Apps: []policy.App{app}})
		if err != nil {
			complaints(t, err)
			return
		}
		if p.CouldAdmit(*stranger) && !strings.Contains(text, "signed-in") {
			t.Fatalf("%q admits a stranger", text)
		}
		for _, pattern := range append(slices.DeleteFunc([]string{app.Host}, func(h string) bool { return h == "" }), app.Hosts...) {
			host, err := canonical.ParseHost(strings.Replace(pattern, "*", "x", 1))
			if err != nil {
				t.Fatalf("%q has the host %q: %v", text, pattern, err)
			}
			got := p.Decide(policy.Request{Method: "GET", Host: host, Path: "/x", Who: stranger})
			if got.App != "app" || got.Effect == policy.Allow && !strings.Contains(text, "everyone") && !strings.Contains(text, "signed-in") {
				t.Fatalf("%q decides %+v", text, got)
			}
		}
	})
}
