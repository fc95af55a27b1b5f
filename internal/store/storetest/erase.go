package storetest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// secret is what the tests have erased.
const secret = "Zoe Okonkwo"

func holdsSecret(text []byte) bool { return bytes.Contains(text, []byte(secret)) }

func erase(t *testing.T, open Opener) {
	ask := func(key, text string) rung.Completion {
		return rung.Completion{Key: rung.DigestBytes([]byte(key)), Model: "m", Request: json.RawMessage(`{"q":"` + text + `"}`), Text: "a", At: epoch}
	}
	set := rung.DigestBytes([]byte("set"))
	card := store.Card{Candidate: "c", Split: rung.Dev, Set: set}
	blob := []byte(`[{"text":"` + secret + `"}]`)
	q := rung.RatingQueue{Name: "q", Task: "t", Kind: rung.Rubric, Made: epoch, Items: []rung.RatingItem{
		{ID: "1", Example: "e1", Input: json.RawMessage(`"` + secret + `"`), Options: []rung.RatingOption{{Text: "x"}}}, {ID: "2", Example: "e2", Input: json.RawMessage(`"y"`)}}}
	in(t, open, func(s store.Store) {
		for i := range 200 { // more than a page
			must(t, s.PutCompletion(t.Context(), ask(string(rune(1000+i)), "someone else")))
		}
		must(t, s.PutCompletion(t.Context(), ask("a", secret)))
		_, err := s.PutCandidate(t.Context(), &rung.Candidate{Instructions: secret})
		must(t, err)
		must(t, s.PutBlob(t.Context(), "train pool", rung.DigestBytes(blob), blob))
		must(t, s.PutScores(t.Context(), card, []rung.Score{{Example: "e1", Answer: rung.Answer{Text: "by id"}, Values: map[string]float64{"m": 1}}, {Example: "e2", Answer: rung.Answer{Text: "stays"}}}))
		must(t, s.PutModes(t.Context(), []rung.ModeLabel{{Candidate: "c", Set: set, Example: "e1", Mode: "m", Status: rung.ModeConfirmed, By: "ada", At: epoch}}))
		must(t, s.PutRatingQueue(t.Context(), &q))
		must(t, s.PutRatings(t.Context(), []rung.Rating{{Queue: "q", Task: "t", Item: "1", Example: "e1", Rater: "r", Role: rung.AsRater, At: epoch}, {Queue: "q", Task: "t", Item: "2", Example: "e2", Rater: "r", Role: rung.AsRater, At: epoch}}))
		must(t, s.PutRun(t.Context(), store.Run{ID: "r", Task: "t", Status: store.Done, Document: json.RawMessage(`{"run":"r","notes":["` + secret + ` was here","fine"]}`), Started: epoch}))
		must(t, s.PutStep(t.Context(), "vector:1", []byte{1, 2}))
		must(t, s.PutStep(t.Context(), "trained:1", []byte("kept")))
	})
	e := store.Erasure{Holds: holdsSecret, Examples: map[string]bool{"e1": true}}
	want := store.Erased{"completions": 1, "candidates": 1, "train pool": 1, "scores": 1, "labels": 1, "queues": 1, "ratings": 1, "documents": 1, "vectors": 1}
	in(t, open, func(s store.Store) {
		e.Dry = true
		got, err := s.Erase(t.Context(), e)
		must(t, err)
		same(t, "what would go", want, got)
		_, ok, err := s.Completion(t.Context(), ask("a", secret).Key)
		must(t, err)
		same(t, "a dry run leaves completions", true, ok)
		e.Dry = false
		got, err = s.Erase(t.Context(), e)
		must(t, err)
		same(t, "what went", want, got)
	})
	in(t, open, func(s store.Store) {
		_, ok, err := s.Completion(t.Context(), ask("a", secret).Key)
		must(t, err)
		same(t, "the completion is there", false, ok)
		_, ok, err = s.Completion(t.Context(), ask(string(rune(1000)), "someone else").Key)
		must(t, err)
		same(t, "another's completion is there", true, ok)
		var texts []string
		for sc, err := range s.Scores(t.Context(), "c", set) {
			must(t, err)
			texts = append(texts, sc.Answer.Text)
		}
		same(t, "scores", []string{store.ErasedText, "stays"}, texts)
		run, err := s.Run(t.Context(), "r")
		must(t, err)
		same(t, "the run's document", `{"notes":["[erased]","fine"],"run":"r"}`, string(run.Document))
		kept, err := s.RatingQueue(t.Context(), "q")
		must(t, err)
		same(t, "items", `"[erased]" "y"`, string(kept.Items[0].Input)+" "+string(kept.Items[1].Input))
		_, ok, err = s.Step(t.Context(), "trained:1")
		must(t, err)
		same(t, "another step is there", true, ok)
		again, err := s.Erase(t.Context(), e)
		must(t, err)
		same(t, "what goes a second time", 0, again.Total())
	})
}

