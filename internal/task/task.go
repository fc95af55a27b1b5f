// Package task reads a task file: YAML to rung.Task, with every default filled in and every fault named at once, each with
// its line, column and remedy. It also holds the JSON Schema of the file, for editors.
package task

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Defaults of a task file; docs/task-file.md explains them.
const (
	DefaultAlpha = .05
	// DefaultMinGain is in units of a metric between 0 and 1; for BLEU and chrF, between 0 and 100, it is a hundred times that.
	DefaultMinGain      = .02
	DefaultTimeout      = 2 * time.Minute
	DefaultLocalTimeout = 10 * time.Minute // a local server that shares its cores answers many times slower
	DefaultRetries      = 4
	DefaultReasks       = 1
	DefaultChunkTokens  = 700
	DefaultOverlap      = 80
	DefaultMaxRank      = 16
)

// DefaultSplit gives, of 300 examples, 105 to the held-out set, where a 95 % interval around .5 is ± .095 wide (Wilson), 45
// to dev, enough to tell templates and k apart by some .1, and half to train: demonstrations and adapters come from there,
// and below about 100 rows an adapter learns little. More held-out would buy little: ± .08 for 150.
var DefaultSplit = rung.Shares{Train: .5, Dev: .15, Heldout: .35}

// File is a task with the places of its keys, so that a later step can name the line of what it finds wrong.
type File struct {
	Task *rung.Task
	src  *source
	at   map[string]pos
}

// Load reads the task file at path. Faults come as rung.Errors, all at once, in the order of the file.
func Load(path string) (*rung.Task, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	return f.Task, nil
}

// Open is Load with the places kept.
func Open(path string) (*File, error) { return open(path, false) }

// OpenForm is Open for what needs no examples, such as the form of answers: none are read, and there need not be any.
func OpenForm(path string) (*File, error) { return open(path, true) }

func open(path string, formOnly bool) (*File, error) {
	r, root, err := read(path, "task file", keys, "write a task, or let rung init write one")
	if err != nil {
		return nil, err
	}
	r.formOnly = formOnly
	t := r.task(root)
	t.File, t.Dir = r.file, r.dir
	if len(r.errs) > 0 {
		return nil, r.sorted()
	}
	return &File{Task: t, src: r.src, at: r.at}, nil
}

// read reads and parses a file; empty says what to do about one without content.
func read(path, noun string, keys map[string][]string, empty string) (*reader, *node, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, rung.Errors{fileError(path, err)}
	}
	src, e := readSource(path, abs)
	if e != nil {
		return nil, nil, rung.Errors{e}
	}
	root, errs := parse(src)
	if root == nil && len(errs) > 0 {
		return nil, nil, errs
	}
	if root == nil {
		return nil, nil, rung.Errors{{Code: rung.CodeInput, Place: path, What: "the file is empty", Do: empty}}
	}
	return &reader{src: src, file: abs, dir: filepath.Dir(abs), noun: noun, keys: keys, at: map[string]pos{}, errs: errs}, root, nil
}

// At gives the place ("task.yaml:9:11") and excerpt of the value at a path such as bar.metric or metrics[0].cel; the file's
// name alone when the file has no such key.
func (f *File) At(path string) (place, excerpt string) {
	p, ok := f.at[path]
	if !ok {
		return f.src.name, ""
	}
	return f.src.place(p), f.src.excerpt(p)
}

// Fault is an error at the value of a path, for checks that are made elsewhere.
func (f *File) Fault(path, what, do string) *rung.Error {
	place, excerpt := f.At(path)
	return &rung.Error{Code: rung.CodeInput, Place: place, Excerpt: excerpt, What: what, Do: do}
}

// sorted puts the errors of the task file in the order of its lines; those of other files follow.
func (r *reader) sorted() rung.Errors {
	rank := func(e *rung.Error) [3]int {
		var line, col int
		rest, own := strings.CutPrefix(e.Place, r.src.name+":")
		if !own {
			return [3]int{1}
		}
		fmt.Sscanf(rest, "%d:%d", &line, &col)
		return [3]int{0, line, col}
	}
	slices.SortStableFunc(r.errs, func(a, b *rung.Error) int {
		x, y := rank(a), rank(b)
		return slices.Compare(x[:], y[:])
	})
	return r.errs
}

