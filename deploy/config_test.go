package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The program itself says that the mounted configuration is sound. Built as
// `make build` does, so that both share one cache.
func TestGatewayTakesItsConfiguration(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "-trimpath", "-ldflags", "-s -w", "./cmd/gateway",
		"config", "check", "--config", filepath.Join(here, "compose", "gateway.yaml"))
	cmd.Dir = filepath.Dir(here)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0",
		"GATEWAY_PROVIDERS_DEX_CLIENT_SECRET_FILE="+filepath.Join(here, "compose", "dex-client-secret")) // outside its container
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("gateway config check: %v\n%s", err, out)
	}
}
