package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// climbed makes a store with a climb that decided for fewshot, and gives its directory and the document.
func climbed(t *testing.T) (dir string, doc rung.Document, srv *modeltest.Server) {
	t.Helper()
	t.Setenv("RUNG_DATABASE_URL", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	srv = serve(t, knows)
	file := writeTask(t, "licence: CC0-1.0\n")
	doc = climbJSON(t, file)
	if doc.Decision.Rung != rung.FewShot {
		t.Fatalf("decision %+v", doc.Decision)
	}
	t.Chdir(filepath.Dir(file))
	return filepath.Join(filepath.Dir(file), storeName), doc, srv
}

// released is what rung release --json prints.
func released(t *testing.T, args ...string) releaseDocument {
	t.Helper()
	var out releaseDocument
	decodeJSON(t, &out, append([]string{"release", "--json"}, args...)...)
	return out
}

func TestReleaseIsWhatWasEvaluated(t *testing.T) {
	dir, doc, srv := climbed(t)
	before := srv.Calls()
	d := released(t, "--note", "first")
	r := d.Release
	if n := srv.Calls() - before; n != 0 {
		t.Errorf("the parity check of a hosted model made %d calls", n)
	}
	if d.Name != "words@v1" || r.Candidate.Digest() != doc.Decision.Candidate || r.Run != doc.Run || r.Heldout != doc.Heldout || r.Note != "first" {
		t.Errorf("%+v", d)
	}
	if r.Parity.N != app.DefaultSample || r.Parity.Requests != r.Parity.N || r.Parity.Compared != 0 {
		t.Errorf("parity %+v", r.Parity)
	}
	if len(r.Licences.Data) != 1 || r.Licences.Data[0] != "CC0-1.0" || len(r.Outcomes) != 5 || r.Commit != "" || r.By == "" {
		t.Errorf("licences %+v, %d outcomes, commit %q, by %q", r.Licences, len(r.Outcomes), r.Commit, r.By)
	}
	if len(d.Aliases) != 1 || d.Aliases[0].Alias != rung.CandidateAlias || d.Aliases[0].Version != "v1" {
		t.Errorf("aliases %+v", d.Aliases)
	}
	// What the gateway loads answers as the climb did.
	layout, err := registry.Open(app.ReleasesDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	got, err := layout.Verify(context.Background(), d.Digest)
	if err != nil || got.Name() != "words@v1" {
		t.Fatalf("%+v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "staged-release-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReleaseComparesAnswersOnDemand(t *testing.T) {
	_, _, srv := climbed(t)
	before := srv.Calls()
	d := released(t, "--answers", "--sample", "5")
	if n := srv.Calls() - before; n != 10 || d.Release.Parity.Answers != 5 || d.Release.Parity.Compared != 5 {
		t.Errorf("%d calls, parity %+v", n, d.Release.Parity)
	}
}

func TestReleaseIsRefusedWhereItWouldServeSomethingElse(t *testing.T) {
	t.Run("answers", func(t *testing.T) {
		climbed(t)
		serve(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: "short"} })
		// The server has another address now, so that is what differs first.
		status, _, errs := rungOut(t, "release", "--answers")
		if status != 2 || !strings.Contains(errs, "base_url was") || !strings.Contains(errs, "example w") {
			t.Errorf("status %d: %s", status, errs)
		}
	})
	t.Run("answers of the same server", func(t *testing.T) {
		_, _, srv := climbed(t)
		srv.Script = func(c modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: strings.ToUpper(knows(c).Text)} }
		status, _, errs := rungOut(t, "release", "--answers")
		if status != 2 || !strings.Contains(errs, `its answer was "`) || !strings.Contains(errs, "LONG") && !strings.Contains(errs, "SHORT") {
			t.Errorf("status %d: %s", status, errs)
		}
		if status, _, _ := rungOut(t, "releases", "words"); status != 7 {
			t.Errorf("a refused release was recorded: status %d", status)
		}
	})
	t.Run("a server that wavers now and then is let through, one that answers otherwise is not", func(t *testing.T) {
		_, _, srv := climbed(t)
		var mu sync.Mutex
		asked := 0
		srv.Script = func(c modeltest.Call) modeltest.Reply {
			mu.Lock()
			defer mu.Unlock()
			r := knows(c)
			if asked++; asked%3 == 0 {
				r.Text += "."
			}
			return r
		}
		d := released(t, "--answers")
		if p := d.Release.Parity; p.Compared != 16 || p.Answers >= 16 || p.Answers < 8 || !strings.Contains(strings.Join(d.Notes, "\n"), "asked twice") {
			t.Errorf("parity %+v, notes %q", p, d.Notes)
		}
		srv.Script = func(c modeltest.Call) modeltest.Reply {
			mu.Lock()
			defer mu.Unlock()
			r := knows(c)
			if r.Text = strings.ToUpper(r.Text); asked%6 == 0 {
				r.Text += "."
			}
			asked++
			return r
		}
		if status, _, errs := rungOut(t, "release", "--answers"); status != 2 || !strings.Contains(errs, "its answer was") {
			t.Errorf("status %d: %s", status, errs)
		}
	})
	t.Run("request", func(t *testing.T) {
		dir, doc, _ := climbed(t)
		changeRequest(t, dir, doc)
		status, _, errs := rungOut(t, "release")
		if status != 2 || !strings.Contains(errs, "message 1 (system) was") || !strings.Contains(errs, "Say other words") {
			t.Errorf("status %d: %s", status, errs)
		}
	})
}

// changeRequest makes the evaluated answers those of other requests, as if the template had changed since.
func changeRequest(t *testing.T, dir string, doc rung.Document) {
	t.Helper()
	ctx := context.Background()
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var scores []rung.Score
	for score, err := range st.Scores(ctx, doc.Decision.Candidate, doc.Heldout.Digest) {
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := st.Completion(ctx, score.Answer.Calls[0])
		if err != nil {
			t.Fatal(err)
		}
		c.Request = json.RawMessage(strings.Replace(string(c.Request), "Say whether", "Say other words", 1))
		c.Key = rung.DigestBytes(c.Request)
		if err := st.PutCompletion(ctx, c); err != nil {
			t.Fatal(err)
		}
		score.Answer.Calls[0] = c.Key
		scores = append(scores, score)
	}
	if err := st.PutScores(ctx, sqliteCard(doc), scores); err != nil {
		t.Fatal(err)
	}
}

func TestReleaseOfACandidateThatDidNotPassNeedsForceAndAReason(t *testing.T) {
	_, doc, _ := climbed(t)
	prompt := string(doc.Rungs[0].Candidate)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--candidate", prompt}, "does not meet the bar"},
		{[]string{"--candidate", prompt, "--force"}, "--note"},
		{[]string{"--candidate", strings.Repeat("0", 64)}, "no such candidate"},
	} {
		if status, _, errs := rungOut(t, append([]string{"release"}, c.args...)...); status == 0 || !strings.Contains(errs, c.says) {
			t.Errorf("%v: status %d: %s", c.args, status, errs)
		}
	}
	d := released(t, "--candidate", prompt[:12], "--force", "--note", "to see it in shadow")
	if d.Release.Candidate.Rung != rung.Prompt || !strings.Contains(strings.Join(d.Notes, "\n"), "by force") {
		t.Errorf("%+v", d)
	}
}

func TestAVersionNeverChanges(t *testing.T) {
	climbed(t)
	released(t, "--as", "2026.1")
	status, _, errs := rungOut(t, "release", "--as", "2026.1")
	if status != 8 || !strings.Contains(errs, "never changes") {
		t.Errorf("status %d: %s", status, errs)
	}
	if d := released(t); d.Name != "words@v1" {
		t.Errorf("the next one is %s", d.Name)
	}
	if status, _, errs := rungOut(t, "release", "--as", "v 1/../x"); status != 2 {
		t.Errorf("status %d: %s", status, errs)
	}
}

func TestReleaseRecordsTheCommitAndRefusesADirtyTree(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir, _, _ := climbed(t)
	root := filepath.Dir(dir)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", root, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q")
	run("add", "task.yaml", "examples.jsonl")
	run("commit", "-q", "-m", "task")
	d := released(t)
	if d.Release.Commit != run("rev-parse", "HEAD") || d.Release.Dirty {
		t.Errorf("commit %q, dirty %v: the store itself is no change", d.Release.Commit, d.Release.Dirty)
	}
	put(t, root, "notes.md", "changed")
	if status, _, errs := rungOut(t, "release"); status != 2 || !strings.Contains(errs, "notes.md") || !strings.Contains(errs, "--allow-dirty") {
		t.Errorf("status %d: %s", status, errs)
	}
	if d := released(t, "--allow-dirty"); !d.Release.Dirty {
		t.Error("the release does not say that the tree had changes")
	}
}

