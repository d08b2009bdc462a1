package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// ready is a rule compiled, that has not yet its place in an app.
type ready struct {
	rule
	patterns [][]string
}

// rules compiles the app's rules in order.
func (b *builder) rules(at, name string, rules []Rule, a *app) {
	if b.anyObserved(rules) {
		a.beside = &app{name: a.name, fold: a.fold, origins: a.origins}
	}
	names := map[string]bool{}
	for i, r := range rules {
		at := fmt.Sprintf("%s.rules[%d]", at, i)
		if r.Use != "" {
			b.use(at, a, r, fmt.Sprintf("%s[%d]", name, i), names)
			continue
		}
		compiled := b.rule(at, r, a.fold)
		if compiled.name == "" {
			compiled.name = fmt.Sprintf("%s[%d]", name, i)
		} else if b.ruleName(at+".name", r.Name); names[r.Name] {
			b.complain(at+".name", "two rules have the name %q", r.Name)
		}
		names[r.Name] = true
		if before := b.place(a, compiled); before != nil {
			b.complain(at, "never decides: %s before it has all its methods and paths", strings.Join(before, ", "))
		}
	}
}

// use puts the rules of a set into the app, one by one. An app may decide
// before a set what some of its rules would, but not what all of them would.
func (b *builder) use(at string, a *app, r Rule, name string, names map[string]bool) {
	switch set, known := b.ruleSets[r.Use]; {
	case !r.aloneUse():
		b.complain(at+".use", "stands beside other keys: the set has its own")
	case !known:
		b.complain(at+".use", "no such set under rule_sets")
	default:
		decides := false
		var before []string
		for i, one := range set {
			if one.name == "" {
				one.name = fmt.Sprintf("%s.%s[%d]", name, r.Use, i)
			} else if names[one.name] {
				b.complain(at+".use", "two rules have the name %q", one.name)
			}
			names[one.name] = true
			one.observed = one.observed || r.Observe
			if a.fold {
				one.patterns = b.foldAll(at+".use", one.patterns)
			}
			shadow := b.place(a, one)
			decides, before = decides || shadow == nil, append(before, shadow...)
		}
		if !decides && len(set) > 0 {
			slices.Sort(before)
			b.complain(at, "never decides: %s before it has all methods and paths of the set", strings.Join(slices.Compact(before), ", "))
		}
	}
}

// aloneUse reports whether nothing stands beside use.
func (r *Rule) aloneUse() bool {
	return r.Name == "" && r.Methods == nil && r.Paths == nil && !r.Deny && r.Allow == nil && r.Networks == nil &&
		r.Times == nil && r.Factors == 0 && r.MaxAge == 0 && r.When == "" && r.Tokens == ""
}

// ruleSet compiles a set of rules for apps to use.
func (b *builder) ruleSet(name string, rules []Rule) {
	at := "rule_sets." + name
	if !word.MatchString(name) {
		b.complain("rule_sets", "%q is no name: letters, digits, '.', '_' and '-', at most 64", name)
	}
	if len(rules) == 0 {
		b.complain(at, "is empty: leave it out")
	}
	set := make([]ready, 0, len(rules))
	for i, r := range rules {
		at := fmt.Sprintf("%s[%d]", at, i)
		if r.Use != "" {
			b.complain(at+".use", "a set uses no sets")
		}
		if r.Name != "" {
			b.ruleName(at+".name", r.Name)
		}
		set = append(set, b.rule(at, r, false))
	}
	b.ruleSets[name] = set
}

// rule compiles one rule.
func (b *builder) rule(at string, r Rule, fold bool) ready {
	compiled := ready{rule: rule{name: r.Name, named: r.Methods, paths: r.Paths, deny: r.Deny, observed: r.Observe}}
	compiled.methods = b.methods(at+".methods", r.Methods)
	if compiled.patterns = b.patterns(at+".paths", r.Paths, fold); compiled.patterns == nil {
		compiled.patterns = [][]string{everyPath}
	}
	switch {
	case r.Use != "": // its place is told
	case r.Deny && r.Allow != nil:
		b.complain(at+".allow", "stands beside deny, which refuses everybody")
	case r.Deny:
		b.denyAlone(at, r)
	case r.Allow == nil:
		b.complain(at, "neither allow nor deny")
	default:
		compiled.admits = b.subjects(at+".allow", *r.Allow)
	}
	compiled.from = b.networks(at+".networks", r.Networks)
	compiled.conditions(b, at, r)
	return compiled
}

