package config

import (
	"reflect"
	"strings"
)

// decoder fills a Config from nodes and remembers where each key was written.
type decoder struct {
	*report
	env         environment
	places      map[string]Place // of every key and item met, by path
	files       []pending
	rows        []row
	secretFiles []string // that were read
	open        bool     // everybody may read the file
}

// row is an entry of a table: its map holds a copy, to be set again once the
// secrets are read.
type row struct{ table, id, value reflect.Value }

// pending is a secret that stands in a file of its own.
type pending struct {
	place Place
	path  string
	file  reflect.Value // its name
	into  reflect.Value
}

// decode reads n as s says into v.
func (d *decoder) decode(n *node, s *shape, v reflect.Value, path string) {
	d.places[path] = n.place
	if n.kind == null {
		d.complain(n.place, path, "nothing is given: write a value or leave it out")
		return
	}
	switch s.form {
	case scalar:
		d.scalar(n, s, v, path)
	case flag:
		d.flag(n, pointed(v), path)
	case series:
		v = pointed(v)
		for i, entry := range d.list(n, path) {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			d.decode(entry, s.elem, v.Index(i), item(path, i))
		}
	case table:
		d.table(n, s, v, path)
	case object:
		d.object(n, s, pointed(v), path)
	case proxies:
		d.proxies(n, s, v, path)
	}
}

// text returns what a scalar says, its variables filled in.
func (d *decoder) text(n *node, s *shape, path string) (any, bool) {
	if n.kind == list || n.kind == mapping {
		d.complain(n.place, path, "must be %s, not %s", article(s.leaf.word), n.kind)
		return nil, false
	}
	says := n.text
	if n.kind == text && !n.literal {
		filled, err := d.env.fill(says)
		if err != nil {
			d.complain(n.place, path, "%v", err)
			return nil, false
		}
		says = filled
	}
	switch {
	case says == "":
		d.complain(n.place, path, "empty: write a value or leave it out")
		return nil, false
	case strings.ContainsFunc(says, control):
		d.complain(n.place, path, "a control character")
		return nil, false
	}
	value, err := s.leaf.parse(says)
	if err != nil {
		d.complain(n.place, path, "%v", err)
		return nil, false
	}
	switch {
	case s.leaf.number && n.kind == text && !n.literal && n.text == says:
		d.complain(n.place, path, "must be a number: leave the quotes out")
		return nil, false
	case !s.leaf.number && n.kind != text:
		d.complain(n.place, path, "must be text: put it in quotes")
		return nil, false
	}
	return value, true
}

func article(word string) string {
	if word == "text" || word == "host:port" {
		return word
	}
	if word == "address" {
		return "an " + word
	}
	return "a " + word
}

func (d *decoder) scalar(n *node, s *shape, v reflect.Value, path string) {
	if value, ok := d.text(n, s, path); ok {
		v.Set(reflect.ValueOf(value))
	}
}

func (d *decoder) flag(n *node, v reflect.Value, path string) {
	word := n.kind == boolean || n.literal
	switch {
	case word && n.text == "true":
		v.SetBool(true)
	case word && n.text == "false":
		v.SetBool(false)
	default:
		d.complain(n.place, path, "must be true or false")
	}
}

// list returns the items of a list. A literal reads comma-separated.
func (d *decoder) list(n *node, path string) []*node {
	if n.literal {
		var items []*node
		for part := range strings.SplitSeq(n.text, ",") {
			items = append(items, &node{kind: text, place: n.place, text: strings.TrimSpace(part), literal: true})
		}
		return items
	}
	if n.kind != list {
		d.complain(n.place, path, "must be a list, not %s", n.kind)
		return nil
	}
	return n.items
}

func (d *decoder) proxies(n *node, s *shape, v reflect.Value, path string) {
	trusted, _ := reflect.TypeAssert[*TrustedProxies](v.Addr())
	for i, entry := range d.list(n, path) {
		d.places[item(path, i)] = entry.place
		if entry.kind == null {
			d.complain(entry.place, item(path, i), "nothing is given: write a value or leave it out")
			continue
		}
		value, ok := d.text(entry, s.elem, item(path, i))
		if !ok {
			continue
		}
		if err := trusted.add(plain(value)); err != nil {
			d.complain(entry.place, item(path, i), "%v", err)
		}
	}
}

func (d *decoder) table(n *node, s *shape, v reflect.Value, path string) {
	if n.kind != mapping {
		d.complain(n.place, path, "must be a mapping, not %s", n.kind)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range n.entries {
		below := join(path, e.key)
		if err := checkID(s.ref, e.key); err != nil {
			d.complain(e.place, below, "%v", err)
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(e.value, s.elem, value, below)
		d.places[below] = e.place
		v.SetMapIndex(reflect.ValueOf(e.key), value)
		d.rows = append(d.rows, row{v, reflect.ValueOf(e.key), value})
	}
}

func (d *decoder) object(n *node, s *shape, v reflect.Value, path string) {
	if n.kind == text && s.words != nil {
		d.word(n, s, v, path)
		return
	}
	if n.kind == text && reflect.PointerTo(s.typ).Implements(ofText) {
		d.spoken(n, v, path)
		return
	}
	if n.kind != mapping {
		d.complain(n.place, path, "must be %s, not %s", s.expects(), n.kind)
		return
	}
	for _, e := range n.entries {
		below := join(path, e.key)
		f := s.field(e.key)
		if f == nil {
			d.complain(e.place, below, "%s", s.unknown(e.key))
			continue
		}
		d.decode(e.value, f.shape, v.FieldByIndex(f.index), below)
		d.places[below] = e.place
	}
	d.secrets(n, s, v, path)
}

// word reads a scalar that stands for an object.
func (d *decoder) word(n *node, s *shape, v reflect.Value, path string) {
	says := n.text
	if !n.literal {
		filled, err := d.env.fill(says)
		if err != nil {
			d.complain(n.place, path, "%v", err)
			return
		}
		says = filled
	}
	for _, w := range s.words {
		if says == w.text {
			v.FieldByName(w.field).SetBool(true)
			return
		}
	}
	d.complain(n.place, path, "must be %s", s.expects())
}

// expects says what an object may be.
func (s *shape) expects() string {
	var words []string
	for _, w := range s.words {
		words = append(words, w.text)
	}
	return strings.Join(append(words, "a mapping"), ", or ")
}
