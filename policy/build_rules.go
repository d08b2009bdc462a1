package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// rules compiles the app's rules in order.
func (b *builder) rules(at string, c App, a *app) {
	names := map[string]bool{}
	for i, r := range c.Rules {
		at := fmt.Sprintf("%s.rules[%d]", at, i)
		compiled := rule{name: fmt.Sprintf("%s[%d]", c.Name, i), named: r.Methods, paths: r.Paths, deny: r.Deny}
		if r.Name != "" {
			b.ruleName(at+".name", r.Name, names)
			compiled.name = r.Name
		}
		compiled.methods = b.methods(at+".methods", r.Methods)
		compiled.from = b.networks(at+".networks", r.Networks)
		switch {
		case r.Deny && r.Allow != nil:
			b.complain(at+".allow", "stands beside deny, which refuses everybody")
		case r.Deny && r.Networks != nil:
			b.complain(at+".networks", "stands beside deny, which refuses from everywhere")
		case r.Deny:
		case r.Allow == nil:
			b.complain(at, "neither allow nor deny")
		default:
			compiled.admits = b.subjects(at+".allow", *r.Allow)
		}
		b.place(at, a, compiled, b.patterns(at+".paths", r.Paths))
	}
}

func (b *builder) ruleName(at, name string, names map[string]bool) {
	switch {
	case len(name) > 64 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '[' || r == ']' }):
		b.complain(at, "%q is no name: printable, without brackets, at most 64 bytes", name)
	case names[name]:
		b.complain(at, "two rules have the name %q", name)
	}
	names[name] = true
}

// methods compiles a list of methods; none is all.
func (b *builder) methods(at string, names []string) methodSet {
	if names == nil {
		return allMethods
	}
	b.notEmpty(at, names, "every method")
	var all methodSet
	for i, name := range names {
		bits, ok := methodsNamed(name)
		if !ok {
			b.complain(fmt.Sprintf("%s[%d]", at, i), "%q is no registered method in upper case that passes the gateway", name)
		}
		all |= bits
	}
	return all
}

// patterns compiles a list of paths; none is all.
func (b *builder) patterns(at string, paths []string) [][]string {
	if paths == nil {
		return nil
	}
	b.notEmpty(at, paths, "every path")
	patterns := make([][]string, 0, len(paths))
	for i, path := range paths {
		pattern, err := parsePattern(path)
		if err != nil {
			b.complain(fmt.Sprintf("%s[%d]", at, i), "%v", err)
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// place appends the rule to the app, unless earlier rules decide all that it could.
func (b *builder) place(at string, a *app, r rule, patterns [][]string) {
	if patterns == nil {
		patterns = [][]string{everyPath}
	}
	b.shadow(at, a, r, patterns)
	e := end{rule: len(a.rules), methods: r.methods}
	for _, pattern := range patterns {
		a.paths.add(pattern, e)
	}
	a.rules = append(a.rules, r)
	b.policy.people.add(r.admits)
}

// shadow complains about a rule that earlier ones leave nothing to decide.
func (b *builder) shadow(at string, a *app, r rule, patterns [][]string) {
	var names []string
	for _, pattern := range patterns {
		left := r.methods
		for _, e := range a.paths.before(pattern) {
			if left&e.methods != 0 {
				left &^= e.methods
				names = append(names, a.rules[e.rule].name)
			}
		}
		if left != 0 {
			return
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		b.complain(at, "never decides: %s before it has all its methods and paths", strings.Join(slices.Compact(names), ", "))
	}
}
