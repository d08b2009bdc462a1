package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gateway/internal/config"
)

//go:generate go test -run ^TestReference$ . -update

const reference = "../../docs/config.md"

// TestReference keeps docs/config.md what the schema says.
func TestReference(t *testing.T) {
	head, err := os.ReadFile("testdata/head.md")
	if err != nil {
		t.Fatal(err)
	}
	var schema yaml.MapSlice // JSON is YAML, and this keeps its order
	if err := yaml.UnmarshalWithOptions(config.Schema(), &schema, yaml.UseOrderedMap()); err != nil {
		t.Fatal(err)
	}
	page := page{t: t}
	page.WriteString(string(head))
	page.sections(schema)
	golden(t, reference, page.String())
}

// page is the reference as Markdown.
type page struct {
	bytes.Buffer
	t *testing.T
}

func (p *page) write(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format, args...)
}

// sections writes each key of the file with a table of those below it.
func (p *page) sections(schema yaml.MapSlice) {
	for _, property := range slice(at(schema, "properties")) {
		key := fmt.Sprint(property.Key)
		of := slice(property.Value)
		p.write("\n## %s\n\n%s\n", key, at(of, "description"))
		var rows bytes.Buffer
		p.rows(&rows, key, of)
		if rows.Len() == 0 {
			p.facts(of)
			continue
		}
		p.WriteString("\n| key | meaning | type | default | example |\n|---|---|---|---|---|\n")
		p.Write(rows.Bytes())
	}
}

// facts writes type, default and example of a key that stands alone.
func (p *page) facts(of yaml.MapSlice) {
	p.write("\nType: %s.", typeOf(of))
	if standard := at(of, "default"); standard != nil {
		p.write(" Default: %s.", p.code(standard))
	}
	if examples, ok := at(of, "examples").([]any); ok {
		p.write(" Example: %s.", p.code(examples[0]))
	}
	p.WriteByte('\n')
}

// rows writes a row for each key below.
func (p *page) rows(out *bytes.Buffer, path string, of yaml.MapSlice) {
	for _, property := range slice(at(object(of), "properties")) {
		p.row(out, path+"."+fmt.Sprint(property.Key), slice(property.Value))
	}
	if element := slice(at(object(of), "additionalProperties")); element != nil {
		id := path + ".*"
		if at(element, "description") != nil {
			p.row(out, id, element)
		} else {
			p.rows(out, id, element)
		}
	}
	if element := slice(at(object(of), "items")); element != nil && path != "rule_sets.*" && path != "apps.*.observe.rules" { // which are those of apps
		p.rows(out, path+"[]", element)
	}
}

func (p *page) row(out *bytes.Buffer, path string, of yaml.MapSlice) {
	meaning := at(of, "description")
	if meaning == nil {
		p.t.Errorf("%s has no row in the reference", path)
	}
	var standard, example string
	if value := at(of, "default"); value != nil {
		standard = p.code(value)
	}
	if examples, ok := at(of, "examples").([]any); ok {
		example = p.code(examples[0])
	}
	fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s |\n", path, meaning, typeOf(of), standard, example)
	p.rows(out, path, of)
}

// code writes a value as it stands in the file.
func (p *page) code(value any) string {
	text, err := yaml.MarshalWithOptions(value, yaml.Flow(true))
	if err != nil {
		p.t.Fatal(err)
	}
	return "`" + strings.TrimSpace(string(text)) + "`"
}

func typeOf(of yaml.MapSlice) string {
	if either, ok := at(of, "anyOf").([]any); ok && at(of, "type") == nil {
		if at(slice(either[0]), "type") == "integer" {
			return "whole number"
		}
		return words(either) + " or mapping"
	}
	if either, ok := at(of, "anyOf").([]any); ok {
		return words(either)
	}
	switch at(of, "type") {
	case "object":
		return "mapping"
	case "array":
		return "list"
	case "boolean":
		return "true, false"
	}
	if at(of, "writeOnly") == true {
		return "secret"
	}
	if pattern, _ := at(of, "pattern").(string); strings.Contains(pattern, "ns|us") {
		return "duration"
	}
	return "text"
}

