package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"gateway/internal/canonical"
)

// builder compiles apps one after the other and gathers what is wrong.
type builder struct {
	policy     *Policy
	names      map[string]bool // of apps
	subjectsOf map[string]*subjects
	ruleSets   map[string][]ready
	zones      map[string]*time.Location
	whens      map[string]*condition
	asks       []ask
	complaints []error
}

// ask is a when that waits to be compiled, and where it stands.
type ask struct {
	at   string
	when *condition
}

// newBuilder compiles what apps share.
func newBuilder(c Config) *builder {
	b := &builder{
		policy: &Policy{hosts: map[canonical.Host]*app{}, wildcards: map[canonical.Host]*app{}, people: newSubjects()},
		names:  map[string]bool{}, subjectsOf: map[string]*subjects{}, ruleSets: map[string][]ready{},
		zones: map[string]*time.Location{}, whens: map[string]*condition{},
	}
	for _, name := range slices.Sorted(maps.Keys(c.Subjects)) {
		b.subjectSet(name, c.Subjects[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.RuleSets)) {
		b.ruleSet(name, c.RuleSets[name])
	}
	return b
}

func (b *builder) complain(path, format string, args ...any) {
	b.complaints = append(b.complaints, &Complaint{Path: path, Message: fmt.Sprintf(format, args...)})
}

// compile compiles the expressions, all at once since each takes its time.
func (b *builder) compile() {
	compileAll(slices.Collect(maps.Values(b.whens)))
	for _, a := range b.asks {
		if a.when.wrong != nil {
			b.complain(a.at, "%v", a.when.wrong)
		}
	}
}

var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// app compiles an app.
func (b *builder) app(c App) {
	at := "apps." + c.Name
	switch {
	case !word.MatchString(c.Name):
		b.complain("apps", "%q is no name: letters, digits, '.', '_' and '-', at most 64", c.Name)
		return
	case b.names[c.Name]:
		b.complain(at, "two apps have this name")
		return
	}
	b.names[c.Name] = true
	a := &app{name: c.Name, fold: c.CaseInsensitive, origins: b.entries(at+".origins", c.Origins, origin)}
	if b.policy.apps = append(b.policy.apps, a); len(a.origins) > 0 {
		a.people = newSubjects()
		b.policy.picky = append(b.policy.picky, a)
	}
	b.hosts(at, c, a)
	b.says(at, c.Name, a, c.Allow, c.Rules)
	b.candidate(at, c, a)
}

// says compiles who may pass: one rule for everything, or rules in order. What
// is in front of their index names them.
func (b *builder) says(at, name string, a *app, allow *Subjects, rules []Rule) {
	switch {
	case allow != nil && rules != nil:
		b.complain(at+".allow", "stands beside rules: make it the last rule")
	case allow != nil:
		b.place(a, ready{rule: rule{name: name + "[0]", methods: allMethods, admits: b.subjects(at+".allow", *allow)}, patterns: [][]string{everyPath}})
	case len(rules) == 0:
		b.complain(at, "neither allow nor rules: nobody could pass")
	default:
		b.rules(at, name, rules, a)
	}
}

// hosts lets the app have its hosts.
func (b *builder) hosts(at string, c App, a *app) {
	switch {
	case c.Host != "" && c.Hosts != nil:
		b.complain(at+".hosts", "stands beside host: name them all here")
	case c.Host != "":
		b.host(at+".host", c.Host, a)
	case len(c.Hosts) == 0:
		b.complain(at+".host", "missing")
	}
	for i, h := range c.Hosts {
		b.host(fmt.Sprintf("%s.hosts[%d]", at, i), h, a)
	}
}

// host lets the app have a host, or all hosts with one more label.
func (b *builder) host(at, pattern string, a *app) {
	name, wildcard := strings.CutPrefix(pattern, "*.")
	host, err := canonical.ParseHost(name)
	switch {
	case err != nil:
		b.complain(at, "%s", reason(err))
		return
	case strings.Contains(name, ":") && !strings.HasSuffix(name, "]"):
		b.complain(at, "a host has no port here")
		return
	case wildcard && address(host):
		b.complain(at, "an address has no labels for *")
		return
	}
	hosts := b.policy.hosts
	if wildcard {
		hosts = b.policy.wildcards
	}
	if other := hosts[host]; other != nil {
		b.complain(at, "%s already has this host", other.name)
		return
	}
	hosts[host] = a
}

func address(h canonical.Host) bool {
	_, err := netip.ParseAddr(string(h))
	return err == nil || h[0] == '['
}

// notEmpty complains about a list that is given and empty, since it reads as
// none and would mean all.
func (b *builder) notEmpty(at string, list []string, all string) {
	if len(list) == 0 {
		b.complain(at, "is empty: leave it out for %s", all)
	}
}

// reason returns an error of canonical as a complaint says it.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "canonical: ") }
