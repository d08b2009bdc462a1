package config

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of the file, for editors. It
// comes from the types that Parse fills. Variables are text like any other, so
// a value that holds one fits wherever text does.
func Schema() []byte {
	schema := append(members{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "gateway"},
	}, root().schema()...)
	data, err := json.MarshalIndent(schema, "", "  ")
	if err != nil { // members of text, lists and members always encode
		return nil
	}
	return append(data, '\n')
}

// members is a JSON object whose order is kept.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (m members) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, member := range m {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(member.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(member.value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// schema describes what a shape takes, with what the reference says of it.
func (s *shape) schema() members {
	var m members
	about := s.about()
	if about.meaning != "" {
		m = append(m, member{"description", about.meaning})
	}
	m = append(m, s.types()...)
	if about.standard != nil {
		m = append(m, member{"default", about.standard})
	}
	if about.example != nil {
		m = append(m, member{"examples", []any{about.example}})
	}
	return m
}

func (s *shape) types() members {
	switch s.form {
	case flag:
		return members{{"type", "boolean"}}
	case series, proxies:
		return members{{"type", "array"}, {"items", s.elem.schema()}}
	case table:
		m := members{{"type", "object"}}
		if pattern, named := ids[s.ref]; named {
			m = append(m, member{"propertyNames", members{{"pattern", pattern.String()}}})
		}
		return append(m, member{"additionalProperties", s.elem.schema()})
	case object:
		return s.objectTypes()
	case scalar:
	}
	return s.leaf.types()
}

// variable lets a value of few forms be a variable instead.
const variable = `\$\{[A-Za-z_][A-Za-z0-9_]*\}`

func (l *leaf) types() members {
	m := members{{"type", "string"}, {"minLength", 1}}
	switch {
	case l.number:
		return members{{"anyOf", []members{{{"type", "integer"}, {"minimum", 1}}, {{"type", "string"}, {"pattern", "^" + variable + "$"}}}}}
	case l.words != nil:
		m = append(m, member{"anyOf", []members{{{"enum", l.words}}, {{"pattern", variable}}}})
	case l.pattern != "":
		m = append(m, member{"pattern", "(" + l.pattern + ")|" + variable})
	case l.word == "secret":
		m = append(m, member{"writeOnly", true})
	}
	return m
}

func (s *shape) objectTypes() members {
	var properties members
	for _, f := range s.fields {
		properties = append(properties, member{f.key, f.shape.schema()})
	}
	about := s.about()
	m := members{{"type", "object"}, {"properties", properties}}
	if about.required != nil {
		m = append(m, member{"required", about.required})
	}
	m = append(m, member{"additionalProperties", false})
	if all := s.conditions(about.either); all != nil {
		m = append(m, member{"allOf", all})
	}
	if s.words == nil {
		return m
	}
	var words []string
	for _, w := range s.words {
		words = append(words, w.text)
	}
	return members{{"anyOf", []members{{{"enum", words}}, {{"type", "string"}, {"pattern", variable}}, m}}}
}

// conditions says which keys exclude each other: of the keys of each either
// exactly one stands, and of a secret and its file at most one.
func (s *shape) conditions(either []string) []members {
	var all []members
	for _, keys := range either {
		var one []members
		for key := range strings.FieldsSeq(keys) {
			one = append(one, members{{"required", []string{key}}})
		}
		all = append(all, members{{"oneOf", one}})
	}
	for _, f := range s.fields {
		if s.field(f.key+fileSuffix) != nil {
			all = append(all, members{{"not", members{{"required", []string{f.key, f.key + fileSuffix}}}}})
		}
	}
	return all
}