func words(either []any) string {
	var all []string
	for _, one := range either {
		list, _ := at(slice(one), "enum").([]any)
		for _, word := range list {
			all = append(all, fmt.Sprint(word))
		}
	}
	return strings.Join(all, ", ")
}

// object returns the mapping that a schema allows, among other things perhaps.
func object(of yaml.MapSlice) yaml.MapSlice {
	either, _ := at(of, "anyOf").([]any)
	for _, one := range either {
		if at(slice(one), "type") == "object" {
			return slice(one)
		}
	}
	return of
}

func at(of yaml.MapSlice, key string) any {
	for _, item := range of {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

func slice(value any) yaml.MapSlice {
	m, _ := value.(yaml.MapSlice)
	return m
}

// TestDocs loads the examples of the page, and shows them to the schema.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	secret := write(t, folder, "secret", "hunter2\n", 0o600)
	schema := compile(t)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) < 2 {
		t.Fatalf("%d examples, want 2", len(examples))
	}
	for _, example := range examples {
		file := regexp.MustCompile(`/run/secrets/\w+`).ReplaceAll(example[1], []byte(secret))
		if _, _, err := config.Parse("example", file, nil); err != nil {
			t.Errorf("%s\n%v", file, err)
		}
		if err := schema.Validate(instance(t, file)); err != nil {
			t.Errorf("%s\n%v", file, err)
		}
	}
}

// TestSchema takes the good files and what is printed of them, and refuses
// what Parse refuses, as far as a schema can tell.
func TestSchema(t *testing.T) {
	schema := compile(t)
	for _, path := range append(files(t, "testdata/good/*.yaml"), files(t, "testdata/good/*.printed")...) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance(t, data)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	app := "url: http://localhost\napps: {a: {host: a.localhost, %s}}\n"
	for file, ok := range map[string]bool{
		"url: http://localhost":            true,
		"url: \"${URL}\"":                  true,
		"{}":                               false,
		"url: localhost":                   false,
		"{url: http://localhost, urls: x}": false,
		"{url: http://localhost, sessions: {idle: 1h, i: 1h}}":                                                              false,
		"{url: http://localhost, sessions: {idle: 24}}":                                                                     false,
		"{url: http://localhost, log: {level: loud}}":                                                                       false,
		"{url: http://localhost, log: {level: '${LEVEL}'}}":                                                                 true,
		"{url: http://localhost, providers: {A: {client_id: a}}}":                                                           false,
		"{url: http://localhost, providers: {a: {client_id: a, client_secret: b, client_secret_file: c}}}":                  false,
		"{url: http://localhost, providers: {a: {client_id: a, group_map: {'Any Name': staff}, client_secret_file: '/c'}}}": true,
		fmt.Sprintf(app, "allow: everyone"):                                                                                 true,
		fmt.Sprintf(app, "allow: everybody"):                                                                                false,
		fmt.Sprintf(app, "allow: {group: [a]}"):                                                                             false,
		fmt.Sprintf(app, "allow: {groups: [a]}, rules: []"):                                                                 false,
		fmt.Sprintf(app, "rules: [{allow: everyone, path: [/a]}]"):                                                          false,
		fmt.Sprintf(app, "rules: [{allow: everyone, deny: true}]"):                                                          false,
		fmt.Sprintf(app, "allow: everyone, hosts: [b.localhost]"):                                                           false,
		fmt.Sprintf(app, "rules: [{allow: {}}, {deny: true}]"):                                                              true,
		fmt.Sprintf(app, "rules: [{allow: {users: [a]}, paths: [1]}]"):                                                      false,
		fmt.Sprintf(app, "allow: everyone, observe: {allow: {users: [a]}}"):                                                 true,
		fmt.Sprintf(app, "allow: everyone, observe: {allow: everyone, rules: []}"):                                          false,
		fmt.Sprintf(app, "allow: everyone, observe: true"):                                                                  false,
	} {
		if err := schema.Validate(instance(t, []byte(file))); (err == nil) != ok {
			t.Errorf("%s: %v, want ok %t", file, err, ok)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("gateway.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("gateway.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance reads YAML as a validator of JSON sees it.
func instance(t *testing.T, data []byte) any {
	t.Helper()
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
