package policy_test

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/canonical"
	"gateway/internal/identity"
	"gateway/policy"
)

// dice throws the same numbers for the same seed.
type dice struct {
	state [32]byte
	next  int
}

func (d *dice) below(n int) int {
	if d.next%16 == 0 {
		d.state = sha256.Sum256(d.state[:])
	}
	i := d.next % 16
	d.next++
	return int(binary.BigEndian.Uint16(d.state[2*i:])) % n
}

func (d *dice) one(words ...string) string { return words[d.below(len(words))] }

// some returns up to n of the words, nil for none.
func (d *dice) some(n int, words ...string) []string {
	var list []string
	for range d.below(n + 1) {
		list = append(list, d.one(words...))
	}
	return list
}

func (d *dice) pattern() string {
	var b strings.Builder
	for previous := ""; ; {
		segment := d.one("a", "a", "b", "c", "*", "**")
		if segment != "**" || previous != "**" {
			b.WriteString("/" + segment)
			previous = segment
		}
		switch d.below(6) {
		case 0:
			return b.String() + "/"
		case 1, 2:
			return b.String()
		}
	}
}

func (d *dice) path() canonical.Path {
	var b strings.Builder
	for range d.below(7) {
		b.WriteString("/" + d.one("a", "a", "b", "c", "d", "A", "B", "ı"))
	}
	if b.Len() == 0 || d.below(4) == 0 {
		b.WriteByte('/')
	}
	return canonical.Path(b.String())
}