func TestAliasesMoveWithTheirHistory(t *testing.T) {
	climbed(t)
	released(t)
	released(t, "--production")
	if status, _, errs := rungOut(t, "alias", "words", "production", "v1"); status != 2 || !strings.Contains(errs, "--why") {
		t.Errorf("status %d: %s", status, errs)
	}
	for _, args := range [][]string{{"words", "production", "v9"}, {"words", "v1", "v2"}, {"words", "pro duction", "v1"}, {"other", "production", "v1"}} {
		if status, _, errs := rungOut(t, append([]string{"alias", "--why", "x"}, args...)...); status != 7 && status != 2 {
			t.Errorf("%v: status %d: %s", args, status, errs)
		}
	}
	var move rung.AliasMove
	decodeJSON(t, &move, "alias", "words", "production", "v1", "--why", "v2 is slow", "--json")
	if move.From != "v2" || move.Version != "v1" || move.By == "" {
		t.Errorf("%+v", move)
	}
	mustRun(t, "alias", "words", "production/german", "v2", "--why", "better there")
	mustRun(t, "alias", "words", "production/german", "--remove", "--why", "not any more")
	var list releasesDocument
	decodeJSON(t, &list, "releases", "words", "--history", "--json")
	if len(list.Releases) != 2 || list.Releases[0].Version != "v2" || len(list.Aliases) != 2 {
		t.Errorf("%+v", list)
	}
	var whys []string
	for _, m := range list.History {
		whys = append(whys, m.Alias+" "+m.Version+" "+m.Why)
	}
	want := "production/german  not any more|production/german v2 better there|production v1 v2 is slow|production v2 released|candidate v2 released|candidate v1 released"
	if strings.Join(whys, "|") != want {
		t.Errorf("history %q", whys)
	}
	if out := mustRun(t, "releases"); !strings.Contains(out, "words@v1") || !strings.Contains(out, "production") {
		t.Error(out)
	}
	if out := mustRun(t, "releases", "--history"); !strings.Contains(out, "v2 → v1") {
		t.Error(out)
	}
}

