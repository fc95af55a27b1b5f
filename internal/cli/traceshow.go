package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
)

// traceDocument is what rung traces show --json prints.
type traceDocument struct {
	Trace    rung.Trace      `json:"trace"`
	Feedback []rung.Feedback `json:"feedback"` // oldest first
}

func newTracesShowCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a request: its steps, guards, texts and feedback",
		Args:  exactArgs(1, "one trace ID, or its beginning"),
		RunE:  func(c *cobra.Command, args []string) error { return runTracesShow(c.Context(), s, args[0]) },
	}
}

func runTracesShow(ctx context.Context, s *settings, id string) (err error) {
	st, err := openTraces(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	t, err := st.Trace(ctx, id)
	if err != nil {
		return err
	}
	told, err := st.Feedback(ctx, t.ID)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(traceDocument{t, append([]rung.Feedback{}, told...)})
	}
	_, err = fmt.Fprint(s.Out, report.Lines(traceText(&t, told)))
	return err
}

// traceText writes a trace for a person.
func traceText(t *rung.Trace, told []rung.Feedback) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, value)
		}
	}
	line("trace", t.ID)
	line("parent", t.Parent)
	line("at", t.At.Local().Format("2006-01-02 15:04:05.000")+" on "+t.Gateway+", "+t.API)
	line("asked for", t.Model)
	if t.Task != "" {
		line("release", t.Task+"@"+t.Version)
	}
	line("model", string(t.Upstream))
	if t.Rollout != "" {
		line("rollout", t.Rollout+", "+t.Arm)
	}
	line("key", t.Key)
	line("segment", t.Segment)
	line("status", traceStatus(t))
	line("tokens", traceTokens(t))
	line("took", traceTimes(t))
	line("error", t.Error)
	b.WriteString(waterfall(t))
	b.WriteString(verdictLines(t.Guards))
	if len(t.Passages) > 0 {
		line("passages", strings.Join(t.Passages, ", "))
		line("cited", strings.Join(t.Cited, ", "))
	}
	writeValue(&b, "input", t.Input)
	writeValue(&b, "output", t.Output)
	for i := range told {
		b.WriteString(feedbackText(&told[i]))
	}
	return b.String()
}

func traceStatus(t *rung.Trace) string {
	out := []string{fmt.Sprint(t.Status)}
	for _, s := range []string{string(t.Code), string(t.Problem)} {
		if s != "" {
			out = append(out, s)
		}
	}
	if t.Fallback > 0 {
		out = append(out, fmt.Sprintf("answered by number %d of the fallback chain", t.Fallback))
	}
	if t.Repaired {
		out = append(out, "repaired")
	}
	if t.Cached {
		out = append(out, "from the cache")
	}
	return strings.Join(out, ", ")
}

func traceTokens(t *rung.Trace) string {
	cached := ""
	if t.Usage.CachedIn > 0 {
		cached = fmt.Sprintf(" (%d cached)", t.Usage.CachedIn)
	}
	return fmt.Sprintf("%d in%s, %d out, %s", t.Usage.In, cached, t.Usage.Out, traceCost(t.CostUSD))
}

func traceTimes(t *rung.Trace) string {
	out := spanTime(t.Latency)
	if t.First > 0 {
		out += ", first token after " + spanTime(t.First)
	}
	if t.Stream {
		out += ", streamed"
	}
	if t.Retries > 0 {
		out += fmt.Sprintf(", retries %d", t.Retries)
	}
	return out
}

// waterfallWidth is how many characters the whole request takes.
const waterfallWidth = 40

// waterfall draws each step where it stood in the request.
func waterfall(t *rung.Trace) string {
	if len(t.Spans) == 0 {
		return ""
	}
	whole := t.Latency
	for _, s := range t.Spans {
		whole = max(whole, s.Start+s.Took)
	}
	rows := make([][]string, 0, len(t.Spans)+1)
	rows = append(rows, []string{"step", "took", "|" + strings.Repeat(" ", waterfallWidth) + "|", ""})
	for _, s := range t.Spans {
		rows = append(rows, []string{s.Name, spanTime(s.Took), bar(s.Start, s.Took, whole), s.Note})
	}
	return "\n" + strings.Join(report.Columns(rows), "\n") + "\n"
}

// bar is a step of a request that took whole.
func bar(start, took, whole time.Duration) string {
	at := func(d time.Duration) int {
		return min(max(int(float64(d)/float64(max(whole, 1))*waterfallWidth), 0), waterfallWidth)
	}
	from := min(at(start), waterfallWidth-1)
	long := max(at(start+took)-from, 1)
	return "|" + strings.Repeat(" ", from) + strings.Repeat("=", long) + strings.Repeat(" ", waterfallWidth-from-long) + "|"
}

func verdictLines(list []rung.GuardVerdict) string {
	if len(list) == 0 {
		return ""
	}
	rows := [][]string{{"guard", "on", "did", "score", "found", "took"}}
	for _, g := range list {
		did, score := string(g.Action), ""
		switch {
		case g.Failed != "" && g.Open:
			did = "failed, let through: " + g.Failed
		case g.Failed != "":
			did = "failed: " + g.Failed
		case did == "":
			did = "nothing"
		}
		if g.Score != 0 {
			score = fmt.Sprintf("%.2f", g.Score)
		}
		rows = append(rows, []string{g.Kind, string(g.Stage), did, score, strings.Join(g.Found, " "), spanTime(time.Duration(g.Elapsed))})
	}
	return "\n" + strings.Join(report.Columns(rows), "\n") + "\n"
}

// writeValue writes a JSON value indented, and a text as it is.
func writeValue(b *strings.Builder, name string, v json.RawMessage) {
	if len(v) == 0 {
		return
	}
	var text string
	if json.Unmarshal(v, &text) != nil {
		var indented bytes.Buffer
		text = string(v)
		if json.Indent(&indented, v, "", "  ") == nil {
			text = indented.String()
		}
	}
	fmt.Fprintf(b, "\n%s\n  %s\n", name, strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  "))
}

func feedbackText(f *rung.Feedback) string {
	var said []string
	switch {
	case f.Thumb > 0:
		said = append(said, "up")
	case f.Thumb < 0:
		said = append(said, "down")
	}
	if f.Score != nil {
		said = append(said, fmt.Sprintf("score %.2f", *f.Score))
	}
	if len(f.Correction) > 0 {
		said = append(said, "corrected it")
	}
	if f.Comment != "" {
		said = append(said, f.Comment)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nfeedback  %s %s: %s\n", f.At.Local().Format("2006-01-02 15:04:05"), f.By, strings.Join(said, ", "))
	writeValue(&b, "correction", f.Correction)
	return b.String()
}
