package deploy_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads the compose file with the loader that docker compose uses.
func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// asked are the services that somebody else asks for their health, and who.
var asked = map[string]string{
	"whoami": "its image holds one program and nothing to ask with; Traefik asks it (routes.yaml)",
}

func TestImagesAreTagged(t *testing.T) {
	tagged := regexp.MustCompile(`^[^:]+(/[^:]+)*:[^:/]+$`)
	for name, service := range load(t).Services {
		if !tagged.MatchString(service.Image) || strings.HasSuffix(service.Image, ":latest") {
			t.Errorf("%s runs %q, want a tag, and not latest", name, service.Image)
		}
	}
}

func TestServicesAreAskedForTheirHealth(t *testing.T) {
	for name, service := range load(t).Services {
		check := service.HealthCheck
		if (check == nil || check.Disable || len(check.Test) < 2 || check.Test[0] == "NONE") && asked[name] == "" {
			t.Errorf("nobody asks %s for its health", name)
		}
	}
	got := load(t).Services["gateway"].HealthCheck.Test
	if want := []string{"CMD", "/gateway", "healthcheck"}; !slices.Equal(got, want) {
		t.Errorf("gateway is asked by %q, want %q", got, want)
	}
	if routes := read(t, "compose/routes.yaml"); !strings.Contains(routes, "healthCheck: {path: /health") {
		t.Error("Traefik does not ask whoami for its health")
	}
}

func TestServicesMayDoLittle(t *testing.T) {
	for name, service := range load(t).Services {
		if !service.ReadOnly {
			t.Errorf("%s may write to its image", name)
		}
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || len(service.CapAdd) != 0 || service.Privileged {
			t.Errorf("%s keeps capabilities: drops %q, adds %q", name, service.CapDrop, service.CapAdd)
		}
		if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may gain privileges", name)
		}
		for _, port := range service.Ports {
			if ip, err := netip.ParseAddr(port.HostIP); err != nil || !ip.IsLoopback() {
				t.Errorf("%s is open to the network on %s:%s", name, port.HostIP, port.Published)
			}
		}
	}
	if user := load(t).Services["gateway"].User; !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(user) {
		t.Errorf("gateway runs as %q, want a user and a group by number, not root", user)
	}
}

func TestMountedFilesExist(t *testing.T) {
	project := load(t)
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if info, err := os.Stat(volume.Source); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s mounts %s, which is no file: %v", name, volume.Source, err)
			}
			if !volume.ReadOnly {
				t.Errorf("%s may write to %s", name, volume.Source)
			}
		}
	}
	for name, secret := range project.Secrets {
		if _, err := os.Stat(secret.File); err != nil {
			t.Errorf("secret %s: %v", name, err)
		}
	}
}

// The gateway trusts Traefik's address and no other.
func TestGatewayTrustsTraefikAlone(t *testing.T) {
	project := load(t)
	address := project.Services["traefik"].Networks["front"].Ipv4Address
	want := fmt.Sprintf("trusted_proxies: [%s/32]", address)
	if config := read(t, "compose/gateway.yaml"); address == "" || !strings.Contains(config, want) {
		t.Errorf("gateway.yaml does not say %q:\n%s", want, config)
	}
	pool := project.Networks["front"].Ipam.Config[0]
	subnet, free := netip.MustParsePrefix(pool.Subnet), netip.MustParsePrefix(pool.IPRange)
	if ip := netip.MustParseAddr(address); !subnet.Contains(ip) || free.Contains(ip) || !ip.IsPrivate() {
		t.Errorf("%s is not a fixed private address in %s besides %s", address, subnet, free)
	}
}

// The names by which browsers and services reach each other are the same
// everywhere.
func TestNamesAgree(t *testing.T) {
	secret := read(t, "compose/dex-client-secret")
	for _, row := range []struct{ file, says string }{
		{"compose/gateway.yaml", "url: http://auth.gw.localhost:8000 "},
		{"compose/gateway.yaml", "issuer: http://dex.gw.localhost:5556/dex "},
		{"compose/gateway.yaml", "client_id: gateway\n"},
		{"compose/gateway.yaml", "client_secret_file: /run/secrets/dex-client\n"},
		{"compose/gateway.yaml", "host: whoami.gw.localhost\n"},
		{"compose/dex.yaml", "issuer: http://dex.gw.localhost:5556/dex\n"},
		{"compose/dex.yaml", "- http://auth.gw.localhost:8000/.gateway/callback/dex\n"},
		{"compose/dex.yaml", "id: gateway\n"},
		{"compose/dex.yaml", "secret: " + secret + "\n"},
		{"compose/routes.yaml", "rule: Host(`auth.gw.localhost`)\n"},
		{"compose/routes.yaml", "rule: Host(`whoami.gw.localhost`)\n"},
		{"compose/routes.yaml", "rule: Host(`whoami.gw.localhost`) && PathPrefix(`/.gateway/`)\n"},
		{"compose/routes.yaml", "address: http://gateway:8082/.gateway/authz/forward-auth\n"},
		{"compose/traefik.yaml", `web: {address: ":8000"}`},
	} {
		if !strings.Contains(read(t, row.file), row.says) {
			t.Errorf("%s does not say %q", row.file, row.says)
		}
	}
	project := load(t)
	if got := project.Services["dex"].Networks["front"].Aliases; !slices.Contains(got, "dex.gw.localhost") {
		t.Errorf("dex is known inside as %q, want dex.gw.localhost", got)
	}
	if got := project.Services["gateway"].Secrets; len(got) != 1 || got[0].Source != "dex-client" {
		t.Errorf("gateway has secrets %v, want dex-client", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
