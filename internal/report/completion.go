package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

// Call writes a completion for a person: what was asked, what came back, and what it took.
func Call(c *rung.Completion) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("completion", "%s", c.Key)
	line("model", "%s", c.Model)
	if c.Served != "" && c.Served != string(c.Model) {
		line("served by", "%s", c.Served)
	}
	line("tokens", "%s in, %s out", count(c.Usage.In), count(c.Usage.Out))
	line("latency", "%s, %s", millis(float64(c.Latency.Microseconds())/1000), plural(c.Attempts, "attempt"))
	line("cost", "%s", usd(c.CostUSD))
	line("finished by", "%s", c.Finish)
	if !c.At.IsZero() {
		line("at", "%s", c.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	b.WriteString("\n" + Request(c.Request))
	block(&b, "answer", c.Text)
	return b.String()
}

// Request writes a stored request for a person: its messages, then its settings.
func Request(request json.RawMessage) string {
	var b strings.Builder
	messages, settings := splitRequest(request)
	for i, m := range messages {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.Role + "\n")
		for _, l := range strings.Split(strings.TrimRight(m.Content, "\n"), "\n") {
			b.WriteString(strings.TrimRight("  "+l, " ") + "\n")
		}
	}
	if settings != "{}" {
		block(&b, "settings", settings)
	}
	return b.String()
}

// Lines makes text from outside fit for a terminal and keeps its lines.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}
