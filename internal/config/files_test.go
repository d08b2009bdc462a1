package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gateway/internal/config"
)

var update = flag.Bool("update", false, "write what is expected")

// environ is the environment of every file in testdata.
var environ = []string{"CLIENT_ID=gateway-client", "GOOGLE_SECRET=hunter2", "EMPTY=", "CONTROL=a\x00b", "HOME=/root"}

// golden compares got with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("Glob(%q) = %v, %v", pattern, paths, err)
	}
	return paths
}

func TestGoodFiles(t *testing.T) {
	for _, path := range files(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, _, err := config.Load(path, environ)
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			golden(t, strings.TrimSuffix(path, "yaml")+"printed", string(c.Print()))
		})
	}
}

func TestBadFiles(t *testing.T) {
	for _, path := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, _, err := config.Load(path, environ)
			var complaints config.Complaints
			if c != nil || !errors.As(err, &complaints) {
				t.Fatalf("Load = %v, %v, want complaints", c, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a complaint repeats a secret")
			}
			golden(t, strings.TrimSuffix(path, "yaml")+"complaints", err.Error()+"\n")
		})
	}
}

// TestRooms gives the complaints of the rooms our lines and paths; what they
// say is theirs.
func TestRooms(t *testing.T) {
	_, _, err := config.Load("testdata/rooms/all.yaml", environ)
	var complaints config.Complaints
	if !errors.As(err, &complaints) {
		t.Fatalf("Load: %v, want complaints", err)
	}
	var got strings.Builder
	for _, c := range complaints {
		fmt.Fprintf(&got, "%d %s\n", c.Place.Line, c.Path)
	}
	golden(t, "testdata/rooms/all.places", got.String())
}
