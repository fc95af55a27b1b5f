package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// infer fills in the plan from a file of examples.
func (p *initPlan) infer(ctx context.Context, o *initOptions) error {
	found, err := data.Sniff(ctx, o.examples)
	if err != nil {
		return err
	}
	if len(found.Fields) == 0 {
		return &rung.Error{Code: rung.CodeInput, Place: o.examples, What: "no key is in every row with one type, so there is no input field", Do: `write rows like {"input": {"text": "…"}, "output": …}`}
	}
	if found.Answers == 0 {
		return &rung.Error{Code: rung.CodeInput, Place: o.examples, What: "no row has an output", Do: `add the expected answer to each row, under "output" or "label"`}
	}
	p.Fields = found.Fields
	if len(found.Dropped) > 0 {
		p.Notes = append(p.Notes, "not used as input, because they are missing, null or of changing type in some rows: "+strings.Join(found.Dropped, ", "))
	}
	if p.Examples, err = relativeTo(o.dir, o.examples); err != nil {
		return err
	}
	outputs, isJSON := jsonOutputs(found, o.examples)
	if p.Kind == "" {
		p.Kind = guessKind(found, isJSON)
	}
	switch p.Kind {
	case rung.Labels:
		return p.inferLabels(found, o)
	case rung.JSONSchema:
		if !isJSON {
			return &rung.Error{Code: rung.CodeInput, Place: o.examples, What: "not every output is a JSON object or list", Do: "use --output text or --output labels"}
		}
		p.schema = data.InferSchema(outputs)
		p.Notes = append(p.Notes, fmt.Sprintf("schema.json was inferred from %d different outputs: read it, and loosen or tighten it", len(outputs)))
	case rung.Tools:
		return usage("the tools cannot be found in examples: write the task with --output tools alone, put your definitions into tools.json, then name your examples in task.yaml")
	}
	return nil
}

// relativeTo is path as the task file in dir names it.
func relativeTo(dir, path string) (string, error) {
	base, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(base, abs)
	if err != nil {
		return abs, nil
	}
	return filepath.ToSlash(rel), nil
}

// jsonOutputs gives the outputs as JSON objects or lists, if all are. Tables and chats hold JSON as text.
func jsonOutputs(found *data.Sniffed, path string) ([]json.RawMessage, bool) {
	ext := strings.ToLower(filepath.Ext(path))
	asText := found.Chat || ext == ".csv" || ext == ".tsv" || ext == ".parquet"
	out := make([]json.RawMessage, 0, len(found.Outputs))
	for _, raw := range found.Outputs {
		var text string
		if asText && json.Unmarshal(raw, &text) == nil {
			raw = json.RawMessage(strings.TrimSpace(text))
		}
		if !json.Valid(raw) || len(raw) == 0 || raw[0] != '{' && raw[0] != '[' {
			return nil, false
		}
		out = append(out, raw)
	}
	return out, true
}

const (
	maxLabels   = 200
	maxLabelLen = 60
)

// guessKind takes short outputs that repeat for labels.
func guessKind(found *data.Sniffed, isJSON bool) rung.OutputKind {
	if isJSON {
		return rung.JSONSchema
	}
	if found.Many || len(found.Outputs) > maxLabels || len(found.Outputs) > max(2, found.Answers/3) {
		return rung.Text
	}
	for _, raw := range found.Outputs {
		var text string
		if json.Unmarshal(raw, &text) != nil || len(text) > maxLabelLen {
			return rung.Text
		}
	}
	return rung.Labels
}

func (p *initPlan) inferLabels(found *data.Sniffed, o *initOptions) error {
	if len(p.Labels) > 0 {
		return nil
	}
	if found.Many {
		return &rung.Error{Code: rung.CodeInput, Place: o.examples, What: fmt.Sprintf("there are more than %d different outputs, too many for labels", len(found.Outputs)), Do: "use --output text"}
	}
	for _, raw := range found.Outputs {
		var label string
		if json.Unmarshal(raw, &label) != nil {
			return &rung.Error{Code: rung.CodeInput, Place: o.examples, What: fmt.Sprintf("the output %s is not text, and labels are", raw), Do: "use --output json"}
		}
		if label = strings.TrimSpace(label); label != "" && !slices.Contains(p.Labels, label) {
			p.Labels = append(p.Labels, label)
		}
	}
	slices.Sort(p.Labels)
	return nil
}

