package task

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// switched is the section of a step that can also be the word none. off reports that word.
func (r *reader) switched(s section, key string) (sec section, off bool) {
	n := s.get(key)
	if n == nil {
		return section{r: r, path: key}, false
	}
	if n.kind == stringKind && n.text == "none" || n.kind == boolKind && strings.EqualFold(n.text, "false") {
		return section{r: r, path: key}, true
	}
	return r.section(n, key, key), false
}

func (r *reader) checkSpec(s section) CheckSpec {
	sec, off := r.switched(s, "check")
	out := CheckSpec{Off: off}
	for _, it := range sec.list("remove", true, "list the faults whose rows go") {
		out.Remove = append(out.Remove, it.text)
	}
	return out
}

// piiDoings are the words of pii.do.
var piiDoings = []string{PIIRedact, PIIPseudonyms, PIINone, PIISkip}

func (r *reader) piiSpec(s section) PIISpec {
	out := PIISpec{Do: PIINone}
	n := s.get("pii")
	if n == nil {
		return out
	}
	out.Stated = true
	if n.kind == stringKind {
		if out.Do = oneOf(s, "pii", piiDoings); out.Do == PIIPseudonyms {
			r.fail(n.at, "stand-ins need a key", "write: pii: {do: pseudonyms, key_file: FILE}; make one with: head -c 32 /dev/urandom > FILE")
		}
		return out
	}
	sec := r.section(n, "pii", "pii")
	if n.kind != mappingKind {
		return out
	}
	sec.need("do", "write one of "+strings.Join(piiDoings, ", "))
	out.Do = oneOf(sec, "do", piiDoings)
	for _, it := range sec.list("types", true, "list types such as EMAIL, or all") {
		out.Types = append(out.Types, strings.ToUpper(it.text))
	}
	for _, it := range sec.list("fields", true, "name fields such as input.question") {
		out.Fields = append(out.Fields, it.text)
	}
	out.Patterns, out.KeyFile = r.named(sec, "patterns"), r.named(sec, "key_file")
	out.Sure = sec.number("sure", bounds{low: 0, high: 100}, 0)
	r.vault(sec, &out)
	if out.Do == PIIPseudonyms && sec.values["key_file"] == nil {
		r.fail(n.at, "stand-ins need a key", "name it: key_file: FILE; make one with: head -c 32 /dev/urandom > FILE")
	}
	return out
}

// vault is where the rows are kept as they were. It is no file of the dataset: who has the folder must not have the vault with it.
func (r *reader) vault(s section, out *PIISpec) {
	name := s.text("vault", "name a file outside the dataset's folder")
	if name == "" {
		return
	}
	out.Vault = r.abs(name)
	n := s.get("vault")
	switch {
	case out.Do != PIIRedact && out.Do != PIIPseudonyms:
		r.fail(n.at, "a vault keeps rows as they were before they were changed, and nothing is changed", "write do: redact or do: pseudonyms, or take the vault out")
	case s.get("key_file") == nil:
		r.fail(n.at, "a vault needs a key", "name it: key_file: FILE; make one with: head -c 32 /dev/urandom > FILE")
	case out.Vault == out.KeyFile:
		r.fail(n.at, "the vault would be written over its key", "name another file")
	}
}

// named is the absolute path of a file that a key names; a file that cannot be read is a fault.
func (r *reader) named(s section, key string) string {
	name := s.text(key, "name a file")
	if name == "" {
		return ""
	}
	if err := readable(r.abs(name)); err != nil {
		what, do := fileFault(name, err)
		r.fail(s.get(key).at, what, do)
	}
	return r.abs(name)
}

func (r *reader) dedupeSpec(s section) DedupeSpec {
	sec, off := r.switched(s, "dedupe")
	out := DedupeSpec{Off: off, Exact: sec.flag("exact"), SameNumbers: sec.flag("same_numbers")}
	out.Near = sec.number("near", bounds{low: 0, high: 1}, math.NaN())
	out.Keep = oneOf(sec, "keep", []string{"first", "longest", "newest"})
	out.OtherAnswer = oneOf(sec, "other_answer", []string{"keep", "remove"})
	out.Meaning = r.meaningSpec(sec)
	if n := sec.get("semantic"); n != nil && out.Exact && out.Meaning.Model != "" {
		r.fail(n.at, "dedupe.exact asks for exact copies only, and dedupe.semantic for rows of one meaning", "keep one of the two")
	}
	out.NewestBy = sec.text("newest_by", "name the field that says when, such as time")
	for _, it := range sec.list("fields", true, "name what is compared, such as input.question") {
		out.Fields = append(out.Fields, it.text)
	}
	if n := sec.get("keep"); n != nil && out.Keep == "newest" && out.NewestBy == "" {
		r.fail(n.at, "dedupe.keep is newest, and nothing says when a row was made", "name the field: newest_by: time")
	}
	return out
}

