package config

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/token"

	"gateway/internal/secret"
)

// Print returns the configuration as it holds, defaults included, as a file
// that Parse reads to the same configuration. A secret that was written inline
// is masked; one that came from a file is named by its file.
func (c *Config) Print() []byte {
	return []byte(root().lines(reflect.ValueOf(c).Elem(), ""))
}

// lines prints the keys of a struct that hold anything.
func (s *shape) lines(v reflect.Value, indent string) string {
	var out strings.Builder
	for _, f := range s.fields {
		value := v.FieldByIndex(f.index)
		if f.shape.silent(value) || s.fromFile(f, v) {
			continue
		}
		out.WriteString(indent + f.key + ":" + f.shape.print(value, indent) + "\n")
	}
	return out.String()
}

// silent reports whether a value says nothing that its absence would not.
func (s *shape) silent(v reflect.Value) bool {
	switch s.form {
	case series, table:
		return v.Len() == 0
	case flag:
		return v.IsZero() && s.about().standard != true
	case scalar:
		return v.IsZero() && (s.leaf.words == nil || v.Kind() == reflect.String)
	case object, proxies:
	}
	return v.IsZero()
}

// fromFile reports whether a field is a secret whose file is named beside it.
func (s *shape) fromFile(f field, v reflect.Value) bool {
	file := s.field(f.key + fileSuffix)
	return f.shape.typ == reflect.TypeFor[secret.Text]() && file != nil && !v.FieldByIndex(file.index).IsZero()
}

// print returns what stands behind a key, on its line or below it.
func (s *shape) print(v reflect.Value, indent string) string {
	if s.form == object && v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch s.form {
	case object:
		for _, w := range s.words {
			if v.FieldByName(w.field).Bool() {
				return " " + w.text
			}
		}
		return below(s.lines(v, indent+"  "))
	case table:
		return below(s.rows(v, indent+"  "))
	case series:
		return s.items(v, indent+"  ")
	case proxies:
		trusted, _ := reflect.TypeAssert[TrustedProxies](v)
		return flow(trusted.entries())
	case flag:
		return " " + strconv.FormatBool(v.Bool())
	case scalar:
	}
	if s.leaf.number {
		return " " + s.leaf.print(v.Interface())
	}
	return " " + quoted(s.leaf.print(v.Interface()))
}

// rows prints a table by its ids.
func (s *shape) rows(v reflect.Value, indent string) string {
	var out strings.Builder
	ids := v.MapKeys()
	slices.SortFunc(ids, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, id := range ids {
		out.WriteString(indent + quoted(id.String()) + ":" + s.elem.print(v.MapIndex(id), indent) + "\n")
	}
	return out.String()
}

// items prints a list: scalars on the line, objects below it.
func (s *shape) items(v reflect.Value, indent string) string {
	if s.elem.form == scalar {
		var all []string
		for i := range v.Len() {
			all = append(all, s.elem.leaf.print(v.Index(i).Interface()))
		}
		return flow(all)
	}
	var out strings.Builder
	for i := range v.Len() {
		lines := s.elem.lines(v.Index(i), indent+"  ")
		if lines == "" {
			lines = indent + "  {}\n"
		}
		out.WriteString(indent + "- " + lines[len(indent)+2:])
	}
	return below(out.String())
}

// below puts lines under their key.
func below(lines string) string {
	if lines == "" {
		return " {}"
	}
	return "\n" + strings.TrimSuffix(lines, "\n")
}

func flow(values []string) string {
	for i := range values {
		values[i] = quoted(values[i])
	}
	return " [" + strings.Join(values, ", ") + "]"
}

var bare = regexp.MustCompile(`^[A-Za-z0-9/_][A-Za-z0-9/_.-]*$`)

// quoted writes text so that it reads as the same text and nothing else.
func quoted(s string) string {
	if bare.MatchString(s) && !token.IsNeedQuoted(s) && !ambiguous(s) {
		return s
	}
	return strconv.Quote(strings.ReplaceAll(s, "$", "$$"))
}
