package task

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// keys are the keys that each mapping of the task file may have, by the path of the mapping; [] stands for any list item.
// The JSON Schema (schema.json) lists the same, which a test holds.
var keys = map[string][]string{
	"": {"task", "instructions", "input", "output", "examples", "documents", "bar", "models", "embedder", "rungs", "budget",
		"split", "limits", "metrics", "alpha", "alpha_weights", "training", "retrieval", "guards", "licence", "terms", "require_review", "rollout", "modes"},
	"instructions": {"file"},
	"output":       {"json_schema", "labels", "text", "tools", "many_calls"},
	"output.text":  {"max_words"},
	"output.tools": {"from"},
	"bar":          {"metric", "at_least", "min_gain", "guards", "max_p95_latency", "max_cost_per_success", "success"},
	"budget":       {"cost", "wall"},
	"split":        {"train", "dev", "heldout", "by", "stratify", "counts", "dev_after", "heldout_after", "segments"},

	"split.counts":   {"train", "dev", "heldout"},
	"split.segments": {"train", "dev", "heldout"},
	"limits":         {"concurrency", "rpm", "tpm", "timeout", "retries", "reasks", "max_tokens"},
	"metrics[]":      {"name", "regex", "contains", "cel", "style", "like", "confidence", "program", "judge", "pass_fail", "tests"},
	"training":       {"wall", "seed", "max_rank", "canaries"},
	"retrieval":      {"chunk_tokens", "overlap", "k"},
	"terms":          {"consent", "retention", "uses", "sensitivity", "contact", "strict"},
	"rollout":        {"mode", "share", "metrics", "alpha", "min_n", "max_n", "auto"},
	"documents[]":    {"files", "groups"},
	"guards[]":       {"guard", "on", "action", "fail_open", "restore", "phrases", "topics", "entities", "threshold", "max_chars"},

	"modes":   {"file"},
	"modes[]": {"mode", "means", "mistakes", "regex"},

	"metrics[].style": {"min_words", "max_words", "max_sentence_words", "min_grade", "max_grade", "required", "forbidden", "structure",
		"sections"},
	"metrics[].like":             {"examples", "others"},
	"metrics[].program":          {"run", "files", "timeout", "memory_mb", "processes"},
	"metrics[].judge":            {"model", "criteria", "pairwise", "reference", "may_decide", "prompt", "max_tokens"},
	"metrics[].judge.criteria[]": {"name", "question", "anchors", "checked"},
	"metrics[].tests[]":          {"input", "output", "expected", "score", "within", "at_least", "at_most", "fails"},

	"rollout.metrics[]": {"metric", "margin", "gain", "bound"},
}

// reader collects what is wrong while it reads, so that a person sees all of it at once.
type reader struct {
	src  *source
	file string              // absolute path
	dir  string              // of the file
	noun string              // what the file is called in messages
	keys map[string][]string // that it may have
	at   map[string]pos
	errs rung.Errors

	formOnly bool // examples are not looked at
}

func (r *reader) fail(p pos, what, do string) {
	r.errs = append(r.errs, r.src.err(p, what, do))
}

// section is one mapping of the file.
type section struct {
	r      *reader
	path   string
	at     pos
	values map[string]*node
	slips  map[string]bool // known keys that an unknown key was probably meant to be
}

// section reads n as the mapping at path; keys it may not have are errors. A nil n is an empty section.
func (r *reader) section(n *node, path, schemaPath string) section {
	s := section{r: r, path: path, values: map[string]*node{}, slips: map[string]bool{}}
	if n == nil {
		return s
	}
	s.at = n.at
	if n.kind != mappingKind {
		r.fail(n.at, fmt.Sprintf("%s is %s", r.nameOf(path), n.kind), "write a mapping with the keys "+strings.Join(r.keys[schemaPath], ", "))
		return s
	}
	for _, p := range n.pairs {
		r.at[join(path, p.key)] = p.value.at
		if !slices.Contains(r.keys[schemaPath], p.key) {
			s.slips[r.unknownKey(p, path, r.keys[schemaPath])] = true
			continue
		}
		s.values[p.key] = p.value
	}
	return s
}

// unknownKey reports a key that the mapping at path may not have, and returns the key that was probably meant.
func (r *reader) unknownKey(p pair, path string, known []string) string {
	where := "in a " + r.noun
	if path != "" {
		where = "in " + path
	}
	what := fmt.Sprintf("there is no key %q %s", p.key, where)
	if guess := nearest(p.key, known); guess != "" {
		r.fail(p.at, what, fmt.Sprintf("did you mean %q?", guess))
		return guess
	}
	if at := r.sectionOf(p.key); at != "" && at != path {
		r.fail(p.at, what, "it belongs under "+at)
		return ""
	}
	r.fail(p.at, what, "the keys here are "+strings.Join(known, ", "))
	return ""
}

