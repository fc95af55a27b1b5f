package grade

import (
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// kind says how a metric's scores become a figure for a split.
type kind int

const (
	passFail kind = iota // 0 or 1 per example; the figure is the share of ones
	graded               // the figure is the mean of the examples' own scores
	corpus               // the figure is a function of the summed parts of all examples, as in BLEU
	classes              // the figure is a function of the counts per class
)

// metric grades answers. An example's parts add up over a split; from their sums comes the figure of a corpus metric. For
// the other kinds the example's own score is all there is.
type metric struct {
	name   string
	kind   kind
	bounds stats.Bounds // of an example's own score and of the figure
	width  int          // parts of an example; 0 for means
	missed string       // kind of mistake of an answer that fails it, for metrics that say nothing about the answer's form
	field  string       // for stated confidence: the field of the answer that says it
	source string       // for a metric from outside: its name in the task file, which its values come under
	// grade fills parts (of width) and returns the example's own score. For an answer with a problem it
	// is called only where there are parts, which must count what is missing.
	grade func(r *reading, parts []float64) float64
	total func(sum []float64) float64
}

var (
	unit    = stats.Bounds{Low: 0, High: 1}
	percent = stats.Bounds{Low: 0, High: 100}
)

// score is the example's own score. It is finite, and 0 for an answer with a problem.
func (m *metric) score(r *reading, parts []float64) float64 {
	if r.failed && m.width == 0 && m.name != "json_valid" {
		return 0
	}
	v := m.grade(r, parts)
	if math.IsNaN(v) || math.IsInf(v, 0) || (r.failed && m.width > 0) {
		return 0
	}
	return v
}

// forms says for which output forms a metric is made.
type forms struct {
	make     func(g *Grader) metric
	standard []rung.OutputKind // reported unasked
	possible []rung.OutputKind // can be asked for as well; nil: every form
	advice   string            // for the forms where it makes no sense
}

var (
	jsonForms   = []rung.OutputKind{rung.JSONSchema, rung.Tools}
	textForm    = []rung.OutputKind{rung.Text}
	labelForm   = []rung.OutputKind{rung.Labels}
	schemaOnly  = []rung.OutputKind{rung.JSONSchema}
	answerForms = []rung.OutputKind{rung.Labels, rung.Tools}
	proseForms  = []rung.OutputKind{rung.Text, rung.JSONSchema}
	wordForms   = []rung.OutputKind{rung.Text, rung.Labels}
)

const notText = "it is for text; use accuracy for labels and field_f1 for JSON"

// order is the order in which metrics are reported.
var order = []string{"accuracy", "macro_f1", "exact_match", "json_valid", "schema_valid", "field_f1", "slot_f1", "token_f1", "contains",
	"bleu", "chrf", "chrfpp", "inverse_ter", "rouge1", "rouge2", "rougeL", "rougeLsum", "faithfulness", "citation_precision", "citation_recall",
	"refusal_correct", "refusal_f1", "not_toxic"}

// standard are the metrics that need no definition in the task file.
var standard = map[string]forms{
	"accuracy": {make: simple("accuracy", passFail, accuracy), standard: answerForms, possible: answerForms,
		advice: "accuracy is for labels and tool calls; use exact_match"},
	"macro_f1": {make: macroF1, standard: labelForm, possible: labelForm,
		advice: "macro_f1 is for labels; use field_f1 or token_f1"},
	"exact_match": {make: simple("exact_match", passFail, accuracy), standard: []rung.OutputKind{rung.JSONSchema, rung.Text}},
	"json_valid": {make: simple("json_valid", passFail, jsonValid), standard: jsonForms, possible: jsonForms,
		advice: "json_valid is for JSON and tool calls; leave it out"},
	"schema_valid": {make: simple("schema_valid", passFail, schemaValid), standard: jsonForms, possible: jsonForms,
		advice: "schema_valid is for JSON and tool calls; leave it out"},
	"field_f1": {make: bagMetric("field_f1", (*reading).fields), standard: jsonForms, possible: jsonForms,
		advice: "field_f1 is for JSON and tool calls; use token_f1 for text and macro_f1 for labels"},
	"slot_f1": {make: bagMetric("slot_f1", (*reading).slotPairs), standard: schemaOnly, possible: jsonForms,
		advice: "slot_f1 is for JSON and tool calls; use token_f1 for text and macro_f1 for labels"},
	"token_f1": {make: simple("token_f1", graded, bestTokenF1), standard: textForm, possible: wordForms,
		advice: "token_f1 is for text; use field_f1"},
	"contains":    {make: simple("contains", passFail, containsExpected), standard: textForm},
	"bleu":        {make: bleuMetric, standard: textForm, possible: textForm, advice: notText},
	"chrf":        {make: chrfMetric, standard: textForm, possible: textForm, advice: notText},
	"chrfpp":      {make: chrfppMetric, possible: textForm, advice: notText},
	"inverse_ter": {make: terMetric, possible: textForm, advice: notText},
	"rougeLsum":   {make: simple("rougeLsum", graded, rougeLsum), possible: textForm, advice: notText},
	"rouge1": {make: rougeMetric("rouge1", func(s RougeScores) PRF { return s.Rouge1 }), standard: textForm, possible: textForm,
		advice: notText},
	"rouge2": {make: rougeMetric("rouge2", func(s RougeScores) PRF { return s.Rouge2 }), standard: textForm, possible: textForm,
		advice: notText},
	"rougeL": {make: rougeMetric("rougeL", func(s RougeScores) PRF { return s.RougeL }), standard: textForm, possible: textForm,
		advice: notText},
	"faithfulness": {make: simple("faithfulness", graded, faithfulness), possible: proseForms,
		advice: "faithfulness is for text and JSON"},
	"citation_precision": {make: simple("citation_precision", graded, citationPrecision), possible: textForm,
		advice: "citations are asked for in text only"},
	"citation_recall": {make: simple("citation_recall", graded, citationRecall), possible: textForm,
		advice: "citations are asked for in text only"},
	"refusal_correct": {make: simple("refusal_correct", passFail, refusalCorrect), possible: textForm,
		advice: "refusal_correct is for text; use accuracy, with a label for what has no answer"},
	"refusal_f1": {make: refusalF1, possible: textForm,
		advice: "refusal_f1 is for text; use macro_f1, with a label for what has no answer"},
	"not_toxic": {make: simple("not_toxic", passFail, notToxic), possible: proseForms,
		advice: "labels and tool calls are not prose"},
}

func simple(name string, k kind, grade func(*reading) float64) func(*Grader) metric {
	return func(*Grader) metric {
		return metric{name: name, kind: k, bounds: unit, grade: func(r *reading, _ []float64) float64 { return grade(r) }}
	}
}

func accuracy(r *reading) float64 { return score01(r.right()) }

// jsonValid is 1 as well for JSON that the schema refuses.
func jsonValid(r *reading) float64 {
	return score01(r.ans.Problem == rung.NoProblem || r.ans.Problem == rung.BreaksSchema)
}

func schemaValid(r *reading) float64 { return score01(!r.failed) }

func bestTokenF1(r *reading) float64 {
	got, want := r.texts()
	return r.best(func(i int) float64 { return tokenF1(got, &want[i]) })
}

func containsExpected(r *reading) float64 {
	got, want := r.texts()
	for i := range want {
		if got.holds(&want[i]) {
			return 1
		}
	}
	return 0
}

func score01(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

// bagMetric is micro-averaged F1 over pairs: parts are the pairs that agree, that were answered, that were expected. Of several
// expected outputs the one with the best F1 counts. A failed answer misses every expected pair, and at least one, so that
// failing never costs less than answering wrongly.
func bagMetric(name string, bags func(*reading) ([]pair, [][]pair)) func(*Grader) metric {
	grade := func(r *reading, parts []float64) float64 {
		got, want := bags(r)
		if r.failed {
			parts[0], parts[1], parts[2] = 0, 0, max(1, float64(len(want[0])))
			return 0
		}
		best := -1.0
		for i := range want {
			h, a, e := float64(hits(got, want[i])), float64(len(got)), float64(len(want[i]))
			if f := f1(h, a, e); f > best {
				best = f
				parts[0], parts[1], parts[2] = h, a, e
			}
		}
		return best
	}
	return func(*Grader) metric {
		return metric{name: name, kind: corpus, bounds: unit, width: 3, grade: grade,
			total: func(sum []float64) float64 { return f1(sum[0], sum[1], sum[2]) }}
	}
}
