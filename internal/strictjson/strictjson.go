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

// Unmarshal decodes raw into v under the package's rules.
func Unmarshal(raw []byte, v any) error {
	if !utf8.Valid(raw) {
		return fmt.Errorf("%w: not UTF-8", ErrSyntax)
	}
	if err := walk(json.NewDecoder(bytes.NewReader(raw))); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: a field is unknown or of the wrong type", ErrSyntax)
	}
	return nil
}

// walk refuses doubled and misspelled names, deep nesting, anything but one
// object, and what follows it.
func walk(d *json.Decoder) error {
	d.UseNumber()
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return fmt.Errorf("%w: not an object", ErrSyntax)
	}
	if err := object(d, 1); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the object", ErrSyntax)
	}
	return nil
}

func object(d *json.Decoder, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("%w: nested too deep", ErrSyntax)
	}
	seen := make(map[string]bool, 8)
	for {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("%w: cut short", ErrSyntax)
		}
		if t == json.Delim('}') {
			return nil
		}
		name, ok := t.(string)
		if !ok || !plain(name) {
			return fmt.Errorf("%w: a name is not in lower case", ErrSyntax)
		}
		if seen[name] {
			return fmt.Errorf("%w: a name is there twice", ErrSyntax)
		}
		seen[name] = true
		if err := value(d, depth); err != nil {
			return err
		}
	}
}

func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("%w: cut short", ErrSyntax)
	}
	switch t {
	case json.Delim('{'):
		return object(d, depth+1)
	case json.Delim('['):
		return array(d, depth+1)
	}
	return nil
}

func array(d *json.Decoder, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("%w: nested too deep", ErrSyntax)
	}
	for d.More() {
		if err := value(d, depth); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: cut short", ErrSyntax)
	}
	return nil
}

func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != ""
}
