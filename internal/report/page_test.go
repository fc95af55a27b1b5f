package report_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/report/reporttest"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// stored saves a climb in a real store.
func stored(t testing.TB, c *reporttest.Climb) *sqlite.Store {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Save(context.Background(), st); err != nil {
		t.Fatal(err)
	}
	return st
}

// pageFile writes the page of a climb to a file.
func pageFile(t testing.TB, c *reporttest.Climb) string {
	t.Helper()
	st := stored(t, c)
	d, err := report.Load(context.Background(), c.Doc, st)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "report.html")
	if keep := os.Getenv("RUNG_KEEP_PAGE"); keep != "" {
		name = filepath.Join(keep, filepath.Base(t.Name())+".html")
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := report.HTML(context.Background(), f, d, st); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPage(t *testing.T) {
	name := pageFile(t, reporttest.New(reporttest.Options{Seed: 1}))
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", info.Size())
}

// The largest page that is promised: five rungs on 2,000 examples.
func TestLargePage(t *testing.T) {
	if testing.Short() {
		t.Skip("a large climb takes a while to store")
	}
	name := pageFile(t, reporttest.New(reporttest.Options{Seed: 3, N: 2000, Docs: true}))
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 15<<20 {
		t.Errorf("the page has %d bytes, more than 15 MiB", info.Size())
	}
	t.Logf("%d bytes", info.Size())
}

// A page that would be too large leaves out the completions of right answers first, and says so, and how to see them.
func TestPageLeavesOutCompletions(t *testing.T) {
	c := reporttest.New(reporttest.Options{Seed: 4, N: 600, Docs: true})
	st := stored(t, c)
	d, err := report.Load(context.Background(), c.Doc, st)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	const limit = 760 << 10
	if err := report.WritePage(context.Background(), &b, d, st, limit); err != nil {
		t.Fatal(err)
	}
	if b.Len() > limit {
		t.Errorf("%d bytes, more than %d", b.Len(), limit)
	}
	said := regexp.MustCompile(`([\d,]+) of ([\d,]+) completions left out`).FindStringSubmatch(b.String())
	if said == nil || !strings.Contains(b.String(), "rung show KEY") {
		t.Fatal("the page does not say what it leaves out")
	}
	wrong, calls := 0, 0
	for _, scores := range c.Scores {
		for _, s := range scores {
			calls += len(s.Answer.Calls)
			if !s.Success {
				wrong += len(s.Answer.Calls)
			}
		}
	}
	total, left := number(t, said[2]), number(t, said[1])
	if total != calls || calls-left < wrong/2 || left == 0 {
		t.Errorf("%d of %d left out; there are %d, %d of wrong answers", left, total, calls, wrong)
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A run whose examples and completions are gone from the store still has its page.
func TestPageOfAnEmptyStore(t *testing.T) {
	c := reporttest.New(reporttest.Options{Seed: 1})
	st, err := sqlite.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	d, err := report.Load(context.Background(), c.Doc, st)
	if err != nil {
		t.Fatal(err)
	}
	var page, md strings.Builder
	if err := errors.Join(report.HTML(context.Background(), &page, d, st), report.Markdown(&md, d)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The cheapest rung that meets the bar is lora", "there is nothing to show example by example"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
