// Package strictjson reads JSON (RFC 8259) the way a security protocol wants
// it: one object, known fields only, each once and spelled exactly, bounded in
// size and depth. encoding/json alone folds case, keeps the last of two equal
// names and ignores what follows.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxDepth bounds how deep objects and arrays may nest.
const MaxDepth = 16

// ErrSyntax says that the text is not what it should be; the wrapped message
// is fit for the stranger who sent it.
var ErrSyntax = errors.New("malformed JSON")

// ErrTooLarge says that the text is longer than the caller takes.
var ErrTooLarge = errors.New("JSON is too large")

// Decode reads at most limit bytes from r into v, which points to a struct
// whose fields are all lower case. An empty text leaves v as it is and
// returns io.EOF.
func Decode(r io.Reader, limit int64, v any) error {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("%w: cut short: %w", ErrSyntax, err)
	}
	if int64(len(raw)) > limit {
		return ErrTooLarge
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return io.EOF
	}
	return Unmarshal(raw, v)
}

// Unmarshal decodes raw into v under the package's rules. After an error v
// may hold a part of it.
func Unmarshal(raw []byte, v any) error {
	if !utf8.Valid(raw) {
		return fmt.Errorf("%w: not UTF-8", ErrSyntax)
	}
	if first := bytes.TrimLeft(raw, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return fmt.Errorf("%w: not an object", ErrSyntax)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: cut short, or a field is unknown or of the wrong type", ErrSyntax)
	}
	end := d.InputOffset()
	if len(bytes.TrimSpace(raw[end:])) > 0 {
		return fmt.Errorf("%w: something follows the object", ErrSyntax)
	}
	return names(raw[:end])
}

// level is an object or array that is open.
type level struct {
	object bool
	name   bool // a name comes next
	seen   [][]byte
}

// names refuses doubled and misspelled names, and deep nesting, in what is
// known to be valid JSON.
func names(raw []byte) error {
	open := make([]level, 1, MaxDepth+1) // the first is what the object stands in
	for i := 0; i < len(raw); i++ {
		top := &open[len(open)-1]
		switch raw[i] {
		case '{', '[':
			if len(open) > MaxDepth {
				return fmt.Errorf("%w: nested too deep", ErrSyntax)
			}
			object := raw[i] == '{'
			open = append(open, level{object: object, name: object})
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			top.name = top.object
		case ':':
			top.name = false
		case '"':
			end := text(raw, i)
			if err := top.meet(raw[i+1 : end]); err != nil {
				return err
			}
			i = end
		}
	}
	return nil
}

// text returns where the string that begins at i ends.
func text(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i
}

// meet judges a string, if it is a name.
func (l *level) meet(name []byte) error {
	if !l.name {
		return nil
	}
	if !plain(name) {
		return fmt.Errorf("%w: a name is not in lower case", ErrSyntax)
	}
	for _, other := range l.seen {
		if bytes.Equal(other, name) {
			return fmt.Errorf("%w: a name is there twice", ErrSyntax)
		}
	}
	l.seen = append(l.seen, name)
	return nil
}

func plain(name []byte) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(name) > 0
}
