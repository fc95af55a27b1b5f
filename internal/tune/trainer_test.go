package tune

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
)

func TestTrainSearchesAndLearns(t *testing.T) {
	trained := undisturbed(t)
	if trained.Path != "packed" {
		t.Errorf("path %q, notes %q: the self-check should have trusted the packed path", trained.Path, trained.Notes)
	}
	if len(trained.Trials) != 2 || !trained.Trials[0].Chosen || trained.Trials[1].DevLoss <= trained.Trials[0].DevLoss {
		t.Errorf("the higher rate learns this task faster, and should win: %+v", trained.Trials)
	}
	first := trained.Curve[0].DevLoss
	if trained.DevLoss >= first || math.IsNaN(trained.DevLoss) {
		t.Errorf("dev loss %.3f at the end, %.3f after the short run", trained.DevLoss, first)
	}
	e, err := EstimateMemory(whole.job)
	if err != nil {
		t.Fatal(err)
	}
	if trained.PeakRSS > e.PeakBytes+e.PeakBytes/10 || trained.PeakRSS < e.PeakBytes/3 {
		t.Errorf("estimated %s, took %s", mib(e.PeakBytes), mib(trained.PeakRSS))
	}
	b, err := os.ReadFile(trained.Adapter)
	if err != nil {
		t.Fatal(err)
	}
	if rung.DigestBytes(b) != trained.Digest {
		t.Error("the digest is not that of the adapter's bytes")
	}
	for _, p := range []Phase{Loading, Checking, Measuring, Searching, Training} {
		if !whole.phases[p] {
			t.Errorf("no progress in phase %s", p)
		}
	}
	again, err := tinyTrainer(t).Train(t.Context(), whole.job, func(e Event) { t.Errorf("trained again: %v", e) })
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(trained, again); d != "" {
		t.Errorf("the stored result differs: %s", d)
	}
}

// whole is the tiny job, trained once for all tests that compare with it.
var whole struct {
	sync.Once
	job     Job
	trained Trained
	phases  map[Phase]bool
	err     error
}

func undisturbed(t *testing.T) Trained {
	t.Helper()
	whole.Do(func() {
		whole.job = tinyJob(t)
		whole.job.Dir = filepath.Join(sharedDir, "whole")
		whole.phases = map[Phase]bool{}
		whole.trained, whole.err = tinyTrainer(t).Train(t.Context(), whole.job, func(e Event) { whole.phases[e.Phase] = true })
	})
	if whole.err != nil {
		t.Fatal(whole.err)
	}
	return whole.trained
}

// A job that was stopped once and killed once ends with the very adapter of a job that was never disturbed.
func TestTrainContinuesAfterCancelAndSIGKILL(t *testing.T) {
	want, job := undisturbed(t), tinyJob(t)
	trainer := tinyTrainer(t)
	trainer.opt.CheckpointEvery = time.Nanosecond // before every step

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := 0
	_, err := trainer.Train(ctx, job, func(e Event) {
		last = e.Step
		if e.Phase == Searching && e.Step == 10 {
			cancel()
		}
	})
	if rung.CodeOf(err) != rung.CodeInterrupted || !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled job gives %v", err)
	}

	first, killed := 0, false
	_, err = trainer.Train(t.Context(), job, func(e Event) {
		first = firstStep(first, e)
		if e.Phase == Training && e.Step == 60 && !killed {
			killed = true
			killWorker(t, job.Dir)
		}
	})
	if rung.CodeOf(err) != rung.CodeCapacity {
		t.Fatalf("a worker killed from outside gives %v", err)
	}
	if first != last+1 {
		t.Errorf("stopped after step %d, continued with step %d", last, first)
	}

	first = 0
	got, err := trainer.Train(t.Context(), job, func(e Event) { first = firstStep(first, e) })
	if err != nil {
		t.Fatal(err)
	}
	if first < 60 {
		t.Errorf("killed after step 60, continued with step %d", first)
	}
	if got.Digest != want.Digest {
		t.Errorf("dev loss %v with the breaks, %v without", got.DevLoss, want.DevLoss)
	}
}

func firstStep(first int, e Event) int {
	if first == 0 {
		return e.Step
	}
	return first
}

// killWorker kills the process that runs the job of a directory.
func killWorker(t *testing.T, dir string) {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(procs) == 0 {
		t.Skip("this needs /proc")
	}
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil || !strings.Contains(string(b), filepath.Join(dir, "job.json")) {
			continue
		}
		if pid := atoi(strings.Split(p, "/")[2]); pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Error("the worker was not found")
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

func TestTrainRefusesWhatCannotBeTrainedOn(t *testing.T) {

	cases := []struct {
		name  string
		spoil func(j *Job)
		want  string
	}{
		{"no rows", func(j *Job) { j.Train = nil }, "there are 0 train"},
		{"empty completion", func(j *Job) { j.Train[3].Completion = nil }, "train row 3 has an empty prompt or completion"},
		{"too long", func(j *Job) { j.Dev[1].Prompt = make([]int, 90) }, "dev row 1 has 94 tokens; the model's context is 64"},
		{"unknown token", func(j *Job) { j.Train[5].Prompt[0] = 96 }, "train row 5 has the token id 96; the model's vocabulary has 96"},
		{"no base", func(j *Job) { j.Base += "-gone" }, "the base model cannot be read"},
		{"settings", func(j *Job) { j.Grid = []rung.AdapterParams{{Rank: 8}} }, "the training settings make no sense"},
		{"targets", func(j *Job) { j.Grid[0].Targets = []string{"nose"} }, `"nose" is no target module`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			job := tinyJob(t)
			c.spoil(&job)
			_, err := tinyTrainer(t).Train(t.Context(), job, nil)
			if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
