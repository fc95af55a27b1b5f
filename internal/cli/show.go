package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

func newShowCommand(s *settings) *cobra.Command {
	var run string
	c := &cobra.Command{
		Use:     "show RUN|CANDIDATE|RUNG|COMPLETION|RELEASE",
		GroupID: "read",
		Short:   "Show a run, a candidate, a completion or a release",
		Long: `Show writes what is stored under a name: a run (its table and reasons), a candidate (everything that shapes its answers,
and a request as it was sent), or a completion (request, answer, tokens, latency, cost; its whole key is needed). The
beginning of a run's ID or of a candidate's digest is enough. "latest" is the newest run; the name of a rung, such as lora,
is that rung's candidate in the newest run or in the one that --run names. A release is named by its version (v2), TASK@VERSION
or TASK@ALIAS.`,
		Example: "  rung show latest\n  rung show lora\n  rung show 99a21e2a40f2\n  rung show tickets@production",
		Args:    exactArgs(1, "one run, candidate, rung, completion or release"),
		RunE:    func(c *cobra.Command, args []string) error { return runShow(c.Context(), s, args[0], run) },
	}
	c.Flags().StringVar(&run, "run", "latest", "run whose rungs are meant")
	return c
}

func runShow(ctx context.Context, s *settings, name, run string) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if !slices.Contains(rung.Ladder, rung.Rung(name)) {
		r, err := releaseNamed(ctx, s, name)
		if err != nil {
			return err
		}
		if r != nil {
			return s.showRelease(r)
		}
		if strings.Contains(name, "@") { // nothing else is called so
			return noRelease(ctx, s, name)
		}
	}
	found, err := find(ctx, st, name, run)
	if err != nil {
		return err
	}
	switch {
	case found.run != nil:
		return s.showRun(ctx, st, found.run)
	case found.completion != nil:
		return s.showCompletion(found.completion)
	}
	return s.showCandidate(ctx, st, found.candidate)
}

// noRelease says of a name task@version what there is instead.
func noRelease(ctx context.Context, s *settings, name string) error {
	missing := &rung.Error{Code: rung.CodeNotFound, What: "there is no release " + name, Do: "see rung releases; rung release makes one"}
	task, _, _ := strings.Cut(name, "@")
	dir, err := storeDir(s)
	if err != nil || !isDir(app.ReleasesDir(dir)) {
		return missing
	}
	sh, err := openShelfIn(ctx, dir)
	if err != nil {
		return err
	}
	lines, err := sh.serving.Releases(ctx, task)
	if err = errors.Join(err, sh.Close()); err != nil {
		return err
	}
	var versions []string
	for _, l := range lines {
		versions = append(versions, l.Version)
	}
	if len(versions) > 0 {
		missing.Do = task + " has " + strings.Join(versions, ", ")
	}
	return missing
}

// thing is what a name stands for: exactly one of its fields is set.
type thing struct {
	run        *store.Run
	candidate  *rung.Candidate
	completion *rung.Completion
}

// find looks a name up among rungs, runs, candidates and completions. A beginning that fits both a run and a candidate is
// ambiguous.
func find(ctx context.Context, st store.Store, name, run string) (thing, error) {
	if slices.Contains(rung.Ladder, rung.Rung(name)) {
		c, err := candidateOn(ctx, st, rung.Rung(name), run)
		return thing{candidate: c}, err
	}
	r, runErr := st.Run(ctx, name)
	if runErr == nil && (r.ID == name || name == "latest") {
		return thing{run: &r}, nil
	}
	begins, err := runsThatBegin(ctx, st, name)
	if err != nil || begins > 1 {
		return thing{}, errors.Join(err, runErr)
	}
	c, err := st.Candidate(ctx, name)
	switch {
	case err == nil && begins == 1:
		return thing{}, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("%q begins the name of a run and of a candidate", name), Do: "give more of it"}
	case err == nil:
		return thing{candidate: c}, nil
	case rung.CodeOf(err) != rung.CodeNotFound:
		return thing{}, err
	case begins == 1:
		return thing{run: &r}, runErr
	}
	if strings.Trim(name, "0123456789abcdef") == "" {
		return findCompletion(ctx, st, name, err)
	}
	return thing{}, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("the store has no run, candidate or completion %q", name), Do: "see rung runs, rung releases, and rung show RUN for its candidates"}
}

// findCompletion looks a whole digest up among the completions; missing is the error where there is none.
func findCompletion(ctx context.Context, st store.Store, key string, missing error) (thing, error) {
	if len(key) != len(rung.DigestBytes(nil)) {
		return thing{}, missing
	}
	c, ok, err := st.Completion(ctx, rung.Digest(key))
	if err == nil && !ok {
		err = &rung.Error{Code: rung.CodeNotFound, What: "the store has no candidate or completion " + key, Do: "see rung runs, and rung show RUN for its candidates"}
	}
	return thing{completion: &c}, err
}

