package policy_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/hostiletest"
	"gateway/internal/identity"
	"gateway/policy"
)

var (
	nobody *identity.Principal
	alice  = &identity.Principal{UserID: "u1", Login: "alice", Groups: []string{"ops", "staff"}, Email: "alice@ex.test", EmailVerified: true, Origin: "local"}
	bob    = &identity.Principal{UserID: "u2", Login: "bob", Groups: []string{"staff"}, Email: "bob@other.test", EmailVerified: true, Origin: "local"}
	eve    = &identity.Principal{UserID: "u3", Login: "corp:42", Groups: []string{"corp:engineering"}, Email: "eve@ex.test", Origin: "corp"}
	blank  = &identity.Principal{Groups: []string{""}, EmailVerified: true}
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday

// house is a configuration with a bit of everything.
var house = []policy.App{
	{Name: "grafana", Host: "grafana.example.com", Rules: []policy.Rule{
		{Paths: []string{"/public/**"}, Allow: &policy.Subjects{Everyone: true}},
		{Paths: []string{"/admin/**"}, Allow: &policy.Subjects{Groups: []string{"ops"}}},
		{Paths: []string{"/metrics"}, Methods: []string{"GET"}, Allow: &policy.Subjects{Networks: []string{"10.0.0.0/8", "2001:db8::/32"}}},
		{Paths: []string{"/metrics"}, Deny: true, Name: "metrics are read only"},
		{Paths: []string{"/lan/**"}, Allow: &policy.Subjects{SignedIn: true}, Networks: []string{"192.168.0.0/16", "127.0.0.1"}},
		{Paths: []string{"/either"}, Allow: &policy.Subjects{Groups: []string{"ops"}, Networks: []string{"10.0.0.0/8"}}},
		{Allow: &policy.Subjects{Groups: []string{"staff", "corp:engineering"}, EmailDomains: []string{"ex.test"}, Users: []string{"carol"}}},
	}},
	{Name: "wiki", Hosts: []string{"wiki.example.com", "*.wiki.example.com"}, Allow: &policy.Subjects{SignedIn: true}},
	{Name: "special", Host: "special.wiki.example.com", Allow: &policy.Subjects{Origins: []string{"corp"}}},
	{Name: "half", Host: "half.example.com", Rules: []policy.Rule{
		{Methods: []string{"GET"}, Allow: &policy.Subjects{Everyone: true}, Paths: []string{"/page"}},
		{Methods: []string{"POST", "PUT"}, Allow: &policy.Subjects{Users: []string{"alice"}}, Paths: []string{"/page"}},
	}},
}

func build(t testing.TB, apps ...policy.App) *policy.Policy {
	t.Helper()
	p, err := policy.New(policy.Config{Apps: apps})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// request returns the request for a URL without its scheme; it must be canonical.
func request(t testing.TB, who *identity.Principal, client, method, url string) policy.Request {
	t.Helper()
	name, path, _ := strings.Cut(url, "/")
	host, err := canonical.ParseHost(name)
	if err != nil {
		t.Fatal(err)
	}
	target, err := canonical.ParseTarget("/" + path)
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Request{Method: method, Host: host, Path: target.Path, Who: who}
	if client != "" {
		r.Client = netip.MustParseAddr(client)
	}
	return r
}

func TestDecide(t *testing.T) {
	p := build(t, house...)
	public := policy.Decision{Effect: policy.Allow, Reason: policy.Allowed, Public: true}
	allow := policy.Decision{Effect: policy.Allow, Reason: policy.Allowed}
	login := policy.Decision{Effect: policy.Login, Reason: policy.SignIn}
	denies := policy.Decision{Reason: policy.RuleDenies}
	notListed := policy.Decision{Reason: policy.NotListed}
	elsewhere := policy.Decision{Reason: policy.WrongNetwork}
	noRule := policy.Decision{Reason: policy.NoRule}
	unknown := policy.Decision{Reason: policy.UnknownHost}
	for _, row := range []struct {
		story             string
		who               *identity.Principal
		client            string
		method, url, rule string
		want              policy.Decision
	}{
		{"everyone, as nobody", nobody, "", "GET", "grafana.example.com/public/x", "grafana[0]", public},
		{"everyone, as somebody", bob, "", "DELETE", "grafana.example.com/public/x", "grafana[0]", public},
		{"the folder itself", nobody, "", "GET", "grafana.example.com/public", "grafana[0]", public},
		{"another folder with the same beginning", nobody, "", "GET", "grafana.example.com/publicity", "grafana[6]", login},
		{"another case", nobody, "", "GET", "grafana.example.com/Public/x", "grafana[6]", login},
		{"a group, as nobody", nobody, "", "GET", "grafana.example.com/admin/users", "grafana[1]", login},
		{"a group, as a member", alice, "", "GET", "grafana.example.com/admin/users", "grafana[1]", allow},
		{"a group, as another", bob, "", "GET", "grafana.example.com/admin/users", "grafana[1]", notListed},
		{"the first rule decides, though a later one would allow", bob, "", "GET", "grafana.example.com/admin", "grafana[1]", notListed},
		{"an encoded letter is the letter", bob, "", "GET", "grafana.example.com/%61dmin/", "grafana[1]", notListed},
		{"the query decides nothing", nobody, "", "GET", "grafana.example.com/admin/?/public/x", "grafana[1]", login},
		{"an encoded question mark begins no query", nobody, "", "GET", "grafana.example.com/admin/%3f/public/", "grafana[1]", login},
		{"a network, from within", nobody, "10.1.2.3", "GET", "grafana.example.com/metrics", "grafana[2]", public},
		{"a network, HEAD is like GET", nobody, "10.1.2.3", "HEAD", "grafana.example.com/metrics", "grafana[2]", public},
		{"a network, from within by IPv6", nobody, "2001:db8::5", "GET", "grafana.example.com/metrics", "grafana[2]", public},
		{"a network, from within by IPv4 in IPv6", nobody, "::ffff:10.1.2.3", "GET", "grafana.example.com/metrics", "grafana[2]", public},
		{"a network, from within by IPv6 with a zone", nobody, "2001:db8::5%eth0", "GET", "grafana.example.com/metrics", "grafana[2]", public},
		{"a network, from outside: signing in does not help", nobody, "11.1.2.3", "GET", "grafana.example.com/metrics", "grafana[2]", notListed},
		{"a network, from outside, signed in", alice, "11.1.2.3", "GET", "grafana.example.com/metrics", "grafana[2]", notListed},
		{"a network, from nobody knows where", nobody, "", "GET", "grafana.example.com/metrics", "grafana[2]", notListed},
		{"deny, whoever it is", alice, "10.1.2.3", "POST", "grafana.example.com/metrics", "metrics are read only", denies},
		{"deny, whatever the method is", alice, "10.1.2.3", "get", "grafana.example.com/metrics", "metrics are read only", denies},
		{"exact means exact", bob, "", "POST", "grafana.example.com/metrics/", "grafana[6]", allow},
		{"a condition holds", bob, "192.168.3.4", "GET", "grafana.example.com/lan/x", "grafana[4]", allow},
		{"a condition holds, for one address", bob, "127.0.0.1", "GET", "grafana.example.com/lan/x", "grafana[4]", allow},
		{"a condition holds, as nobody", nobody, "192.168.3.4", "GET", "grafana.example.com/lan/x", "grafana[4]", login},
		{"a condition does not hold", bob, "10.0.0.1", "GET", "grafana.example.com/lan/x", "grafana[4]", elsewhere},
		{"a condition does not hold: signing in does not help", nobody, "127.0.0.2", "GET", "grafana.example.com/lan/x", "grafana[4]", elsewhere},
		{"a condition, from nobody knows where", bob, "", "GET", "grafana.example.com/lan/x", "grafana[4]", elsewhere},
		{"one entry of any list, the network", nobody, "10.0.0.1", "GET", "grafana.example.com/either", "grafana[5]", public},
		{"one entry of any list, the network first", alice, "10.0.0.1", "GET", "grafana.example.com/either", "grafana[5]", public},
		{"one entry of any list, the group", alice, "11.0.0.1", "GET", "grafana.example.com/either", "grafana[5]", allow},
		{"one entry of any list, nobody yet", nobody, "11.0.0.1", "GET", "grafana.example.com/either", "grafana[5]", login},
		{"one entry of any list, none", bob, "11.0.0.1", "GET", "grafana.example.com/either", "grafana[5]", notListed},
		{"a foreign group", eve, "", "GET", "grafana.example.com/", "grafana[6]", allow},
		{"a principal of empty words is nobody", blank, "", "GET", "grafana.example.com/", "grafana[6]", login},
		{"signed in", eve, "", "GET", "wiki.example.com/x", "wiki[0]", allow},
		{"signed in, as nobody", nobody, "", "GET", "wiki.example.com/x", "wiki[0]", login},
		{"signed in, as a principal of empty words", blank, "", "GET", "wiki.example.com/x", "wiki[0]", login},
		{"a wildcard host", bob, "", "GET", "a.wiki.example.com/", "wiki[0]", allow},
		{"a host by name before its wildcard", bob, "", "GET", "special.wiki.example.com/", "special[0]", notListed},
		{"an origin", eve, "", "GET", "special.wiki.example.com/", "special[0]", allow},
		{"a wildcard is one label", bob, "", "GET", "a.b.wiki.example.com/", "", unknown},
		{"another host", alice, "", "GET", "example.com/", "", unknown},
		{"a look-alike", alice, "", "GET", "evilwiki.example.com/", "", unknown},
		{"a longer name", alice, "", "GET", "wiki.example.com.evil.test/", "", unknown},
		{"a method of the rule", nobody, "", "GET", "half.example.com/page", "half[0]", public},
		{"GET has HEAD", nobody, "", "HEAD", "half.example.com/page", "half[0]", public},
		{"GET has not OPTIONS", alice, "", "OPTIONS", "half.example.com/page", "", noRule},
		{"get is not GET", nobody, "", "get", "half.example.com/page", "", noRule},
		{"a method after a rule with others", alice, "", "PUT", "half.example.com/page", "half[1]", allow},
		{"a method that no rule can name", alice, "", "PURGE", "half.example.com/page", "", noRule},
		{"no method", nobody, "", "", "half.example.com/page", "", noRule},
		{"no rule for the path", alice, "", "GET", "half.example.com/pages", "", noRule},
	} {
		r := request(t, row.who, row.client, row.method, row.url)
		row.want.Rule = row.rule
		row.want.App, _ = p.App(r.Host)
		if got := p.Decide(r); got != row.want {
			t.Errorf("%s: Decide(%s %s) = %+v, want %+v", row.story, row.method, row.url, got, row.want)
		}
	}
}

// What did not come through canonical is refused, not matched somehow.
func TestDecideOnWhatIsNotCanonical(t *testing.T) {
	p := build(t, policy.App{Name: "open", Hosts: []string{"ex.test", "*.ex.test"}, Allow: &policy.Subjects{Everyone: true}})
	for _, r := range []policy.Request{
		{},
		{Method: "GET", Host: "ex.test"},
		{Method: "GET", Host: "ex.test", Path: "public/x"},
		{Method: "GET", Host: "ex.test", Path: "*"},
		{Method: "", Host: "ex.test", Path: "/"},
		{Method: "GET", Host: "", Path: "/"},
		{Method: "GET", Host: ".ex.test", Path: "/"},
		{Method: "GET", Host: "EX.TEST", Path: "/"},
		{Method: "GET", Host: "ex.test.", Path: "/"},
		{Method: "GET", Host: "ex.test:443", Path: "/"},
		{Method: "GET", Host: "evilex.test", Path: "/"},
		{Method: "GET", Host: "x.y.ex.test", Path: "/"},
		{Method: "GET", Host: "ex.test.evil.test", Path: "/"},
	} {
		if got := p.Decide(r); got.Effect != policy.Deny {
			t.Errorf("Decide(%+v) = %+v, want deny", r, got)
		}
	}
}

func TestNoPolicyDenies(t *testing.T) {
	empty, err := policy.New(policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*policy.Policy{"nil": nil, "zero": {}, "of no apps": empty} {
		for _, who := range []*identity.Principal{nobody, alice} {
			if got, want := p.Decide(request(t, who, "10.0.0.1", "GET", "wiki.example.com/")), (policy.Decision{Reason: policy.UnknownHost}); got != want {
				t.Errorf("Decide of the policy %s = %+v, want %+v", name, got, want)
			}
		}
		if app, ok := p.App("wiki.example.com"); ok || app != "" {
			t.Errorf("App of the policy %s = %q, %v, want none", name, app, ok)
		}
		if p.CouldAdmit(*alice) {
			t.Errorf("the policy %s admits", name)
		}
	}
	if (policy.Decision{}).Effect != policy.Deny {
		t.Error("the zero Decision does not deny")
	}
}

func TestEffectString(t *testing.T) {
	for effect, want := range map[policy.Effect]string{policy.Deny: "deny", policy.Login: "login", policy.StepUp: "step-up", policy.Allow: "allow", -1: "deny", 4: "deny"} {
		if got := effect.String(); got != want {
			t.Errorf("Effect(%d) = %q, want %q", int(effect), got, want)
		}
	}
}

func TestEmailDomains(t *testing.T) {
	p := build(t, policy.App{Name: "mail", Host: "ex.test", Allow: &policy.Subjects{EmailDomains: []string{"EX.test", "xn--bcher-kva.test"}}})
	effect := func(email string, verified bool) policy.Effect {
		who := &identity.Principal{UserID: "u", Login: "x", Email: email, EmailVerified: verified}
		return p.Decide(request(t, who, "", "GET", "ex.test/")).Effect
	}
	for _, email := range []string{
		"a@ex.test", "A@EX.TEST", "a.b+c@Ex.Test", "a@xn--bcher-kva.test", "o'hara@ex.test",
		strings.Repeat("a", 64) + "@ex.test",
	} {
		if got := effect(email, true); got != policy.Allow {
			t.Errorf("%q, verified: %v, want allow", email, got)
		}
		if got := effect(email, false); got != policy.Deny {
			t.Errorf("%q, not verified: %v, want deny", email, got)
		}
	}
	hostile := append(hostiletest.Lines(t, "emails"), "", strings.Repeat("a", 65)+"@ex.test", strings.Repeat("a", 300)+"@ex.test", "a@"+strings.Repeat("a", 300)+".ex.test")
	for _, email := range hostile {
		if got := effect(email, true); got != policy.Deny {
			t.Errorf("%q: %v, want deny", email, got)
		}
	}
}

func TestNetworks(t *testing.T) {
	p := build(t, policy.App{Name: "net", Host: "ex.test", Allow: &policy.Subjects{Networks: []string{
		"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/9", "192.0.2.7", "192.0.2.9/32", "2001:db8::/32", "2001:db8:1::/48", "::1", "198.51.100.0/24", "198.51.100.128/25", "11.0.0.0/16",
	}}})
	for client, want := range map[string]policy.Effect{
		"9.255.255.255": policy.Deny, "10.0.0.0": policy.Allow, "10.1.2.3": policy.Allow, "10.200.0.1": policy.Allow, "10.255.255.255": policy.Allow,
		"11.0.255.255": policy.Allow, "11.1.0.0": policy.Deny, "192.0.2.6": policy.Deny, "192.0.2.7": policy.Allow, "192.0.2.8": policy.Deny, "192.0.2.9": policy.Allow, "192.0.2.10": policy.Deny,
		"198.51.100.1": policy.Allow, "198.51.100.200": policy.Allow, "198.51.101.0": policy.Deny, "255.255.255.255": policy.Deny, "0.0.0.0": policy.Deny,
		"::1": policy.Allow, "::": policy.Deny, "::2": policy.Deny, "2001:db7:ffff::": policy.Deny, "2001:db8::": policy.Allow, "2001:db8:1::1": policy.Allow, "2001:db8:ffff::1": policy.Allow, "2001:db9::": policy.Deny,
		"::ffff:10.0.0.1": policy.Allow, "::ffff:12.0.0.1": policy.Deny, "::10.0.0.1": policy.Deny, "::ffff:192.0.2.7": policy.Allow, "::1%eth0": policy.Allow, "fe80::1%eth0": policy.Deny,
	} {
		if got := p.Decide(request(t, nobody, client, "GET", "ex.test/")).Effect; got != want {
			t.Errorf("from %s: %v, want %v", client, got, want)
		}
	}
}

func TestCouldAdmit(t *testing.T) {
	for _, row := range []struct {
		story string
		apps  []policy.App
		who   identity.Principal
		want  bool
	}{
		{"signed-in admits anybody, without a user id yet", house, identity.Principal{Login: "new"}, true},
		{"a rule's condition does not matter", []policy.App{{Name: "a", Host: "a.test", Rules: []policy.Rule{{Paths: []string{"/x"}, Methods: []string{"PUT"}, Networks: []string{"10.0.0.0/8"}, Allow: &policy.Subjects{Users: []string{"bob"}}}}}}, *bob, true},
		{"another user", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Users: []string{"bob"}}}}, *alice, false},
		{"a group", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Groups: []string{"ops"}}}}, *alice, true},
		{"another group", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Groups: []string{"ops"}}}}, *bob, false},
		{"an origin", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Origins: []string{"corp"}}}}, *eve, true},
		{"a domain", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{EmailDomains: []string{"ex.test"}}}}, *alice, true},
		{"a domain, the address not verified", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{EmailDomains: []string{"ex.test"}}}}, *eve, false},
		{"everyone needs no record", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Everyone: true}}}, *alice, false},
		{"a network needs no record", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Networks: []string{"10.0.0.0/8"}}}}, *alice, false},
		{"deny admits nobody", []policy.App{{Name: "a", Host: "a.test", Rules: []policy.Rule{{Deny: true}}}}, *alice, false},
		{"the second app", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Users: []string{"bob"}}}, {Name: "b", Host: "b.test", Allow: &policy.Subjects{Users: []string{"alice"}}}}, *alice, true},
		{"a principal of empty words", []policy.App{{Name: "a", Host: "a.test", Allow: &policy.Subjects{Users: []string{"bob"}, Groups: []string{"g"}, Origins: []string{"corp"}, EmailDomains: []string{"ex.test"}}}}, *blank, false},
	} {
		if got := build(t, row.apps...).CouldAdmit(row.who); got != row.want {
			t.Errorf("%s: CouldAdmit(%+v) = %v, want %v", row.story, row.who, got, row.want)
		}
	}
}
