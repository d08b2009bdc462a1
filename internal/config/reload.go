package config

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Files are the files that a configuration was read from, its own first: what
// has to be looked at to know that it has changed.
func (c *Config) Files() []string {
	files := append([]string{c.file}, c.secrets...)
	for _, pair := range c.TLS.Pairs() {
		files = append(files, pair.Cert, pair.Key)
	}
	if c.Observe != "" {
		files = append(files, c.Observe)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		for _, u := range c.Apps[name].Upstreams {
			if u.CAFile != "" {
				files = append(files, u.CAFile)
			}
		}
	}
	return files
}

// Same reports whether both mean the same, wherever their lines stand.
func (c *Config) Same(other *Config) bool {
	a, b := *c, *other
	a.origin, b.origin = origin{}, origin{}
	return reflect.DeepEqual(a, b)
}

// Replaces says what stands against going over from a configuration that is in
// effect to this one, as Complaints: keys that need a restart.
func (c *Config) Replaces(old *Config) error {
	var wrong Complaints
	for _, key := range []struct {
		path string
		same bool
	}{
		{"url", c.URL == old.URL},
		{"data", filepath.Clean(c.Data) == filepath.Clean(old.Data)},
	} {
		if !key.same {
			wrong = append(wrong, c.Complaint(key.path, "changing it needs a restart"))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// Complaint is one about a key, at the line of it or the nearest above it.
func (c *Config) Complaint(path, message string) *Complaint {
	return &Complaint{Place: nearest(c.places, path), Path: path, Message: message}
}

// origin is where a configuration came from.
type origin struct {
	file    string
	places  map[string]Place // of every key, by path
	secrets []string         // files that hold them
}

// nearest is where a key, or the nearest one above it, was written.
func nearest(places map[string]Place, path string) Place {
	for path != "" {
		if place, ok := places[path]; ok {
			return place
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return places[""]
}
