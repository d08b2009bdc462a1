package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// environment is what the variables of a process hold.
type environment map[string]string

// newEnvironment reads NAME=value lines; of a name given twice the first
// counts, as it does for os.Getenv.
func newEnvironment(lines []string) environment {
	env := environment{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if _, twice := env[name]; !twice {
			env[name] = value
		}
	}
	return env
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// fill replaces each ${NAME} by the variable's value, which is not read again,
// and each $$ by a dollar.
func (env environment) fill(value string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(value, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			value = rest[1:]
			continue
		}
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "{"), "}")
		if !strings.HasPrefix(rest, "{") || !closed || !variableName.MatchString(name) {
			return "", errors.New("a lone dollar: write $$ for a dollar, or ${NAME} for a variable")
		}
		content, set := env[name]
		if !set {
			return "", fmt.Errorf("the variable %s is not set", name)
		}
		out.WriteString(content)
		value = after
	}
}

// prefix begins the names of the variables that override keys.
const prefix = "GATEWAY_"

// reserved are variables of ours that are no keys: GATEWAY_CONFIG names the file.
var reserved = map[string]bool{prefix + "CONFIG": true}

// target is a key that a variable can override.
type target struct {
	keys []string
	path string
}

// override puts the values of variables in the place of what the file says.
func (r *report) override(tree *node, env environment) {
	targets := map[string][]target{}
	root().targets(tree, target{}, targets)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		found := targets[name]
		place := Place{Variable: name}
		switch {
		case !strings.HasPrefix(name, prefix) || reserved[name]:
		case len(found) == 0:
			r.warn(place, "", "overrides no key of this configuration and is ignored")
		case len(found) > 1:
			r.complain(place, "", "means both %s and %s: write the value into the file", found[0].path, found[1].path)
		default:
			tree.put(found[0].keys, &node{kind: text, place: place, text: env[name], literal: true})
		}
	}
}

var notInNames = regexp.MustCompile(`[^A-Z0-9]`)

// variable returns the name of the variable that overrides a key.
func (t target) variable() string {
	return prefix + notInNames.ReplaceAllString(strings.ToUpper(strings.Join(t.keys, "_")), "_")
}

func (t target) below(key string) target {
	return target{append(slices.Clone(t.keys), key), join(t.path, key)}
}

// targets lists the keys below s that a variable can override: scalars and
// lists of scalars, under the ids that the file has.
func (s *shape) targets(n *node, at target, into map[string][]target) {
	switch s.form {
	case object:
		for _, f := range s.fields {
			var value *node
			if e := n.at(f.key); e != nil {
				value = e.value
			}
			f.shape.targets(value, at.below(f.key), into)
		}
		if s.words == nil {
			return
		}
	case table:
		if n != nil {
			for _, e := range n.entries {
				s.elem.targets(e.value, at.below(e.key), into)
			}
		}
		return
	case series:
		if s.elem.form != scalar {
			return
		}
	case scalar, flag, proxies:
	}
	into[at.variable()] = append(into[at.variable()], at)
}

// put gives the key its value, making the mappings above it. A secret takes the
// place of the file's secret_file and the other way round.
func (n *node) put(keys []string, value *node) {
	if len(keys) == 1 {
		n.set(keys[0], value)
		other, isFile := strings.CutSuffix(keys[0], fileSuffix)
		if !isFile {
			other += fileSuffix
		}
		if e := n.at(other); e != nil && e.place.Variable == "" {
			n.unset(other)
		}
		return
	}
	e := n.at(keys[0])
	if e == nil {
		n.set(keys[0], &node{kind: mapping, place: value.place})
		e = n.at(keys[0])
	}
	if e.value.kind == null {
		e.value = &node{kind: mapping, place: e.place}
	}
	if e.value.kind == mapping {
		e.value.put(keys[1:], value)
	}
}