// sectionOf names the sections that a misplaced key belongs to; empty where it could be meant for the task itself as well.
func (r *reader) sectionOf(key string) string {
	if slices.Contains(r.keys[""], key) {
		return ""
	}
	var found []string
	for path, list := range r.keys {
		if path != "" && !strings.Contains(path, "[") && slices.Contains(list, key) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return strings.Join(found, " or ")
}

func (r *reader) nameOf(path string) string {
	if path == "" {
		return "the " + r.noun
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// get is the value of key, nil when it is absent or null.
func (s section) get(key string) *node {
	n := s.values[key]
	if n == nil || n.kind == nullKind || n.broken {
		return nil
	}
	return n
}

// need is get for a required key.
func (s section) need(key, do string) *node {
	if n := s.get(key); n != nil {
		return n
	}
	if n := s.values[key]; n != nil && n.broken {
		return nil
	} else if n != nil {
		s.r.fail(n.at, join(s.path, key)+" has no value", do)
		return nil
	}
	if s.slips[key] {
		return nil // the slip is reported already
	}
	at := s.at
	if at.line == 0 {
		at = pos{1, 1}
	}
	s.r.fail(at, fmt.Sprintf("the key %s is missing", join(s.path, key)), do)
	return nil
}

func (s section) wrong(n *node, key, do string) {
	s.r.fail(n.at, fmt.Sprintf("%s is %s", join(s.path, key), n.kind), do)
}

// text is a non-empty string.
func (s section) text(key, do string) string {
	n := s.get(key)
	if n == nil {
		return ""
	}
	if n.kind != stringKind {
		s.wrong(n, key, do)
		return ""
	}
	if strings.TrimSpace(n.text) == "" {
		s.r.fail(n.at, join(s.path, key)+" is empty", do)
	}
	return strings.TrimSpace(n.text)
}

// bounds of a number; an exclusive lower bound of 0 is above.
type bounds struct {
	low, high float64
	above     bool
	whole     bool
}

func (b bounds) ok(f float64) bool {
	return f >= b.low && f <= b.high && (!b.above || f > b.low) && (!b.whole || f == math.Trunc(f))
}

func (b bounds) String() string {
	high := strconv.FormatFloat(b.high, 'f', -1, 64)
	what := "a number"
	if b.whole {
		what = "a whole number"
	}
	switch {
	case b.above && math.IsInf(b.high, 1):
		return fmt.Sprintf("%s above %v", what, b.low)
	case b.above:
		return fmt.Sprintf("%s above %v and at most %s", what, b.low, high)
	case math.IsInf(b.high, 1):
		return fmt.Sprintf("%s of at least %v", what, b.low)
	}
	return fmt.Sprintf("%s from %v to %s", what, b.low, high)
}

// number is the value of key, def when it is absent or wrong.
func (s section) number(key string, b bounds, def float64) float64 {
	n := s.get(key)
	if n == nil {
		return def
	}
	if f, ok := s.r.number(n, join(s.path, key), b); ok {
		return f
	}
	return def
}

func (r *reader) number(n *node, path string, b bounds) (float64, bool) {
	if n.kind != numberKind {
		r.fail(n.at, fmt.Sprintf("%s is %s", path, n.kind), "write "+b.String())
		return 0, false
	}
	f, err := parseNumber(n.text)
	if err != nil || math.IsNaN(f) || !b.ok(f) {
		r.fail(n.at, fmt.Sprintf("%s is %s", path, n.text), "write "+b.String())
		return 0, false
	}
	return f, true
}

func parseNumber(text string) (float64, error) {
	text = strings.ReplaceAll(text, "_", "")
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return float64(i), nil
	}
	return strconv.ParseFloat(text, 64)
}

// whole is number for whole numbers.
func (s section) whole(key string, low, high int, def int) int {
	return int(s.number(key, bounds{low: float64(low), high: float64(high), whole: true}, float64(def)))
}

// duration is a length of time above zero, def when absent or wrong.
func (s section) duration(key string, def time.Duration) time.Duration {
	n := s.get(key)
	if n == nil {
		return def
	}
	const do = "write a number with its unit, such as 500ms, 3s, 30m or 1h"
	if n.kind != stringKind {
		what := fmt.Sprintf("%s is %s", join(s.path, key), n.kind)
		if n.kind == numberKind {
			what = fmt.Sprintf("%s is %s without a unit", join(s.path, key), n.text)
		}
		s.r.fail(n.at, what, do)
		return def
	}
	d, err := time.ParseDuration(strings.ReplaceAll(strings.TrimSpace(n.text), " ", ""))
	if err != nil || d <= 0 {
		s.r.fail(n.at, fmt.Sprintf("%s is %q, which is no length of time", join(s.path, key), n.text), do)
		return def
	}
	return d
}

// item is one string of a list.
type item struct {
	text string
	at   pos
}

// list is a list of non-empty strings; a single string counts as a list of one where one is allowed.
func (s section) list(key string, single bool, do string) []item {
	n := s.get(key)
	if n == nil {
		return nil
	}
	path := join(s.path, key)
	if single && n.kind == stringKind {
		n = &node{kind: listKind, at: n.at, items: []*node{n}}
	}
	if n.kind != listKind {
		s.r.fail(n.at, fmt.Sprintf("%s is %s", path, n.kind), do)
		return nil
	}
	if len(n.items) == 0 {
		s.r.fail(n.at, path+" is an empty list", do)
	}
	var out []item
	for i, it := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		s.r.at[at] = it.at
		switch {
		case it.broken:
		case it.kind == numberKind || it.kind == boolKind:
			s.r.fail(it.at, fmt.Sprintf("%s is %s, not text", at, it.text), fmt.Sprintf("put it in quotes: %q", it.text))
		case it.kind != stringKind:
			s.r.fail(it.at, fmt.Sprintf("%s is %s", at, it.kind), do)
		case strings.TrimSpace(it.text) == "":
			s.r.fail(it.at, at+" is empty", do)
		default:
			out = append(out, item{it.text, it.at})
		}
	}
	return out
}

// flag is true or false, false when absent.
func (s section) flag(key string) bool {
	n := s.get(key)
	if n == nil {
		return false
	}
	if n.kind != boolKind {
		s.wrong(n, key, "write true or false")
		return false
	}
	return strings.EqualFold(n.text, "true")
}
