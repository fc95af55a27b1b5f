package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// What a program may take where the task file does not say.
const (
	DefaultProgramTimeout   = 10 * time.Second
	DefaultProgramMemoryMB  = 2048
	DefaultProgramProcesses = 2
)

// program reads a metric that a program gives.
func (r *reader) program(m section, path string) *rung.ProgramSpec {
	const do = "write the program with its arguments, such as: program: {run: [python3, metric.py]}"
	n := m.get("program")
	p := r.section(n, path+".program", "metrics[].program")
	if n.kind != mappingKind {
		return nil
	}
	spec := &rung.ProgramSpec{
		Timeout:   p.duration("timeout", DefaultProgramTimeout),
		Memory:    int64(p.whole("memory_mb", 16, 1<<20, DefaultProgramMemoryMB)) << 20,
		Processes: p.whole("processes", 1, 64, DefaultProgramProcesses),
	}
	p.need("run", do)
	for _, it := range p.list("run", true, do) {
		spec.Run = append(spec.Run, it.text)
	}
	for _, it := range p.list("files", true, "list the files that the program reads besides its own") {
		file := r.abs(it.text)
		if err := readable(file); err != nil {
			what, do := fileFault(it.text, err)
			r.fail(it.at, what, do)
		}
		spec.Files = append(spec.Files, file)
	}
	if len(spec.Run) > 0 && strings.Contains(spec.Run[0], "/") {
		name := spec.Run[0]
		spec.Run[0] = r.abs(name)
		if err := readable(spec.Run[0]); err != nil {
			what, do := fileFault(name, err)
			r.fail(p.get("run").at, what, do)
		}
	}
	return spec
}

// judge reads a metric that a model gives.
func (r *reader) judge(m section, path string) *rung.JudgeSpec {
	const do = "name the judge's model and its criteria, such as: judge: {model: openai/gpt-4o-mini, criteria: [{name: clear, question: Is the answer clear?}]}"
	n := m.get("judge")
	j := r.section(n, path+".judge", "metrics[].judge")
	if n.kind != mappingKind {
		return nil
	}
	spec := &rung.JudgeSpec{
		Pairwise:  r.flag(j, "pairwise", false),
		MayDecide: r.flag(j, "may_decide", false),
		Prompt:    j.whole("prompt", 1, math.MaxInt32, 0),
		MaxTokens: j.whole("max_tokens", 16, 1_000_000, 0),
	}
	spec.Reference = r.flag(j, "reference", !spec.Pairwise)
	if ref := j.get("reference"); ref != nil && spec.Pairwise {
		r.fail(ref.at, path+".judge.reference does not go with pairwise: there the output is one of the two answers", "take it out")
	}
	j.need("model", do)
	name := j.text("model", modelDo)
	if name != "" && !modelRule.MatchString(name) {
		r.fail(j.get("model").at, fmt.Sprintf("%q is not the name of a model", name), modelDo)
	}
	spec.Model = rung.ModelRef(name)
	if !spec.Pairwise {
		j.need("criteria", do)
	}
	spec.Criteria = r.criteria(j, path+".judge.criteria")
	return spec
}

// flag is true or false, def where it is absent or wrong.
func (r *reader) flag(s section, key string, def bool) bool {
	n := s.get(key)
	if n == nil {
		return def
	}
	if n.kind != boolKind {
		r.fail(n.at, join(s.path, key)+" is "+string(n.kind), "write true or false")
		return def
	}
	return strings.EqualFold(n.text, "true")
}

func (r *reader) criteria(j section, path string) []rung.Criterion {
	const do = "list criteria, each with a name and a question, such as: criteria: [{name: clear, question: Is the answer clear?}]"
	n := j.get("criteria")
	if n == nil {
		return nil
	}
	if n.kind != listKind || len(n.items) == 0 {
		r.fail(n.at, path+" is "+string(n.kind), do)
		return nil
	}
	var out []rung.Criterion
	for i, it := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		c := r.section(it, at, "metrics[].judge.criteria[]")
		if it.kind != mappingKind {
			continue
		}
		c.need("name", do)
		c.need("question", do)
		one := rung.Criterion{Name: c.text("name", do), Question: c.text("question", do), Anchors: r.anchors(c, at), Checked: r.flag(c, "checked", false)}
		switch {
		case one.Name == "":
		case !fieldRule.MatchString(one.Name):
			r.fail(c.get("name").at, fmt.Sprintf("%q cannot be the name of a criterion", one.Name), "use letters, digits and _, and start with a letter")
		case slices.ContainsFunc(out, func(o rung.Criterion) bool { return o.Name == one.Name }):
			r.fail(c.get("name").at, fmt.Sprintf("there are two criteria called %q", one.Name), "give one of them another name")
		}
		out = append(out, one)
	}
	return out
}