// denyAlone complains about conditions of a rule that refuses everybody.
func (b *builder) denyAlone(at string, r Rule) {
	for _, condition := range []struct {
		key, what string
		given     bool
	}{
		{"networks", "from everywhere", r.Networks != nil},
		{"times", "at all times", r.Times != nil},
		{"factors", "however they signed in", r.Factors != 0},
		{"max_age", "however they signed in", r.MaxAge != 0},
		{"when", "whatever is true", r.When != ""},
		{"tokens", "app tokens, too", r.Tokens != ""},
	} {
		if condition.given {
			b.complain(at+"."+condition.key, "stands beside deny, which refuses %s", condition.what)
		}
	}
}

// conditions compiles what else must hold.
func (r *ready) conditions(b *builder, at string, c Rule) {
	r.times = b.times(at+".times", c.Times)
	if c.Factors < 0 || c.Factors > maxFactors {
		b.complain(at+".factors", "must be from 1 to %d", maxFactors)
	}
	if c.MaxAge < 0 {
		b.complain(at+".max_age", "must be longer than nothing")
	}
	switch c.Tokens {
	case "", AllowTokens, RefuseTokens:
	default:
		b.complain(at+".tokens", "must be %s or %s", AllowTokens, RefuseTokens)
	}
	r.factors, r.maxAge, r.tokens = c.Factors, c.MaxAge, c.Tokens
	if c.When == "" {
		return
	}
	if b.whens[c.When] == nil {
		b.whens[c.When] = &condition{text: c.When}
	}
	r.when = b.whens[c.When]
	b.asks = append(b.asks, ask{at + ".when", r.when})
}

func (b *builder) ruleName(at, name string) {
	if len(name) > 64 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '[' || r == ']' }) {
		b.complain(at, "%q is no name: printable, without brackets, at most 64 bytes", name)
	}
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
func (b *builder) patterns(at string, paths []string, fold bool) [][]string {
	if paths == nil {
		return nil
	}
	b.notEmpty(at, paths, "every path")
	patterns := make([][]string, 0, len(paths))
	for i, path := range paths {
		if fold {
			var sure bool
			if path, sure = folded(path); !sure {
				b.complain(fmt.Sprintf("%s[%d]", at, i), oddLetter)
			}
		}
		pattern, err := parsePattern(path)
		if err != nil {
			b.complain(fmt.Sprintf("%s[%d]", at, i), "%v", err)
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// foldAll folds patterns that were made for apps that do not.
func (b *builder) foldAll(at string, patterns [][]string) [][]string {
	all := make([][]string, 0, len(patterns))
	for _, pattern := range patterns {
		segments := make([]string, 0, len(pattern))
		for _, segment := range pattern {
			lower, sure := folded(segment)
			if !sure {
				b.complain(at, oddLetter)
			}
			segments = append(segments, lower)
		}
		all = append(all, segments)
	}
	return all
}

const oddLetter = "a path has a letter whose case is not the same everywhere, and case_insensitive is set"

// place appends the rule to the app. It names the earlier rules that leave it
// nothing to decide, if they do. One that is only observed decides beside the
// app, and admits nobody.
func (b *builder) place(a *app, r ready) (before []string) {
	if r.observed {
		before = a.beside.shadow(r)
		a.rules = append(a.rules, r.rule)
		a.beside.put(r)
		return before
	}
	before = a.shadow(r)
	if a.beside != nil {
		a.beside.put(r)
	}
	a.put(r)
	switch {
	case a.candidate: // which admits nobody
	case len(a.origins) > 0:
		a.people.add(&r.admits, r.personal())
	default:
		b.policy.people.add(&r.admits, r.personal())
	}
	return before
}

// put lets the rule decide what no rule before it does.
func (a *app) put(r ready) {
	e := end{rule: len(a.rules), methods: r.methods}
	for _, pattern := range r.patterns {
		a.paths.add(pattern, e)
	}
	r.observed = false
	a.rules = append(a.rules, r.rule)
}

// shadow names the rules that leave another one nothing to decide; none if it
// has something left.
func (a *app) shadow(r ready) []string {
	var names []string
	for _, pattern := range r.patterns {
		left := r.methods
		for _, e := range a.paths.before(pattern) {
			if left&e.methods != 0 {
				left &^= e.methods
				names = append(names, a.rules[e.rule].name)
			}
		}
		if left != 0 {
			return nil
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
