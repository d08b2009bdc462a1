package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposure is how exposed systemd may say that the service is, in tenths: 0 is
// not at all, 100 wide open. What remains is the network, which it is for.
const exposure = "16"

// analyze runs systemd-analyze on the unit, as if the program were installed.
func analyze(t *testing.T, change func(unit string) string, args ...string) (string, error) {
	t.Helper()
	unit := change(strings.ReplaceAll(read(t, "systemd/gateway.service"), "/usr/local/bin/gateway", "/bin/true"))
	path := filepath.Join(t.TempDir(), "gateway.service")
	if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", append(args, path)...).CombinedOutput()
	return string(out), err
}

func TestUnitIsUnderstoodAndHardened(t *testing.T) {
	harden := []string{"security", "--offline=true", "--threshold=" + exposure}
	for _, row := range []struct {
		story  string
		change func(string) string
		args   []string
		good   bool
	}{
		{"as it is: understood", func(u string) string { return u }, []string{"verify"}, true},
		{"as it is: hardened", func(u string) string { return u }, harden, true},
		{"a misspelled section is told", func(u string) string { return strings.Replace(u, "Type=exec", "Type=nonsense", 1) }, []string{"verify"}, false},
		{"one protection less is told", func(u string) string { return strings.Replace(u, "NoNewPrivileges=yes\n", "", 1) }, harden, false},
		{"root is told", func(u string) string { return strings.Replace(u, "User=gateway\n", "", 1) }, harden, false},
	} {
		out, err := analyze(t, row.change, row.args...)
		if good := err == nil && (row.args[0] != "verify" || out == ""); good != row.good {
			t.Errorf("%s: %v\n%s", row.story, err, out)
		}
	}
}