// taskFile writes the commented task file.
func (p *initPlan) taskFile() []byte {
	var b bytes.Buffer
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	w("# What a model must do, and what good enough means. Check it with: rung check task.yaml\n")
	w("# To have an editor complete and check it: rung schema > task.schema.json, and put this on the first line:\n")
	w("#   \"# yaml-language-server: $schema=task.schema.json\"\n\n")
	w("task: %s\n\n", yamlText(p.Name))
	w("# Say it as you would to a new colleague: what comes in, what must come out, what to do in doubt.\n")
	w("instructions: %s\n\n", yamlText(p.instructions()))
	w("# The fields of an input, with their types: string, number, integer, boolean, array, object.\n")
	w("input: {%s}\n\n", p.fieldList())
	p.writeOutput(&b)
	if p.sample {
		w("\n# SAMPLES: replace these rows with your own; some 300 make figures worth reading.\n")
		w("# One JSON object per line: {\"input\": {…}, \"output\": …}. CSV, Parquet and chat fine-tuning files are read as well.\n")
	} else {
		w("\n# Your examples. Those held out to judge by are chosen by content and never shown to a model while it is built.\n")
	}
	w("examples: %s\n\n", yamlText(p.Examples))
	w("# Facts that change, or that no model can know, belong into documents; with them the rungs rag and rag+lora apply.\n")
	w("# documents: [handbook/**/*.md]\n\n")
	w("# What good enough means.\nbar:\n  metric: %s\n  at_least: %s\n", p.Metric, strconv.FormatFloat(p.AtLeast, 'f', -1, 64))
	gain := "0.02"
	if p.Metric == "bleu" || p.Metric == "chrf" {
		gain = "2"
	}
	w("  min_gain: %s               # the smallest gain worth having\n", gain)
	w("  # max_p95_latency: 3s\n  # max_cost_per_success: 0.01   # USD\n")
	if p.Kind == rung.JSONSchema || p.Kind == rung.Tools {
		w("  # guards: {schema_valid: 0.99} # other metrics that must not fall below\n")
	}
	w("\n# provider/name: local/… runs here; openai/…, anthropic/…, ollama/… and other servers read their keys from the environment.\n")
	w("models: [%s]\n\n", yamlText(p.Model))
	w("# A climb stops before it would exceed this, and goes on when it is run again with more.\n")
	w("budget: {cost: 5, wall: 30m}\n")
	return b.Bytes()
}

func (p *initPlan) instructions() string {
	if p.set != nil {
		return p.set.instructions
	}
	switch p.Kind {
	case rung.Labels:
		return "Sort the input into exactly one of the labels."
	case rung.JSONSchema:
		return "Extract the values that the schema asks for from the input."
	}
	return "Answer the input as the examples do."
}

func (p *initPlan) fieldList() string {
	fields := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		fields[i] = f.Name + ": " + f.Type
	}
	return strings.Join(fields, ", ")
}

func (p *initPlan) writeOutput(b *bytes.Buffer) {
	fmt.Fprintf(b, "# The form of an answer: one of labels, json_schema, text and tools.\noutput:\n")
	switch p.Kind {
	case rung.Labels:
		fmt.Fprintf(b, "  labels:\n")
		for _, l := range p.Labels {
			fmt.Fprintf(b, "    - %s\n", yamlText(l))
		}
	case rung.JSONSchema:
		fmt.Fprintf(b, "  json_schema: schema.json   # the order of its properties is the order in which the model writes\n")
	case rung.Tools:
		fmt.Fprintf(b, "  tools: tools.json          # an answer is one call: {\"name\": …, \"arguments\": {…}}\n")
	default:
		fmt.Fprintf(b, "  text: {}                   # or {max_words: 60}\n")
	}
}

// yamlText writes a string as YAML: bare where nothing can be misread, else in double quotes, which hold JSON strings.
func yamlText(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(c rune) bool {
		return c != ' ' && c != '.' && c != '_' && c != '-' && c != '/' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) < 0
	first := byte(0)
	if plain {
		first = s[0]
	}
	letter := first >= 'a' && first <= 'z' || first >= 'A' && first <= 'Z'
	reserved := slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}, strings.ToLower(s))
	if plain && letter && !reserved && strings.TrimSpace(s) == s {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always has JSON
	return strings.TrimSpace(b.String())
}
