package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gateway/policy"
)

// form is what a shape expects in the file.
type form int

const (
	scalar  form = iota // one value, read by its leaf
	flag                // true or false
	series              // a list
	table               // a mapping whose keys are ids
	object              // a mapping whose keys are known
	proxies             // the list of trusted_proxies
)

// shape describes a type as the file holds it. Everything that walks a
// configuration walks shapes: reading, the environment, printing, the schema.
type shape struct {
	form   form
	ref    string // the key in general: apps.*.rules[].paths
	typ    reflect.Type
	leaf   *leaf   // of a scalar
	elem   *shape  // of series and table
	fields []field // of an object, in the order of the struct
	words  []word  // scalars that stand for an object
}

// field is one key of an object.
type field struct {
	key   string
	index []int // for reflect's FieldByIndex
	shape *shape
}

// word is a scalar that stands for an object by one of its fields being true.
type word struct{ text, field string }

// field returns the field of a key, nil if there is none.
func (s *shape) field(key string) *field {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return nil
	}
	return &s.fields[i]
}

// root is the shape of the whole file.
func root() *shape { return shapeOf(reflect.TypeFor[Config](), "") }

// shapeOf describes a type, nil if no file can hold it. A pointer is like what
// it points to.
func shapeOf(t reflect.Type, ref string) *shape {
	s := &shape{ref: ref, typ: t}
	if leaf, ok := leaves[t]; ok {
		s.leaf = &leaf
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem(), ref)
	case reflect.Bool:
		s.form = flag
	case reflect.Slice:
		s.form, s.elem = series, shapeOf(t.Elem(), ref+"[]")
	case reflect.Map:
		s.form, s.elem = table, shapeOf(t.Elem(), ref+".*")
	case reflect.Struct:
		s.form, s.fields = object, fieldsOf(t, nil, ref)
		switch t {
		case reflect.TypeFor[TrustedProxies]():
			s.form, s.fields = proxies, nil
			s.elem = shapeOf(reflect.TypeFor[string](), ref+"[]")
		case reflect.TypeFor[policy.Subjects]():
			s.words = []word{{"everyone", "Everyone"}, {"signed-in", "SignedIn"}}
		}
	default:
		return nil // what no file can hold is no key
	}
	return s
}

// fieldsOf lists the keys of a struct, those of inlined structs among them.
func fieldsOf(t reflect.Type, index []int, ref string) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		at := append(slices.Clone(index), i)
		switch {
		case option == "inline":
			fields = append(fields, fieldsOf(f.Type, at, ref)...)
		case key == "-" || key == "":
		default:
			if s := shapeOf(f.Type, join(ref, key)); s != nil {
				fields = append(fields, field{key, at, s})
			}
		}
	}
	return fields
}

// item appends an index to a path.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// pointed returns what v points to, making it if need be.
func pointed(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}
