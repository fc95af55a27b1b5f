package grade_test

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

// tableRows are the rows of the tables in docs/metrics.md whose heading line is header, cells trimmed and without backquotes.
func tableRows(t *testing.T, header string) [][]string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	inside := false
	for line := range strings.Lines(string(doc)) {
		line = strings.TrimSpace(line)
		switch {
		case line == header:
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "| ---"):
			var cells []string
			for _, cell := range strings.Split(strings.Trim(line, "|"), " | ") {
				cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

func TestExamplesOfTheDocument(t *testing.T) {
	outputs := map[string]rung.Output{
		"labels": {Kind: rung.Labels, Labels: []string{"refund", "delivery"}},
		"tools":  tools, "json_schema": intent, "text": plain,
	}
	rows := tableRows(t, "| metric | output | expected | answer | score |")
	if len(rows) < 30 {
		t.Fatalf("docs/metrics.md has %d examples, want at least 30", len(rows))
	}
	for _, row := range rows {
		metric, want, got := row[0], row[2], row[3]
		if row[1] == "json_schema" && (!json.Valid([]byte(want)) || !json.Valid([]byte(got))) {
			t.Errorf("%v is not JSON", row)
		}
		g := grader(t, task(outputs[row[1]], rung.Bar{Metric: metric, AtLeast: 1}))
		checkExample(t, row, g.Score(example(want), said(got)).Values[metric])
	}
}

func TestExpressionsOfTheDocument(t *testing.T) {
	rows := tableRows(t, "| expression | expected | answer | score |")
	if len(rows) < 4 {
		t.Fatalf("docs/metrics.md has %d expressions, want at least 4", len(rows))
	}
	for _, row := range rows {
		g := grader(t, task(object, rung.Bar{Metric: "cel", AtLeast: 1}, rung.MetricSpec{Kind: "cel", Expr: row[0]}))
		checkExample(t, row, g.Score(example(row[1]), said(row[2])).Values["cel"])
	}
}

// checkExample compares with the score in the last cell, to the digits that it has.
func checkExample(t *testing.T, row []string, got float64) {
	t.Helper()
	cell := row[len(row)-1]
	want, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	_, fraction, _ := strings.Cut(cell, ".")
	if math.Abs(got-want) > .5*math.Pow10(-len(fraction)) || (fraction == "" && math.Abs(got-want) > 1e-9) {
		t.Errorf("docs/metrics.md gives %s for %s of %s; it is %v", cell, row[0], row[len(row)-2], got)
	}
}

func TestDocumentNamesEveryMetric(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []rung.Output{labels, intent, tools, plain} {
		names := grader(t, task(out, rung.Bar{})).Names()
		for _, name := range append(names, "regex", "cel") {
			if !strings.Contains(string(doc), "\n### "+name+"\n") {
				t.Errorf("docs/metrics.md has no section %s", name)
			}
		}
		row := "| `" + string(out.Kind) + "` | " + strings.Join(names, ", ") + " |"
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/metrics.md does not have the row %q", row)
		}
	}
}
