package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with the file named after the test.
func golden(t *testing.T, suffix, got string) {
	t.Helper()
	name := filepath.Join("testdata", strings.ReplaceAll(t.Name(), "/", "_")+suffix)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not as in %s (-want +got), renew with -update:\n%s", name, diff)
	}
}

func tableOf(t *testing.T, doc *rung.Document, width int, color bool) string {
	t.Helper()
	var b strings.Builder
	if err := report.Table(&b, doc, width, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	pass := reporttest.New(reporttest.Options{Seed: 1}).Doc
	none := reporttest.New(reporttest.Options{Seed: 1, NonePass: true, Local: true}).Doc
	for _, c := range []struct {
		name   string
		doc    *rung.Document
		locale string
		width  int
		color  bool
	}{
		{"pass", pass, "en_GB.UTF-8", 80, false},
		{"pass_colour_wide", pass, "en_GB.UTF-8", 120, true},
		{"none_passes", none, "en_GB.UTF-8", 80, false},
		{"ascii", pass, "C", 80, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("LC_ALL", c.locale)
			got := tableOf(t, c.doc, c.width, c.color)
			golden(t, ".txt", got)
			for _, line := range strings.Split(got, "\n") {
				if !c.color && utf8.RuneCountInString(line) > c.width {
					t.Errorf("%d columns, more than %d: %q", utf8.RuneCountInString(line), c.width, line)
				}
			}
		})
	}
}
