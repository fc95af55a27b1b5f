package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/rung-dev/rung"
)

// Gate writes the outcome of a gate for people.
func Gate(w io.Writer, g *rung.GateResult, width int, color bool) error {
	p := evalPrinter(width, color)
	p.para("", "", fmt.Sprintf("%s: %s on %s: %s", g.Evaluation.Task, g.Evaluation.Subject.Name, suiteWords(&g.Evaluation), strings.ToUpper(string(g.Verdict))), bold, verdictColor(g.Verdict))
	for i := range g.Checks {
		c := &g.Checks[i]
		p.para("  ", "    ", fmt.Sprintf("%s: %s. %s", c.Verdict, c.Name, c.Reason), verdictColor(c.Verdict))
		if len(c.Broken) > 0 {
			p.para("    ", "    ", "right in the baseline, wrong now: "+strings.Join(c.Broken, ", "), dim)
		}
	}
	p.list("Notes", g.Notes)
	p.b.WriteByte('\n')
	p.metricSheet(&g.Evaluation)
	p.legend()
	return p.flush(w)
}

// GateMarkdown writes the outcome of a gate as Markdown, for a comment on a change.
func GateMarkdown(w io.Writer, g *rung.GateResult) error {
	k := &markdown{f: evalFigures(false)}
	k.line("### rung gate: %s", g.Verdict)
	k.line("")
	k.line("%s: %s on %s (%s, digest `%s`)", md(g.Evaluation.Task), md(g.Evaluation.Subject.Name), md(g.Evaluation.Suite.Name), plural(g.Evaluation.Suite.N, "example"), g.Evaluation.Suite.Digest.Short())
	k.line("")
	k.table("check", "verdict", "why")
	for i := range g.Checks {
		c := &g.Checks[i]
		k.row(md(c.Name), string(c.Verdict), md(c.Reason))
	}
	for i := range g.Checks {
		if b := g.Checks[i].Broken; len(b) > 0 {
			k.line("")
			k.line("Right in the baseline and wrong now: %s", md(strings.Join(b, ", ")))
		}
	}
	k.line("")
	k.table("metric", "value", "interval", "level", "n", "method")
	card := &g.Evaluation.Scorecard
	for _, name := range metricNames(card, g.Evaluation.Metric) {
		iv := card.Metrics[name]
		k.row(md(name), k.f.value(iv), k.f.ends(iv), percent(iv.Level), count(iv.N), md(iv.Method))
	}
	if len(g.Notes) > 0 {
		k.line("")
		k.list(g.Notes)
	}
	if _, err := io.WriteString(w, k.b.String()); err != nil {
		return unwritten(err)
	}
	return nil
}

// Annotations writes GitHub workflow commands: an error for what failed, a warning for what is not settled, a notice else.
func Annotations(w io.Writer, g *rung.GateResult) error {
	kinds := map[rung.Verdict]string{rung.Pass: "notice", rung.Fail: "error", rung.Inconclusive: "warning"}
	for i := range g.Checks {
		c := &g.Checks[i]
		text := c.Reason
		if len(c.Broken) > 0 {
			text += "\nright in the baseline, wrong now: " + strings.Join(c.Broken, ", ")
		}
		if _, err := fmt.Fprintf(w, "::%s title=%s::%s\n", kinds[c.Verdict], annotationProperty("rung gate, "+c.Name), annotationText(text)); err != nil {
			return unwritten(err)
		}
	}
	return nil
}

// annotationText escapes as GitHub's runner reads it, so that text from outside cannot begin a command of its own.
func annotationText(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(strings.ToValidUTF8(s, "?"))
}

func annotationProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(annotationText(s))
}

// The parts of JUnit XML that CI servers read.
type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Stamp    string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes a gate as JUnit XML: one case per check. What is not settled is an error, or skipped where that is tolerated.
func JUnit(w io.Writer, g *rung.GateResult, tolerant bool) error {
	wall := fmt.Sprintf("%.3f", g.Evaluation.Scorecard.WallSeconds)
	s := junitSuite{Name: "rung gate " + xmlText(g.Evaluation.Task), Tests: len(g.Checks), Time: wall, Stamp: g.Evaluation.Started.UTC().Format("2006-01-02T15:04:05")}
	for i := range g.Checks {
		c := &g.Checks[i]
		one := junitCase{Class: "rung." + xmlText(g.Evaluation.Task), Name: xmlText(c.Name + " on " + g.Evaluation.Suite.Name), Time: wall, Out: xmlText(gateOut(c))}
		message := &junitMessage{Message: xmlText(c.Reason), Type: string(c.Verdict), Text: xmlText(gateOut(c))}
		switch {
		case c.Verdict == rung.Fail:
			one.Failure, s.Failures = message, s.Failures+1
		case c.Verdict == rung.Pass:
		case tolerant:
			message.Type, message.Text = "", ""
			one.Skipped, s.Skipped = message, s.Skipped+1
		default:
			one.Error, s.Errors = message, s.Errors+1
		}
		s.Cases = append(s.Cases, one)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return unwritten(err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suite: s}); err != nil {
		return unwritten(err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func gateOut(c *rung.GateCheck) string {
	out := string(c.Verdict) + ": " + c.Reason
	if len(c.Broken) > 0 {
		out += "\nright in the baseline, wrong now: " + strings.Join(c.Broken, ", ")
	}
	return out
}

// xmlText takes out what XML cannot hold, even escaped.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(s, "?"))
}
