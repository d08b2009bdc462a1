package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// value is what stands at a path like 0.links.1.origin of a JSON file; at the
// path . the whole.
func value(ts *testscript.TestScript, file, path string) any {
	var at any
	if err := json.Unmarshal([]byte(ts.ReadFile(file)), &at); err != nil {
		ts.Fatalf("%s is not JSON: %v", file, err)
	}
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' }) {
		var found bool
		switch holder := at.(type) {
		case map[string]any:
			at, found = holder[step]
		case []any:
			i, err := strconv.Atoi(step)
			if found = err == nil && i >= 0 && i < len(holder); found {
				at = holder[i]
			}
		}
		if !found {
			ts.Fatalf("%s has no %s: no %s", file, path, step)
		}
	}
	return at
}

// field FILE PATH WANT compares one value: text as it is, others as JSON.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] field FILE PATH WANT")
	}
	got, isText := value(ts, args[0], args[1]).(string)
	if !isText {
		raw, err := json.Marshal(value(ts, args[0], args[1]))
		ts.Check(err)
		got = string(raw)
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[2])
	}
}

// keys FILE PATH KEY... compares the keys of an object, in any order.
func keys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: keys FILE PATH [KEY...]")
	}
	object, ok := value(ts, args[0], args[1]).(map[string]any)
	if !ok {
		ts.Fatalf("%s is no object", args[1])
	}
	got, want := slices.Sorted(maps.Keys(object)), slices.Sorted(slices.Values(args[2:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s has the keys %q, want %q", args[1], got, want)
	}
}
