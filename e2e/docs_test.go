package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// update copies the files into the documents that print them:
// go test -run TestDocsFiles -update .
var update = flag.Bool("update", false, "print files into the documents anew")

// written are the documents that people wrote, seen from here.
func written(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	pages = slices.DeleteFunc(pages, func(path string) bool { return filepath.Base(path) == "config.md" })
	return append(pages, "../README.md", "../CHANGELOG.md", "../SECURITY.md")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a fenced block of a document: file is what the comment before it
// says that it prints, run the configuration that its commands run under.
type block struct {
	file, run, language, text string
	line                      int
}

var marker = regexp.MustCompile(`^<!-- (file|run): (\S+) -->$`)

func blocks(t *testing.T, document string) []block {
	t.Helper()
	var all []block
	var open *block
	lines := strings.SplitAfter(read(t, document), "\n")
	for i, line := range lines {
		language, fence := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "```")
		switch {
		case open == nil && fence:
			open = &block{language: language, line: i + 1}
			if m := marker.FindStringSubmatch(strings.TrimSuffix(lines[max(i-1, 0)], "\n")); m != nil && m[1] == "file" {
				open.file = m[2]
			} else if m != nil {
				open.run = m[2]
			}
		case fence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: a block that does not end", document, open.line)
	}
	return all
}

// What a document prints as a file is that file, byte for byte; and whatever
// is neither commands nor plain text is a file that some test runs.
func TestDocsFiles(t *testing.T) {
	for _, document := range written(t) {
		text := read(t, document)
		for _, b := range blocks(t, document) {
			switch {
			case b.file == "" && b.language != "" && b.language != "sh":
				t.Errorf("%s:%d: a block of %s that is no file", document, b.line, b.language)
			case b.file != "":
				want := read(t, filepath.Join("..", b.file))
				if b.text == want {
					continue
				}
				fence := fmt.Sprintf("<!-- file: %s -->\n```%s\n", b.file, b.language)
				text = strings.Replace(text, fence+b.text, fence+want, 1)
				if !*update {
					t.Errorf("%s:%d: is not %s; look whether the words around it still hold, then: go test -run TestDocsFiles -update .", document, b.line, b.file)
				}
			}
		}
		if *update {
			if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Every example is printed somewhere.
func TestDocsExamplesAreShown(t *testing.T) {
	var shown []string
	for _, document := range written(t) {
		for _, b := range blocks(t, document) {
			shown = append(shown, b.file)
		}
	}
	examples, err := os.ReadDir("../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		if !slices.Contains(shown, "docs/examples/"+e.Name()) {
			t.Errorf("docs/examples/%s is printed nowhere", e.Name())
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Every link that stays here leads to a file, and its fragment to a heading.
func TestDocsLinks(t *testing.T) {
	for _, document := range written(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, document), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, fragment, _ := strings.Cut(m[1], "#")
			to := filepath.Join(filepath.Dir(document), path)
			if path == "" {
				to = document
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
				continue
			}
			if fragment != "" && !slices.Contains(slugs(read(t, to)), fragment) {
				t.Errorf("%s links to %s, which has no such heading", document, m[1])
			}
		}
	}
}

func slugs(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// The README fits a screen, and its map is the tree: every folder that is
// there, and none that is not.
func TestDocsReadme(t *testing.T) {
	text := read(t, "../README.md")
	if lines := strings.Count(text, "\n"); lines > 60 {
		t.Errorf("README.md has %d lines, want at most 60", lines)
	}
	_, after, _ := strings.Cut(text, "## Map\n\n```\n")
	chart, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("README.md has no map")
	}
	var mapped, rooms []string
	for line := range strings.Lines(chart) {
		name, words, _ := strings.Cut(line, " ")
		if name != "" {
			mapped = append(mapped, strings.TrimSuffix(name, "/"))
		}
		if name == "internal/" || (name == "" && len(rooms) > 0) {
			rooms = append(rooms, regexp.MustCompile(`\w+`).FindAllString(words, -1)...)
		}
	}
	slices.Sort(mapped)
	if got := folders(t, ".."); !slices.Equal(mapped, got) {
		t.Errorf("the map has %v, want %v", mapped, got)
	}
	for _, room := range folders(t, "../internal") {
		if !slices.Contains(rooms, room) {
			t.Errorf("the map does not name internal/%s", room)
		}
	}
}

// folders lists the folders of one that belong to the project.
func folders(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	ignored := strings.Fields(read(t, "../.gitignore"))
	var all []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(ignored, "/"+e.Name()+"/") {
			all = append(all, e.Name())
		}
	}
	return all
}

var (
	code    = regexp.MustCompile("`([^`\n]+)`")
	command = regexp.MustCompile(`^(?:go run \./cmd/|\$ )?gateway ((?:[a-z]+ ?)+)`)
	flags   = regexp.MustCompile(`(?:^|\s)--([a-z-]+)`)
)

// Every command that a document names is one of the program, with its flags.
func TestDocsCommands(t *testing.T) {
	t.Setenv("GORACE", noWait)
	help := map[string]string{}
	ask(t, help, nil)
	for _, document := range written(t) {
		var named []string
		for _, m := range code.FindAllStringSubmatch(read(t, document), -1) {
			named = append(named, m[1])
		}
		for _, b := range blocks(t, document) {
			if b.language == "sh" {
				named = append(named, strings.Split(b.text, "\n")...)
			}
		}
		for _, line := range named {
			m := command.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			about, known := lookUp(help, strings.Fields(m[1]))
			if !known {
				t.Errorf("%s: there is no command %q", document, line)
				continue
			}
			for _, f := range flags.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(about, "--"+f[1]+" ") {
					t.Errorf("%s: %q has no flag --%s", document, line, f[1])
				}
			}
		}
	}
}

var subcommand = regexp.MustCompile(`(?m)^  ([a-z]+) `)

// ask collects what the program says of each of its commands.
func ask(t *testing.T, help map[string]string, path []string) {
	t.Helper()
	about := mustCLI(t, "", append(slices.Clone(path), "--help")...)
	help[strings.Join(path, " ")] = about
	_, after, _ := strings.Cut(about, "Available Commands:\n")
	list, _, _ := strings.Cut(after, "\n\n")
	for _, m := range subcommand.FindAllStringSubmatch(list, -1) {
		if m[1] != "completion" && m[1] != "help" {
			ask(t, help, append(slices.Clone(path), m[1]))
		}
	}
}

// lookUp finds the longest command that the words begin with; a word behind
// one that only holds others has to be one of them.
func lookUp(help map[string]string, words []string) (about string, known bool) {
	for n := len(words); n > 0; n-- {
		if about, known = help[strings.Join(words[:n], " ")]; known {
			return about, n == len(words) || !strings.Contains(about, "Available Commands:")
		}
	}
	return "", false
}

// Every test that a document names is there.
func TestDocsTestsAreThere(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "grep", "-rhoE", "--include=*_test.go", "--exclude-dir=node_modules", `^func (Test|Fuzz)\w+`, "..").Output()
	if err != nil {
		t.Fatal(err)
	}
	there := strings.Fields(strings.ReplaceAll(string(out), "func ", ""))
	for _, document := range written(t) {
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(read(t, document), -1) {
			if !slices.Contains(there, name[1]) {
				t.Errorf("%s names %s, which is no test", document, name[1])
			}
		}
	}
}

// Every word of an error that the front can say is explained to operators.
func TestDocsErrorWords(t *testing.T) {
	explained := read(t, "../docs/operating.md")
	words := regexp.MustCompile(`http\.Status\w+, (?:Error: )?"(\w+)"`)
	found := 0
	for _, file := range []string{"errors.go", "problem.go", "check.go"} {
		for _, m := range words.FindAllStringSubmatch(read(t, "../internal/server/"+file), -1) {
			found++
			if !strings.Contains(explained, "| `"+m[1]+"` |") {
				t.Errorf("docs/operating.md does not explain %s", m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no error words found in internal/server")
	}
}
