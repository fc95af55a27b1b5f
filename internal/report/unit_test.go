package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
)

func TestFigures(t *testing.T) {
	f := figures{digits: 2}
	fine := figures{digits: 3}
	for _, c := range []struct{ got, want string }{
		{f.score(.7249), ".72"}, {f.score(1), "1.00"}, {f.score(0), ".00"}, {f.score(-.001), ".00"}, {f.score(-.25), "-.25"}, {f.score(34.24), "34.2"},
		{fine.score(.5996), ".600"}, {f.score(math.NaN()), "–"}, {f.signed(.125), "+.12"}, {f.signed(-.3), "−.30"}, {f.signed(0), ".00"}, {f.signed(.0001), ".00"},
		{f.interval(rung.Interval{Value: .72, Low: .63, High: .8}), ".72 [.63–.80]"},
		{fine.interval(rung.Interval{Value: 1.8, Low: 1.11, High: 5.14}), "1.80 [1.11–5.14]"}, {fine.interval(rung.Interval{Value: .9, Low: .51, High: 5.14}), "0.90 [0.51–5.14]"},
		{figures{digits: 2, ascii: true}.change(rung.Interval{Value: -.1, Low: -.2, High: .05}), "-.10 [-.20, +.05]"},
		{f.pvalue(.0004), "p < .001"}, {f.pvalue(.0386), "p = .039"}, {f.pvalue(1), "p = 1"},
		{usd(0), "$0"}, {usd(12.345), "$12.35"}, {usd(.0123), "$0.012"}, {usd(.000066), "$0.000066"}, {usd(.25), "$0.25"}, {usd(.996), "$1.00"},
		{millis(0), "0 s"}, {millis(.25), "0.25 ms"}, {millis(735), "735 ms"}, {millis(999.9), "1 s"}, {millis(1234), "1.2 s"}, {millis(125_000), "2 min 5 s"},
		{span(3 * time.Hour), "3 h"}, {span(3700 * time.Second), "1 h 1 min"}, {seconds(.5), "500 ms"},
		{count(-1234567), "-1,234,567"}, {count(12), "12"}, {plural(1, "call"), "1 call"}, {plural(2000, "call"), "2,000 calls"}, {percent(.9875), "98.75 %"}, {percent(.99), "99 %"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// A score just under the bar must not be written as if it met it.
func TestFiguresDoNotHideTheBar(t *testing.T) {
	doc := &rung.Document{Bar: rung.BarInfo{Metric: "accuracy", AtLeast: .6}, Rungs: []rung.Outcome{{Metrics: map[string]rung.Interval{
		"accuracy": {Value: .597, Low: .5, High: .7}, "token_f1": {Value: .597},
	}}}}
	f := figuresFor(doc, false)
	if got := f.of("accuracy").score(.597) + " " + f.of("token_f1").score(.597); got != ".597 .60" {
		t.Errorf("got %q", got)
	}
}

func TestWrapFits(t *testing.T) {
	text := "short words and " + strings.Repeat("訓練", 30) + " " + strings.Repeat("x", 100) + " e\u0301nd"
	for _, n := range []int{10, 13, 40, 80} {
		lines := wrap(text, n)
		for _, l := range lines {
			if columns(l) > n {
				t.Errorf("%d columns in %d: %q", columns(l), n, l)
			}
		}
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("width %d loses text", n)
		}
	}
}

func TestFieldsAgainstExpected(t *testing.T) {
	want := fieldsOf(json.RawMessage(`{"intent":"play","n":12345678901234567890,"tags":["a","b"],"gone":null}`))
	got := fieldsOf(json.RawMessage(`{"n":12345678901234567891,"intent":"play","tags":["a","b","c"],"more":{"x":true,"y":[]}}`))
	diff := cmp.Diff([]field{
		{"n", "12345678901234567891", "≠"}, {"intent", "play", ""}, {"tags[0]", "a", ""}, {"tags[1]", "b", ""}, {"tags[2]", "c", "+"},
		{"more.x", "true", "+"}, {"more.y", "[]", "+"}, {"gone", "null", "–"},
	}, against(want, got))
	if diff != "" {
		t.Error(diff)
	}
	if closest([][]field{fieldsOf(json.RawMessage(`"a"`)), fieldsOf(json.RawMessage(`"b"`))}, fieldsOf(json.RawMessage(`"b"`)))[0].Mark != "" {
		t.Error("an answer that equals an alternative is marked as different")
	}
}

func TestScales(t *testing.T) {
	linear := costScale([]float64{100, 300}, 0, 100)
	if linear.log || linear.at(0) != 0 || linear.at(300) >= 100 {
		t.Errorf("linear: %+v", linear)
	}
	far := costScale([]float64{.00001, .01}, 0, 100)
	if !far.log || len(far.ticks(5)) < 3 || far.at(.00001) <= 0 || far.at(.01) >= 100 {
		t.Errorf("logarithmic: %+v with ticks %v", far, far.ticks(5))
	}
	for _, s := range []scale{linear, far, costScale(nil, 0, 100), costScale([]float64{0, 0}, 0, 100), scoreScale([]float64{-.2, 87}, 0, 100)} {
		if n := len(s.ticks(5)); n < 2 || n > 12 {
			t.Errorf("%+v has %d ticks", s, n)
		}
		if v := s.at(s.low); math.IsNaN(v) {
			t.Errorf("%+v has no place for its own end", s)
		}
	}
}

func TestLineChanges(t *testing.T) {
	got := lineChanges([]string{"a", "b", "c", "d"}, []string{"a", "x", "c", "d", "e"})
	if diff := cmp.Diff([]string{"-b", "+x", "+e"}, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever a model or a document says, text for a terminal stays on its line and acts on nothing, and taking JSON apart ends.
func FuzzTextFromOutside(f *testing.F) {
	f.Add("plain", 10)
	f.Add(`{"a":[{"b":"\u0000"},[[[]]]]}`, 3)
	f.Add("\x1b]0;title\x07\u202eabc\u2028\xff\xfe", 80)
	f.Fuzz(func(t *testing.T, s string, n int) {
		for _, r := range clean(s) {
			if hidden(r) || r == '\n' || r == '\r' {
				t.Fatalf("%q keeps %q", s, r)
			}
		}
		if c := clip(s, max(0, n)); len(c) > max(0, n) || !strings.HasPrefix(s, c) || utf8.ValidString(s) && !utf8.ValidString(c) {
			t.Fatalf("clip(%q, %d) = %q", s, n, c)
		}
		if strings.ContainsAny(md(s), "\n\r") {
			t.Fatalf("%q breaks its line", s)
		}
		for _, l := range wrap(clean(s), n) {
			if columns(l) > max(n, 10) {
				t.Fatalf("%q is wider than %d", l, n)
			}
		}
		if fs := fieldsOf(json.RawMessage(s)); len(fs) > maxFields {
			t.Fatalf("%d fields", len(fs))
		}
		splitRequest(json.RawMessage(s))
		jsonBytes(shown(json.RawMessage(s)))
	})
}

func TestConfusions(t *testing.T) {
	c := &rung.Confusion{Labels: []string{"refund", "lost\x1b card"}, Counts: [][]int{{9, 4, 0}, {1, 7, 5}}}
	got := confusions(c, 2)
	if diff := cmp.Diff([]string{`lost\u001b card answered as no label: 5`, `refund answered as lost\u001b card: 4`}, got); diff != "" {
		t.Error(diff)
	}
}
