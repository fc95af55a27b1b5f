package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// shownRelease is what rung show RELEASE --json prints.
type shownRelease struct {
	Name    string        `json:"name"`
	Digest  rung.Digest   `json:"digest"`
	Release *rung.Release `json:"release"`
	Aliases []string      `json:"aliases"` // that point at it
	Signers []string      `json:"signers"` // fingerprints that its signatures name; rung pull --verify checks one
}

// releaseNamed looks a release up by its exact name. It is nil where there is none, and where nothing was ever released.
func releaseNamed(ctx context.Context, s *settings, name string) (out *shownRelease, err error) {
	dir, err := storeDir(s)
	if err != nil {
		return nil, err
	}
	if !isDir(app.ReleasesDir(dir)) && os.Getenv("RUNG_DATABASE_URL") == "" {
		return nil, nil
	}
	sh, err := openShelfIn(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	line, err := sh.find(ctx, name)
	if rung.CodeOf(err) == rung.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := sh.layout.Release(ctx, line.Digest)
	if err != nil {
		return nil, err
	}
	out = &shownRelease{Name: r.Name(), Digest: r.Digest, Release: r, Aliases: []string{}, Signers: []string{}}
	aliases, err := sh.serving.Aliases(ctx, r.Task)
	if err != nil {
		return nil, err
	}
	for _, a := range aliases {
		if a.Version == r.Version {
			out.Aliases = append(out.Aliases, a.Alias)
		}
	}
	signers, err := sh.layout.Signers(ctx, r.Digest)
	out.Signers = append(out.Signers, signers...)
	return out, err
}

func (s *settings) showRelease(d *shownRelease) error {
	if s.json {
		return s.printJSON(d)
	}
	_, err := fmt.Fprint(s.Out, report.Lines(d.text()+"\n"+report.Recipe(&d.Release.Candidate)))
	return err
}

// text is the release but for its recipe.
func (d *shownRelease) text() string {
	r := d.Release
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-13s %s\n", name, text)
		}
	}
	line("release", d.Name+", "+string(d.Digest))
	line("aliases", strings.Join(d.Aliases, ", "))
	line("note", r.Note)
	line("made", when(r.At)+" by "+person(r.By)+" with rung "+r.Rung)
	commit := r.Commit
	if r.Dirty {
		commit += ", with changes that were not committed"
	}
	line("commit", commit)
	line("run", r.Run)
	line("decision", decisionText(r))
	for _, o := range r.Outcomes {
		if o.Status == rung.Scored && o.Candidate == r.Candidate.Digest() {
			if m, ok := o.Metrics[r.Bar.Metric]; ok {
				line(r.Bar.Metric, fmt.Sprintf("%.3g, %.0f%% interval %.3g to %.3g, n %d, %s", m.Value, 100*m.Level, m.Low, m.High, m.N, m.Method))
			}
			line("latency", fmt.Sprintf("p95 %.0f ms while evaluated", o.P95Millis))
		}
	}
	line("held-out", fmt.Sprintf("%d examples, %s", r.Heldout.N, r.Heldout.Digest.Short()))
	line("parity", parityText(r.Parity))
	line("licences", licenceText(r.Licences))
	for _, p := range r.Parts {
		line("part", fmt.Sprintf("%s, %d bytes, %s", p.Kind, p.Bytes, p.Digest.Short()))
	}
	var guards []string
	for _, g := range r.Guards {
		guards = append(guards, g.Kind+" ("+string(g.Action)+")")
	}
	line("guards", strings.Join(guards, ", "))
	line("signed by", strings.Join(d.Signers, ", "))
	return b.String()
}

func decisionText(r *rung.Release) string {
	text := fmt.Sprintf("%s, %s", r.Decision.Rung, r.Decision.Verdict)
	if r.Decision.Candidate != r.Candidate.Digest() {
		text += fmt.Sprintf("; released instead: %s, by force or choice", r.Candidate.Rung)
	}
	return text
}

func licenceText(l rung.Licences) string {
	data, base := strings.Join(l.Data, ", "), l.Base
	if data == "" {
		data = "not said"
	}
	if base == "" {
		base = "not known"
	}
	return "data " + data + "; base model " + base
}

// releaseDiff is what rung diff prints of two releases with --json.
type releaseDiff struct {
	A       string                `json:"a"`
	B       string                `json:"b"`
	Changes []report.RecipeChange `json:"changes"` // of the releases, beside the recipe
	Notes   []string              `json:"notes"`
	Diff    *report.Diff          `json:"diff"` // of their candidates
}

