package config

// kind is what a node of the file is, before anybody asks what it should be.
type kind int

const (
	text kind = iota
	number
	boolean
	null
	list
	mapping
)

// String names the kind in a complaint.
func (k kind) String() string {
	return [...]string{"text", "a number", "true or false", "nothing", "a list", "a mapping"}[k]
}

// node is one value of the file, free of anything YAML can do beyond lists,
// mappings and scalars.
type node struct {
	kind    kind
	place   Place
	text    string // of a scalar, as it was written
	plain   bool   // a scalar without quotes
	literal bool   // from the environment: taken as it is, a list reads comma-separated
	items   []*node
	entries []entry // in the order of the file, keys unique
}

// entry is one key of a mapping.
type entry struct {
	key   string
	place Place
	value *node
}

// at returns the entry of a key, nil if there is none. A nil node has none.
func (n *node) at(key string) *entry {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// set gives a key its value, in the place of an older one.
func (n *node) set(key string, value *node) {
	if e := n.at(key); e != nil {
		e.value, e.place = value, value.place
		return
	}
	n.entries = append(n.entries, entry{key, value.place, value})
}

// unset removes a key.
func (n *node) unset(key string) {
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries = append(n.entries[:i], n.entries[i+1:]...)
			return
		}
	}
}
