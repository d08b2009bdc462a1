package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"gateway/internal/canonical"
	"gateway/policy"
)

// apps returns n apps of the same shape, each with that many rules.
func apps(n, rules int) []policy.App {
	all := make([]policy.App, n)
	for i := range all {
		all[i] = policy.App{Name: fmt.Sprintf("app%d", i), Host: fmt.Sprintf("app%d.example.com", i)}
		for j := range rules - 1 {
			all[i].Rules = append(all[i].Rules, policy.Rule{Paths: []string{fmt.Sprintf("/section%d/**", j)}, Allow: &policy.Subjects{Groups: []string{"ops", "staff"}}})
		}
		all[i].Rules = append(all[i].Rules, policy.Rule{Allow: &policy.Subjects{Groups: []string{"ops", "staff"}}})
	}
	return all
}

func BenchmarkDecide(b *testing.B) {
	long := canonical.Path(strings.Repeat("/section", 1000))
	for _, row := range []struct {
		name string
		apps []policy.App
		path canonical.Path
	}{
		{"1 rule", apps(1, 1), "/api/v1/dashboards/home"},
		{"10,000 rules of 1,000 apps", apps(1000, 10), "/api/v1/dashboards/home"},
		{"10,000 rules of 1 app, the last", apps(1, 10_000), "/api/v1/dashboards/home"},
		{"10,000 rules of 1 app, one within", apps(1, 10_000), "/section7000/v1/dashboards/home"},
		{"10,000 rules of 1 app, 8 kB of path", apps(1, 10_000), long},
	} {
		p := build(b, row.apps...)
		r := policy.Request{Method: "GET", Host: "app0.example.com", Path: row.path, Who: alice}
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p.Decide(r).Effect != policy.Allow {
					b.Fatal("refused")
				}
			}
		})
	}
}

// Decide allocates nothing, whatever the answer is.
func TestDecideAllocatesNothing(t *testing.T) {
	p := build(t, house...)
	for _, r := range []policy.Request{
		request(t, alice, "10.0.0.1", "GET", "grafana.example.com/admin/users/1/edit"),
		request(t, nobody, "::ffff:10.0.0.1", "POST", "grafana.example.com/metrics"),
		request(t, eve, "", "GET", "grafana.example.com/a/b/c/d/e/f/g/h/i/j/k/l/m"),
		request(t, alice, "fe80::1%eth0", "PROPFIND", "a.wiki.example.com/"),
		request(t, bob, "", "GET", "unknown.example.com/"),
	} {
		if got := testing.AllocsPerRun(100, func() { p.Decide(r) }); got != 0 {
			t.Errorf("Decide(%s %s%s) allocates %v times, want 0", r.Method, r.Host, r.Path, got)
		}
	}
}