func sqliteCard(doc rung.Document) store.Card {
	return store.Card{Candidate: doc.Decision.Candidate, Split: rung.HeldoutIs, Set: doc.Heldout.Digest}
}

func TestReleasesAreShownAndCompared(t *testing.T) {
	_, doc, _ := climbed(t)
	released(t, "--note", "few shots", "--sign")
	released(t, "--candidate", string(doc.Rungs[0].Candidate), "--force", "--note", "to compare")
	out := mustRun(t, "show", "words@candidate")
	for _, says := range []string{"words@v2", "to compare", "prompt", "not known", "16 of 16 requests", "released instead"} {
		if !strings.Contains(out, says) {
			t.Errorf("show does not say %q:\n%s", says, out)
		}
	}
	var shown shownRelease
	decodeJSON(t, &shown, "show", "v1", "--json")
	if shown.Name != "words@v1" || shown.Release.Note != "few shots" || len(shown.Signers) != 1 {
		t.Errorf("%+v", shown)
	}
	var d releaseDiff
	decodeJSON(t, &d, "diff", "v2", "v1", "--json")
	if d.A != "words@v2" || d.Diff.Counts.Fixed == 0 || d.Diff.Counts.Broken != 0 || len(d.Diff.Recipe) == 0 || d.Diff.Metrics[0].Metric != "accuracy" || d.Diff.Metrics[0].Comparison == nil {
		t.Errorf("%+v", d)
	}
	text := mustRun(t, "diff", "v2", "v1")
	if !strings.Contains(text, "A words@v2, B words@v1") || !strings.Contains(text, "fixed") {
		t.Error(text)
	}
	// A release against a candidate, and candidates alone, as before.
	mustRun(t, "diff", "v1", "prompt")
	mustRun(t, "diff", "prompt", "fewshot")
	if status, _, errs := rungOut(t, "show", "words@v9"); status != 7 {
		t.Errorf("status %d: %s", status, errs)
	}
}