func (d *dice) subjects() *policy.Subjects {
	switch d.below(6) {
	case 0:
		return &policy.Subjects{Everyone: true}
	case 1:
		return &policy.Subjects{SignedIn: true}
	}
	s := &policy.Subjects{
		Users: d.some(1, "alice", "bob"), Groups: d.some(2, "ops", "staff"), EmailDomains: d.some(1, "ex.test"), Origins: d.some(1, "corp", "local"),
		Networks: d.some(2, "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "192.0.2.1"),
	}
	if len(s.Users)+len(s.Groups)+len(s.EmailDomains)+len(s.Origins)+len(s.Networks) == 0 {
		s.Groups = []string{"ops"}
	}
	return s
}

func (d *dice) rule() policy.Rule {
	r := policy.Rule{Methods: d.some(2, "GET", "HEAD", "POST", "PUT")}
	for range d.below(4) {
		r.Paths = append(r.Paths, d.pattern())
	}
	if r.Deny = d.below(4) == 0; r.Deny {
		return r
	}
	r.Allow = d.subjects()
	r.Networks = d.some(1, "10.0.0.0/8", "2001:db8::/32")
	if d.below(4) == 0 {
		r.Times = []policy.Time{{From: d.one("08:00", ""), To: d.one("18:00", "06:00"), Zone: "UTC"}}
	}
	if d.below(4) == 0 {
		r.Factors = 1 + d.below(3)
	}
	if d.below(4) == 0 {
		r.MaxAge = 15 * time.Minute
	}
	if d.below(4) == 0 {
		r.When = d.one(expressions...)
	}
	r.Tokens = policy.Tokens(d.one("", "", "allow", "refuse"))
	return r
}

func (d *dice) apps() []policy.App {
	apps := []policy.App{{Name: "x", Hosts: []string{"x.test", "*.x.test"}}, {Name: "y", Hosts: []string{"a.x.test", "*.a.x.test"}}}
	for i := range apps {
		for range 1 + d.below(8) {
			apps[i].Rules = append(apps[i].Rules, d.rule())
		}
		apps[i].Origins = d.some(1, "corp", "local")
		apps[i].CaseInsensitive = d.below(2) == 0
	}
	return apps
}

func (d *dice) request() policy.Request {
	who := []*identity.Principal{nil, blank, alice, bob, eve}[d.below(5)]
	now := []time.Time{{}, noon, noon.Add(-9 * time.Hour)}[d.below(3)]
	if who != nil && d.below(2) == 0 {
		more := *who
		more.AMR = d.some(3, "pwd", "fed", "otp", "recovery", "passkey", "face")
		more.AuthTime = []time.Time{{}, now, now.Add(-15 * time.Minute), now.Add(-time.Hour), now.Add(time.Hour)}[d.below(5)]
		who = &more
	}
	if who != nil && d.below(3) == 0 {
		token := *who
		if token.Token = true; d.below(2) == 0 {
			token.AMR, token.AuthTime = []string{identity.ByToken}, time.Time{}
		}
		who = &token
	}
	client := []netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("2001:db8::1%eth0"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.1")}[d.below(6)]
	return policy.Request{
		Method: d.one("GET", "HEAD", "POST", "PUT", "PURGE", "get"), Path: d.path(), Client: client, Who: who, Now: now, Reach: d.below(4),
		Host: canonical.Host(d.one("x.test", "a.x.test", "b.x.test", "b.a.x.test", "c.b.a.x.test", "y.test")),
	}
}

// Whatever the configuration is, Decide answers like the reference, which goes
// from rule to rule; and a rule that New calls shadowed never decides there.
func TestDecideIsTheReference(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	d := &dice{}
	compared, refused, seen := 0, 0, map[policy.Reason]int{}
	for range rounds {
		apps := d.apps()
		p, err := policy.New(policy.Config{Apps: apps})
		for err != nil {
			refused++
			apps = withoutShadowed(t, d, apps, complaints(t, err))
			p, err = policy.New(policy.Config{Apps: apps})
		}
		for range 60 {
			r := d.request()
			want := reference(apps).decide(r)
			if got := p.Decide(r); got != want {
				t.Fatalf("Decide(%+v) = %+v, want %+v\n%+v", r, got, want, apps)
			}
			compared++
			seen[want.Reason]++
			promisesOf(t, p, r)
			explains(t, p, r)
		}
	}
	if compared == 0 || refused == 0 || len(seen) < 14 {
		t.Errorf("%d decisions, %d configurations with shadowed rules, reasons %v: the dice are loaded", compared, refused, seen)
	}
}

// withoutShadowed checks that the rules complained about never decide, and
// returns the apps without the last of them.
func withoutShadowed(t *testing.T, d *dice, apps []policy.App, lines []string) []policy.App {
	t.Helper()
	var app string
	var index int
	for _, line := range lines {
		where, _, found := strings.Cut(line, ": never decides: ")
		if !found {
			t.Fatalf("New complains %q", line)
		}
		name, digit, _ := strings.Cut(strings.TrimPrefix(where, "apps."), ".rules[")
		app, index = name, int(digit[0]-'0')
		rule := app + "[" + digit[:1] + "]"
		for range 60 {
			r := d.request()
			if got := reference(apps).decide(r); got.Rule == rule {
				t.Fatalf("%q, but it decides %+v\n%+v", line, r, apps)
			}
		}
	}
	for i := range apps {
		if apps[i].Name == app {
			apps[i].Rules = append(apps[i].Rules[:index:index], apps[i].Rules[index+1:]...)
		}
	}
	return apps
}

// promisesOf checks what each decision promises.
func promisesOf(t *testing.T, p *policy.Policy, r policy.Request) {
	t.Helper()
	got := p.Decide(r)
	if again := p.Decide(r); again != got {
		t.Fatalf("Decide(%+v) = %+v, then %+v", r, got, again)
	}
	alone := r
	alone.Who = nil
	asNobody := p.Decide(alone)
	switch {
	case got.Public && asNobody.Effect != policy.Allow, asNobody.Public && got != asNobody:
		t.Fatalf("Decide(%+v) = %+v, as nobody %+v", r, got, asNobody)
	case got.Rule != asNobody.Rule || got.App != asNobody.App:
		t.Fatalf("Decide(%+v) = %+v: the person chose the rule, as nobody %+v", r, got, asNobody)
	case (got.Effect == policy.Allow) != (got.Reason == policy.Allowed), (got.Effect == policy.Login) != (got.Reason == policy.SignIn):
		t.Fatalf("Decide(%+v) = %+v: effect and reason disagree", r, got)
	case got.Effect == policy.Allow && (got.App == "" || got.Rule == ""):
		t.Fatalf("Decide(%+v) = %+v: allowed by no rule", r, got)
	case got.Effect == policy.Allow && asNobody.Effect != policy.Allow && !saysWhen(p, r) && (r.Who == nil || !p.CouldAdmit(*r.Who)):
		t.Fatalf("Decide(%+v) = %+v, but CouldAdmit denies it", r, got)
	case got.Effect == policy.StepUp && r.Who.Token:
		t.Fatalf("Decide(%+v) = %+v: a token is asked to prove more", r, got)
	case got.Effect == policy.Allow && r.Who != nil && r.Who.Login != "" && r.Who.Token && !p.TakesToken(got.App, *r.Who):
		t.Fatalf("Decide(%+v) = %+v, but TakesToken denies it", r, got)
	case got.Effect == policy.StepUp && (r.Reach == 0 || alone.Who == r.Who || asNobody.Effect != policy.Login):
		t.Fatalf("Decide(%+v) = %+v, as nobody %+v", r, got, asNobody)
	case got.Effect == policy.Login && r.Who != nil && r.Who.Login != "":
		t.Fatalf("Decide(%+v) = %+v: somebody is asked who it is", r, got)
	}
}

// saysWhen reports whether the deciding rule has an expression.
func saysWhen(p *policy.Policy, r policy.Request) bool {
	rules := p.Explain(r).Rules
	return len(rules) > 0 && slices.ContainsFunc(rules[len(rules)-1].Findings, func(f policy.Finding) bool { return f.About == "when" })
}
