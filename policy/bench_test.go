package policy_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

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
		{"10 rules of 1 app", apps(1, 10), "/api/v1/dashboards/home"},
		{"10 rules of 1 app, one within", apps(1, 10), "/section7/v1/dashboards/home"},
		{"100,000 rules of 10,000 apps", apps(10_000, 10), "/api/v1/dashboards/home"},
		{"100,000 rules of 1 app, one within", apps(1, 100_000), "/section70000/v1/dashboards/home"},
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

// BenchmarkWhen is a decision with an expression.
func BenchmarkWhen(b *testing.B) {
	for _, text := range []string{
		`user.login == "alice"`,
		`request.method in ["GET", "HEAD"] && "ops" in user.groups && now.getHours() < 18 && request.path.startsWith("/api/")`,
		`user.groups.exists(g, g.startsWith("o")) && session.origin == "local"`,
	} {
		p := compiled(b, one(policy.Rule{Allow: signedIn, When: text}))
		r := policy.Request{Method: "GET", Host: "ex.test", Path: "/api/v1/dashboards/home", Who: alice, Now: noon}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p.Decide(r).Effect != policy.Allow {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkConditions is a decision with every condition but an expression.
func BenchmarkConditions(b *testing.B) {
	p := compiled(b, one(policy.Rule{
		Allow: signedIn, Networks: []string{"10.0.0.0/8"}, Factors: 2, MaxAge: time.Hour,
		Times: []policy.Time{{Days: []string{"mon"}, From: "08:00", To: "18:00", Zone: "Europe/Berlin"}},
	}))
	who := *alice
	who.AMR, who.AuthTime = []string{"pwd", "otp"}, noon
	r := policy.Request{Method: "GET", Host: "ex.test", Path: "/api", Who: &who, Now: noon, Client: netip.MustParseAddr("10.1.2.3")}
	b.ReportAllocs()
	for b.Loop() {
		if p.Decide(r).Effect != policy.Allow {
			b.Fatal("refused")
		}
	}
}

// BenchmarkNew compiles what is large: it also says how much memory the Policy
// holds on to.
func BenchmarkNew(b *testing.B) {
	expressions := make([]policy.App, 1000)
	for i := range expressions {
		expressions[i] = policy.App{Name: fmt.Sprintf("app%d", i), Host: fmt.Sprintf("app%d.example.com", i), Rules: []policy.Rule{{
			Allow: signedIn, When: fmt.Sprintf(`request.method == "GET" || "ops%d" in user.groups && request.path.startsWith("/api/")`, i),
		}}}
	}
	for _, row := range []struct {
		name string
		apps []policy.App
	}{
		{"10,000 apps of 10 rules", apps(10_000, 10)},
		{"1,000 expressions", expressions},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			var kept *policy.Policy
			before := heap()
			for b.Loop() {
				kept = compiled(b, policy.Config{Apps: row.apps})
			}
			b.ReportMetric(float64(heap()-before)/1e6, "MB-kept")
			runtime.KeepAlive(kept)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
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