// anchors say what scores mean.
func (r *reader) anchors(c section, path string) map[int]string {
	const do = "say what scores from 1 to 5 mean, such as: anchors: {1: invents facts, 5: every statement is in the text}"
	n := c.get("anchors")
	if n == nil {
		return nil
	}
	if n.kind != mappingKind {
		r.fail(n.at, path+".anchors is "+string(n.kind), do)
		return nil
	}
	out := map[int]string{}
	for _, p := range n.pairs {
		score, err := strconv.Atoi(strings.TrimSpace(p.key))
		if err != nil || score < 1 || score > 5 {
			r.fail(p.at, fmt.Sprintf("there is no score %s", p.key), do)
			continue
		}
		if p.value.kind != stringKind || strings.TrimSpace(p.value.text) == "" {
			r.fail(p.value.at, fmt.Sprintf("the anchor of %d is %s", score, emptyOr(p.value)), do)
			continue
		}
		out[score] = strings.TrimSpace(p.value.text)
	}
	return out
}

// tests are the cases that a metric must get right: a list, or a file with one JSON object a line.
func (r *reader) tests(m section, path string) []rung.MetricTest {
	const do = "list cases, such as: tests: [{output: yes, expected: no, score: 0}], or name a file of them (.jsonl)"
	n := m.get("tests")
	switch {
	case n == nil:
		return nil
	case n.kind == stringKind:
		return r.testFile(n)
	case n.kind != listKind:
		r.fail(n.at, path+".tests is "+string(n.kind), do)
		return nil
	}
	var out []rung.MetricTest
	for i, it := range n.items {
		at := fmt.Sprintf("%s.tests[%d]", path, i)
		c := r.section(it, at, "metrics[].tests[]")
		if it.kind != mappingKind {
			continue
		}
		t := rung.MetricTest{Place: r.src.place(it.at), Input: r.jsonOf(c, "input"), Output: r.jsonOf(c, "output"), Fails: r.flag(c, "fails", false)}
		if v := r.jsonOf(c, "expected"); v != nil {
			t.Expected = []json.RawMessage{v}
		}
		score := bounds{low: 0, high: 1}
		t.Score, t.Low, t.High = r.optional(c, "score", score), r.optional(c, "at_least", score), r.optional(c, "at_most", score)
		t.Within = c.number("within", score, 0)
		if c.get("score") != nil && t.Score == nil {
			t.Score = new(float64) // what is wrong with it is said already
		}
		if what := t.Fault(); what != "" {
			r.fail(it.at, at+" "+what, "give it an output, and score, at_least, at_most or fails: true")
		}
		out = append(out, t)
	}
	return out
}

func (r *reader) optional(s section, key string, b bounds) *float64 {
	n := s.get(key)
	if n == nil {
		return nil
	}
	f, ok := r.number(n, join(s.path, key), b)
	if !ok {
		return nil
	}
	return &f
}

// jsonOf is the value of a key as JSON; nil where it is absent.
func (r *reader) jsonOf(s section, key string) json.RawMessage {
	n := s.values[key]
	if n == nil || n.broken {
		return nil
	}
	return r.inline(n)
}

// testRow is one line of a file of tests.
type testRow struct {
	Input    json.RawMessage `json:"input"`
	Output   json.RawMessage `json:"output"`
	Expected json.RawMessage `json:"expected"`
	Score    *float64        `json:"score"`
	Within   float64         `json:"within"`
	AtLeast  *float64        `json:"at_least"`
	AtMost   *float64        `json:"at_most"`
	Fails    bool            `json:"fails"`
}

var blankLine = regexp.MustCompile(`^\s*$`)

func (r *reader) testFile(n *node) []rung.MetricTest {
	src := r.open(n.at, n.text)
	if src == nil {
		return nil
	}
	var out []rung.MetricTest
	for i, line := range src.lines {
		if blankLine.MatchString(line) {
			continue
		}
		place := fmt.Sprintf("%s:%d", filepath.ToSlash(src.name), i+1)
		t, what := testOf(line)
		t.Place = place
		if what == "" {
			what = t.Fault()
		}
		if what != "" {
			r.errs = append(r.errs, &rung.Error{Code: rung.CodeInput, Place: place, What: "the test " + what,
				Do: `write lines such as {"input": …, "output": …, "expected": …, "score": 1}`})
			continue
		}
		out = append(out, t)
	}
	return out
}

func testOf(line string) (t rung.MetricTest, what string) {
	dec := json.NewDecoder(bytes.NewReader([]byte(line)))
	dec.DisallowUnknownFields()
	var row testRow
	if err := dec.Decode(&row); err != nil {
		return t, "is not a JSON object of the known keys: " + err.Error()
	}
	t = rung.MetricTest{Input: row.Input, Output: row.Output, Score: row.Score, Within: row.Within, Low: row.AtLeast, High: row.AtMost, Fails: row.Fails}
	if row.Expected != nil {
		t.Expected = []json.RawMessage{row.Expected}
	}
	return t, ""
}
