package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
)

// Load reads the configuration file at path, and the one that it observes. Its
// error is Complaints, or says why the file cannot be read.
func Load(path string, environ []string) (*Config, []Warning, error) {
	c, warnings, err := alone(path, environ)
	if err != nil {
		return nil, warnings, err
	}
	return c, append(warnings, c.observe(environ)...), nil
}

// alone reads one configuration file.
func alone(path string, environ []string) (*Config, []Warning, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the administrator names the file
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	return load(path, data, environ, open(info))
}

// load reads the content of a configuration file, which everybody may read, or
// not. The name stands in complaints, and its folder is where relative paths
// begin; environ holds NAME=value lines as os.Environ gives them. The error is
// Complaints, all that there are.
func load(name string, data []byte, environ []string, open bool) (*Config, []Warning, error) {
	r := &report{file: name}
	tree := r.read(data)
	if tree == nil {
		return nil, r.warnings, r.err()
	}
	if tree.kind != mapping {
		r.complain(tree.place, "", "must be a mapping, not %s", tree.kind)
		return nil, r.warnings, r.err()
	}
	d := &decoder{report: r, env: newEnvironment(environ), places: map[string]Place{}, open: open}
	r.override(tree, d.env)
	c := defaults()
	d.decode(tree, root(), reflect.ValueOf(c).Elem(), "")
	d.validate(c)
	return c.finish(d)
}

// finish fills in what the rooms default to, the secrets of files, and the
// folder where relative paths begin.
func (c *Config) finish(d *decoder) (*Config, []Warning, error) {
	d.readSecrets()
	if err := d.err(); err != nil {
		return nil, d.warnings, err
	}
	for _, id := range slices.Collect(maps.Keys(c.Providers)) {
		c.Providers[id] = c.Providers[id].WithDefaults(id)
	}
	c.Data, c.TLS.Cert, c.TLS.Key, c.Observe = d.locate(c.Data), d.locate(c.TLS.Cert), d.locate(c.TLS.Key), d.locate(c.Observe)
	for i, pair := range c.TLS.Certificates {
		c.TLS.Certificates[i] = Pair{d.locate(pair.Cert), d.locate(pair.Key)}
	}
	c.origin = origin{file: d.file, places: d.places, secrets: d.secretFiles}
	return c, d.warnings, nil
}
