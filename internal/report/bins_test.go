package report_test

import (
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
)

// TestBinsOfStatedConfidence: each row has its figure with interval, level, n and method.
func TestBinsOfStatedConfidence(t *testing.T) {
	bin := rung.CalibrationBin{Low: .7, High: .8, N: 12, Confidence: .74, Right: rung.Interval{Value: .5, Low: .254, High: .746, N: 12, Level: .95, Method: "Wilson"}}
	var b strings.Builder
	if err := report.Bins(&b, []rung.Calibration{{Metric: "sure\x1b", Field: "confidence", Bins: []rung.CalibrationBin{bin}}}, 100, false); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"how often answers are right, by what confidence says", "12 .740 .500 .254", "95 % 12 a", "a Wilson"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("a name acts on the terminal")
	}
	b.Reset()
	if err := report.Bins(&b, nil, 100, false); err != nil || !strings.Contains(b.String(), "No metric of the task is about stated confidence.") {
		t.Errorf("%v: %s", err, b.String())
	}
}
