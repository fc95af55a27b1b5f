package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
)

// prattle is text that packs about as badly as people's.
func prattle(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "%s%s ", []string{"par", "del", "ord", "inv", "ret", "box", "ship", "lab"}[rng.IntN(8)], strconv.FormatInt(int64(rng.IntN(40_000)), 36))
	}
	return b.String()
}

// matched is a matchup of k subjects on n examples.
func matched(k, n int) *report.MatchDetails {
	iv := func(v float64) rung.Interval {
		return rung.Interval{Value: v, Low: v - .02, High: v + .02, N: n, Level: .95, Method: "Wilson"}
	}
	m := &rung.Matchup{Task: "tickets", Suite: rung.SuiteInfo{Name: "heldout", N: n, Digest: rung.DigestBytes([]byte("set"))}, Metric: "accuracy",
		MinGain: .02, Alpha: .05, Level: .95, Methods: []string{"How it was done."}, Started: time.Unix(1_700_000_000, 0).UTC(), Version: "test"}
	for i := range k {
		name := fmt.Sprintf("subject %d <b>", i)
		m.Subjects = append(m.Subjects, rung.Evaluation{ID: fmt.Sprint("e", i), Metric: "accuracy", AtLeast: .7, Answers: 1, Suite: m.Suite,
			Subject: rung.SubjectInfo{Name: name, Digest: rung.DigestBytes([]byte(name)), Model: "openai/m"},
			Scorecard: rung.Scorecard{N: n, Metrics: map[string]rung.Interval{"accuracy": iv(.7 + .02*float64(i)), "macro_f1": iv(.6), "quality": iv(.6)},
				Modes: []rung.ModeCount{{Mode: "format", Status: rung.ModeFound, Count: n / 10, Share: iv(.1)}, {Mode: "length", Status: rung.ModeConfirmed, Count: 3, Share: iv(.03)}}}})
		if i == 0 {
			continue
		}
		c := func(metric string) rung.Contrast {
			return rung.Contrast{Metric: metric, Difference: rung.Interval{Value: .02, Low: -.01, High: .05, N: n, Level: .95, Method: "clustered CLT (CR0)"}, P: .04, PHolm: .16, Family: k - 1, Test: "exact McNemar"}
		}
		judged, raw := c("quality"), c("quality").Difference
		judged.Raw = &raw
		undecided := c("kindness")
		undecided.Undecided = "people rated both answers to 12 examples, and 30 are needed"
		m.Pairs = append(m.Pairs, rung.Pair{A: m.Subjects[0].Subject.Name, B: name, N: n, Deciding: c("accuracy"), Others: []rung.Contrast{c("macro_f1"), judged, undecided}, BothRight: n,
			Modes:    []rung.ModeShift{{Mode: "format", A: iv(.1), B: iv(.1), Shift: c("format")}},
			Segments: []rung.SegmentShift{{Segment: "north", N: n / 2, Shift: c("accuracy")}}, Finding: "no difference is shown, and neither that there is none",
			Equivalence: &rung.Equivalence{Margin: .02, Interval: rung.Interval{Value: .02, Low: 0, High: .04, N: n, Level: .9, Method: "clustered CLT (CR0)"}, P: .2}})
	}
	d, rng := &report.MatchDetails{Doc: m}, rand.New(rand.NewPCG(1, 2))
	for i := range n {
		row := report.MatchRow{Example: rung.Example{ID: fmt.Sprint("t-", i), Segment: []string{"north", "south"}[i%2],
			Input: json.RawMessage(fmt.Sprintf(`{"text":"message %d: %s"}`, i, prattle(rng, 30))), Output: json.RawMessage(`"delivery"`)}}
		for s := range k {
			ok := (i*7+s*3)%10 < 7
			answer := `"delivery"`
			if !ok {
				answer = fmt.Sprintf(`"<script>alert(1)</script> %s"`, prattle(rng, 12))
			}
			row.Scores = append(row.Scores, &rung.Score{Example: row.Example.ID, Success: ok, Values: map[string]float64{"accuracy": map[bool]float64{true: 1}[ok]},
				Answer: rung.Answer{Value: json.RawMessage(answer)}, Mistake: map[bool]string{false: "said <i>"}[ok]})
		}
		d.Rows = append(d.Rows, row)
	}
	return d
}

