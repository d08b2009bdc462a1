package config

import (
	"os"
	"reflect"
	"strings"
)

// DataOf returns the data folder that the configuration file at path names,
// whatever else is wrong with it, and false where that cannot be told. It is
// for who looks for a gateway that goes on with the configuration from before.
func DataOf(path string, environ []string) (string, bool) {
	content, err := os.ReadFile(path) //nolint:gosec // G304: the administrator names the file
	if err != nil {
		return "", false
	}
	r := &report{file: path}
	d := &decoder{report: r, env: newEnvironment(environ), places: map[string]Place{}}
	if data := d.env[prefix+"DATA"]; data != "" {
		return d.locate(data), true
	}
	tree := r.read(content)
	if tree == nil || tree.kind != mapping {
		return "", false
	}
	c := defaults()
	d.decode(tree, root(), reflect.ValueOf(c).Elem(), "")
	said := tree.at("data") != nil
	for _, complaint := range r.complaints {
		top := !strings.ContainsAny(complaint.Path, ".[") // data itself, or a slip of the pen that may have been data
		if complaint.Path == "data" || top && !said {
			return "", false
		}
	}
	return d.locate(c.Data), true
}
