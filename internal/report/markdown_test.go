package report_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/report/reporttest"
)

func markdownOf(t *testing.T, c *reporttest.Climb) string {
	t.Helper()
	d, err := report.Load(context.Background(), c.Doc, stored(t, c))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report.Markdown(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdown(t *testing.T) {
	golden(t, ".md", markdownOf(t, reporttest.New(reporttest.Options{Seed: 1})))
}

// An answer cannot end its table cell, open a tag or a link, or put its own line into the report.
func TestMarkdownKeepsAnswersInTheirCells(t *testing.T) {
	got := markdownOf(t, reporttest.New(reporttest.Options{Seed: 2, N: 12, NonePass: true, Hostile: "a | b\n\n# owned\n<img src=x> [x](javascript:1) `code` \u202e"}))
	for _, line := range strings.Split(got, "\n") {
		if strings.HasPrefix(line, "# owned") || strings.Contains(line, "<img") || strings.Contains(line, "[x](") || strings.Contains(line, "\u202e") {
			t.Errorf("an answer escapes: %q", line)
		}
		if cells := strings.Count(line, " | "); strings.Contains(line, "owned") && cells != 5 {
			t.Errorf("%d separators in a row of six cells: %q", cells, line)
		}
	}
	if !strings.Contains(got, "owned") {
		t.Error("the answer is not in the report at all")
	}
}
