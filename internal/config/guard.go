package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/token"
)

// guard refuses what the parser reads in a way of its own, or takes for less
// than it is. What it lets through means the same to every reader of YAML.
type guard struct {
	tokens token.Tokens
	depth  int // open brackets
}

// guarded reports whether tokens are lists, mappings and scalars on one line.
func (r *report) guarded(tokens token.Tokens) bool {
	before := len(r.complaints)
	g := &guard{tokens: tokens}
	for i, t := range tokens {
		if why := g.refuses(i, t); why != "" {
			r.complain(r.line(t.Position.Line), "", "%s", why)
		}
	}
	return len(r.complaints) == before
}

// kinds of token that are refused wherever they stand.
var refused = map[token.Type]string{
	token.AnchorType:      "an anchor (&): write the value out",
	token.AliasType:       "an alias (*): write the value out, or put it in quotes",
	token.MergeKeyType:    "a merge key (<<): write the keys out",
	token.TagType:         "a tag (!): values have the type their key asks for",
	token.DirectiveType:   "a directive (%): leave it out",
	token.MappingKeyType:  "an explicit key (?): write key: value",
	token.LiteralType:     "a block of text: write it on one line, in quotes",
	token.FoldedType:      "a block of text: write it on one line, in quotes",
	token.DocumentEndType: "an end of document (...): leave it out",
}

// refuses says what is wrong with the token at i; empty if nothing is.
func (g *guard) refuses(i int, t *token.Token) string {
	switch t.Type {
	case token.DocumentHeaderType:
		if slices.ContainsFunc(g.tokens[:i], func(t *token.Token) bool { return t.Type != token.CommentType }) {
			return "a second document (---): one file holds one configuration"
		}
	case token.SequenceStartType, token.MappingStartType:
		g.depth++
	case token.SequenceEndType, token.MappingEndType:
		g.depth--
	case token.CollectEntryType:
		if before := g.at(i - 1); before != nil && (before.Type == token.MappingStartType || before.Type == token.SequenceStartType) {
			return "a comma without an item before it"
		}
	case token.SequenceEntryType:
		return g.dash(i)
	case token.MappingValueType:
		return g.colon(i)
	case token.StringType:
		return g.plain(t)
	case token.SingleQuoteType, token.DoubleQuoteType:
		return quotation(t)
	default:
	}
	return refused[t.Type]
}

// next returns the index of the first token behind i that is no comment; one
// behind the last if there is none.
func (g *guard) next(i int) int {
	i++
	for i < len(g.tokens) && g.tokens[i].Type == token.CommentType {
		i++
	}
	return i
}

// dash refuses an item that is not on its line or indented below it: the
// parser takes what follows for the item.
func (g *guard) dash(i int) string {
	dash, next := g.tokens[i], g.next(i)
	switch n := g.at(next); {
	case g.depth > 0:
		return "a dash in brackets: separate items by commas"
	case n == nil || n.Type == token.SequenceEntryType || n.Position.Line == dash.Position.Line:
		return ""
	case g.strays(dash, next) || n.Position.Column <= dash.Position.Column:
		return "its item is not on its line"
	}
	return ""
}

func (g *guard) at(i int) *token.Token {
	if i < 0 || i >= len(g.tokens) {
		return nil
	}
	return g.tokens[i]
}

// colon refuses one whose key is not on its line, and a value that clings to it,
// which in brackets is part of the text before it. A scalar stands on the line
// of its key, so that nothing slides into the key above it.
func (g *guard) colon(i int) string {
	colon, key, next := g.tokens[i], g.at(i-1), g.at(i+1)
	if key == nil || key.Type == token.CommentType || key.Position.Line != colon.Position.Line {
		return "a colon without a key on its line"
	}
	if next != nil && next.Position.Line == colon.Position.Line && next.Position.Column == colon.Position.Column+1 {
		return "a colon without a space behind it: write the space, or put the text in quotes"
	}
	if value := g.next(i); g.at(value) != nil && g.at(value).Position.Line != colon.Position.Line && g.strays(key, value) {
		return "its value is not on its line"
	}
	return ""
}

// strays reports whether a value below the line of its owner, a key or a dash,
// is a scalar, or brackets that are not indented.
func (g *guard) strays(owner *token.Token, value int) bool {
	switch v := g.tokens[value]; v.Type {
	case token.SequenceEntryType, token.MappingEndType, token.SequenceEndType, token.CollectEntryType:
		return false
	case token.SequenceStartType, token.MappingStartType:
		return v.Position.Column <= owner.Position.Column
	default:
		behind := g.at(g.next(value))
		return behind == nil || behind.Type != token.MappingValueType
	}
}

const needsQuotes = "characters that mean something to YAML: put the text in quotes"

// plain refuses text without quotes that only this parser takes for text.
func (g *guard) plain(t *token.Token) string {
	s := t.Value
	switch {
	case s == "":
		return ""
	case manyLines(t):
		return "text on several lines: write it on one line"
	case strings.ContainsAny(s[:1], ",[]{}#&*!|>'\"%@`"),
		strings.ContainsAny(s[:1], "-?:") && (len(s) == 1 || s[1] == ' '),
		strings.Contains(s, ": "), strings.HasSuffix(s, ":"), strings.Contains(s, " #"),
		strings.ContainsFunc(s, func(c rune) bool { return c != ' ' && unicode.IsSpace(c) }),
		g.depth > 0 && (strings.ContainsAny(s, "[]{},") || s[0] == ':' || strings.Contains(s+" ", "? ")):
		return needsQuotes
	}
	return ""
}

func manyLines(t *token.Token) bool { return strings.Contains(strings.TrimSpace(t.Origin), "\n") }

// escapes are what may follow a backslash in YAML 1.1 and 1.2 alike (YAML
// 1.2.2, section 5.7).
var escapes = regexp.MustCompile(`\\(?:[0abtnvfreN_LP "\\]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})`)

// quotation refuses text in quotes that spans lines or holds other escapes.
func quotation(t *token.Token) string {
	switch {
	case manyLines(t):
		return "text on several lines: write it on one line"
	case t.Type == token.DoubleQuoteType && strings.Contains(escapes.ReplaceAllString(t.Origin, ""), `\`):
		return "an unknown escape: write \\\\ for a backslash"
	}
	return ""
}
