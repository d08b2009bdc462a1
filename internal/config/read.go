package config

import (
	"encoding"
	"reflect"
)

// Read fills what into points to from a file of another kind, as strictly as
// Parse reads a configuration: keys are the yaml tags of its fields, a type
// that is an encoding.TextUnmarshaler may stand as text. The error is
// Complaints. Where says in which line a key was written.
func Read(name string, data []byte, into any) (where func(path string) Place, err error) {
	r := &report{file: name}
	d := &decoder{report: r, env: environment{}, places: map[string]Place{}}
	v := &validation{decoder: d}
	tree := r.read(data)
	if tree == nil {
		return v.place, r.err()
	}
	value := reflect.ValueOf(into).Elem()
	d.decode(tree, shapeOf(value.Type(), ""), value, "")
	return v.place, r.err()
}

var ofText = reflect.TypeFor[encoding.TextUnmarshaler]()

// spoken reads text that stands for an object whose type reads text itself.
func (d *decoder) spoken(n *node, v reflect.Value, path string) {
	says, err := d.env.fill(n.text)
	if err == nil {
		if t, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
			err = t.UnmarshalText([]byte(says))
		}
	}
	if err != nil {
		d.complain(n.place, path, "%v", err)
	}
}
