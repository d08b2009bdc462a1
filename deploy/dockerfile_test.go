package deploy_test

import (
	"os/exec"
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

// What the program is built from reaches the build, and no other folder does.
func TestDockerfileSeesTheProgram(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/gateway")
	cmd.Dir = ".."
	packages, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for path := range strings.Lines(string(packages)) {
		if path, ours := strings.CutPrefix(strings.TrimSpace(path), "gateway/"); ours {
			top, _, _ := strings.Cut(path, "/")
			want = append(want, "!"+top)
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
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
