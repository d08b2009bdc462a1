package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Remark is something about a configuration that is allowed and that somebody
// should know.
type Remark struct {
	Path    string `json:"path"`
	Message string `json:"message"`
	Wrong   bool   `json:"wrong"` // probably not meant; else it is only good to know
}

// Lint remarks what in a configuration decides nothing, admits nobody, is open
// to everyone or is used by nobody. The error is New's.
func Lint(c Config) ([]Remark, error) {
	p, err := New(c)
	if err != nil {
		return nil, err
	}
	l := linter{subjects: map[string]bool{}, ruleSets: map[string]bool{}}
	for i, a := range p.apps {
		l.app(a, c.Apps[i])
	}
	for _, rules := range c.RuleSets {
		for _, r := range rules {
			l.names(r.Allow)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Subjects)) {
		if !l.subjects[name] {
			l.remark("subjects."+name, true, "no rule names this set")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.RuleSets)) {
		if !l.ruleSets[name] {
			l.remark("rule_sets."+name, true, "no app uses this set")
		}
	}
	return l.remarks, nil
}

type linter struct {
	subjects, ruleSets map[string]bool // that are named
	remarks            []Remark
}

func (l *linter) remark(path string, wrong bool, format string, args ...any) {
	l.remarks = append(l.remarks, Remark{path, fmt.Sprintf(format, args...), wrong})
}

func (l *linter) app(a *app, c App) {
	l.names(c.Allow)
	rules := c.Rules
	if c.Observe != nil {
		l.names(c.Observe.Allow)
		rules = slices.Concat(rules, c.Observe.Rules)
	}
	for _, r := range rules {
		l.names(r.Allow)
		l.ruleSets[r.Use] = true
	}
	l.rules(a)
	if a.beside != nil && a.beside.candidate {
		l.rules(a.beside)
	}
}

// rules remarks what the rules of an app, or of its candidate, hardly mean. One
// that is only observed is judged where it would count.
func (l *linter) rules(a *app) {
	for i := range a.rules {
		r := &a.rules[i]
		at := "apps." + a.name + ": " + r.name
		if r.observed {
			l.shadowed(at, a.beside, i)
		} else {
			l.shadowed(at, a, i)
			l.replaced(at, a, i)
		}
		switch {
		case r.observed, a.candidate:
			l.remark(at, false, "is only observed")
		case r.deny:
		case r.maxAge > 0 && r.maxAge < soonest:
			l.remark(at, true, "asks for a proof within %v, which is over before anybody is back from it: admits nobody", r.maxAge)
		case r.open():
			l.remark(at, false, "open to everyone: %s %s", some(r.named, "every method of"), some(r.paths, "every path"))
		case r.tokens == AllowTokens && !r.personal():
			l.remark(at, true, "tokens: allow says nothing without factors or max_age: app tokens pass as the person they are of")
		case r.factors > 1 && r.tokens == AllowTokens:
			l.remark(at, true, "asks for %d factors, and there is no second one yet that people could prove: admits app tokens alone", r.factors)
		case r.factors > 1:
			l.remark(at, true, "asks for %d factors, and there is no second one yet that people could prove: admits nobody", r.factors)
		}
	}
}

// soonest is how soon somebody is back from a proof, at best.
const soonest = 5 * time.Second

// replaced remarks a rule that would have nothing left to decide if those that
// are only observed counted.
func (l *linter) replaced(at string, a *app, index int) {
	if a.beside == nil || a.beside.candidate {
		return
	}
	r, names := &a.rules[index], []string(nil)
	patterns := [][]string{everyPath}
	if len(r.paths) > 0 {
		patterns = a.parsed(r.paths)
	}
	for _, pattern := range patterns {
		left := r.methods
		for _, e := range a.beside.paths.before(pattern) {
			if e.rule < index && left&e.methods != 0 {
				left &^= e.methods
				names = append(names, a.rules[e.rule].name)
			}
		}
		if left != 0 {
			return
		}
	}
	slices.Sort(names)
	l.remark(at, false, "would decide nothing any more if what is only observed counted: %s before it", strings.Join(slices.Compact(names), ", "))
}

// parsed returns the patterns of a rule that New has read.
func (a *app) parsed(paths []string) [][]string {
	var all [][]string
	for _, raw := range paths {
		if a.fold {
			raw, _ = folded(raw)
		}
		if pattern, err := parsePattern(raw); err == nil {
			all = append(all, pattern)
		}
	}
	return all
}

// names takes note of the sets that a rule names.
func (l *linter) names(s *Subjects) {
	if s == nil {
		return
	}
	for _, name := range s.Sets {
		l.subjects[name] = true
	}
}

// open reports whether everybody passes, from anywhere, at any time.
func (r *rule) open() bool {
	return r.admits.everyone && !r.personal() && len(r.from) == 0 && len(r.times) == 0 && r.when == nil
}

// shadowed remarks paths of a rule that earlier rules decide with all methods
// that it has.
func (l *linter) shadowed(at string, a *app, index int) {
	r := &a.rules[index]
	for _, raw := range r.paths {
		written := raw
		if a.fold {
			raw, _ = folded(raw)
		}
		pattern, err := parsePattern(raw)
		if err != nil { // New has read it
			continue
		}
		left, names := r.methods, []string(nil)
		for _, e := range a.paths.before(pattern) {
			if e.rule < index && left&e.methods != 0 {
				left &^= e.methods
				names = append(names, a.rules[e.rule].name)
			}
		}
		if left == 0 {
			slices.SortFunc(names, cmp.Compare[string])
			l.remark(at, true, "never decides %s: %s before it has all its methods there", written, strings.Join(slices.Compact(names), ", "))
		}
	}
}