// diffReleases compares two releases. What the climbs kept of their answers may be gone or elsewhere: then examples are missing,
// and the recipes and figures of the releases themselves are compared.
func diffReleases(ctx context.Context, st store.Store, a, b *rung.Release, all bool) (*releaseDiff, error) {
	out := &releaseDiff{A: a.Name(), B: b.Name(), Changes: releaseChanges(a, b), Notes: []string{}}
	first, second := outcomeOf(a), outcomeOf(b)
	if first == nil || second == nil {
		return nil, &rung.Error{Code: rung.CodeInput, What: "one of the releases does not hold the scores of its candidate", Do: "make it again from the run"}
	}
	if a.Heldout.Digest != b.Heldout.Digest {
		second.Comparisons = nil
		out.Notes = append(out.Notes, "They were evaluated on different held-out sets: their figures do not compare, and no example is paired.")
	}
	doc := &rung.Document{Run: a.Run, Task: a.Task, Heldout: a.Heldout, Bar: a.Bar}
	src := withReleases{st, map[rung.Digest]*rung.Candidate{a.Candidate.Digest(): &a.Candidate, b.Candidate.Digest(): &b.Candidate}}
	var err error
	if out.Diff, err = report.DiffOf(ctx, doc, first, second, src, all); err != nil {
		return nil, err
	}
	c := out.Diff.Counts
	if a.Heldout.Digest == b.Heldout.Digest && c.Fixed+c.Broken+c.BothRight+c.BothWrong == 0 {
		out.Notes = append(out.Notes, "The answers to the held-out examples are not in this store, so examples are not compared.")
	}
	if a.Candidate.Digest() == b.Candidate.Digest() {
		out.Notes = append(out.Notes, "Both releases are of the same candidate.")
	}
	return out, nil
}

// withReleases is a store that knows the candidates of releases too, which may come from another machine.
type withReleases struct {
	store.Store
	released map[rung.Digest]*rung.Candidate
}

func (w withReleases) Candidate(ctx context.Context, prefix string) (*rung.Candidate, error) {
	if c := w.released[rung.Digest(prefix)]; c != nil {
		return c, nil
	}
	return w.Store.Candidate(ctx, prefix)
}

// outcomeOf is a copy of the outcome of a release's candidate.
func outcomeOf(r *rung.Release) *rung.Outcome {
	for _, o := range r.Outcomes {
		if o.Status == rung.Scored && o.Candidate == r.Candidate.Digest() {
			return &o
		}
	}
	return nil
}

func releaseChanges(a, b *rung.Release) []report.RecipeChange {
	out := []report.RecipeChange{}
	add := func(part, x, y string) {
		if x != y {
			out = append(out, report.RecipeChange{Part: part, A: x, B: y})
		}
	}
	add("run", a.Run, b.Run)
	add("commit", a.Commit, b.Commit)
	add("held-out", fmt.Sprintf("%d examples, %s", a.Heldout.N, a.Heldout.Digest.Short()), fmt.Sprintf("%d examples, %s", b.Heldout.N, b.Heldout.Digest.Short()))
	add("train pool", partText(a, "train pool"), partText(b, "train pool"))
	add("index", partText(a, "index"), partText(b, "index"))
	add("adapter", partText(a, "adapter"), partText(b, "adapter"))
	add("bar", fmt.Sprintf("%s at least %g", a.Bar.Metric, a.Bar.AtLeast), fmt.Sprintf("%s at least %g", b.Bar.Metric, b.Bar.AtLeast))
	add("guards", guardsText(a.Guards), guardsText(b.Guards))
	if x, y := guardsText(a.Guards), guardsText(b.Guards); x == y && rung.DigestOf(a.Guards) != rung.DigestOf(b.Guards) {
		out = append(out, report.RecipeChange{Part: "guards", A: x, B: "the same, with other settings"})
	}
	add("licences", licenceText(a.Licences), licenceText(b.Licences))
	return out
}

// guardsText names the guards, each with what it does.
func guardsText(specs []rung.GuardSpec) string {
	var out []string
	for _, g := range specs {
		out = append(out, strings.TrimSpace(g.Kind+" "+string(g.Action)))
	}
	return strings.Join(out, ", ")
}

func partText(r *rung.Release, kind string) string {
	for _, p := range r.Parts {
		if p.Kind == kind {
			return fmt.Sprintf("%s, %d bytes", p.Digest.Short(), p.Bytes)
		}
	}
	return ""
}

func (s *settings) printReleaseDiff(d *releaseDiff, all bool) error {
	if s.json {
		return s.printJSON(d)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "A %s, B %s\n", d.A, d.B)
	rows := [][]string{{"what differs", "A", "B"}}
	for _, c := range d.Changes {
		rows = append(rows, []string{c.Part, orNothing(c.A), orNothing(c.B)})
	}
	if len(rows) > 1 {
		b.WriteString(strings.Join(report.Columns(rows), "\n") + "\n")
	}
	for _, n := range d.Notes {
		b.WriteString(n + "\n")
	}
	if _, err := fmt.Fprintln(s.Out, report.Lines(b.String())); err != nil {
		return err
	}
	width, color := report.Look(s.Out)
	return d.Diff.Write(s.Out, width, color, all)
}

func orNothing(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
