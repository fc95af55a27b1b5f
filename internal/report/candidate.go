package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

// Recipe writes a candidate for a person: everything that shapes its answers, as indented text.
func Recipe(c *rung.Candidate) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("candidate", "%s", c.Digest())
	line("rung", "%s", c.Rung)
	line("model", "%s", c.Model)
	if c.Weights != "" {
		line("weights", "%s", c.Weights.Short())
	}
	line("decoding", "temperature %g, at most %d tokens, seed %d%s, %s", c.Decoding.Temperature, c.Decoding.MaxTokens, c.Decoding.Seed,
		map[bool]string{true: ", held to the output form"}[c.Decoding.Constrained], plural(c.Decoding.Reasks, "re-ask"))
	line("output", "%s", outputWords(&c.Output))
	if r := c.Retrieval; r != nil {
		line("retrieval", "index %s, %s by %s, query %s", r.Index.Short(), plural(r.K, "passage"), searchWords(r.Embedder), strings.Join(r.Query, ", "))
	}
	if a := c.Adapter; a != nil {
		p := a.Params
		line("adapter", "%s on base %s, trained on rows %s", a.Digest.Short(), a.Base.Short(), a.Data.Short())
		line("", "rank %d, alpha %d, dropout %g, %s", p.Rank, p.Alpha, p.Dropout, strings.Join(p.Targets, " "))
		line("", "learning rate %g, %g epochs, batch %d, seed %d", p.LearningRate, p.Epochs, p.BatchSize, p.Seed)
	}
	line("template", "%s, version %d", c.Template.Name, c.Template.Version)
	block(&b, "instructions", c.Instructions)
	block(&b, "system", c.Template.System)
	block(&b, "user", c.Template.User)
	if c.Demos != nil {
		demos(&b, c.Demos)
	}
	return b.String()
}

func outputWords(o *rung.Output) string {
	switch o.Kind {
	case rung.Labels:
		return fmt.Sprintf("one of %s: %s", plural(len(o.Labels), "label"), strings.Join(o.Labels, ", "))
	case rung.JSONSchema:
		return "JSON to the schema " + string(o.Schema)
	case rung.Tools:
		if o.ToolsFrom != "" {
			return "calls of the tools in input field " + o.ToolsFrom
		}
		return "calls of the tools " + string(o.Tools)
	}
	if o.MaxWords > 0 {
		return fmt.Sprintf("text of at most %d words", o.MaxWords)
	}
	return "text"
}

func searchWords(embedder rung.ModelRef) string {
	if embedder == "" {
		return "BM25"
	}
	return "BM25 and " + string(embedder)
}

// block writes text under a title, indented.
func block(b *strings.Builder, title, text string) {
	fmt.Fprintf(b, "\n%s\n", title)
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight("  "+l, " ") + "\n")
	}
}

func demos(b *strings.Builder, d *rung.Demos) {
	how := map[rung.DemoMode]string{
		rung.FixedDemos: "the same for every input", rung.NearestBM25: "nearest by words (BM25)", rung.NearestDense: "nearest by embedding",
	}[d.Mode]
	fmt.Fprintf(b, "\ndemonstrations: %d, %s", d.K, how)
	if d.Embedder != "" {
		fmt.Fprintf(b, ", embedder %s", d.Embedder)
	}
	if d.Pool != "" {
		fmt.Fprintf(b, ", from pool %s", d.Pool.Short())
	}
	b.WriteByte('\n')
	for _, x := range d.Fixed {
		fmt.Fprintf(b, "  %s  %s\n    %s\n", x.ID, compact(x.Input), compact(x.Output))
	}
	if len(d.Counter) > 0 {
		b.WriteString("\ncounter-examples\n")
	}
	for _, x := range d.Counter {
		fmt.Fprintf(b, "  %s  %s\n    right: %s\n    wrong: %s\n    why:   %s\n", x.ID, compact(x.Input), compact(x.Output), x.Wrong, x.Why)
	}
}

func compact(v json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return string(v)
	}
	return b.String()
}