// A comparison of five candidates on 10,000 examples opens in under a second in a real browser, shows what differs, and asks for nothing.
func TestLargeComparisonOpensAtOnce(t *testing.T) {
	d := matched(5, 10_000)
	file := filepath.Join(t.TempDir(), "comparison.html")
	var b bytes.Buffer
	if err := report.MatchHTML(&b, d); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	tab := openTab(t, file)
	best := 1 << 30
	for range 3 { // the best of three: the machine is shared
		tab.run(t, chromedp.Navigate("file://"+file), until(`document.documentElement.dataset.ready === "yes"`))
		best = min(best, tab.eval(t, `Math.round(performance.getEntriesByType("measure").find((m) => m.name === "ready").duration)`))
	}
	t.Logf("%d bytes, ready after %d ms", b.Len(), best)
	if best > 1000 {
		t.Errorf("it takes %d ms to open", best)
	}
	if n := tab.eval(t, `document.querySelectorAll(".match").length`); n != 20 {
		t.Errorf("%d examples are shown at first", n)
	}
	tab.choose(t, "show", "broken:1", "change")
	tab.run(t, until(`document.getElementById("found").textContent.startsWith("3,000 of")`))
	tab.choose(t, "show", "all", "change")
	tab.choose(t, "find", "message 9999:", "input")
	tab.run(t, until(`document.getElementById("found").textContent.startsWith("1 of") && document.querySelectorAll(".match").length === 1`))
	if text := tab.text(t, ".match"); !strings.Contains(text, "t-9999") || strings.Contains(text, "NaN") {
		t.Errorf("found %s", text)
	}
	for _, r := range tab.log.Requests() {
		if r != "file://"+file {
			t.Errorf("the page asks for %s", r)
		}
	}
	for _, c := range tab.log.Complaints() {
		t.Errorf("the page complains: %s", c)
	}
}

// No figure stands without its n, interval, level and method: every row of figures in a printed comparison has them all.
func TestComparisonHasNoBareFigure(t *testing.T) {
	d := matched(3, 100)
	d.Doc.Notes = []string{"The metric accuracy is the judgement of nobody in particular."}
	var text, md, page bytes.Buffer
	if err := report.Match(&text, d.Doc, 200, false); err != nil {
		t.Fatal(err)
	}
	if err := report.MatchMarkdown(&md, d.Doc); err != nil {
		t.Fatal(err)
	}
	if err := report.MatchHTML(&page, d); err != nil {
		t.Fatal(err)
	}
	figure := regexp.MustCompile(`(^|[^\d])[+−-]?\.\d+`)
	key := regexp.MustCompile(` [a-z]$`) // by which a table in a terminal names its method
	whole := func(row string) bool {
		if key.MatchString(row) && strings.Contains(text.String(), "  a  Wilson\n") && strings.Contains(text.String(), "CR0); exact McNemar") {
			row += " Wilson"
		}
		return strings.Contains(row, "95 %") && regexp.MustCompile(`\b100\b`).MatchString(row) && (strings.Contains(row, "Wilson") || strings.Contains(row, "CR0"))
	}
	for _, row := range strings.Split(text.String(), "\n") {
		if strings.HasPrefix(row, "  ") && figure.MatchString(row) && !strings.Contains(row, "90 % interval, n=100") && !strings.Contains(row, "≤") && !whole(row) {
			t.Errorf("a bare figure: %q", row)
		}
	}
	for _, row := range strings.Split(md.String(), "\n") {
		if strings.HasPrefix(row, "|") && figure.MatchString(row) && !whole(row) {
			t.Errorf("a bare figure: %q", row)
		}
	}
	for _, row := range strings.Split(page.String(), "\n") {
		if strings.Contains(row, "<tr><th scope=\"row\"") && !whole(row) {
			t.Errorf("a bare figure: %q", row)
		}
	}
	for form, out := range map[string]string{"text": text.String(), "Markdown": md.String(), "page": page.String()} {
		if !strings.Contains(out, "the judgement of nobody in particular") {
			t.Errorf("%s does not say what the judge is worth", form)
		}
		words := strings.Join(strings.Fields(out), " ")
		for _, want := range []string{"By kindness nothing is decided: people rated both answers to 12 examples", "own scores differ by", "confirmed", "by rule"} {
			if !strings.Contains(words, want) {
				t.Errorf("%s lacks %q", form, want)
			}
		}
	}
	if strings.Contains(page.String(), "<b>") {
		t.Error("a name from outside is in the page as markup")
	}
}

