package task

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
)

// Description is what a dataset.yaml says: from which files and by which steps a dataset is made. Every path is absolute, every
// default filled in.
type Description struct {
	Name    string
	File    string     // absolute path of the file
	Dir     string     // its directory
	Out     string     // the folder that the dataset becomes
	Task    string     // task file, absolute; "" when none is named
	TaskOf  string     // its name
	Of      *rung.Task // the task, without its examples; nil when none is named
	Input   []rung.Field
	Output  rung.Output // Kind "" when neither the task nor the file says
	Sources []SourceSpec
	Check   CheckSpec
	PII     PIISpec
	Dedupe  DedupeSpec
	Against AgainstSpec
	// GeneratedHeldout allows rows that no person wrote in held-out.
	GeneratedHeldout bool
	Split            rung.Shares
	SplitRules       rung.SplitRules
	SplitStated      bool
}

// SourceSpec is a source with how its files are read.
type SourceSpec struct {
	rung.Source
	Paths    []string // absolute, sorted
	Passed   []string // that a pattern matches and that are no data, since rung writes such files beside rows
	Format   string   // "" : found by looking
	Encoding string   // "" : found by looking
	Mapping  Mapping
}

// Mapping says which column or key of a file is what. Empty: found by looking.
type Mapping struct {
	Input   map[string]string // input field → column
	Output  string
	ID      string
	Segment string
	Group   string
	Split   string
	Time    string
	Person  string
}

// CheckSpec says which faulty rows the check takes out.
type CheckSpec struct {
	Off    bool
	Remove []string // nil: DefaultRemove of the step
}

// PIISpec says what is done about personal data.
type PIISpec struct {
	Do       string   // PIIRedact, PIIPseudonyms, PIINone, PIISkip
	Stated   bool     // the file says so; else it is PIINone
	Types    []string // nil: those that identify
	Fields   []string
	Patterns string // file, absolute
	KeyFile  string // absolute
	Vault    string // absolute; "": none is asked for
	Sure     float64
}

// What can be done about personal data.
const (
	PIIRedact     = "redact"     // its type stands in its place
	PIIPseudonyms = "pseudonyms" // stand-ins under a key
	PIINone       = "none"       // it is counted and left
	PIISkip       = "skip"       // nobody looks
)

// DedupeSpec says which copies go.
type DedupeSpec struct {
	Off         bool
	Exact       bool
	Near        float64
	SameNumbers bool
	Keep        string
	NewestBy    string
	Fields      []string
	// OtherAnswer says what becomes of near-copies that answer otherwise: keep or remove; "" is remove for free text, else keep.
	OtherAnswer string
	Meaning     MeaningSpec
}

// MeaningSpec says which model compares rows by meaning, and from which cosine on they are alike.
type MeaningSpec struct {
	Model  rung.ModelRef // "": none does
	Cosine float64       // NaN: the step's default
}

// AgainstSpec says which evaluation sets are looked for in the rows.
type AgainstSpec struct {
	Off       bool
	Files     []string // absolute
	Fields    []string // of Files
	Tasks     []string // task files, absolute
	Project   bool     // the held-out sets that the stores beside the dataset and the tasks know
	Share     float64
	Fuzzy     float64
	Rephrased float64
	Meaning   MeaningSpec
}

// DescriptionFile is a description with the places of its keys.
type DescriptionFile struct {
	Description *Description
	File
}

// descriptionKeys are the keys of a dataset.yaml; description.json lists the same, which a test holds.
var descriptionKeys = map[string][]string{
	"":                  {"name", "task", "input", "output", "sources", "out", "check", "pii", "dedupe", "decontaminate", "generated", "split"},
	"output":            keys["output"],
	"output.text":       keys["output.text"],
	"output.tools":      keys["output.tools"],
	"sources[]":         {"name", "files", "format", "encoding", "mapping", "person", "obtained", "url", "licence", "consent", "retention", "uses", "sensitivity", "contact", "generated"},
	"sources[].mapping": {"input", "output", "id", "segment", "group", "split", "time"},
	"check":             {"remove"},
	"pii":               {"do", "types", "fields", "patterns", "key_file", "vault", "sure"},
	"dedupe":            {"exact", "near", "same_numbers", "keep", "newest_by", "fields", "other_answer", "semantic", "cosine"},
	"decontaminate":     {"against", "fields", "tasks", "project", "share", "fuzzy", "rephrased", "semantic", "cosine"},
	"generated":         {"heldout"},
	"split":             {"train", "dev", "heldout", "by", "stratify", "counts", "dev_after", "heldout_after", "segments"},
	"split.counts":      {"train", "dev", "heldout"},
	"split.segments":    {"train", "dev", "heldout"},
}

// OpenDescription reads a dataset.yaml. Faults come as rung.Errors, all at once, in the order of the file.
func OpenDescription(path string) (*DescriptionFile, error) {
	r, root, err := read(path, "dataset file", descriptionKeys, "write a description, or let rung data init write one")
	if err != nil {
		return nil, err
	}
	d := r.description(root)
	if len(r.errs) > 0 {
		return nil, r.sorted()
	}
	return &DescriptionFile{Description: d, File: File{src: r.src, at: r.at}}, nil
}

