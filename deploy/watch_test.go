package deploy_test

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// metrics are those that docs/metrics.md lists, with their labels; the program's
// own tests hold that document to what it shows.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{
		"up": nil, "go_goroutines": nil, "go_memstats_heap_inuse_bytes": nil, "process_cpu_seconds_total": nil,
		"process_open_fds": nil, "process_resident_memory_bytes": nil,
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(gateway_\\w+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(read(t, "../docs/metrics.md"), -1) {
		labels := strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(m[3]))
		names := []string{m[1]}
		if m[2] == "histogram" {
			names, labels = []string{m[1] + "_bucket", m[1] + "_sum", m[1] + "_count"}, append(labels, "le")
		}
		for _, name := range names {
			all[name] = labels
		}
	}
	if len(all) < 20 {
		t.Fatalf("docs/metrics.md lists %d metrics", len(all))
	}
	return all
}

// sound fails the test unless an expression asks for metrics and labels that
// there are. Grafana's own words are taken for a duration and for anything.
func sound(t *testing.T, place, expr string, there map[string][]string) {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(strings.ReplaceAll(expr, "$__rate_interval", "5m"))
	if err != nil {
		t.Errorf("%s: %s: %v", place, expr, err)
		return
	}
	asked := 0
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			asked++
			labels, known := there[n.Name]
			if !known {
				t.Errorf("%s asks for %s, which is not there", place, n.Name)
			}
			for _, m := range n.LabelMatchers {
				if !slices.Contains(append(labels, "__name__", "job", "instance"), m.Name) {
					t.Errorf("%s asks for %s by %s, which it has not", place, n.Name, m.Name)
				}
			}
		case *parser.AggregateExpr:
			for _, by := range n.Grouping {
				if !slices.ContainsFunc(of(n, there), func(labels []string) bool { return slices.Contains(labels, by) }) {
					t.Errorf("%s groups by %s, which nothing has", place, by)
				}
			}
		}
		return nil
	})
	if asked == 0 {
		t.Errorf("%s asks for nothing: %s", place, expr)
	}
}

// of returns the labels of the metrics below a node.
func of(n parser.Node, there map[string][]string) (all [][]string) {
	parser.Inspect(n, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			all = append(all, there[s.Name])
		}
		return nil
	})
	return all
}

// Alerts are what Prometheus takes, ask for metrics that there are, and lead to
// a place that says what to do.
func TestAlerts(t *testing.T) {
	rules, errs := rulefmt.Parse([]byte(read(t, "prometheus/alerts.yaml")), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	there, night := metrics(t), anchors(read(t, "../docs/operating.md"))
	count := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			count++
			sound(t, r.Alert, r.Expr, there)
			place, anchor, _ := strings.Cut(r.Annotations["runbook"], "#")
			if place != "docs/operating.md" || !slices.Contains(night, anchor) {
				t.Errorf("%s: nothing says what to do: %q", r.Alert, r.Annotations["runbook"])
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
				t.Errorf("%s: %v, %v", r.Alert, r.Annotations, r.Labels)
			}
		}
	}
	if count < 10 {
		t.Errorf("%d alerts", count)
	}
}

// anchors are the names by which headings of a document are reached.
func anchors(document string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(document, -1) {
		all = append(all, strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// The example scrapes where the gateway shows its metrics, and names the alerts.
func TestScrape(t *testing.T) {
	var c struct {
		Scrapes []struct {
			Job     string `yaml:"job_name"`
			Path    string `yaml:"metrics_path"`
			Statics []struct{ Targets []string }
		} `yaml:"scrape_configs"`
		Rules []string `yaml:"rule_files"`
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(read(t, "prometheus/prometheus.yaml"), "static_configs", "statics")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Scrapes) != 1 || c.Scrapes[0].Job != "gateway" || c.Scrapes[0].Path != "" || !slices.Equal(c.Scrapes[0].Statics[0].Targets, []string{"127.0.0.1:8081"}) {
		t.Errorf("scrapes %+v", c.Scrapes)
	}
	if !slices.Equal(c.Rules, []string{"alerts.yaml"}) {
		t.Errorf("rules %q", c.Rules)
	}
}

// Every panel asks for metrics that there are, every metric of ours is in one,
// and no two panels cover each other.
func TestDashboard(t *testing.T) {
	var d struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct {
				Expr       string
				Datasource struct{ UID string }
			}
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	text := read(t, "grafana/dashboard.json")
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	there, ids, taken := metrics(t), map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("panel %d %q: %d targets", p.ID, p.Title, len(p.Targets))
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, covered := taken[[2]int{x, y}]; covered || x >= 24 {
					t.Fatalf("%q covers %q, or leaves the page", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			sound(t, p.Title, target.Expr, there)
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%q asks %q", p.Title, target.Datasource.UID)
			}
		}
	}
	if d.Title != "Gateway" || d.UID != "gateway" || len(d.Templating.List) != 3 {
		t.Errorf("%q, %q, %v", d.Title, d.UID, d.Templating.List)
	}
	for name := range there {
		if base, hidden := strings.CutSuffix(name, "_sum"); hidden && strings.HasPrefix(base, "gateway_") {
			name = base + "_bucket"
		}
		if !strings.Contains(text, name) && !strings.HasSuffix(name, "_count") && !slices.Contains(notShown, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// notShown are moments that no panel needs.
var notShown = []string{"gateway_config_last_reload_success_timestamp_seconds", "gateway_provider_last_error_timestamp_seconds"}