// meaningSpec reads by which model rows are compared by meaning: one of this machine, since it sees every row.
func (r *reader) meaningSpec(s section) MeaningSpec {
	out := MeaningSpec{Model: rung.ModelRef(s.text("semantic", "name an embedding model, such as: semantic: local/minilm")), Cosine: math.NaN()}
	if n := s.get("semantic"); n != nil && out.Model != "" && (!out.Model.Local() || out.Model.Name() == "" || out.Model.Name() == string(out.Model)) {
		r.fail(n.at, fmt.Sprintf("%s is %q, and rows are embedded on this machine only", join(s.path, "semantic"), out.Model), "write semantic: local/minilm")
	}
	out.Cosine = s.number("cosine", bounds{low: 0, high: 1, above: true}, math.NaN())
	if n := s.get("cosine"); n != nil && s.get("semantic") == nil {
		r.fail(n.at, join(s.path, "cosine")+" is there, and no model that compares rows by meaning", "name one: semantic: local/minilm")
	}
	return out
}

func (r *reader) againstSpec(s section) AgainstSpec {
	sec, off := r.switched(s, "decontaminate")
	out := AgainstSpec{Off: off, Project: true}
	if sec.get("project") != nil {
		out.Project = sec.flag("project")
	}
	if items := sec.list("against", true, "name files with the items of evaluation sets"); len(items) > 0 {
		for path := range r.matched(items) {
			out.Files = append(out.Files, path)
		}
		slices.Sort(out.Files)
	}
	for _, it := range sec.list("fields", true, "name the field of the items") {
		out.Fields = append(out.Fields, it.text)
	}
	for _, it := range sec.list("tasks", true, "name task files, whose held-out examples are looked for") {
		if err := readable(r.abs(it.text)); err != nil {
			what, do := fileFault(it.text, err)
			r.fail(it.at, what, do)
			continue
		}
		if path := r.abs(it.text); !slices.Contains(out.Tasks, path) {
			out.Tasks = append(out.Tasks, path)
		}
	}
	nan := math.NaN()
	out.Share = sec.number("share", bounds{low: 0, high: 1, above: true}, nan)
	out.Fuzzy = sec.number("fuzzy", bounds{low: 0, high: 1}, nan)
	out.Rephrased = sec.number("rephrased", bounds{low: 0, high: 1.5}, nan)
	out.Meaning = r.meaningSpec(sec)
	return out
}

// splitSpec reads shares and rules.
func (r *reader) splitSpec(s section) (rung.Shares, rung.SplitRules) {
	var rules rung.SplitRules
	n := s.get("split")
	if n == nil || n.kind != mappingKind {
		return r.split(s), rules
	}
	shares := DefaultSplit
	shared := slices.ContainsFunc(n.pairs, func(p pair) bool { return slices.Contains(shareKeys, p.key) })
	if shared {
		shares = r.split(s)
	}
	told := len(r.errs)
	sec := r.section(n, "split", "split")
	if shared {
		r.errs = r.errs[:told] // unknown keys were told with the shares
	}
	ways := []rung.SplitBy{"content", rung.SplitByGroup, rung.SplitByTime, rung.SplitBySegment}
	if rules.By = oneOf(sec, "by", ways); rules.By == "content" {
		rules.By = rung.SplitByContent
	}
	for _, it := range sec.list("stratify", true, "write label, segment or both") {
		if it.text != rung.StratifyLabel && it.text != rung.StratifySegment {
			r.fail(it.at, fmt.Sprintf("%q is nothing to stratify by", it.text), "write label, segment or both")
		}
		rules.Stratify = append(rules.Stratify, it.text)
	}
	rules.DevAfter, rules.HeldoutAfter = r.moment(sec, "dev_after"), r.moment(sec, "heldout_after")
	r.splitCounts(sec, &rules)
	r.splitSegments(sec, &rules)
	return shares, rules
}

