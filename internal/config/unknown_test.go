package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gateway/internal/config"
)

// TestUnknownKeys puts a key that is none into every mapping of a whole
// configuration: each is refused, but for the one table of free names.
func TestUnknownKeys(t *testing.T) {
	data, err := os.ReadFile("testdata/good/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var whole yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(data, &whole, yaml.UseOrderedMap()); err != nil {
		t.Fatal(err)
	}
	places := 0
	spoil(whole, "", func(path string, spoilt any, rebuild func(any) any) {
		places++
		file, err := yaml.Marshal(rebuild(spoilt))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = config.Parse("testdata/good/spoilt.yaml", file, environ)
		switch {
		case strings.HasSuffix(path, "group_map") && err == nil:
		case err == nil:
			t.Errorf("%s: an unknown key is taken", path)
		case !strings.Contains(err.Error(), "zzz: "):
			t.Errorf("%s: %v, want a complaint about zzz", path, err)
		}
	})
	if places < 15 {
		t.Errorf("%d mappings, want at least 15", places)
	}
}

// spoil visits every mapping below value with a copy of it that has one key
// more, and the way to put the copy into the whole.
func spoil(value any, path string, visit func(path string, spoilt any, rebuild func(any) any)) {
	switch value := value.(type) {
	case yaml.MapSlice:
		visit(path, append(slices.Clone(value), yaml.MapItem{Key: "zzz", Value: "1"}), func(v any) any { return v })
		for i, item := range value {
			key, _ := item.Key.(string)
			spoil(item.Value, path+"."+key, func(path string, spoilt any, rebuild func(any) any) {
				visit(path, spoilt, func(v any) any {
					copied := slices.Clone(value)
					copied[i].Value = rebuild(v)
					return copied
				})
			})
		}
	case []any:
		for i, item := range value {
			spoil(item, path+"[]", func(path string, spoilt any, rebuild func(any) any) {
				visit(path, spoilt, func(v any) any {
					copied := slices.Clone(value)
					copied[i] = rebuild(v)
					return copied
				})
			})
		}
	}
}
