package config_test

import (
	"fmt"
	"strings"
	"testing"

	"gateway/internal/config"
)

const enough = `
url: https://auth.example.com
trusted_proxies: [10.0.0.2/32]
providers:
  corp-id: {issuer: https://id.corp.example, client_id: gateway, client_secret: inline}
apps:
  wiki: {host: wiki.example.com, upstream: "http://wiki", allow: everyone}
  a-b: {host: ab.example.com, upstream: "http://ab", allow: everyone}
  a_b: {host: a-b.example.com, upstream: "http://ab", allow: everyone}
`

// TestEnvironment overrides single keys.
func TestEnvironment(t *testing.T) {
	folder := t.TempDir()
	secret := write(t, folder, "secret", "from a file\n", 0o600)
	for _, tt := range []struct {
		name    string
		environ []string
		ask     func(*config.Config) any
		want    any
	}{
		{"nothing", nil, func(c *config.Config) any { return c.Listen }, config.Address(":8080")},
		{"a key", []string{"GATEWAY_LISTEN=:9090"}, func(c *config.Config) any { return c.Listen }, config.Address(":9090")},
		{"the first of two", []string{"GATEWAY_LISTEN=:9090", "GATEWAY_LISTEN=:9091"}, func(c *config.Config) any { return c.Listen }, config.Address(":9090")},
		{"a key that the file has", []string{"GATEWAY_URL=https://other.example.com"}, func(c *config.Config) any { return c.URL.Origin() }, "https://other.example.com"},
		{"a key below none", []string{"GATEWAY_TLS_CERT=/c", "GATEWAY_TLS_KEY=/k"}, func(c *config.Config) any { return c.TLS.Pairs()[0] }, config.Pair{Cert: "/c", Key: "/k"}},
		{"a list", []string{"GATEWAY_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.1"}, func(c *config.Config) any { return fmt.Sprint(c.TrustedProxies.Prefixes) }, "[10.0.0.0/8 192.0.2.1/32]"},
		{"a flag", []string{"GATEWAY_LOCAL_ENABLED=false"}, func(c *config.Config) any { return c.Local.Enabled }, false},
		{"a duration", []string{"GATEWAY_SESSIONS_IDLE=5m"}, func(c *config.Config) any { return c.Sessions.Idle.String() }, "5m0s"},
		{"dollars are dollars", []string{"GATEWAY_DATA=/a$$b${C}"}, func(c *config.Config) any { return c.Data }, "/a$$b${C}"},
		{"an id with a hyphen", []string{"GATEWAY_PROVIDERS_CORP_ID_CLIENT_ID=x"}, func(c *config.Config) any { return c.Providers["corp-id"].ClientID }, "x"},
		{"a secret", []string{"GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET=x"}, func(c *config.Config) any { return c.Providers["corp-id"].ClientSecret.Reveal() }, "x"},
		{"a secret's file", []string{"GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET_FILE=" + secret}, func(c *config.Config) any { return c.Providers["corp-id"].ClientSecret.Reveal() }, "from a file"},
		{"a word for a mapping", []string{"GATEWAY_APPS_WIKI_ALLOW=signed-in"}, func(c *config.Config) any { return c.Apps["wiki"].Allow.SignedIn }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, warnings, err := config.Parse("x.yaml", []byte(enough), tt.environ)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("Parse: %v, %v", warnings, err)
			}
			if got := tt.ask(c); got != tt.want {
				t.Errorf("%v: got %v, want %v", tt.environ, got, tt.want)
			}
		})
	}
}

// TestEnvironmentComplaints says which variable is wrong.
func TestEnvironmentComplaints(t *testing.T) {
	for _, tt := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"a wrong value", []string{"GATEWAY_LISTEN=8080"}, `GATEWAY_LISTEN: listen: must be host:port or ":port"`},
		{"an empty value", []string{"GATEWAY_LISTEN="}, "GATEWAY_LISTEN: listen: empty: write a value or leave it out"},
		{"no flag", []string{"GATEWAY_LOCAL_ENABLED=yes"}, "GATEWAY_LOCAL_ENABLED: local.enabled: must be true or false"},
		{"a list with a hole", []string{"GATEWAY_TRUSTED_PROXIES=10.0.0.1,,10.0.0.2"}, "GATEWAY_TRUSTED_PROXIES: trusted_proxies[1]: empty: write a value or leave it out"},
		{"what another key forbids", []string{"GATEWAY_MANAGEMENT=:8080"}, "GATEWAY_MANAGEMENT: management: the address of listen"},
		{"half of a pair", []string{"GATEWAY_TLS_CERT=/c"}, "GATEWAY_TLS_CERT: tls.key: missing"},
		{"two apps", []string{"GATEWAY_APPS_A_B_HOST=x.example.com"}, "GATEWAY_APPS_A_B_HOST: means both apps.a-b.host and apps.a_b.host: write the value into the file"},
		{"a secret and its file", []string{"GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET_FILE=/x", "GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET=x"}, "GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET: providers.corp-id.client_secret: given twice: also as client_secret_file"},
		{"a relative path that leads nowhere", []string{"GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET_FILE=nowhere"}, "GATEWAY_PROVIDERS_CORP_ID_CLIENT_SECRET_FILE: providers.corp-id.client_secret_file: the file cannot be read: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := config.Parse("x.yaml", []byte(enough), tt.environ)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Parse: %v, want %s", err, tt.want)
			}
		})
	}
}

// TestUnknownVariables warns and goes on: others use the prefix too.
func TestUnknownVariables(t *testing.T) {
	c, warnings, err := config.Parse("x.yaml", []byte(enough), []string{
		"GATEWAY_PORT=tcp://10.0.0.1:8080", "GATEWAY_CONFIG=/etc/x", "GATEWAY_PROVIDERS_OTHER_CLIENT_ID=x", "gateway_listen=:1", "GATEWAY_APPS_WIKI_RULES=x", "PATH=/bin",
	})
	if err != nil || c.Listen != ":8080" {
		t.Fatalf("Parse = %v, %v", c, err)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := []string{
		"GATEWAY_APPS_WIKI_RULES: overrides no key of this configuration and is ignored",
		"GATEWAY_PORT: overrides no key of this configuration and is ignored",
		"GATEWAY_PROVIDERS_OTHER_CLIENT_ID: overrides no key of this configuration and is ignored",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("warnings:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestVariables fills values of the file, once.
func TestVariables(t *testing.T) {
	for value, want := range map[string]string{
		"/a":          "/a",
		"${A}":        "/1",
		"${A}${B}":    "/1${A}",
		"$${A}":       "${A}",
		"$$$${A}$$":   "$${A}$",
		"/x/${A}/y$$": "/x//1/y$",
	} {
		file := "url: http://localhost\ndata: '" + value + "'\n"
		c, _, err := config.Parse("/etc/x.yaml", []byte(file), []string{"A=/1", "B=${A}"})
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if want, _ := strings.CutPrefix(want, "/etc/"); c.Data != want && c.Data != "/etc/"+want {
			t.Errorf("%s: got %s, want %s", value, c.Data, want)
		}
	}
}
