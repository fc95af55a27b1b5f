package report_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/report/reporttest"
)

// TestReportsShowFailureModes: what was confirmed, rejected and proposed since the climb stands in the terminal's table, in Markdown
// and on the page, each with its count and interval.
func TestReportsShowFailureModes(t *testing.T) {
	c := reporttest.New(reporttest.Options{Seed: 1, N: 40})
	st := stored(t, c)
	o := &c.Doc.Rungs[3]
	var wrong []string
	for s, err := range st.Scores(t.Context(), o.Candidate, c.Heldout.Digest()) {
		if err != nil {
			t.Fatal(err)
		}
		if !s.Success {
			wrong = append(wrong, s.Example)
		}
	}
	if len(wrong) < 3 {
		t.Fatalf("%d mistakes of %s", len(wrong), o.Rung)
	}
	at := time.Unix(1_700_000_000, 0)
	label := func(example, mode string, status rung.ModeStatus, by string) rung.ModeLabel {
		return rung.ModeLabel{Candidate: o.Candidate, Set: c.Heldout.Digest(), Example: example, Mode: mode, Status: status, By: by, At: at}
	}
	if err := st.PutModes(t.Context(), []rung.ModeLabel{label(wrong[0], "wrong_fact", rung.ModeConfirmed, "ann"), label(wrong[1], "wrong_fact", rung.ModeConfirmed, "ann"),
		label(wrong[2], "wrong_fact", rung.ModeRejected, "ann"), label(wrong[2], "no_<b>|unit", rung.ModeProposed, "clustering")}); err != nil {
		t.Fatal(err)
	}
	d, err := report.Load(context.Background(), c.Doc, st)
	if err != nil {
		t.Fatal(err)
	}
	var markdown, page, table strings.Builder
	if err := report.Markdown(&markdown, d); err != nil {
		t.Fatal(err)
	}
	if err := report.HTML(context.Background(), &page, d, st); err != nil {
		t.Fatal(err)
	}
	if err := report.Table(&table, c.Doc, 100, false); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[*strings.Builder][]string{
		&markdown: {"## Failure modes", "| `wrong_fact` | confirmed |", "| `wrong_fact` | rejected |", "| `no_<b>/unit` | proposed |", "2: .05 [.01–.22]", "share of 40 examples", "none named |", "does not show that there are none"},
		&page:     {"Failure modes", "<td>confirmed</td>", "no_&lt;b&gt;|unit", "2: .05 [.01–.22]", ">none named<"},
		&table:    {"Failure modes (counts and share of 40 examples", "wrong_fact, confirmed: 2, .050 [", "no_<b>|unit, proposed: 1, .025 ["},
	} {
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("there is no %q in\n%.600s", w, text.String()[max(0, strings.Index(text.String(), "Failure modes")):])
			}
		}
	}
}

// TestModesOfRungsThatWereAskedUnlike: rungs that stopped after other numbers of examples have their own n and level beside each count, and the
// heading names every method.
func TestModesOfRungsThatWereAskedUnlike(t *testing.T) {
	c := reporttest.New(reporttest.Options{Seed: 1, N: 40})
	st := stored(t, c)
	for i := range c.Doc.Rungs {
		if card := c.Doc.Rungs[i].Scorecard; card != nil {
			card.Modes = nil
		}
	}
	scored := func(r int, n int, level float64, method string) {
		o := &c.Doc.Rungs[r]
		o.Scorecard.N = n
		o.Scorecard.Modes = []rung.ModeCount{{Mode: "wrong_fact", Status: rung.ModeFound, Count: 2, Share: rung.Interval{Value: 2 / float64(n), Low: .01, High: .3, N: n, Level: level, Method: method}}}
	}
	scored(0, 25, .99, "a sequence")
	scored(3, 40, .95, "a bootstrap")
	d, err := report.Load(t.Context(), c.Doc, st)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report.Markdown(&b, d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a sequence; a bootstrap", "2: .08 [.01–.30] (n = 25, 99 %)", "2: .05 [.01–.30] (n = 40, 95 %)", "none found"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %q in\n%.900s", want, b.String()[max(0, strings.Index(b.String(), "## Failure modes")):])
		}
	}
}

// TestModesOfAStoppedRung: only what was asked before the stop counts, with the interval of a sequence; and of several answers the heading
// says which are counted.
func TestModesOfAStoppedRung(t *testing.T) {
	c := reporttest.New(reporttest.Options{Seed: 1, N: 60})
	st := stored(t, c)
	o := &c.Doc.Rungs[3]
	set := c.Heldout.Digest()
	examples, err := report.Examples(t.Context(), st, set)
	if err != nil {
		t.Fatal(err)
	}
	o.Stopped = &rung.Stop{N: 25, Of: 60, Why: rung.StopFail}
	asked := report.Asked(examples, set, o.Stopped)
	wrong := map[bool][]string{}
	for s, err := range st.Scores(t.Context(), o.Candidate, set) {
		if err != nil {
			t.Fatal(err)
		}
		_, in := asked[s.Example]
		if !s.Success {
			wrong[in] = append(wrong[in], s.Example)
		}
	}
	if len(asked) != 25 || len(wrong[true]) == 0 || len(wrong[false]) == 0 {
		t.Fatalf("%d asked, mistakes %v", len(asked), wrong)
	}
	var labels []rung.ModeLabel
	for _, in := range []bool{true, false} {
		labels = append(labels, rung.ModeLabel{Candidate: o.Candidate, Set: set, Example: wrong[in][0], Mode: "wrong_fact", Status: rung.ModeConfirmed, By: "ann", At: time.Unix(1_700_000_000, 0)})
	}
	if err := st.PutModes(t.Context(), labels); err != nil {
		t.Fatal(err)
	}
	o.Scorecard.ModesOf = 180
	if err := report.SettleDocument(t.Context(), st, c.Doc); err != nil {
		t.Fatal(err)
	}
	for _, m := range o.Scorecard.Modes {
		if m.Mode == "wrong_fact" && (m.Count != 1 || m.Share.N != 25 || !strings.Contains(m.Share.Method, "sequence")) {
			t.Errorf("counted %+v", m)
		}
	}
	e := &rung.Evaluation{Scorecard: *o.Scorecard, Answers: 3}
	var b strings.Builder
	if err := report.Evaluation(&b, e, 60, false); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), "share of the first answers to 60 examples") {
		t.Errorf("%s", b.String())
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if n := len([]rune(line)); n > 60 && strings.Contains(line, "Failure modes") {
			t.Errorf("a heading of %d columns in 60: %s", n, line)
		}
	}
}
