// Package storetest is the conformance suite of stores.
package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// Opener opens a store that is empty the first time and the same one each time after within a test. The suite closes it.
type Opener func(t *testing.T) store.Store

// Conform holds a store to what store.Store promises. make is called once per test, for an empty place.
func Conform(t *testing.T, make func(t *testing.T) Opener) {
	tests := map[string]func(*testing.T, Opener){
		"completions":      completions,
		"big values":       bigValues,
		"candidates":       candidates,
		"blobs":            blobs,
		"freeze":           freeze,
		"runs":             runs,
		"scores":           scores,
		"evaluations":      evaluations,
		"scores in a loop": scoresInALoop,
		"rating queues":    ratingQueues,
		"rating seats":     ratingSeats,
		"ratings":          ratings,
		"many ratings":     manyRatings,
		"steps":            steps,
		"modes":            modes,
		"many writers":     manyWriters,
		"two at once":      twoAtOnce,
		"closed":           closed,
		"bad keys":         badKeys,
		"erase":            erase,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

// in opens the store for one step of a test, so that the next step reads what is on disk and not what is in memory.
func in(t *testing.T, open Opener, do func(s store.Store)) {
	t.Helper()
	s := open(t)
	do(s)
	must(t, s.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if reflect.DeepEqual(want, got) { // which is quick where values are big
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Completion makes the i-th of a row of different completions.
func Completion(i int) rung.Completion {
	return rung.Completion{Key: rung.DigestBytes([]byte(fmt.Sprint("key ", i))), Model: "openai/m", Request: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)),
		Text: fmt.Sprint("text ", i, " Grüße \x00"), Finish: "stop", Usage: rung.Usage{In: i, Out: 2, CachedIn: 1}, CostUSD: 1e-7 * float64(i),
		Latency: time.Duration(i) + 1, Attempts: 3, At: time.Unix(1_700_000_000, int64(i)).UTC(), Served: "m-1"}
}

func completions(t *testing.T, open Opener) {
	in(t, open, func(s store.Store) {
		_, ok, err := s.Completion(t.Context(), Completion(1).Key)
		if ok || err != nil {
			t.Errorf("an empty store has a completion: %t, %v", ok, err)
		}
		must(t, s.PutCompletion(t.Context(), Completion(1)))
		must(t, s.PutCompletion(t.Context(), Completion(2)))
		again := Completion(1)
		again.Text, again.At = "newer", again.At.Add(time.Hour)
		must(t, s.PutCompletion(t.Context(), again))
	})
	in(t, open, func(s store.Store) {
		want := Completion(1)
		want.Text, want.At = "newer", want.At.Add(time.Hour)
		for _, want := range []rung.Completion{want, Completion(2)} {
			got, ok, err := s.Completion(t.Context(), want.Key)
			must(t, err)
			if !ok {
				t.Errorf("%s is not there", want.Key.Short())
			}
			same(t, "the completion differs", want, got)
		}
	})
}

func bigValues(t *testing.T, open Opener) {
	for _, n := range []int{0, 1, 511, 512, 513, 5000, 3 << 20} {
		c := Completion(n)
		c.Text = strings.Repeat("ab\n", n/3) + strings.Repeat("x", n%3)
		c.Request = json.RawMessage(`"` + strings.Repeat("y", n) + `"`)
		in(t, open, func(s store.Store) { must(t, s.PutCompletion(t.Context(), c)) })
		in(t, open, func(s store.Store) {
			got, _, err := s.Completion(t.Context(), c.Key)
			must(t, err)
			if got.Text != c.Text || !bytes.Equal(got.Request, c.Request) {
				t.Errorf("%d bytes came back as %d and %d", n, len(got.Text), len(got.Request))
			}
		})
	}
}

func candidate(i int) *rung.Candidate {
	return &rung.Candidate{Rung: rung.FewShot, Model: "openai/m", Instructions: fmt.Sprint("do ", i), Input: []rung.Field{{Name: "x", Type: "string"}},
		Output:   rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"z":{},"a":{}}}`)},
		Template: rung.Template{Name: "short", Version: 1, System: "s", User: "u <&>"},
		Demos:    &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{{ID: "1", Input: json.RawMessage(`{"x":"1"}`), Output: json.RawMessage(`"y"`)}}},
		Decoding: rung.Decoding{MaxTokens: 9, Constrained: true}}
}

func candidates(t *testing.T, open Opener) {
	const n = 300 // enough that some digests share their first two digits
	digests := map[string]int{}
	in(t, open, func(s store.Store) {
		for i := range n {
			d, err := s.PutCandidate(t.Context(), candidate(i))
			must(t, err)
			if d != candidate(i).Digest() {
				t.Fatalf("candidate %d was kept as %s, its digest is %s", i, d, candidate(i).Digest())
			}
			digests[string(d)] = i
		}
		again, err := s.PutCandidate(t.Context(), candidate(0))
		must(t, err)
		if again != candidate(0).Digest() {
			t.Error("keeping a candidate again changed it")
		}
	})
	in(t, open, func(s store.Store) {
		for d, i := range digests {
			for _, prefix := range []string{d, d[:16]} {
				got, err := s.Candidate(t.Context(), prefix)
				must(t, err)
				same(t, "the candidate differs", candidate(i), got)
			}
		}
		for _, bad := range []string{"", strings.Repeat("0", 64), "%", "xyz", "_"} {
			_, err := s.Candidate(t.Context(), bad)
			wantCode(t, err, rung.CodeNotFound)
		}
		ambiguous := 0
		for d := range digests {
			if _, err := s.Candidate(t.Context(), d[:1]); rung.CodeOf(err) == rung.CodeNotFound && strings.Contains(err.Error(), "several") {
				ambiguous++
			}
		}
		if ambiguous == 0 {
			t.Error("no short prefix was ambiguous")
		}
	})
}

func wantCode(t *testing.T, err error, code rung.Code) {
	t.Helper()
	if rung.CodeOf(err) != code {
		t.Errorf("got %v, want an error of code %s", err, code)
	}
}

func blobs(t *testing.T, open Opener) {
	for _, content := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("ab"), 5000)} {
		d := rung.DigestBytes(content)
		in(t, open, func(s store.Store) {
			must(t, s.PutBlob(t.Context(), "train pool", d, content))
			must(t, s.PutBlob(t.Context(), "train pool", d, content))
			wantCode(t, s.PutBlob(t.Context(), "train pool", d, append([]byte("more"), content...)), rung.CodeInternal)
		})
		in(t, open, func(s store.Store) {
			got, err := s.Blob(t.Context(), "train pool", d)
			must(t, err)
			if !bytes.Equal(got, content) {
				t.Errorf("%d bytes came back as %d", len(content), len(got))
			}
			_, err = s.Blob(t.Context(), "index", d)
			wantCode(t, err, rung.CodeNotFound)
		})
	}
}

func freeze(t *testing.T, open Opener) {
	at := time.Unix(1_700_000_000, 5).UTC()
	a := store.Frozen{Task: "t", File: "/x/task.yaml", Digest: "aa", N: 10, At: at}
	b := a
	b.Digest, b.N, b.At = "bb", 12, at.Add(time.Hour)
	later := a
	later.At = at.Add(2 * time.Hour)
	other := b
	other.File = "/y/task.yaml"
	steps := []struct {
		put  store.Frozen
		want *store.Frozen
	}{{a, nil}, {later, nil}, {b, &a}, {b, nil}, {other, nil}, {later, &b}, {b, &later}}
	for i, step := range steps {
		in(t, open, func(s store.Store) {
			got, err := s.Freeze(t.Context(), step.put)
			must(t, err)
			same(t, fmt.Sprint("step ", i), step.want, got)
		})
	}
}

func run(id string, hour int) store.Run {
	return store.Run{ID: id, Task: "t", Status: store.Running, Started: time.Unix(1_700_000_000, 0).UTC().Add(time.Duration(hour) * time.Hour)}
}

func runs(t *testing.T, open Opener) {
	ended := run("ab12", 1)
	ended.Status, ended.Ended, ended.Document = store.Done, ended.Started.Add(time.Minute), json.RawMessage(`{"run":"ab12"}`)
	in(t, open, func(s store.Store) {
		_, err := s.Run(t.Context(), "latest")
		wantCode(t, err, rung.CodeNotFound)
		for _, r := range []store.Run{run("ab12", 1), run("ab34", 3), run("c", 2), run("cc", 0), ended} {
			must(t, s.PutRun(t.Context(), r))
		}
		wantCode(t, s.PutRun(t.Context(), store.Run{ID: "x", Status: "odd"}), rung.CodeStore)
	})
	in(t, open, func(s store.Store) {
		got, err := s.Runs(t.Context(), 0)
		must(t, err)
		same(t, "the runs differ", []store.Run{run("ab34", 3), run("c", 2), ended, run("cc", 0)}, got)
		got, err = s.Runs(t.Context(), 2)
		must(t, err)
		same(t, "the newest runs differ", []store.Run{run("ab34", 3), run("c", 2)}, got)
		for id, want := range map[string]store.Run{"latest": run("ab34", 3), "ab1": ended, "ab12": ended, "c": run("c", 2), "cc": run("cc", 0)} {
			got, err := s.Run(t.Context(), id)
			must(t, err)
			same(t, "run "+id, want, got)
		}
		for _, id := range []string{"", "ab", "nope", "%", "AB12"} {
			_, err := s.Run(t.Context(), id)
			wantCode(t, err, rung.CodeNotFound)
		}
	})
}

func score(i int) rung.Score {
	return rung.Score{Example: fmt.Sprint("ex ", i), Values: map[string]float64{"exact_match": float64(i % 2)}, Success: i%2 == 1,
		Answer: rung.Answer{Text: strings.Repeat("t", i%700), Value: json.RawMessage(`{"a":1}`), Calls: []rung.Digest{"x"}, Latency: time.Duration(i)}}
}

func collect(t *testing.T, s store.Store, candidate, set rung.Digest) []rung.Score {
	t.Helper()
	var out []rung.Score
	for sc, err := range s.Scores(t.Context(), candidate, set) {
		must(t, err)
		out = append(out, sc)
	}
	return out
}

func scores(t *testing.T, open Opener) {
	card := store.Card{Candidate: "cand", Split: rung.HeldoutIs, Set: "set"}
	other := store.Card{Candidate: "cand", Split: rung.Dev, Set: "devset"}
	const n = 1000
	var want []rung.Score
	for i := range n {
		want = append(want, score(i))
	}
	in(t, open, func(s store.Store) {
		must(t, s.PutScores(t.Context(), card, want[:700]))
		must(t, s.PutScores(t.Context(), other, want[:3]))
		must(t, s.PutScores(t.Context(), card, want[700:]))
		must(t, s.PutScores(t.Context(), card, nil))
		want[5].Mistake, want[5].Success = "wrong value", false
		must(t, s.PutScores(t.Context(), card, want[5:6]))
	})
	in(t, open, func(s store.Store) {
		same(t, "the scores differ", want, collect(t, s, card.Candidate, card.Set))
		same(t, "the other set's scores differ", []rung.Score{score(0), score(1), score(2)}, collect(t, s, other.Candidate, other.Set))
		if got := collect(t, s, "nobody", card.Set); got != nil {
			t.Errorf("%d scores of nobody", len(got))
		}
	})
}

func scoresInALoop(t *testing.T, open Opener) {
	card := store.Card{Candidate: "cand", Split: rung.HeldoutIs, Set: "set"}
	in(t, open, func(s store.Store) {
		var all []rung.Score
		for i := range 600 {
			all = append(all, score(i))
		}
		must(t, s.PutScores(t.Context(), card, all))
		seen := 0
		for sc, err := range s.Scores(t.Context(), "cand", "set") {
			must(t, err)
			// Many loops inside the loop, and a write: none may wait for the other.
			for range s.Scores(t.Context(), "cand", "set") {
				break
			}
			if seen%100 == 0 {
				must(t, s.PutStep(t.Context(), sc.Example, nil))
			}
			seen++
		}
		if seen != 600 {
			t.Errorf("%d scores", seen)
		}
	})
}

func steps(t *testing.T, open Opener) {
	in(t, open, func(s store.Store) {
		_, ok, err := s.Step(t.Context(), "k")
		if ok || err != nil {
			t.Errorf("%t, %v", ok, err)
		}
		must(t, s.PutStep(t.Context(), "k", []byte("one")))
		must(t, s.PutStep(t.Context(), "k", bytes.Repeat([]byte("two"), 1000)))
		must(t, s.PutStep(t.Context(), "empty", nil))
	})
	in(t, open, func(s store.Store) {
		for key, want := range map[string][]byte{"k": bytes.Repeat([]byte("two"), 1000), "empty": {}} {
			got, ok, err := s.Step(t.Context(), key)
			if err != nil || !ok || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %t, %v", key, len(got), ok, err)
			}
		}
	})
}

func manyWriters(t *testing.T, open Opener) {
	const writers, each = 16, 40
	in(t, open, func(s store.Store) {
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					c := Completion(w*each + i)
					if err := s.PutCompletion(t.Context(), c); err != nil {
						t.Error(err)
					}
					if _, ok, err := s.Completion(t.Context(), c.Key); !ok || err != nil {
						t.Errorf("what was just put is not there: %v", err)
					}
				}
			})
		}
		wg.Wait()
	})
	in(t, open, func(s store.Store) {
		for i := range writers * each {
			if _, ok, err := s.Completion(t.Context(), Completion(i).Key); !ok || err != nil {
				t.Fatalf("completion %d: %t, %v", i, ok, err)
			}
		}
	})
}

// twoAtOnce has two open stores in one place, as two processes have.
func twoAtOnce(t *testing.T, open Opener) {
	a, b := open(t), open(t)
	var wg sync.WaitGroup
	for i, s := range []store.Store{a, b} {
		wg.Go(func() {
			for n := range 100 {
				if err := s.PutCompletion(t.Context(), Completion(i*100+n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 200 {
		for _, s := range []store.Store{a, b} {
			if _, ok, err := s.Completion(t.Context(), Completion(i).Key); !ok || err != nil {
				t.Fatalf("completion %d: %t, %v", i, ok, err)
			}
		}
	}
	must(t, errors.Join(a.Close(), b.Close()))
}

func closed(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.Close())
	must(t, s.Close())
	wantCode(t, s.PutStep(t.Context(), "k", nil), rung.CodeStore)
	_, _, err := s.Step(t.Context(), "k")
	wantCode(t, err, rung.CodeStore)
	_, _, err = s.Completion(t.Context(), Completion(1).Key)
	wantCode(t, err, rung.CodeStore)
}

func badKeys(t *testing.T, open Opener) {
	in(t, open, func(s store.Store) {
		for _, key := range []rung.Digest{"", "zz", rung.Digest(strings.Repeat("a", 63))} {
			c := Completion(1)
			c.Key = key
			wantCode(t, s.PutCompletion(t.Context(), c), rung.CodeInternal)
			_, _, err := s.Completion(t.Context(), key)
			wantCode(t, err, rung.CodeInternal)
		}
	})
}