func eraseTraces(t *testing.T, open ServingOpener) {
	mine := Trace(7)
	mine.Input = json.RawMessage(`{"text":"` + secret + `"}`)
	alone := Trace(1000)
	alone.Input = mine.Input
	e := store.Erasure{Holds: holdsSecret}
	serving(t, open, func(s store.Serving) {
		must(t, s.PutTraces(t.Context(), append(someTraces(0, 7), append([]rung.Trace{mine}, someTraces(8, 300)...)...)))
		must(t, s.PutTraces(t.Context(), []rung.Trace{alone}))
		must(t, s.PutFeedback(t.Context(), correction("c", mine.ID, 1)))
		must(t, s.PutFeedback(t.Context(), rung.Feedback{ID: "f", Trace: traceID(3), Comment: secret, At: epoch}))
		must(t, s.PutFeedback(t.Context(), rung.Feedback{ID: "g", Trace: traceID(3), Comment: "fine", At: epoch}))
		want := store.Erased{"traces": 2, "feedback": 2}
		e.Dry = true
		got, err := s.Erase(t.Context(), e)
		must(t, err)
		same(t, "what would go", want, got)
		same(t, "a dry run leaves traces", 301, len(list(t, s, store.TraceFilter{})))
		e.Dry = false
		got, err = s.Erase(t.Context(), e)
		must(t, err)
		same(t, "what went", want, got)
	})
	serving(t, open, func(s store.Serving) {
		wantIDs(t, "what is left", append(someTraces(0, 7), someTraces(8, 300)...), list(t, s, store.TraceFilter{Oldest: true}))
		told, err := s.Feedback(t.Context(), traceID(3))
		must(t, err)
		same(t, "feedback that is left", "g", told[0].ID)
		same(t, "as much", 1, len(told))
	})
}

func reviews(t *testing.T, open ServingOpener) {
	r := release("a", "v1", 1)
	r.Review = []string{"production"}
	review := rung.Review{Task: "a", Version: "v1", Release: r.Digest, Revision: 1, State: rung.ReviewDraft, By: "ada", At: epoch}
	move := func(alias string) rung.AliasMove {
		return rung.AliasMove{Task: "a", Alias: alias, Version: "v1", At: epoch}
	}
	serving(t, open, func(s store.Serving) {
		must(t, s.PutRelease(t.Context(), r))
		must(t, s.MoveAlias(t.Context(), move("candidate")))
		denied := func(what string) {
			t.Helper()
			wantCode(t, s.MoveAlias(t.Context(), move("production")), rung.CodeDenied)
			wantCode(t, s.MoveAlias(t.Context(), move("production/vip")), rung.CodeDenied)
		}
		denied("without a review")
		must(t, s.PutReview(t.Context(), review))
		wantCode(t, s.PutReview(t.Context(), review), rung.CodeConflict)
		denied("with a draft")
		_, err := s.PutRollout(t.Context(), rung.Rollout{ID: "x", Task: "a", Alias: "production", Mode: rung.Canary, Target: "v1", State: rung.Active})
		wantCode(t, err, rung.CodeDenied)
		for i, next := range []rung.Review{{State: rung.ReviewRefused}, {State: rung.ReviewSigned, Expires: "2020-01-01"}, {State: rung.ReviewSigned, Release: "another"}} {
			n := review
			n.Revision, n.State, n.Expires = i+2, next.State, next.Expires
			if next.Release != "" {
				n.Release = next.Release
			}
			must(t, s.PutReview(t.Context(), n))
			denied(string(next.State))
		}
		review.Revision, review.State, review.Expires = 5, rung.ReviewSigned, time.Now().UTC().Format(time.DateOnly)
		must(t, s.PutReview(t.Context(), review))
		must(t, s.MoveAlias(t.Context(), move("production")))
	})
	serving(t, open, func(s store.Serving) {
		got, err := s.Reviews(t.Context(), "a")
		must(t, err)
		same(t, "reviews", []rung.Review{review}, got)
		none, err := s.Reviews(t.Context(), "b")
		must(t, err)
		same(t, "of another task", 0, len(none))
	})
}
