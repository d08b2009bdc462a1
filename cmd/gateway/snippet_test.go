package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The program prints the very files that tests run: go generate copies them.
func TestSnippetsAreThoseOfTheDocuments(t *testing.T) {
	t.Parallel()
	seen := 0
	if err := fs.WalkDir(snippets, "snippets", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		seen++
		front, name := filepath.Base(filepath.Dir(path)), filepath.Base(path)
		if front == "traefik" {
			front = "compose"
		}
		got, err := snippets.ReadFile(path)
		if err != nil {
			return err
		}
		want, err := os.ReadFile(filepath.Join("..", "..", "deploy", front, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not the file of deploy/%s (%v): go generate ./cmd/gateway", path, front, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if seen != 10 {
		t.Errorf("%d files, want 10", seen)
	}
}