func (r *reader) description(root *node) *Description {
	d := &Description{File: r.file, Dir: r.dir}
	s := r.section(root, "", "")
	if root.kind != mappingKind {
		return d
	}
	d.Name = r.datasetName(s)
	d.Out = filepath.Join(r.dir, d.Name)
	if out := s.text("out", "name the folder that the dataset becomes"); out != "" {
		d.Out = r.abs(out)
	}
	r.forms(s, d)
	d.Sources = r.sources(s)
	d.Check = r.checkSpec(s)
	d.PII = r.piiSpec(s)
	d.Dedupe = r.dedupeSpec(s)
	d.Against = r.againstSpec(s)
	if n := s.get("generated"); n != nil {
		d.GeneratedHeldout = r.section(n, "generated", "generated").flag("heldout")
	}
	d.SplitStated = s.get("split") != nil
	d.Split, d.SplitRules = r.splitSpec(s)
	return d
}

func (r *reader) datasetName(s section) string {
	const do = "write a short name of letters, digits, - and _, such as: name: support-tickets"
	s.need("name", do)
	name := s.text("name", do)
	if name != "" && (!nameRule.MatchString(name) || len(name) > 100) {
		r.fail(s.get("name").at, fmt.Sprintf("the name %q cannot be a folder name", name), do)
	}
	return name
}

// forms reads what inputs and outputs look like: as the task says, or as the file itself does.
func (r *reader) forms(s section, d *Description) {
	if s.get("task") == nil {
		if s.get("input") != nil {
			d.Input = r.input(s)
		}
		if s.get("output") != nil {
			d.Output = r.output(s, d.Input)
		}
		return
	}
	for _, key := range []string{"input", "output"} {
		if n := s.get(key); n != nil {
			r.fail(n.at, key+" is here and in the task", "keep one of the two: the task says what inputs and outputs look like")
		}
	}
	name := s.text("task", "name the task file whose examples these are")
	if name == "" {
		return
	}
	d.Task = r.abs(name)
	if t := r.taskForm(s.get("task").at, name); t != nil {
		d.Of, d.TaskOf, d.Input, d.Output = t, t.Name, t.Input, t.Output
	}
}

