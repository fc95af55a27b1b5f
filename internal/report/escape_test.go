package report

import (
	"html/template"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

// TestPagesWriteWhereTextIsSafe: package fill escapes for text and for quoted attributes. html/template, which knows where in a page
// it is, finds no place in ours that would need more: no address, style, script or attribute without quotation marks.
func TestPagesWriteWhereTextIsSafe(t *testing.T) {
	escaper := regexp.MustCompile(`_html_template_\w+`)
	funcs := template.FuncMap{}
	for name, f := range matchFuncs(&rung.Matchup{Subjects: make([]rung.Evaluation, 1)}) {
		funcs[name] = f
	}
	for name, text := range map[string]string{"page": pageTemplate, "match": matchTemplate, "dataset": datasetTemplate} {
		page, err := template.New(name).Funcs(funcs).Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		_ = page.Execute(io.Discard, nil) // it escapes first, and fails then for want of data
		found := 0
		for _, part := range page.Templates() {
			for _, e := range escaper.FindAllString(part.Tree.Root.String(), -1) {
				found++
				if !strings.HasSuffix(e, "_htmlescaper") && !strings.HasSuffix(e, "_attrescaper") {
					t.Errorf("%s needs %s", part.Name(), e)
				}
			}
		}
		if found < 20 {
			t.Errorf("%s: %d places are escaped, so this test saw nothing", name, found)
		}
	}
}
