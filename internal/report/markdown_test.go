package report_test

import (
	"context"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

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

// An answer cannot end its table cell, make an element or a link, or put its own line into the report: read by a Markdown
// reader it is the text that it was.
func TestMarkdownKeepsAnswersInTheirCells(t *testing.T) {
	hostile := "a | b\n\n# owned\n<img src=x> [x](https://example.org) `code` **bold** _it_ \u202e &lt; \\| end"
	source := markdownOf(t, reporttest.New(reporttest.Options{Seed: 2, N: 12, NonePass: true, Hostile: hostile}))
	var page strings.Builder
	reader := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := reader.Convert([]byte(source), &page); err != nil {
		t.Fatal(err)
	}
	want := `a | b  # owned &lt;img src=x&gt; [x](https://example.org) ` + "`code`" + ` **bold** _it_ \u202e &amp;lt; \| end</td>`
	if got := strings.Count(page.String(), want); got != 9 { // three answers on three rungs
		t.Errorf("the answer stands %d times in the page as it was, want 9:\n%s", got, page.String())
	}
}
