package config

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// tree makes nodes of a syntax tree and remembers the scalars it met.
type tree struct {
	*report
	seen map[*token.Token]bool
}

// node returns the value of a syntax node.
func (t *tree) node(from ast.Node, path string, depth int) *node {
	n := &node{place: t.line(from.GetToken().Position.Line)}
	if depth > maxDepth {
		t.complain(n.place, path, "nested deeper than %d", maxDepth)
		return n
	}
	switch from := from.(type) {
	case *ast.MappingNode:
		n.kind = mapping
		n.place = t.line(firstLine(from))
		t.mapping(n, from, path, depth)
	case *ast.SequenceNode:
		n.kind = list
		for i, value := range from.Values {
			n.items = append(n.items, t.node(value, path+"["+strconv.Itoa(i)+"]", depth+1))
		}
	default:
		t.scalar(n, from, path)
	}
	return n
}

// firstLine is where a mapping begins: a block at its first key.
func firstLine(m *ast.MappingNode) int {
	if m.IsFlowStyle || len(m.Values) == 0 {
		return m.GetToken().Position.Line
	}
	return m.Values[0].Key.GetToken().Position.Line
}

func (t *tree) mapping(n *node, from *ast.MappingNode, path string, depth int) {
	for _, value := range from.Values {
		key := value.Key.GetToken()
		t.seen[key] = true
		place := t.line(key.Position.Line)
		below := join(path, key.Value)
		child := t.node(value.Value, below, depth+1)
		if kindOf(key) != text {
			t.complain(place, path, "a key that is no text: put it in quotes")
			continue
		}
		if key.Type == token.StringType && ambiguous(key.Value) {
			t.complain(place, below, "%s", ambiguousWord)
		}
		if earlier := n.at(key.Value); earlier != nil {
			t.complain(place, below, "given twice, first on line %d", earlier.place.Line)
			continue
		}
		n.entries = append(n.entries, entry{key.Value, place, child})
	}
}

func (t *tree) scalar(n *node, from ast.Node, path string) {
	tok := from.GetToken()
	t.seen[tok] = true
	n.kind, n.text = kindOf(tok), tok.Value
	n.plain = tok.Type == token.StringType
	if n.plain && ambiguous(n.text) {
		t.complain(n.place, path, "%s", ambiguousWord)
	}
}

func kindOf(t *token.Token) kind {
	switch t.Type {
	case token.StringType, token.SingleQuoteType, token.DoubleQuoteType:
		return text
	case token.BoolType:
		return boolean
	case token.NullType, token.ImplicitNullType:
		return null
	default:
		return number
	}
}

const ambiguousWord = "a word that some YAML readers take for true or false: put it in quotes, or write true or false"

// ambiguous reports whether YAML 1.1 reads a plain word as a boolean.
func ambiguous(word string) bool {
	switch strings.ToLower(word) {
	case "y", "n", "yes", "no", "on", "off":
		return true
	}
	return false
}

// conserved complains about scalars of the file that did not arrive in the
// tree: nothing may be read and silently dropped.
func (t *tree) conserved(tokens token.Tokens) {
	for _, tok := range tokens {
		switch tok.Type {
		case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.BoolType, token.NullType,
			token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
			token.FloatType, token.InfinityType, token.NanType:
			if !t.seen[tok] {
				t.complain(t.line(tok.Position.Line), "", "not valid YAML: a value that belongs to no key")
				return
			}
		default:
		}
	}
}

// join appends a key to a path; a key that is no plain word stands in brackets.
func join(path, key string) string {
	switch {
	case !plainKey(key):
		return path + "[" + shown(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// shown is a key as complaints may repeat it: keys that hold more than a name
// may be a misplaced value, and values may be secret.
func shown(key string) string {
	for _, c := range key {
		if c != '.' && c != ' ' && c != ':' && !plainKey(string(c)) {
			return "…"
		}
	}
	if len(key) > 64 {
		return "…"
	}
	return strconv.Quote(key)
}

// plainKey reports whether a key can stand in a path as it is.
func plainKey(key string) bool {
	if key == "" || len(key) > 64 {
		return false
	}
	for i := range len(key) {
		c := key[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
