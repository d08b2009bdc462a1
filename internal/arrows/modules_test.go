package arrows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the top of the repository, seen from here.
const root = "../.."

// The proof, the tools and the container files know the program from outside
// alone: their modules require nothing of ours.
func TestOtherModulesKnowUsFromOutside(t *testing.T) {
	for _, dir := range []string{"e2e", "tools", "deploy"} {
		text, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(line, "require")), "gateway ") {
				t.Errorf("%s/go.mod requires the gateway: %s", dir, line)
			}
		}
	}
}