func (r *reader) task(root *node) *rung.Task {
	s := r.section(root, "", "")
	if root.kind != mappingKind {
		return &rung.Task{}
	}
	t := &rung.Task{
		Name:         r.name(s),
		Instructions: r.instructions(s),
		Input:        r.input(s),
		Examples:     r.examples(s),
		Models:       r.models(s),
		Alpha:        s.number("alpha", bounds{low: 0, high: .5, above: true}, DefaultAlpha),
	}
	t.Documents, t.Access = r.documents(s)
	t.Output = r.output(s, t.Input)
	t.Metrics = r.metrics(s)
	t.Modes = r.modes(s)
	t.Bar = r.bar(s, t)
	t.Embedder = r.embedder(s)
	t.Rungs = r.rungs(s, t.Documents)
	t.AlphaWeights = r.alphaWeights(s, t.Rungs)
	t.Split, t.SplitRules = r.splitSpec(s)
	t.Limits = r.limits(s, t.Models)
	r.resources(s, t)
	t.Guards = r.guardSpecs(s, t)
	t.Licences = r.licences(s)
	t.Terms, t.Strict = r.ownTerms(s, t.Licences)
	t.Review = r.reviewed(s)
	t.Rollout = r.rollout(s)
	return t
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (r *reader) name(s section) string {
	const do = "write a short name of letters, digits, - and _, such as: task: support-tickets"
	s.need("task", do)
	name := s.text("task", do)
	if name != "" && (!nameRule.MatchString(name) || len(name) > 100) {
		r.fail(s.get("task").at, fmt.Sprintf("the name %q cannot be a file name", name), do)
	}
	return name
}

func (r *reader) instructions(s section) string {
	const do = "say in one or more sentences what the model must do, or write {file: instructions.md}"
	n := s.need("instructions", do)
	if n == nil {
		return ""
	}
	if n.kind != mappingKind {
		return s.text("instructions", do)
	}
	from := r.section(n, "instructions", "instructions")
	from.need("file", "name the file that holds the instructions")
	name := from.text("file", "name the file that holds the instructions")
	if name == "" {
		return ""
	}
	src := r.open(from.get("file").at, name)
	if src == nil {
		return ""
	}
	if strings.TrimSpace(src.text) == "" {
		r.fail(from.get("file").at, name+" is empty", do)
	}
	return strings.TrimSpace(src.text)
}

// open reads a text file that the task names; a fault is reported at p.
func (r *reader) open(p pos, name string) *source {
	shown := name // its own faults show the path from where the user stands
	if !filepath.IsAbs(name) {
		shown = filepath.Join(filepath.Dir(r.src.name), filepath.FromSlash(name))
	}
	src, e := readSource(shown, r.abs(name))
	if e == nil {
		return src
	}
	if e.Err != nil {
		what, do := fileFault(name, e.Err)
		r.fail(p, what, do)
		return nil
	}
	r.errs = append(r.errs, e)
	return nil
}

func (r *reader) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(r.dir, filepath.FromSlash(name))
}

// fieldTypes are the types of an input field, as JSON Schema names them.
var fieldTypes = []string{"string", "number", "integer", "boolean", "array", "object"}

var fieldRule = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *reader) input(s section) []rung.Field {
	const do = "name each input field with its type, such as: input: {text: string}"
	n := s.need("input", do)
	if n == nil {
		return nil
	}
	if n.kind != mappingKind || len(n.pairs) == 0 {
		r.fail(n.at, "input is "+emptyOr(n), do)
		return nil
	}
	var fields []rung.Field
	for _, p := range n.pairs {
		r.at["input."+p.key] = p.value.at
		if !fieldRule.MatchString(p.key) {
			r.fail(p.at, fmt.Sprintf("%q cannot be the name of a field", p.key), "use letters, digits and _, and start with a letter")
		}
		if p.key == "output" {
			r.fail(p.at, "an input field may not be called output", "give it another name: output is the expected answer in the examples")
		}
		if p.value.kind != stringKind || !slices.Contains(fieldTypes, p.value.text) {
			hint := "write one of " + strings.Join(fieldTypes, ", ")
			if guess := nearest(p.value.text, fieldTypes); guess != "" && p.value.kind == stringKind {
				hint = fmt.Sprintf("did you mean %q?", guess)
			}
			r.fail(p.value.at, fmt.Sprintf("input.%s has the type %s", p.key, shown(p.value)), hint)
		}
		fields = append(fields, rung.Field{Name: p.key, Type: p.value.text})
	}
	return fields
}

func emptyOr(n *node) string {
	if n.kind == mappingKind && len(n.pairs) == 0 {
		return "an empty mapping"
	}
	return string(n.kind)
}

func shown(n *node) string {
	if n.text != "" {
		return fmt.Sprintf("%q", n.text)
	}
	return string(n.kind)
}
