package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Whatever way a file comes to hold something else, it is due once it rests,
// and only until it was read.
func TestChanges(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) { t.Helper(); must(os.WriteFile(path(name), []byte(text), 0o600)) }
	must(os.MkdirAll(path("..1"), 0o700))
	must(os.MkdirAll(path("..2"), 0o700))
	write("..1/mounted", "a: 1")
	write("..2/mounted", "a: 2")
	must(os.Symlink("..1", path("..data")))
	must(os.Symlink("..data/mounted", path("mounted"))) // as Kubernetes mounts a ConfigMap
	write("plain", "a: 1")
	c := &changes{files: []string{path("plain"), path("mounted"), path("secret")}}
	c.look()
	c.done(c.files, true)
	if twice(c) != [2]bool{} {
		t.Fatal("due without a change")
	}
	then := time.Unix(1e9, 0)
	for _, step := range []struct {
		name   string
		change func()
	}{
		{"written in place", func() { write("plain", "a: 2") }},
		{"renamed into place", func() { write("new", "a: 3"); must(os.Rename(path("new"), path("plain"))) }},
		{"as long, and as old as before", func() { write("plain", "a: 4"); must(os.Chtimes(path("plain"), then, then)) }},
		{"and again", func() { write("plain", "a: 5"); must(os.Chtimes(path("plain"), then, then)) }},
		{"a link that turns", func() { must(os.Symlink("..2", path("..tmp"))); must(os.Rename(path("..tmp"), path("..data"))) }},
		{"a file that comes", func() { write("secret", "s") }},
		{"one that goes", func() { must(os.Remove(path("secret"))) }},
		{"two that change places", func() { write("plain", "a: 2"); write("..2/mounted", "a: 5") }},
	} {
		step.change()
		if c.due() {
			t.Errorf("%s: due before it rests", step.name)
		}
		if twice(c) != [2]bool{true, true} {
			t.Errorf("%s: not due", step.name)
		}
		if c.moved() {
			t.Errorf("%s: moved without a change", step.name)
		}
		c.done(c.files, true)
		if c.due() {
			t.Errorf("%s: due after it was read", step.name)
		}
	}
	must(os.Chtimes(path("plain"), then, then.Add(time.Hour)))
	if twice(c) != [2]bool{} {
		t.Error("due by its time alone")
	}
	for i := range 5 { // somebody keeps writing
		write("plain", "a: 2\n"+string(rune('a'+i)))
		if c.due() {
			t.Error("due while it is written")
		}
	}
	if !c.due() {
		t.Error("not due in the end")
	}
	write("plain", "half")
	if !c.moved() {
		t.Error("what changes while it is read goes unseen")
	}
}

// What was wrong is due again and again; other files are due once.
func TestChangesAgain(t *testing.T) {
	t.Parallel()
	a, b, pipe := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil { // to open it would be to wait for its writer
		t.Fatal(err)
	}
	c := &changes{files: []string{a, pipe}}
	c.look()
	c.done(c.files, false)
	if twice(c) != [2]bool{true, true} {
		t.Error("what was wrong is not due again")
	}
	c.done([]string{a, b, pipe}, true)
	if twice(c) != [2]bool{false, true} {
		t.Error("files that nobody looked at before are not due once they rest")
	}
	c.done([]string{a, b, pipe}, true)
	if c.due() {
		t.Error("due without a change")
	}
}

// twice looks two times.
func twice(c *changes) [2]bool { return [2]bool{c.due(), c.due()} }
