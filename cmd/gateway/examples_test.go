package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// The cases that the documents print hold on the configurations beside them.
func TestExamplesOfPolicy(t *testing.T) {
	files, err := filepath.Glob("../../docs/examples/*.cases.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		var out, errs bytes.Buffer
		config := strings.TrimSuffix(file, ".cases.yaml") + ".yaml"
		if code := run([]string{"policy", "test", "--config", config, file}, strings.NewReader(""), &out, &errs); code != exitDone {
			t.Errorf("%s: exit code %d, want 0\n%s%s", file, code, out.String(), errs.String())
		}
	}
}
