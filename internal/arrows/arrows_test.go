package arrows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// room is what go list says of a package: Imports leaves the tests out.
type room struct {
	ImportPath string
	Imports    []string
}

func (r room) name() string { return strings.TrimPrefix(r.ImportPath, module) }

func TestRoomsImportWhatTheyMay(t *testing.T) {
	for _, r := range list(t) {
		for _, complaint := range complaints(r) {
			t.Error(complaint)
		}
	}
}

func TestComplaints(t *testing.T) {
	for _, row := range []struct {
		room, imports string
		want          int
	}{
		{"policy", "internal/identity", 0},
		{"policy", "net/netip", 0},
		{"policy", "sessions", 1},
		{"policy", "internal/config", 1},
		{"internal/secret", "internal/store/sqlite", 1},
		{"cmd/gateway", "internal/server", 0},
		{"internal/server", "github.com/gin-gonic/gin/binding", 0},
		{"internal/proxy", "github.com/gin-gonic/gin", 1},
		{"internal/server", "github.com/google/go-cmp/cmp", 1},
		{"internal/server", "internal/store/storetest", 2},
		{"internal/server", "testing", 1},
		{"providers/providertest", "testing", 0},
		{"internal/util", "strings", 1},
	} {
		imports := row.imports
		if _, ours := rooms[imports]; ours || strings.HasPrefix(imports, "internal/") {
			imports = module + imports
		}
		got := complaints(room{ImportPath: module + row.room, Imports: []string{imports}})
		if len(got) != row.want {
			t.Errorf("%s imports %s: complaints %q, want %d", row.room, row.imports, got, row.want)
		}
	}
}

func TestTableNamesRoomsThatExist(t *testing.T) {
	var there []string
	for _, r := range list(t) {
		there = append(there, r.name())
	}
	for name := range rooms {
		if !slices.Contains(there, name) {
			t.Errorf("the table names %s, which is no room", name)
		}
	}
	for _, name := range tools {
		if !slices.Contains(there, name) {
			t.Errorf("the table names the tool %s, which is no room", name)
		}
	}
}

// A room that neither the program nor the client reaches is one that nobody
// lives in.
func TestRoomsAreLivedIn(t *testing.T) {
	var lived []string
	for _, r := range list(t, "-deps", "./cmd/gateway", "./client") {
		lived = append(lived, r.name())
	}
	for _, r := range list(t) {
		if !slices.Contains(lived, r.name()) && !forTests(r.name()) && r.name() != "internal/arrows" {
			t.Errorf("neither the program nor the client reaches %s", r.name())
		}
	}
}

// complaints says which of the room's imports break an arrow.
func complaints(r room) []string {
	allowed, known := rooms[r.name()]
	if !known && !slices.Contains(tools, r.name()) {
		return []string{r.name() + " is not in the table: a new folder needs a word, and a line that says what it may import"}
	}
	allowed = slices.Concat(tools, allowed)
	var all []string
	for _, path := range r.Imports {
		to, ours := strings.CutPrefix(path, module)
		switch {
		case ours && !slices.Contains(allowed, to) && !slices.Contains(allowed, everything):
			all = append(all, fmt.Sprintf("%s imports %s, it may import %v", r.name(), to, allowed))
		case !ours && foreign(path) && !slices.Contains(doorsOf(path), r.name()):
			all = append(all, fmt.Sprintf("%s imports %s, whose doors are %v", r.name(), path, doorsOf(path)))
		}
		if forTests(to) && !forTests(r.name()) {
			all = append(all, fmt.Sprintf("%s imports %s outside its tests", r.name(), to))
		}
	}
	return all
}

// foreign reports whether the package is neither ours nor the standard library's.
func foreign(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	return strings.Contains(host, ".")
}

// forTests reports whether a room or a package is there for tests alone.
func forTests(name string) bool {
	return name == "testing" || strings.HasSuffix(name, "test")
}

// doorsOf returns the rooms that may import the library's package.
func doorsOf(path string) []string {
	for library, doors := range libraries {
		if path == library || strings.HasPrefix(path, library+"/") {
			return doors
		}
	}
	return nil
}

// list returns the packages that the patterns name, and with -deps those they
// need, as the go command sees them. No pattern names all of the module's.
func list(t *testing.T, patterns ...string) []room {
	t.Helper()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports"}, patterns...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []room
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r room
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("what go list says: %v", err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		t.Fatal("go list names no package")
	}
	return all
}
