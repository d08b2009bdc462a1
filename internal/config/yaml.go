package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file, all far above what people write. The parser recurses into
// depth, and along keys beside each other.
const (
	maxSize   = 1 << 20 // bytes
	maxBeside = 10_000  // keys of one mapping, or items of one list without brackets
	maxDepth  = 20      // lists and mappings inside each other
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
	tokens, err := tokenize(source)
	if err == nil && !r.guarded(tokens) {
		return nil
	}
	var body ast.Node
	if err == nil {
		body, err = parse(tokens)
	}
	switch {
	case err != nil:
		r.complain(r.line(syntaxLine(err)), "", "not valid YAML: %s", syntaxMessage(err))
		return nil
	case body == nil:
		r.complain(r.line(0), "", "empty")
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

// errUnreadable stands for a panic of the library.
var errUnreadable = errors.New("it cannot be read")

// tokenize cuts a file into tokens, of which there are not too many.
func tokenize(source string) (tokens token.Tokens, err error) {
	defer func() {
		if recover() != nil {
			tokens, err = nil, errUnreadable
		}
	}()
	tokens = lexer.Tokenize(source)
	return tokens, bounded(tokens)
}

// parse returns the syntax tree of a file's only document, nil if it is empty.
func parse(tokens token.Tokens) (body ast.Node, err error) {
	defer func() {
		if recover() != nil {
			body, err = nil, errUnreadable
		}
	}()
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			body = doc.Body
		}
	}
	return body, nil
}

// tooMuch is a file that is too large in one way or another.
type tooMuch struct {
	line    int
	message string
}

func (e tooMuch) Error() string { return e.message }

// bounded refuses depth and breadth that no parser should meet. It follows
// brackets, and outside them the columns of keys and dashes.
func bounded(tokens token.Tokens) error {
	brackets := 0
	var columns []column
	for i, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		default:
		}
		key := i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
		if brackets == 0 && (key || t.Type == token.SequenceEntryType) {
			columns = enter(columns, t.Position.Column)
		}
		switch {
		case brackets+len(columns) > 4*maxDepth:
			return tooMuch{t.Position.Line, fmt.Sprintf("nested deeper than %d", maxDepth)}
		case len(columns) > 0 && columns[len(columns)-1].beside > maxBeside:
			return tooMuch{t.Position.Line, fmt.Sprintf("more than %d keys or items beside each other", maxBeside)}
		}
	}
	return nil
}

// column counts what stands beside each other in a column.
type column struct{ number, beside int }

// enter leaves the columns that are further right and counts one more in its own.
func enter(columns []column, number int) []column {
	for len(columns) > 0 && columns[len(columns)-1].number > number {
		columns = columns[:len(columns)-1]
	}
	if len(columns) == 0 || columns[len(columns)-1].number < number {
		return append(columns, column{number, 1})
	}
	columns[len(columns)-1].beside++
	return columns
}

func syntaxLine(err error) int {
	if much, ok := errors.AsType[tooMuch](err); ok {
		return much.line
	}
	if syntax, ok := errors.AsType[yaml.Error](err); ok && syntax.GetToken() != nil && syntax.GetToken().Position != nil {
		return syntax.GetToken().Position.Line
	}
	return 0
}

// syntaxMessage is the parser's sentence without its excerpt of the file.
func syntaxMessage(err error) string {
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		return syntax.GetMessage()
	}
	return err.Error()
}
