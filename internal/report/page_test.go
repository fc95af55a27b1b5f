package report_test

import (
	"context"
	"os"
	"path/filepath"
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
