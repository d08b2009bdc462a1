package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDockerfileBuildsOnTaggedImages(t *testing.T) {
	from := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(read(t, "Dockerfile"), -1)
	if len(from) != 2 {
		t.Fatalf("%d stages, want 2", len(from))
	}
	for _, m := range from {
		_, tag, tagged := strings.Cut(m[1], ":")
		if !tagged || tag == "latest" {
			t.Errorf("FROM %s, want a tag, and not latest", m[1])
		}
	}
}

func TestDockerfileRunsWithoutRoot(t *testing.T) {
	dockerfile := read(t, "Dockerfile")
	for _, want := range []string{
		"\nUSER 65532:65532\n", "CGO_ENABLED=0 ", ` CMD ["/gateway", "healthcheck"]` + "\n", "\nENTRYPOINT [\"/gateway\"]\n",
		"--chown=65532:65532 --chmod=0700 /out/data /var/lib/gateway\n",
	} {
		if !strings.Contains(dockerfile, want) {
			t.Errorf("Dockerfile does not say %q", want)
		}
	}
}

// What the program is built from reaches the build: the ignore file lists the
// folders that hold packages of the program, and no other.
func TestDockerfileSeesTheProgram(t *testing.T) {
	var want []string
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		_, err := os.Stat(filepath.Join("..", e.Name(), "go.mod"))
		if e.IsDir() && os.IsNotExist(err) && holdsGo(t, filepath.Join("..", e.Name())) {
			want = append(want, "!"+e.Name())
		}
	}
	var got []string
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		if name := strings.TrimSpace(line); strings.HasPrefix(name, "!") && !strings.HasPrefix(name, "!go.") {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the build sees %q, want %q", got, want)
	}
}

func holdsGo(t *testing.T, dir string) bool {
	t.Helper()
	for _, pattern := range []string{"*.go", "*/*.go"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return true
		}
	}
	return false
}
