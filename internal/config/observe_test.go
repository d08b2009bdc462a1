package config_test

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gateway/internal/config"
)

// The file that is observed is read whole, and whatever is wrong with it is
// told and changes nothing.
func TestObservedFile(t *testing.T) {
	const now = "url: http://localhost\nobserve: next.yaml\napps: {a: {host: a.localhost, upstream: 'http://127.0.0.1:1', allow: signed-in}}\n"
	const good = "url: http://localhost\napps: {a: {host: a.localhost, upstream: 'http://127.0.0.1:1', allow: {groups: [ops]}}}\n"
	for _, row := range []struct {
		story, now, next string
		observed         bool
		want             []string // in the warnings, in order
	}{
		{"a good one", now, good, true, nil},
		{"one that observes the next", now, "observe: gateway.yaml\n" + good, true, nil},
		{"one that observes itself", now, "observe: next.yaml\n" + good, true, nil},
		{"one with a complaint", now, "listen: x\n" + strings.Replace(good, "allow", "alow", 1), false, []string{"gateway.yaml:2: observe: that file is not observed: ", "next.yaml:1: listen: ", "gateway.yaml:2: observe: that file", "next.yaml:3: apps.a.alow: unknown key"}},
		{"an empty one", now, "\n", false, []string{"observe: that file is not observed"}},
		{"none", now, "", false, []string{"observe: that file is not observed: ", "no such file"}},
		{"beside what an app observes", strings.Replace(now, "allow: signed-in", "allow: signed-in, observe: {allow: everyone}", 1), good, true, []string{"gateway.yaml:3: apps.a: what it observes is not observed now"}},
		{"beside what a rule observes", strings.Replace(now, "allow: signed-in", "rules: [{allow: everyone, observe: true}, {deny: true}]", 1), good, true, []string{"gateway.yaml:3: apps.a: what it observes is not observed now"}},
	} {
		folder := t.TempDir()
		path := write(t, folder, "gateway.yaml", row.now, 0o600)
		if row.next != "" {
			write(t, folder, "next.yaml", row.next, 0o600)
		}
		c, warnings, err := config.Load(path, nil)
		if err != nil {
			t.Errorf("%s: %v", row.story, err)
			continue
		}
		var told []string
		for _, w := range warnings {
			told = append(told, w.String())
		}
		rest := strings.Join(told, "\n")
		for _, want := range row.want {
			i := strings.Index(rest, want)
			if i < 0 {
				t.Errorf("%s: warnings %q, want %q", row.story, told, row.want)
				break
			}
			rest = rest[i:]
		}
		if (len(told) > 0) != (len(row.want) > 0) || (c.Policy().Observe != nil) != row.observed || (len(c.Observed.Wrong) == 0) != row.observed {
			t.Errorf("%s: observed %+v, told %q", row.story, c.Observed, told)
		}
		if want := filepath.Join(folder, "next.yaml"); !slices.Contains(c.Files(), want) || !strings.Contains(string(c.Print()), "observe: "+want) {
			t.Errorf("%s: its files are %q\n%s", row.story, c.Files(), c.Print())
		}
	}
}

// What is observed is part of what a configuration says; a pipe is not waited for.
func TestObservedFileChanges(t *testing.T) {
	folder := t.TempDir()
	const text = "url: http://localhost\napps: {a: {host: a.localhost, upstream: 'http://127.0.0.1:1', allow: signed-in}}\n"
	path := write(t, folder, "gateway.yaml", "observe: next.yaml\n"+text, 0o600)
	load := func(next string) *config.Config {
		t.Helper()
		write(t, folder, "next.yaml", next, 0o600)
		c, _, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := load(text)
	for next, same := range map[string]bool{text: true, "# a word\n" + text: true, text + "sessions: {idle: 5m}\n": true, strings.Replace(text, "signed-in", "everyone", 1): false, "url: x\n": false} {
		if got := load(next).Same(a); got != same {
			t.Errorf("with %q observed: the same is %v, want %v", next, got, same)
		}
	}
	if wrong := load("url: x\n"); !wrong.Same(load("url: x\n")) || wrong.Same(load("url: x\nlisten: x\n")) {
		t.Error("complaints about what is observed are not told anew when they change, or are when they do not")
	}
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "gateway.yaml", "observe: pipe\n"+text, 0o600)
	c, warnings, err := config.Load(path, nil)
	if err != nil || len(warnings) != 1 || c.Observed.Policy != nil {
		t.Errorf("a pipe: %v, %v", warnings, err)
	}
}
