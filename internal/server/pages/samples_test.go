package pages_test

import (
	"time"

	"gateway/internal/server/pages"
)

var noon = time.Date(2026, 3, 20, 12, 31, 5, 0, time.FixedZone("CET", 3600))

var providers = []pages.Origin{
	{ID: "corp", Name: "Corp", Start: "/.gateway/start/corp?rd=%2Fhandbook%3Fa%3D1%26b%3D2"},
	{ID: "hub", Name: "GitHub", Start: "/.gateway/start/hub?rd=%2F", Down: true},
}

// samples are the pages as they are kept in testdata/golden.
var samples = []struct {
	name  string
	value any
}{
	{"sign-in", pages.SignIn{Origins: providers, Local: true, ReturnTo: "wiki.example.com", App: "Wiki", Portal: "https://auth.example.com"}},
	{"sign-in-local", pages.SignIn{Local: true, Portal: "https://auth.example.com:8443"}},
	{"sign-in-foreign", pages.SignIn{Origins: providers, Notice: "Corp did not let you in.", Portal: "https://auth.example.com"}},
	{"sign-in-shut", pages.SignIn{}},
	{"confirm", pages.SignIn{Local: true, ReturnTo: "payroll.example.com", App: "Payroll", Portal: "https://auth.example.com", Confirm: "alice"}},
	{"confirm-foreign", pages.SignIn{Origins: providers[:1], ReturnTo: "payroll.example.com", App: "Payroll", Portal: "https://auth.example.com", Confirm: "corp:248289761001"}},
	{"confirm-shut", pages.SignIn{ReturnTo: "payroll.example.com", App: "Payroll", Portal: "https://auth.example.com", Confirm: "alice"}},
	{"apps", pages.Apps{Name: "Alice Adams", Login: "alice", Apps: []pages.App{
		{Name: "Grafana", Host: "grafana.example.com", URL: "https://grafana.example.com/"},
		{Name: "éclair", Host: "eclair.example.org:8443", URL: "https://eclair.example.org:8443/"},
	}}},
	{"apps-none", pages.Apps{Login: "corp:2482"}},
	{"sign-out", pages.SignOut{Login: "alice"}},
	{"sign-out-nobody", pages.SignOut{}},
	{"signed-out", pages.SignedOut{}},
	{"signed-out-provider", pages.SignedOut{EndSession: "https://id.corp.example/logout?client_id=gateway&state=x"}},
	{"switch", pages.Switch{Current: "alice", Next: "corp:bob", Back: "/.gateway/sign-in?rd=%2Fx", Ticket: "c2VhbGVk-_"}},
	{"continue", pages.Continue{Target: "/.gateway/sign-in?rd=%2Fa&x=1"}},
	{"continue-provider", pages.Continue{Target: "/.gateway/start/corp?rd=%2F", Provider: "Corp"}},
	{"invited", pages.Invited{Provider: "Corp", Portal: "https://auth.example.com", Ticket: "KX3PZ7Q2M5T4WJ6A"}},
	{"invited-email", pages.Invited{Provider: "Corp", Email: "dora@corp.example", Portal: "https://auth.example.com", Ticket: "KX3PZ7Q2M5T4WJ6A"}},
	{"choose", pages.Choose{Login: "alice", Portal: "https://auth.example.com", Code: "KX3PZ7Q2M5T4WJ6A", Least: 15, Iterations: 600_000}},
	{"choose-reset", pages.Choose{Login: "alice", Reset: true, Portal: "https://auth.example.com", Code: "KX3PZ7Q2M5T4WJ6A", Least: 15, Iterations: 600_000}},
	{"choose-other", pages.Choose{Login: "alice", Other: "bob", Portal: "https://auth.example.com"}},
	{"waiting", pages.Waiting{Login: "corp:248289761001", Name: "Dora Doe"}},
	{"refusal", pages.Refusal{
		Login: "alice", Host: "grafana.example.com", Path: "/admin/users", DecisionID: "KX3PZ7Q2M5T4WJ6A",
		Portal: "https://auth.example.com", SignedIn: true, At: noon,
	}},
	{"guest", pages.Guest{Name: "Auditors of 2026", Host: "wiki.example.com", Paths: []string{"/reports/**", "/assets/**"}, Expires: noon, Ticket: "KX3PZ7Q2M5T4WJ6AKX3PZ7Q2M5"}},
	{"refusal-elsewhere", pages.Refusal{
		Login: "alice", Host: "wiki.example.com", Path: "/pages/7/delete", DecisionID: "KX3PZ7Q2M5T4WJ6A", Portal: "https://auth.example.com",
		SignedIn: true, Elsewhere: true,
	}},
	{"refusal-too-long-ago", pages.Refusal{Login: "alice", Host: "grafana.example.com", Path: "/admin/users", SignedIn: true, TooLongAgo: true, Again: "https://grafana.example.com/.gateway/sign-in?rd=%2Fadmin%2Fusers&max_age=900", Portal: "https://auth.example.com"}},
	{"refusal-doors", pages.Refusal{Login: "alice", Host: "payroll.example.com", Path: "/", SignedIn: true, Doors: []string{"Corp", ""}, Portal: "https://auth.example.com"}},
	{"refusal-few-factors", pages.Refusal{Login: "alice", Host: "grafana.example.com", Path: "/admin/users", SignedIn: true, FewFactors: true}},
	{"refusal-because", pages.Refusal{
		Login: "alice", Host: "grafana.example.com", Path: "/admin/users", DecisionID: "KX3PZ7Q2M5T4WJ6A", SignedIn: true,
		Because: &pages.Because{Rule: "grafana[1]", Reason: "not-listed", Needs: []string{"allow.groups: ops"}, Findings: []pages.Finding{
			{Rule: "grafana[0]", About: "paths", Wants: "/public/**", Has: "/admin/users"},
			{Rule: "grafana[1]", About: "paths", Wants: "/admin/**", Has: "/admin/users", Holds: true},
			{Rule: "grafana[1]", About: "allow.groups", Wants: "ops", Has: "staff"},
		}},
	}},
	{"refusal-nobody", pages.Refusal{Host: "grafana.example.com", Path: "/metrics"}},
	{"failure", pages.Failure{Status: 503, Detail: "Nobody is let in until the gateway can tell who it is.", RequestID: "T7M2KQ4X", Retry: "/handbook?a=1", At: noon}},
	{"failure-title", pages.Failure{Status: 404, Title: "No such page"}},
}