// TestComparisonFitsEveryWindow: nothing is wider than the window, and rows of figures stay low, in both colour schemes.
func TestComparisonFitsEveryWindow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "comparison.html")
	var page bytes.Buffer
	d := matched(3, 100)
	for i := range d.Doc.Subjects {
		d.Doc.Subjects[i].Subject.Name = []string{"prompt (99a21e2a40f2)", "fewshot (1b9e02f7a1cc)", "http://localhost:8080/v1#model"}[i]
		iv := d.Doc.Subjects[i].Scorecard.Metrics["accuracy"]
		iv.Method = "BCa cluster bootstrap, 10000 resamples, widened to the bounded-mean bound, 3 answers each"
		d.Doc.Subjects[i].Scorecard.Metrics["accuracy"] = iv
	}
	if err := report.MatchHTML(&page, d); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, file)
	for _, width := range []int64{390, 800, 1400} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("match_%d_%s", width, scheme)
			b.run(t, chromedp.EmulateViewport(width, 900))
			if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
				t.Fatal(err)
			}
			if w := b.eval(t, "document.documentElement.scrollWidth"); int64(w) > width {
				t.Errorf("%s: the page is %d pixels wide", name, w)
			}
			if h := b.eval(t, `Math.max(...[...document.querySelectorAll("#metrics tbody tr, #modes tbody tr")].map((r) => r.offsetHeight))`); width > 576 && h > 60 || h > 130 {
				t.Errorf("%s: a row of figures is %d pixels high", name, h)
			}
			if n := b.eval(t, `[...document.querySelectorAll("#subjects tbody .range, #differences tbody .range")].filter((e) => getComputedStyle(e).stroke === "none").length`); n > 0 {
				t.Errorf("%s: %d intervals are drawn in no colour", name, n)
			}
			b.shoot(t, name)
		}
	}
	b.quiet(t)
}

// What CI servers read is well-formed whatever a task's names and reasons hold.
func TestGateFormatsHoldHostileText(t *testing.T) {
	hostile := "a\x00\x1b[31m]]>&<\"%\r\n::error::own command \xff"
	g := &rung.GateResult{Verdict: rung.Fail, Checks: []rung.GateCheck{{Name: hostile, Verdict: rung.Fail, Reason: hostile, Broken: []string{hostile}},
		{Name: "b", Verdict: rung.Inconclusive, Reason: "r"}, {Name: "c", Verdict: rung.Pass}}}
	g.Evaluation.Task = hostile
	var x, a bytes.Buffer
	if err := report.JUnit(&x, g, false); err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(bytes.NewReader(x.Bytes()))
	for {
		if _, err := dec.Token(); err != nil {
			if err.Error() != "EOF" {
				t.Errorf("%v\n%s", err, x.String())
			}
			break
		}
	}
	if s := x.String(); !strings.Contains(s, `tests="3" failures="1" errors="1" skipped="0"`) {
		t.Errorf("%s", s)
	}
	if err := report.Annotations(&a, g); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(a.String()), "\n") {
		if !strings.HasPrefix(line, "::error title=") && !strings.HasPrefix(line, "::warning title=") && !strings.HasPrefix(line, "::notice title=") {
			t.Errorf("a line of its own: %q", line)
		}
	}
}