// runsThatBegin counts the runs whose ID begins with name.
func runsThatBegin(ctx context.Context, st store.Store, name string) (int, error) {
	if name == "" {
		return 0, usage("the name is empty; name a run, a candidate, a rung or a completion")
	}
	runs, err := st.Runs(ctx, 0)
	n := 0
	for _, r := range runs {
		if strings.HasPrefix(r.ID, name) {
			n++
		}
	}
	return n, err
}

// candidateOn is the candidate of a rung in a run.
func candidateOn(ctx context.Context, st store.Store, r rung.Rung, run string) (*rung.Candidate, error) {
	doc, err := document(ctx, st, run)
	if err != nil {
		return nil, err
	}
	for _, o := range doc.Rungs {
		if o.Rung == r && o.Status == rung.Scored {
			return st.Candidate(ctx, string(o.Candidate))
		}
	}
	for _, o := range doc.Rungs {
		if o.Rung == r {
			return nil, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("run %s skipped %s: %s", doc.Run, r, o.Reason), Do: "name another rung or another run with --run"}
		}
	}
	return nil, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("run %s did not climb to %s", doc.Run, r), Do: "climb with --all, or name another run with --run"}
}

func (s *settings) showRun(ctx context.Context, st store.Store, r *store.Run) error {
	doc, err := documentOf(r)
	if err != nil {
		return err
	}
	if doc == nil {
		return &rung.Error{Code: rung.CodeNotFound, What: "the run " + r.ID + " has no result yet", Do: "wait for the climb, or run it again to go on"}
	}
	if err := report.SettleDocument(ctx, st, doc); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(doc)
	}
	width, color := report.Look(s.Out)
	return report.Table(s.Out, doc, width, color)
}

// candidateDocument is what rung show CANDIDATE --json prints.
type candidateDocument struct {
	Candidate rung.Digest     `json:"candidate"`
	Recipe    *rung.Candidate `json:"recipe"`
	Runs      []string        `json:"runs"`    // the runs that scored it on held-out examples
	Example   string          `json:"example"` // the example of Request
	Request   json.RawMessage `json:"request"` // a request as it was sent; null where none is stored
}

func (s *settings) showCandidate(ctx context.Context, st store.Store, c *rung.Candidate) error {
	out := candidateDocument{Candidate: c.Digest(), Recipe: c, Runs: []string{}}
	var set rung.Digest
	runs, err := st.Runs(ctx, 0)
	if err != nil {
		return err
	}
	for i := range runs {
		doc, err := documentOf(&runs[i])
		if err != nil {
			return err
		}
		if doc != nil && scoredIn(doc, out.Candidate) != nil {
			out.Runs = append(out.Runs, doc.Run)
			set = doc.Heldout.Digest
		}
	}
	if set != "" {
		if err := out.findRequest(ctx, st, set); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(out)
	}
	return s.printCandidate(&out)
}

// scoredIn is the outcome of a candidate in a document, nil when it was not scored there.
func scoredIn(doc *rung.Document, candidate rung.Digest) *rung.Outcome {
	for i := range doc.Rungs {
		if o := &doc.Rungs[i]; o.Status == rung.Scored && o.Candidate == candidate {
			return o
		}
	}
	return nil
}

// findRequest takes the first stored request that the candidate made for an example of the set.
func (d *candidateDocument) findRequest(ctx context.Context, st store.Store, set rung.Digest) error {
	for score, err := range st.Scores(ctx, d.Candidate, set) {
		if err != nil {
			return err
		}
		if len(score.Answer.Calls) == 0 {
			continue
		}
		done, ok, err := st.Completion(ctx, score.Answer.Calls[0])
		if err != nil {
			return err
		}
		if ok {
			d.Example, d.Request = score.Example, done.Request
			return nil
		}
	}
	return nil
}

func (s *settings) printCandidate(d *candidateDocument) error {
	var b strings.Builder
	b.WriteString(report.Recipe(d.Recipe))
	if len(d.Runs) > 0 {
		fmt.Fprintf(&b, "\nscored in %s\n", strings.Join(d.Runs, ", "))
	}
	if len(d.Request) > 0 {
		fmt.Fprintf(&b, "\nrequest for example %s, as it was sent\n%s", d.Example, report.Request(d.Request))
	}
	_, err := fmt.Fprint(s.Out, report.Lines(b.String()))
	return err
}

func (s *settings) showCompletion(c *rung.Completion) error {
	if s.json {
		return s.printJSON(c)
	}
	_, err := fmt.Fprint(s.Out, report.Lines(report.Call(c)))
	return err
}
