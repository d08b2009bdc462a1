package config

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"gateway/policy"
)

// Observed is what came of the file that observe names. Whatever is wrong with
// it, the configuration that names it holds.
type Observed struct {
	Policy *policy.Config // what its apps would be guarded by; nil: it is not observed
	Wrong  []string       // why not
}

// observe reads the file that observe names, as the configuration that it is to
// become: strictly and whole. What it observes itself is its own later business.
func (c *Config) observe(environ []string) []Warning {
	if c.Observe == "" {
		return nil
	}
	at := nearest(c.places, "observe")
	warnings := c.observedInstead()
	other, err := next(c.Observe, environ)
	if err == nil {
		guards := other.Policy()
		c.Observed = &Observed{Policy: &guards}
		return warnings
	}
	c.Observed = &Observed{}
	for _, e := range apart(err) {
		c.Observed.Wrong = append(c.Observed.Wrong, e.Error())
		warnings = append(warnings, Warning{at, "observe", fmt.Sprintf("that file is not observed: %v", e)})
	}
	return warnings
}

// next reads a configuration that is in no hurry: nobody waits for a pipe.
func next(path string, environ []string) (*Config, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", path)
	}
	c, _, err := alone(path, environ)
	return c, err
}

// observedInstead warns about what would be observed if no file were.
func (c *Config) observedInstead() []Warning {
	var all []Warning
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		app, path := c.Apps[name], join("apps", name)
		if app.Observe != nil || slices.ContainsFunc(app.Rules, func(r policy.Rule) bool { return r.Observe }) {
			all = append(all, Warning{nearest(c.places, path), path, "what it observes is not observed now: the file of observe is"})
		}
	}
	return all
}
