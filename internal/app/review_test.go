package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// TestReviewSaysWhatNobodyHasSaid: the terms of all of a release's data are joined from the sources that state some, and the review says which
// state none.
func TestReviewSaysWhatNobodyHasSaid(t *testing.T) {
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	const note = "Nobody has said of the source old of the dataset tickets whether they may be used so: evaluate; the task file's keys licence and terms say it."
	doc, err := json.Marshal(rung.Document{Run: "r1", Notes: []string{"A machine was busy.", note}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.PutRun(t.Context(), store.Run{ID: "r1", Task: "tickets", Status: "done", Document: doc}); err != nil {
		t.Fatal(err)
	}
	v, err := NewReview(t.Context(), &rung.Release{Task: "tickets", Version: "v1", Run: "r1", Terms: rung.Terms{Licence: []string{"CC0-1.0"}}}, st, "ada")
	if err != nil {
		t.Fatal(err)
	}
	known := ""
	for _, q := range v.Sections {
		if q.Key == "data" {
			known = q.Known
		}
	}
	if !strings.Contains(known, "licence CC0-1.0") || !strings.HasSuffix(known, "\nNobody has said of the source old of the dataset tickets whether they may be used so: evaluate.") || strings.Contains(known, "busy") {
		t.Error(known)
	}
}