func (r *reader) moment(s section, key string) string {
	const do = "write a date such as 2026-01-31, or 2026-01-31T12:00:00Z"
	text := s.text(key, do)
	if text == "" {
		return ""
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if _, err := time.Parse(layout, text); err == nil {
			return text
		}
	}
	r.fail(s.get(key).at, fmt.Sprintf("%s is %q, which is no moment", join(s.path, key), text), do)
	return ""
}

// splits are the splits by their names in files.
var splits = []rung.Split{rung.Train, rung.Dev, rung.HeldoutIs}

func (r *reader) splitCounts(s section, rules *rung.SplitRules) {
	n := s.get("counts")
	if n == nil {
		return
	}
	sec := r.section(n, "split.counts", "split.counts")
	rules.Counts = map[rung.Split]int{}
	for _, split := range splits {
		if sec.get(string(split)) != nil {
			rules.Counts[split] = sec.whole(string(split), 1, 1<<30, 0)
		}
	}
}

func (r *reader) splitSegments(s section, rules *rung.SplitRules) {
	n := s.get("segments")
	if n == nil {
		return
	}
	sec := r.section(n, "split.segments", "split.segments")
	rules.Segments = map[rung.Split][]string{}
	for _, split := range splits {
		for _, it := range sec.list(string(split), true, "name segments") {
			rules.Segments[split] = append(rules.Segments[split], it.text)
		}
	}
}

// Shown is a path as reports name it: relative to the description, with slashes.
func (d *Description) Shown(path string) string {
	rel, err := filepath.Rel(d.Dir, path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}

// UnknownFault is the fault of a word that a step does not know.
func (f *DescriptionFile) UnknownFault(path, word string, known []string) error {
	do := "write some of " + strings.Join(known, ", ")
	if guess := nearest(word, known); guess != "" {
		do = fmt.Sprintf("did you mean %q?", guess)
	}
	return f.Fault(path, fmt.Sprintf("there is no %q here", word), do)
}

// SplitSizes takes the sizes of train, dev and held-out, 0 where none is said, as shares or, where one is above 1, as counts of rows.
func SplitSizes(size [3]float64, shares *rung.Shares, rules *rung.SplitRules) error {
	names := [3]rung.Split{rung.Train, rung.Dev, rung.HeldoutIs}
	count, share := false, false
	for _, f := range size {
		count, share = count || f > 1, share || f > 0 && f < 1
	}
	bad := func(what, do string) error { return &rung.Error{Code: rung.CodeUsage, What: what, Do: do} }
	switch {
	case count && share:
		return bad("some sizes of the splits are shares and some are counts", "write all as shares below 1, or all as whole numbers of rows")
	case slices.ContainsFunc(size[:], func(f float64) bool { return f < 0 || math.IsNaN(f) || count && f != math.Trunc(f) }):
		return bad("a size of a split is no share and no whole number", "write shares such as 0.35, or counts such as 500")
	case count:
		rules.Counts = map[rung.Split]int{}
		for i, f := range size {
			if f > 0 {
				rules.Counts[names[i]] = int(f)
			}
		}
		return nil
	case !share:
		return nil
	}
	return shareSizes(size, shares)
}

// shareSizes fills in the shares that are not said: train gets the rest, dev and held-out what they had.
func shareSizes(size [3]float64, shares *rung.Shares) error {
	dev, heldout := cmp.Or(size[1], shares.Dev), cmp.Or(size[2], shares.Heldout)
	train := cmp.Or(size[0], 1-dev-heldout)
	if size[0] > 0 && size[1] == 0 && size[2] > 0 {
		dev = 1 - train - heldout
	} else if size[0] > 0 && size[2] == 0 {
		heldout = 1 - train - dev
	}
	if min(train, dev, heldout) <= 1e-6 || math.Abs(train+dev+heldout-1) > 1e-6 {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the shares of train, dev and held-out are %.4g, %.4g and %.4g", train, dev, heldout), Do: "give shares above 0 that sum to 1"}
	}
	*shares = rung.Shares{Train: train, Dev: dev, Heldout: heldout}
	return nil
}
