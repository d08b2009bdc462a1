package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"gateway/internal/canonical"
)

// builder compiles apps one after the other and gathers what is wrong.
type builder struct {
	policy     *Policy
	names      map[string]bool // of apps
	complaints []error
}

func (b *builder) complain(path, format string, args ...any) {
	b.complaints = append(b.complaints, &Complaint{Path: path, Message: fmt.Sprintf(format, args...)})
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
	a := &app{name: c.Name}
	b.policy.apps = append(b.policy.apps, a)
	b.hosts(at, c, a)
	switch {
	case c.Allow != nil && c.Rules != nil:
		b.complain(at+".allow", "stands beside rules: make it the last rule")
	case c.Allow != nil:
		r := rule{name: c.Name + "[0]", methods: allMethods, admits: b.subjects(at+".allow", *c.Allow)}
		b.place(at, a, r, nil)
	case len(c.Rules) == 0:
		b.complain(at, "neither allow nor rules: nobody could pass")
	default:
		b.rules(at, c, a)
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