// taskForm reads a task without its examples, which may be the dataset that is only to be built.
func (r *reader) taskForm(p pos, name string) *rung.Task {
	if err := readable(r.abs(name)); err != nil {
		what, do := fileFault(name, err)
		r.fail(p, what, do)
		return nil
	}
	f, err := OpenForm(r.abs(name))
	if err != nil {
		r.fail(p, fmt.Sprintf("the task has faults, the first: %s", firstLine(err)), "correct them; rung check shows all")
		return nil
	}
	return f.Task
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

const sourcesDo = "name where the rows come from, such as: sources: [{name: helpdesk, files: raw/*.csv}]"

func (r *reader) sources(s section) []SourceSpec {
	n := s.need("sources", sourcesDo)
	if n == nil {
		return nil
	}
	if n.kind != listKind || len(n.items) == 0 {
		what := string(n.kind)
		if n.kind == listKind {
			what = "an empty list"
		}
		r.fail(n.at, "sources is "+what, sourcesDo)
		return nil
	}
	var out []SourceSpec
	seen, owner := map[string]bool{}, map[string]string{}
	for i, it := range n.items {
		one := r.source(r.section(it, fmt.Sprintf("sources[%d]", i), "sources[]"), it)
		if one.Name != "" && seen[one.Name] {
			r.fail(it.at, fmt.Sprintf("two sources have the name %s", one.Name), "give each its own name")
		}
		seen[one.Name] = true
		for _, path := range one.Paths {
			if other, ok := owner[path]; ok {
				r.fail(it.at, fmt.Sprintf("%s belongs to the source %s already", r.shownPath(path), other), "name each file once")
			}
			owner[path] = one.Name
		}
		out = append(out, one)
	}
	return out
}

func (r *reader) source(s section, it *node) SourceSpec {
	var out SourceSpec
	if it.kind != mappingKind {
		return out
	}
	const nameDo = "name the source in a word or two, such as: name: helpdesk"
	s.need("name", nameDo)
	if out.Name = s.text("name", nameDo); out.Name != "" && !nameRule.MatchString(out.Name) {
		r.fail(s.get("name").at, fmt.Sprintf("%q cannot be the name of a source", out.Name), "use letters, digits, . - and _")
	}
	const filesDo = "name the raw files, such as: files: raw/*.csv"
	if s.need("files", filesDo) != nil {
		out.Paths, out.Passed = r.sourcePaths(s.list("files", true, filesDo))
	}
	out.Format = s.text("format", "name the format of the files, or leave the key out: it is found by looking")
	out.Encoding = s.text("encoding", "name the encoding of the files, or leave the key out: it is found by looking")
	out.Mapping = r.mapping(s)
	out.Mapping.Person = s.text("person", "name the column that says whom a row is about")
	out.Obtained = s.text("obtained", "say in a sentence how the data came here")
	out.URL = s.text("url", "write the address that the data came from")
	out.Generated = s.flag("generated")
	out.Terms = r.terms(s)
	return out
}

// sourcePaths are what patterns match; a folder that is named as such stays one, since it can be a data set of its own form. Files that rung
// writes beside rows are meant only where one is named itself.
func (r *reader) sourcePaths(items []item) (paths, passed []string) {
	var patterns []item
	found := map[string]bool{}
	for _, it := range items {
		if info, err := os.Stat(r.abs(it.text)); err == nil && info.IsDir() {
			found[r.abs(it.text)] = true
			continue
		}
		patterns = append(patterns, it)
	}
	named := map[string]bool{}
	for _, it := range items {
		named[r.abs(it.text)] = true
	}
	for path := range r.matched(patterns) {
		if rung.WrittenBeside(filepath.Base(path)) && !named[path] {
			passed = append(passed, path)
			continue
		}
		found[path] = true
	}
	slices.Sort(passed)
	if len(found) == 0 && len(passed) > 0 {
		r.fail(items[0].at, fmt.Sprintf("files matches only what rung writes beside rows (%s)", r.shownPath(passed[0])), "name the files with the rows; one of these is read where it is named itself")
	}
	return slices.Sorted(maps.Keys(found)), passed
}

func (r *reader) mapping(s section) Mapping {
	var out Mapping
	n := s.get("mapping")
	if n == nil {
		return out
	}
	m := r.section(n, join(s.path, "mapping"), "sources[].mapping")
	const do = "name a column or key of the files"
	out.Output, out.ID, out.Segment = m.text("output", do), m.text("id", do), m.text("segment", do)
	out.Group, out.Split, out.Time = m.text("group", do), m.text("split", do), m.text("time", do)
	in := m.get("input")
	if in == nil {
		return out
	}
	const inputDo = "write for each input field the column that it comes from, such as: input: {text: body}"
	if in.kind != mappingKind || len(in.pairs) == 0 {
		r.fail(in.at, join(m.path, "input")+" is "+emptyOr(in), inputDo)
		return out
	}
	out.Input = map[string]string{}
	for _, p := range in.pairs {
		if !fieldRule.MatchString(p.key) {
			r.fail(p.at, fmt.Sprintf("%q cannot be the name of a field", p.key), "use letters, digits and _, and start with a letter")
		}
		if p.value.kind != stringKind {
			r.fail(p.value.at, fmt.Sprintf("%s.%s is %s", join(m.path, "input"), p.key, p.value.kind), inputDo)
			continue
		}
		out.Input[p.key] = p.value.text
	}
	return out
}

// consents are the bases that the GDPR knows (Art. 6), and that there is nothing personal.
var consents = govern.Consents

var (
	uses          = append(slices.Clone(govern.Uses), rung.UseNone)
	sensitivities = govern.Sensitivities
)

func (r *reader) terms(s section) rung.Terms {
	var t rung.Terms
	t.Licence = r.licences(s)
	t.Consent = oneOf(s, "consent", consents)
	t.Sensitivity = oneOf(s, "sensitivity", sensitivities)
	for _, it := range s.list("uses", true, "list what is allowed: "+listed(uses)) {
		if u := rung.Use(it.text); slices.Contains(uses, u) && !slices.Contains(t.Uses, u) {
			t.Uses = append(t.Uses, u)
		} else {
			r.fail(it.at, fmt.Sprintf("%q is no use, or is listed twice", it.text), "write some of "+listed(uses))
		}
	}
	if len(t.Uses) > 1 && slices.Contains(t.Uses, rung.UseNone) {
		s.r.fail(s.get("uses").at, "none stands beside other uses", "write none alone, or leave it out")
	}
	for _, it := range s.list("contact", true, "name whom to ask, such as: contact: data@example.com") {
		t.Contact = append(t.Contact, it.text)
	}
	if t.Retention = s.text("retention", "write a date, such as: retention: 2028-05-31"); t.Retention != "" {
		if _, err := time.Parse(time.DateOnly, t.Retention); err != nil {
			r.fail(s.get("retention").at, fmt.Sprintf("retention is %q, which is no date", t.Retention), "write the last day as year-month-day, such as 2028-05-31")
		}
	}
	return t
}

// oneOf is the value of a key that has one of few words.
func oneOf[S ~string](s section, key string, words []S) S {
	do := "write one of " + listed(words)
	text := S(s.text(key, do))
	if text == "" || slices.Contains(words, text) {
		return text
	}
	if guess := nearest(string(text), plainWords(words)); guess != "" {
		do = fmt.Sprintf("did you mean %q?", guess)
	}
	s.r.fail(s.get(key).at, fmt.Sprintf("%s is %q", join(s.path, key), string(text)), do)
	return ""
}

func plainWords[S ~string](words []S) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
