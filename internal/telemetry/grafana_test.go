package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

var (
	metricInQuery = regexp.MustCompile(`\b(?:rung|process|go)_[a-z0-9_]+`)
	labelInQuery  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	byInQuery     = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
)

// TestGrafanaDashboard: the file is JSON that Grafana takes, and every metric and label in its queries is one of ours.
func TestGrafanaDashboard(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/grafana/rung.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil || dashboard.Title == "" || dashboard.UID == "" {
		t.Fatal(err)
	}
	known, labels := seriesNames(t)
	used, ids := map[string]bool{}, map[int]bool{}
	check := func(query string) {
		for _, name := range metricInQuery.FindAllString(query, -1) {
			used[name] = true
			if !known[name] {
				t.Errorf("there is no metric %s, in %s", name, query)
			}
		}
		for _, m := range labelInQuery.FindAllStringSubmatch(query, -1) {
			if !labels[m[1]] {
				t.Errorf("no metric has the label %s, in %s", m[1], query)
			}
		}
		for _, m := range byInQuery.FindAllStringSubmatch(query, -1) {
			for _, l := range strings.Split(m[1], ",") {
				if l = strings.TrimSpace(l); !labels[l] {
					t.Errorf("no metric has the label %s, in %s", l, query)
				}
			}
		}
	}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			check(target.Expr)
		}
	}
	for _, v := range dashboard.Templating.List {
		check(v.Definition)
	}
	for name := range known {
		if strings.HasPrefix(name, "rung_") && !used[name] && !used[name+"_bucket"] && !slices.Contains([]string{"_sum", "_count"}, name[strings.LastIndex(name, "_"):]) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// seriesNames are the names and labels of the series that a gateway with traffic has, and what Prometheus adds.
func seriesNames(t *testing.T) (names, labels map[string]bool) {
	t.Helper()
	zero, zero64 := func() int { return 0 }, func() int64 { return 0 }
	m := NewMetrics(Sources{InFlight: zero, Queued: zero, Dropped: zero64, Unsent: zero64})
	m.Observe(aTrace())
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names, labels = map[string]bool{}, map[string]bool{"le": true, "instance": true, "job": true}
	for _, f := range families {
		if f.GetType() == dto.MetricType_HISTOGRAM {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				names[f.GetName()+end] = true
			}
		} else {
			names[f.GetName()] = true
		}
		for _, l := range f.Metric[0].Label {
			labels[l.GetName()] = true
		}
	}
	return names, labels
}

// TestOperationsDocumentMetrics: the table of the document and the registry know the same metrics with the same labels.
func TestOperationsDocumentMetrics(t *testing.T) {
	raw, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(rung_[a-z0-9_]+)` \\| [a-z]+ \\| (.*?) \\|").FindAllStringSubmatch(string(raw), -1) {
		said[m[1]] = strings.ReplaceAll(m[2], "`", "")
	}
	zero, zero64 := func() int { return 0 }, func() int64 { return 0 }
	m := NewMetrics(Sources{InFlight: zero, Queued: zero, Dropped: zero64, Unsent: zero64})
	m.Observe(aTrace())
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "rung_") {
			continue
		}
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		want := strings.Join(labels, ", ")
		if want == "" {
			want = "–"
		}
		if said[f.GetName()] != want {
			t.Errorf("the document gives %s the labels %q, it has %q", f.GetName(), said[f.GetName()], want)
		}
		delete(said, f.GetName())
	}
	for name := range said {
		t.Errorf("there is no metric %s", name)
	}
}
