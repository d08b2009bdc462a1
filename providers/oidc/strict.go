package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of what a provider says.
const maxDepth = 32

// errJSON says that a text is not the JSON object we take.
var errJSON = errors.New("not a sound JSON object")

// object is a JSON object whose members are read by their exact names:
// encoding/json would let "SUB" stand for "sub".
type object map[string]json.RawMessage

// parseObject reads one JSON object: UTF-8, no member twice at any depth, at
// most maxDepth deep, nothing behind it.
func parseObject(raw []byte) (object, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: invalid UTF-8", errJSON)
	}
	if err := checkJSON(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errJSON, err)
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return nil, errJSON
	}
	return o, nil
}

// level is an object or array that checkJSON is inside of.
type level struct {
	names map[string]bool // nil in an array
	value bool            // in an object: the next token is a value
}

// checkJSON walks the text without recursion.
func checkJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var stack []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			return nil
		}
		if err != nil {
			return errors.New("malformed")
		}
		top := len(stack) - 1
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:top]
			continue
		}
		if top >= 0 && stack[top].names != nil {
			if name, ok := token.(string); ok && !stack[top].value {
				if stack[top].names[name] {
					return errors.New("a member is there twice")
				}
				stack[top].names[name] = true
				stack[top].value = true
				continue
			}
			stack[top].value = false
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		}
		if len(stack) > maxDepth {
			return fmt.Errorf("more than %d levels deep", maxDepth)
		}
	}
}

// has reports whether the member is there and not null.
func (o object) has(name string) bool {
	raw, ok := o[name]
	return ok && string(raw) != "null"
}

// text returns the member if it is a string.
func (o object) text(name string) (string, bool) {
	var s *string
	if raw, ok := o[name]; !ok || json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// texts returns the member if it is an array of strings or a single string.
// With skip, members of the array that are no strings are left out.
func (o object) texts(name string, skip bool) ([]string, bool) {
	if s, ok := o.text(name); ok {
		return []string{s}, true
	}
	var raw []json.RawMessage
	if !o.has(name) || json.Unmarshal(o[name], &raw) != nil {
		return nil, false
	}
	all := make([]string, 0, len(raw))
	for _, r := range raw {
		var s *string
		if json.Unmarshal(r, &s) == nil && s != nil {
			all = append(all, *s)
		} else if !skip {
			return nil, false
		}
	}
	return all, true
}

// truth reports whether the member is the JSON value true.
func (o object) truth(name string) bool { return string(o[name]) == "true" }

// seconds returns the member if it is a NumericDate (RFC 7519, section 2): a
// number of seconds since 1970 and before the year 10000.
func (o object) seconds(name string) (int64, bool) {
	raw := string(o[name])
	if raw == "" || raw[0] < '0' || raw[0] > '9' {
		return 0, false
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f <= 0 || f >= 253402300800 {
		return 0, false
	}
	return int64(math.Floor(f)), true
}
