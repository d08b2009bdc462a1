// Package e2e proves the built program: it is started as a process, beside
// real front proxies, a real provider and a real browser, and spoken to over
// HTTP alone. Every name under localhost is this machine; nothing else is
// reached.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is the gateway under test, built once with the race detector.
var program string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	folder, err := os.MkdirTemp("", "gateway-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	program = filepath.Join(folder, "gateway")
	build := exec.CommandContext(context.Background(), "go", "build", "-race", "-o", program, "./cmd/gateway")
	build.Dir, build.Stdout, build.Stderr = "..", os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the gateway:", err)
		return 1
	}
	return m.Run()
}

// need returns the path of a program that the tests cannot do without.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; make setup installs it", name)
	}
	return path
}
