package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// settle waits until the gateway has nothing to do any more, and takes a last sample.
func (w *world) settle() error {
	deadline := time.Now().Add(patience)
	for {
		s, err := w.look()
		if err == nil && s.flying == 0 && s.queued == 0 {
			w.samples = append(w.samples, s)
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("stuck: nobody asks any more, and %v requests are in flight and %v wait", s.flying, s.queued), err)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// The gateway may grow by so much between the end of its warm-up and the end, which is what its caches and the collector need.
const (
	warm        = .2 // of the samples
	window      = .2 // of the samples, at the beginning after the warm-up and at the end
	growth      = 1.25
	moreBytes   = 32 << 20
	moreRunning = 64
)

// report checks and prints; the error says all that is wrong.
func (w *world) report(t *tally) error {
	last := w.samples[len(w.samples)-1]
	running := w.samples[:len(w.samples)-1] // under load
	if err := w.stopGateway(); err != nil {
		return err
	}
	kept, err := w.kept(t)
	if err != nil {
		return err
	}
	rss1, rss2 := ends(running, func(s sample) float64 { return s.resident })
	go1, go2 := ends(running, func(s sample) float64 { return s.goroutines })
	errs := []error{kept.check(w.o.share, last.dropped)}
	fail := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fail(len(t.stuck) > 0, "%d requests had no answer within %s: %s", len(t.stuck), patience, strings.Join(t.stuck[:min(5, len(t.stuck))], "\n"))
	fail(len(t.half) > 0, "%d answers look whole and are not: %s", len(t.half), strings.Join(t.half[:min(3, len(t.half))], "\n"))
	fail(rss2 > growth*rss1+moreBytes, "resident memory grew from %.0f to %.0f MiB", rss1/(1<<20), rss2/(1<<20))
	fail(go2 > growth*go1+moreRunning, "goroutines grew from %.0f to %.0f", go1, go2)
	fail(t.asked == 0 || t.statuses[200] == 0, "nothing was answered")
	fmt.Printf("%d requests in %s over %d connections (%.0f/s), faults shown: %s\n", t.asked, w.o.length, w.o.connections, float64(t.asked)/w.o.length.Seconds(), counts(w.faults))
	fmt.Printf("answers by status: %s; %d broken off, %d left by the caller, %d stuck, %d half\n", counts(t.statuses), t.broken, t.left, len(t.stuck), len(t.half))
	fmt.Printf("resident %.0f MiB after warm-up, %.0f MiB at the end; goroutines %.0f and %.0f under load, %.0f after it\n", rss1/(1<<20), rss2/(1<<20), go1, go2, last.goroutines)
	fmt.Printf("slowest request by the gateway's own clock %.1f s; %d took longer than %s; this process was kept from running for up to %.1f s\n", kept.slowest.Seconds(), kept.over, bound, w.stall.Seconds())
	fmt.Println(kept)
	return errors.Join(errs...)
}

// ends are the medians after the warm-up and at the end.
func ends(samples []sample, of func(sample) float64) (first, last float64) {
	n := len(samples)
	if n == 0 {
		return 0, 0
	}
	k := max(1, int(window*float64(n)))
	from := min(int(warm*float64(n)), n-k)
	return median(samples[from:from+k], of), median(samples[n-k:], of)
}

func median(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func counts[K int | ~string](m map[K]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%v %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}

// bound is what gatewayFile lets a request take, waiting included, and as much again as a busy machine may add.
const bound = 20 * time.Second

// ledger compares what callers saw with what the store has.
type ledger struct {
	traces   int    // kept
	missing  int    // callers saw their answer, the store has them not
	arms     [3]int // traces of tasks on each
	wrong    []string
	noTrace  int // answers without a trace's id
	slowest  time.Duration
	over     int // took longer than bound
	dropped  float64
	expected float64
}

func (w *world) kept(t *tally) (*ledger, error) {
	l := &ledger{}
	byID := make(map[[16]byte]*seen, len(t.answers))
	for i := range t.answers {
		if s := &t.answers[i]; s.trace == [16]byte{} {
			l.noTrace++
		} else {
			byID[s.trace] = s
		}
	}
	ctx := context.Background()
	st, err := sqlite.OpenServing(ctx, filepath.Join(w.dir, ".rung"))
	if err != nil {
		return nil, err
	}
	for tr, err := range st.Traces(ctx, store.TraceFilter{}) {
		if err != nil {
			return nil, errors.Join(err, st.Close())
		}
		l.take(&tr, byID)
	}
	l.missing = len(byID)
	return l, st.Close()
}

// take compares one trace, and takes its answer out of those that have none.
func (l *ledger) take(tr *rung.Trace, byID map[[16]byte]*seen) {
	l.traces++
	l.slowest = max(l.slowest, tr.Latency)
	if tr.Latency > bound {
		l.over++
	}
	if tr.Task != "" && tr.Rollout != "" {
		l.arms[max(0, index(armNames, tr.Arm))]++
		if tr.Version != "" && tr.Version != map[string]string{"baseline": "v1", "target": "v2"}[tr.Arm] {
			l.wrong = append(l.wrong, fmt.Sprintf("trace %s is of %s on the arm %s", tr.ID, tr.Version, tr.Arm))
		}
	}
	id, err := hex.DecodeString(tr.ID)
	if err != nil || len(id) != 16 {
		l.wrong = append(l.wrong, "a trace has the id "+tr.ID)
		return
	}
	s := byID[[16]byte(id)]
	if s == nil {
		return // whose caller saw no header
	}
	delete(byID, [16]byte(id))
	if s.status != 200 || tr.Task == "" {
		return
	}
	if versionNames[s.from] != tr.Task+"@"+tr.Version || armNames[s.arm] != tr.Arm {
		l.wrong = append(l.wrong, fmt.Sprintf("trace %s: the caller was told %s on %q, the trace has %s on %q", tr.ID, versionNames[s.from], armNames[s.arm], tr.Version, tr.Arm))
	}
}

// check: the share of the target lies within 4.5 standard deviations, which chance leaves in one of 150,000 soaks.
func (l *ledger) check(share, dropped float64) error {
	l.dropped = dropped
	n := float64(l.arms[baselineArm] + l.arms[targetArm])
	l.expected = share
	var errs []error
	if off := math.Abs(float64(l.arms[targetArm]) - share*n); n == 0 || off > 4.5*math.Sqrt(share*(1-share)*n) {
		errs = append(errs, fmt.Errorf("%d of %.0f requests went to the target, a share of %v was asked for", l.arms[targetArm], n, share))
	}
	if len(l.wrong) > 0 {
		errs = append(errs, fmt.Errorf("%d wrong arms, such as: %s", len(l.wrong), strings.Join(l.wrong[:min(3, len(l.wrong))], "\n")))
	}
	if float64(l.missing) > dropped || l.noTrace > 0 {
		errs = append(errs, fmt.Errorf("%d traces are missing and %.0f were counted as dropped; %d answers named no trace", l.missing, dropped, l.noTrace))
	}
	return errors.Join(errs...)
}

func (l *ledger) String() string {
	n := l.arms[baselineArm] + l.arms[targetArm]
	return fmt.Sprintf("%d traces kept, %d missing, %.0f dropped; %d of %d judged requests on the target (%.2f %%, asked for %.2f %%); %d wrong arms",
		l.traces, l.missing, l.dropped, l.arms[targetArm], n, 100*float64(l.arms[targetArm])/float64(max(1, n)), 100*l.expected, len(l.wrong))
}
