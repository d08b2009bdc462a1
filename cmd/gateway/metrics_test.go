package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gateway/internal/config"
)

// furnished is a gateway with everything that can be measured.
const furnished = `
url: http://auth.localhost:8080
data: %s
providers:
  corp: {type: oidc, issuer: "http://127.0.0.1:1", client_id: gateway, client_secret: none-of-theirs}
apps:
  wiki: {host: wiki.localhost, upstream: "http://127.0.0.1:1", allow: signed-in, observe: {allow: {users: [alice]}}}
`

// described are the metrics of a table: "name type labels", in order.
func described(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(gateway_\\w+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		labels := strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(m[3]))
		slices.Sort(labels)
		all = append(all, strings.Join(append([]string{m[1], m[2]}, labels...), " "))
	}
	slices.Sort(all)
	return all
}

// shown are the metrics of a scrape, in the same words.
func shown(page string) []string {
	kinds, labels := map[string]string{}, map[string]string{}
	for line := range strings.Lines(page) {
		fields := strings.Fields(line)
		if fields[0] == "#" && fields[1] == "TYPE" && strings.HasPrefix(fields[2], "gateway_") {
			kinds[fields[2]] = fields[3]
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(gateway_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? `).FindAllStringSubmatch(page, -1) {
		var names []string
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" {
				names = append(names, l[1])
			}
		}
		labels[m[1]] = strings.Join(append([]string{m[1], kinds[m[1]]}, names...), " ")
	}
	return slices.Sorted(maps.Values(labels))
}

// The document lists the metrics that there are, with their types and labels,
// and no others.
func TestMetricsAreDocumented(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "gateway.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(furnished, "%s", filepath.Join(folder, "data"))), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := build(t.Context(), cfg, logsTo(io.Discard, cfg.Log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() })
	r := *h.rooms.Load()
	r.tls = &tls.Config{Certificates: []tls.Certificate{{Leaf: &x509.Certificate{NotAfter: time.Unix(1<<31, 0)}}}}
	h.rooms.Store(&r)
	if _, err := r.server.Foreign.Begin(t.Context(), "corp", "browser", "/", 0); err == nil {
		t.Fatal("somebody answers on port 1")
	}
	page := httptest.NewRecorder()
	h.at(listenManagement).ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if got, want := shown(page.Body.String()), described(t); !slices.Equal(got, want) {
		t.Errorf("shown:\n%s\ndescribed:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, zero := range []string{
		`gateway_checks_total{app="wiki",outcome="allowed",way="proxy"} 0`, `gateway_sign_ins_total{origin="corp",outcome="done"} 0`,
		`gateway_sign_ins_total{origin="local",outcome="throttled"} 0`, `gateway_sessions{at="portal"} 0`, `gateway_provider_up{origin="corp"} 0`,
		`gateway_config_reloads_total{outcome="failed"} 0`, `gateway_observed_decisions_total{app="wiki",effect="allow",observed="deny"} 0`, `gateway_observed_skipped_total 0`, `gateway_config_last_reload_successful 1`, `gateway_certificate_expiry_timestamp_seconds 2.147483648e+09`,
	} {
		if !strings.Contains(page.Body.String(), zero+"\n") {
			t.Errorf("not at the start: %s", zero)
		}
	}
	if !regexp.MustCompile(`gateway_provider_last_error_timestamp_seconds\{origin="corp"\} 1\.\d+e\+09\n`).MatchString(page.Body.String()) {
		t.Error("the provider's failure is not dated")
	}
}
