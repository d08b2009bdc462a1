package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// killed runs a command of the gateway and kills it after a while. It reports
// whether the command had ended by itself.
func killed(t *testing.T, after time.Duration, args ...string) (ended bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(environ(), "GORACE="+noWait)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	kill.Stop()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("gateway %s: %v", strings.Join(args, " "), err)
	}
	return err == nil
}

// Backups and restores that are killed at whatever moment leave all or nothing,
// while the gateway they are of goes on.
func TestKilledBackups(t *testing.T) {
	s := newSite(t, false, twoApps).serve()
	s.addAlice()
	began := time.Now()
	keys, first := filepath.Join(s.folder, "keys"), filepath.Join(s.folder, "first")
	mustCLI(t, strings.Repeat("passphrase ", 3)+"\n", "backup", "--keys", "--passphrase-stdin", keys, "--config", s.config)
	mustCLI(t, "", "backup", first, "--config", s.config)
	took := time.Since(began) // of two
	const rounds = 12
	for i := range rounds {
		after := took * time.Duration(i) / rounds
		t.Run(after.String(), func(t *testing.T) {
			file := filepath.Join(s.folder, fmt.Sprintf("backup-%d", i))
			ended := killed(t, after, "backup", file, "--config", s.config)
			if _, err := os.Stat(file); ended && err != nil {
				t.Errorf("the backup was written, and is not there: %v", err)
			} else if err != nil {
				file = first
			}
			t.Setenv("GATEWAY_DATA", filepath.Join(s.folder, fmt.Sprintf("data-%d", i)))
			if !killed(t, after, "restore", file, "--new-keys", "--config", s.config) {
				if out, err := cli(t, "", "restore", file, "--new-keys", "--config", s.config); err != nil && !strings.Contains(out, "is not empty") {
					t.Errorf("neither restored nor empty: %s", out)
				}
			}
			if out := mustCLI(t, "", "user", "list", "--config", s.config); !strings.Contains(out, "alice") {
				t.Errorf("restored: %s", out)
			}
		})
	}
	if out := mustCLI(t, "", "user", "list", "--config", s.config); !strings.Contains(out, "alice") {
		t.Errorf("the gateway itself: %s", out)
	}
}
