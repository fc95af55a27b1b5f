package model_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

var refs = []rung.ModelRef{"openai/m", "anthropic/m"}

// Every fault, through the door and both providers: what can pass is tried again, what cannot is not; nothing is kept.
func TestFaults(t *testing.T) {
	fatal := map[rung.Code]bool{rung.CodeAuth: true, rung.CodeModel: true, rung.CodeUnreachable: true}
	for _, ref := range refs {
		for _, w := range modeltest.Wants {
			t.Run(fmt.Sprintf("%s %s", ref.Provider(), w.Fault), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: w.Fault}))
					d := r.door(model.Options{Limits: rung.Limits{Retries: 2, Timeout: time.Minute}})
					req := question("a")
					req.Model = ref
					_, _, err := d.Complete(t.Context(), req)
					if w.Fault == modeltest.NoChoices && err == nil {
						return // an API in which an answer may be empty
					}
					checkFault(t, r, d, w, err, fatal[w.Code])
					_, again, err := d.Complete(t.Context(), req)
					if err == nil || again {
						t.Error("a failed call was kept")
					}
				})
			})
		}
	}
}

func checkFault(t *testing.T, r *rig, d *model.Door, w modeltest.Want, err error, fatal bool) {
	t.Helper()
	if rung.CodeOf(err) != w.Code || model.Fatal(err) != fatal {
		t.Errorf("%v: code %s, fatal %t; want %s, %t", err, rung.CodeOf(err), model.Fatal(err), w.Code, fatal)
	}
	wantCalls, wantProblem := 1, rung.CallFailed
	if w.Transient {
		wantCalls = 3
		if !strings.Contains(err.Error(), "3 attempts") {
			t.Errorf("%v does not say how often it was tried", err)
		}
	}
	switch {
	case w.TooLong:
		wantProblem = rung.TooLong
	case w.Code == rung.CodeTimeout:
		wantProblem = rung.TimedOut
		if !strings.Contains(err.Error(), "1m0s") {
			t.Errorf("%v does not say the limit", err)
		}
	}
	if r.server.Calls() != wantCalls {
		t.Errorf("%d attempts, want %d", r.server.Calls(), wantCalls)
	}
	if got := model.ProblemOf(err); got != wantProblem {
		t.Errorf("problem %s, want %s", got, wantProblem)
	}
	if c := d.Counts(); c.Failed != 1 || c.Made != 0 || c.Retries != wantCalls-1 || c.SpentUSD != 0 || c.InFlight != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestRetryUntilItWorks(t *testing.T) {
	for _, ref := range refs {
		t.Run(ref.Provider(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.RateLimited}, modeltest.Reply{Fault: modeltest.ServerError},
					modeltest.Reply{Fault: modeltest.Cut}, modeltest.Reply{Text: "at last"}))
				d := r.door(model.Options{Limits: rung.Limits{Retries: 3}})
				req := question("a")
				req.Model = ref
				start := time.Now()
				c, _ := r.must(d, req)
				// With the jitter at its longest: 0.5 + 1 + 2 seconds.
				if took := time.Since(start); c.Text != "at last" || c.Attempts != 4 || took != 3500*time.Millisecond {
					t.Errorf("%q after %d attempts and %s", c.Text, c.Attempts, took)
				}
				if n := d.Counts(); n.Made != 1 || n.Failed != 0 || n.Retries != 3 {
					t.Errorf("counts %+v", n)
				}
			})
		})
	}
}

func TestBackoffIsBoundedAndJittered(t *testing.T) {
	for jitter, want := range map[float64]time.Duration{
		1:  (500 + 1000 + 2000 + 4000 + 8000 + 16000 + 30000*4) * time.Millisecond,
		.1: (500 + 1000 + 2000 + 4000 + 8000 + 16000 + 30000*4) * time.Millisecond / 10,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.ServerError}))
			d := r.door(model.Options{Limits: rung.Limits{Retries: 10}, Rand: func() float64 { return jitter }})
			start := time.Now()
			if _, _, err := d.Complete(t.Context(), question("a")); err == nil {
				t.Fatal("no error")
			}
			if took := time.Since(start).Round(time.Millisecond); took != want {
				t.Errorf("jitter %g: waited %s in all, want %s", jitter, took, want)
			}
		})
	}
}

func TestRetryAfterHoldsForAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		start := time.Now()
		r := newRig(t, nil)
		r.server.Script = func(c modeltest.Call) modeltest.Reply {
			times = append(times, time.Since(start))
			if c.N == 1 {
				return modeltest.Reply{Fault: modeltest.RateLimited, RetryAfter: "20"}
			}
			return modeltest.Reply{Text: "x"}
		}
		d := r.door(model.Options{Limits: rung.Limits{Retries: 1}})
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.must(d, question("a"))
		}()
		synctest.Wait()
		time.Sleep(time.Second)
		r.must(d, question("b")) // another call, which has met no limit itself
		<-done
		if len(times) != 3 || times[1] < 20*time.Second || times[2] < 20*time.Second || times[2] > 21*time.Second {
			t.Errorf("requests came at %v, want the second and third at 20 s", times)
		}
	})
}

func TestRetryAfterThatIsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.RateLimited, RetryAfter: "3600"}))
		d := r.door(model.Options{Limits: rung.Limits{Retries: 5}})
		start := time.Now()
		_, _, err := d.Complete(t.Context(), question("a"))
		if rung.CodeOf(err) != rung.CodeProvider || !strings.Contains(err.Error(), "1h0m0s") || time.Since(start) != 0 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestTimeoutOfTheRequestComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.Hang}))
		d := r.door(model.Options{Limits: rung.Limits{Timeout: time.Hour}})
		req := question("a")
		req.Timeout = 7 * time.Second
		start := time.Now()
		_, _, err := d.Complete(t.Context(), req)
		if rung.CodeOf(err) != rung.CodeTimeout || time.Since(start) != 7*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestWaitForARetryEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Sequence(modeltest.Reply{Fault: modeltest.RateLimited, RetryAfter: "100"}))
		d := r.door(model.Options{Limits: rung.Limits{Retries: 5}})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, _, err := d.Complete(ctx, question("a"))
		if rung.CodeOf(err) != rung.CodeInterrupted || time.Since(start) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestUnreachableAfterTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, modeltest.Echo)
		dead, stop := modeltest.New(modeltest.Echo).Pipe()
		stop()
		r.transport = dead
		d := r.door(model.Options{Limits: rung.Limits{Retries: 2}})
		_, _, err := d.Complete(t.Context(), question("a"))
		if rung.CodeOf(err) != rung.CodeUnreachable || !model.Fatal(err) || !strings.Contains(err.Error(), "OPENAI_BASE_URL") || !strings.Contains(err.Error(), "3 attempts") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFatal(t *testing.T) {
	for code, want := range map[rung.Code]bool{rung.CodeAuth: true, rung.CodeModel: true, rung.CodeUnreachable: true, rung.CodeBudget: true,
		rung.CodeStore: true, rung.CodeInterrupted: true, rung.CodeMissing: true, rung.CodeInternal: true,
		rung.CodeProvider: false, rung.CodeTimeout: false, rung.CodeUnsupported: false} {
		if got := model.Fatal(fmt.Errorf("wrapped: %w", &rung.Error{Code: code})); got != want {
			t.Errorf("%s: %t", code, got)
		}
	}
	if model.Fatal(nil) || !model.Fatal(errors.New("a defect")) {
		t.Error("no error is fatal, or one of no known kind is not")
	}
}
