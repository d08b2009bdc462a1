package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file, all far above what people write.
const (
	maxSize  = 1 << 20 // bytes
	maxKeys  = 50_000  // and items of lists in brackets, in the whole file
	maxDepth = 20      // lists and mappings inside each other
)

// read turns a file into a tree. What YAML can do beyond lists, mappings and
// scalars on one line is refused, and so is what reads differently to
// different eyes. It returns nil after a complaint that leaves no tree.
func (r *report) read(data []byte) *node {
	if len(data) > maxSize {
		r.complain(r.line(0), "", "larger than 1 MiB")
		return nil
	}
	source := strings.TrimPrefix(string(data), "\uFEFF")
	source = strings.ReplaceAll(source, "\r\n", "\n") + "\n"
	if !r.readable(source) {
		return nil
	}
	file, tokens, err := parse(source)
	if tokens != nil && !r.guarded(tokens) {
		return nil
	}
	if err != nil {
		r.complain(r.line(syntaxLine(err)), "", "not valid YAML: %s", syntaxMessage(err))
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			body = doc.Body
		}
	}
	if body == nil {
		r.complain(r.line(0), "", "empty: at least url is needed")
		return nil
	}
	t := &tree{report: r, seen: map[*token.Token]bool{}}
	root := t.node(body, "", 0)
	t.conserved(tokens)
	return root
}

// readable refuses bytes that editors show badly or readers see differently.
func (r *report) readable(source string) bool {
	before := len(r.complaints)
	for i, line := range strings.Split(source, "\n") {
		switch {
		case !utf8.ValidString(line):
			r.complain(r.line(i+1), "", "not valid UTF-8")
		case strings.Contains(line, "\t"):
			r.complain(r.line(i+1), "", "a tab: indent with spaces")
		case strings.ContainsFunc(line, control):
			r.complain(r.line(i+1), "", "a control character")
		}
	}
	return len(r.complaints) == before
}

// control reports whether a character is none that a value may hold: C0 and
// C1 controls, line and paragraph separators, byte order marks, and the marks
// that make text read in another order than it is written.
func control(c rune) bool {
	switch {
	case c < 0x20, c >= 0x7f && c < 0xa0, c == 0xfeff, c == 0x2028, c == 0x2029:
		return true
	}
	return c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069
}

// parse reads tokens and, when they are harmless, the syntax tree. The parser
// recurses on what strangers write, so depth and keys are bounded before it
// runs, and a panic of it is a complaint like any other.
func parse(source string) (file *ast.File, tokens token.Tokens, err error) {
	defer func() {
		if recover() != nil {
			file, tokens, err = nil, nil, errors.New("it cannot be read")
		}
	}()
	tokens = lexer.Tokenize(source)
	if line := tooMany(tokens); line > 0 {
		return nil, nil, tooMuch{line, fmt.Sprintf("more than %d keys and items", maxKeys)}
	}
	if line := tooDeep(tokens); line > 0 {
		return nil, nil, tooMuch{line, fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	file, err = parser.Parse(slices.Clone(tokens), 0, parser.AllowDuplicateMapKey())
	return file, tokens, err
}

// tooMuch is a file that is too large in one way or another.
type tooMuch struct {
	line    int
	message string
}

func (e tooMuch) Error() string { return e.message }

// tooMany returns the line where keys and items pass any sensible number, 0 if
// they do not.
func tooMany(tokens token.Tokens) int {
	keys := 0
	for _, t := range tokens {
		if t.Type == token.MappingValueType || t.Type == token.CollectEntryType {
			keys++
		}
		if keys > maxKeys {
			return t.Position.Line
		}
	}
	return 0
}

// tooDeep returns the line where nesting passes any sensible depth, 0 if it
// does not. It follows brackets, and the columns of keys and dashes outside them.
func tooDeep(tokens token.Tokens) int {
	brackets := 0
	var columns []int
	for i, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		}
		key := i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
		if brackets == 0 && (key || t.Type == token.SequenceEntryType || t.Type == token.MappingValueType || t.Type == token.MappingKeyType) {
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		if brackets+len(columns) > 4*maxDepth {
			return t.Position.Line
		}
	}
	return 0
}

func syntaxLine(err error) int {
	var much tooMuch
	if errors.As(err, &much) {
		return much.line
	}
	var syntax yaml.Error
	if errors.As(err, &syntax) && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
		return syntax.GetToken().Position.Line
	}
	return 0
}

// syntaxMessage is the parser's sentence without its excerpt of the file.
func syntaxMessage(err error) string {
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		return syntax.GetMessage()
	}
	return err.Error()
}
