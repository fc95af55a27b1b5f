package rating

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rung-dev/rung"
)

// said is a queue with ratings of two raters and an adjudicator, as the store gives them.
func said(t *testing.T, kind rung.RatingKind) (*rung.RatingQueue, map[string]int, []rung.Rating) {
	t.Helper()
	exs, answers := sample(12, 2)
	q := mustMake(t, exs, answers, Options{Kind: kind, Raters: []string{"ada@example.org", ""}, Overlap: -1, Checks: .3, Reference: true})
	var out []rung.Rating
	add := func(rater string, role rung.RatingRole, seat, from, n int) {
		s, err := newSession(nil, q, rater, role, Seat(q, seat))
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < min(n, len(s.asks)); i++ {
			r := s.blank(i)
			r.At, r.Seconds, r.Seq = time.Unix(1_700_000_000+int64(100*seat+i), 0).UTC(), 1.5+float64(i), 0
			if kind == rung.Rubric {
				r.Values = map[string]int{"quality": 1 + i%5}
			} else {
				r.Preference = []rung.Preference{rung.PrefersFirst, rung.PrefersSecond, rung.PrefersNone}[i%3]
			}
			if i%4 == 1 {
				r.Comment = "so \"so\" <b>\nin two lines"
			}
			if i == 3 {
				r.Skipped, r.Preference, r.Values = true, "", nil
			}
			out = append(out, r)
		}
	}
	add("ada@example.org", rung.AsRater, 0, 0, 99)
	add("ben", rung.AsRater, 1, 0, 99)
	add("ada@example.org", rung.AsAdjudicator, 1, 5, 7)
	return q, map[string]int{"ada@example.org": 0, "ben": 1}, out
}

// TestRoundTrips: what is written comes back as it was, as far as the format can hold it, and once more changes nothing.
func TestRoundTrips(t *testing.T) {
	for _, kind := range []rung.RatingKind{rung.Pairwise, rung.Rubric} {
		q, seats, ratings := said(t, kind)
		for format, lost := range map[Format]cmp.Option{
			RungFormat:  nil,
			LabelStudio: nil,
			Argilla:     cmpopts.IgnoreFields(rung.Rating{}, "At", "Seconds", "Swapped"),
			ArgillaV1:   cmpopts.IgnoreFields(rung.Rating{}, "At", "Seconds", "Swapped"),
		} {
			content, err := Export(q, seats, ratings, format)
			if err != nil {
				t.Fatal(err)
			}
			if name := QueueIn(content); name != "q" {
				t.Errorf("%s %s: the file says it is of %q", kind, format, name)
			}
			got, err := Import(content, ImportOptions{File: "f", Format: format, Queue: q, Made: time.Unix(1_800_000_000, 0)})
			if err != nil {
				t.Fatalf("%s %s: %v", kind, format, err)
			}
			want := slices.Clone(ratings)
			if format == Argilla {
				want = slices.DeleteFunc(want, func(r rung.Rating) bool { return r.Skipped })
			}
			opts := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b rung.Rating) bool {
				return fmt.Sprint(a.Item, a.Rater, a.Role) < fmt.Sprint(b.Item, b.Rater, b.Role)
			})}
			if lost != nil {
				opts = append(opts, lost)
			}
			if diff := cmp.Diff(want, got.Ratings, opts...); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", kind, format, diff)
			}
			if got.Queue != nil || got.Unknown != 0 || len(New(ratings, got.Ratings)) != 0 {
				t.Errorf("%s %s: queue %v, %d unknown, %d new", kind, format, got.Queue != nil, got.Unknown, len(New(ratings, got.Ratings)))
			}
			if fresh := New(nil, got.Ratings); len(fresh) != len(want) {
				t.Errorf("%s %s: %d of %d are new to an empty store", kind, format, len(fresh), len(want))
			}
			if format != RungFormat {
				blindFile(t, q, format, string(content))
			}
		}
	}
}

func blindFile(t *testing.T, q *rung.RatingQueue, format Format, content string) {
	t.Helper()
	for c, name := range q.Candidates {
		if strings.Contains(content, string(c)) || strings.Contains(content, name) {
			t.Errorf("%s names the candidate %s", format, name)
		}
	}
	for _, word := range []string{"gold", "repeat", string(goldRight), string(goldWrong)} {
		if strings.Contains(content, word) {
			t.Errorf("%s says %q", format, word)
		}
	}
}

// TestForeignLabelStudio reads a project that was made elsewhere, in the form of Label Studio's own documentation.
func TestForeignLabelStudio(t *testing.T) {
	content := `[{"id": 1, "created_at":"2021-03-09T21:52:49.513742Z", "project": 83, "data": {"prompt": "Say hi", "text1": "Hi", "text2": "Go away"},
	  "annotations": [
	    {"id": 1001, "result": [{"from_name": "pw", "id": "Dx", "to_name": ["text1", "text2"], "type": "pairwise", "value": {"selected": "left"}}], "was_cancelled": false, "ground_truth": false,
	     "created_at": "2021-03-09T22:16:08.728353Z", "lead_time": 4.288, "completed_by": 10},
	    {"id": 1002, "result": [{"from_name": "c", "id": "Dy", "to_name": "text1", "type": "choices", "value": {"choices": ["Equal"]}}, {"from_name": "why", "id": "Dz", "to_name": "text1", "type": "textarea", "value": {"text": "no idea"}}],
	     "completed_by": {"id": 3, "email": "b@example.org"}},
	    {"id": 1003, "result": [], "was_cancelled": true, "completed_by": 11}],
	  "predictions": [{"model_version": "m", "result": []}]}]`
	got, err := Import([]byte(content), ImportOptions{Format: LabelStudio, Name: "outside", Task: "t", Fields: map[string]string{"left": "text1", "right": "text2", "input": "prompt"}})
	if err != nil {
		t.Fatal(err)
	}
	q := got.Queue
	if q.Kind != rung.Pairwise || len(q.Items) != 1 || q.Items[0].Options[1].Text != "Go away" || string(q.Items[0].Input) != `"Say hi"` {
		t.Errorf("%+v", q)
	}
	rs := map[string]rung.Rating{}
	for _, r := range got.Ratings {
		rs[r.Rater] = r
	}
	if rs["user-10"].Preference != rung.PrefersFirst || rs["user-10"].Seconds != 4.288 || rs["b@example.org"].Preference != rung.PrefersNone || rs["b@example.org"].Comment != "no idea" || !rs["user-11"].Skipped {
		t.Errorf("%+v", rs)
	}
	if _, err := Import([]byte(content), ImportOptions{Format: LabelStudio, Name: "outside"}); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "text1") {
		t.Errorf("without the fields' names: %v", err)
	}
}

// TestForeignArgilla reads records of Argilla 1 and 2 that were made elsewhere.
func TestForeignArgilla(t *testing.T) {
	v2 := `[{"id": "a", "fields": {"answer": "Hi"}, "metadata": {}, "suggestions": {}, "responses": {"tone": [{"value": 4, "user_id": "1b2c3d4e-0000-4000-8000-000000000001"}, {"value": 5, "user_id": "2b2c3d4e-0000-4000-8000-000000000001"}]}, "vectors": {}, "_server_id": "x"}]`
	v1 := `[{"fields": {"answer": "Hi"}, "metadata": {}, "responses": [{"user_id": "1b2c3d4e-0000-4000-8000-000000000001", "values": {"tone": {"value": 4}}, "status": "submitted"}, {"user_id": null, "values": {"tone": {"value": 5}}, "status": "submitted"}], "suggestions": [], "external_id": null}]`
	for format, content := range map[Format]string{Argilla: v2, ArgillaV1: v1} {
		got, err := Import([]byte(content), ImportOptions{Format: format, Name: "outside", Task: "t"})
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if got.Queue.Kind != rung.Rubric || len(got.Queue.Criteria) != 1 || got.Queue.Criteria[0].Name != "tone" || len(got.Ratings) != 2 || got.Ratings[0].Rater != "user-1b2c3d4e" || got.Ratings[1].Values["tone"] != 5 {
			t.Errorf("%s: %+v %+v", format, got.Queue, got.Ratings)
		}
	}
}

// FuzzImport: whatever a file holds, reading it ends in ratings that fit the queue or in an error for a person.
func FuzzImport(f *testing.F) {
	exs, answers := sample(6, 2)
	q, err := Make(exs, answers, Options{Name: "q", Kind: rung.Pairwise, Checks: .3})
	if err != nil {
		f.Fatal(err)
	}
	item := q.Seats[0].Asks[0].Item
	for _, seed := range []string{`[{"data":{"item":"` + item + `"},"annotations":[{"completed_by":1,"result":[{"type":"pairwise","value":{"selected":"left"}}]}]}]`,
		`[{"id":"` + item + `","fields":{},"responses":{"preference":[{"value":"tie","user_id":"x"}]}}]`, `{"version":1,"queue":{"name":"q"},"ratings":[{"item":"` + item + `","rater":"a","role":"rater","preference":"first"}]}`,
		`{"example":"e","answers":[{"candidate":"a","text":1}],"ratings":[{"rater":"r","values":{"ok":3}}]}`, "[", "null", "[null]", "{}", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, format := range ReadFormats {
			for _, of := range []*rung.RatingQueue{q, nil} {
				got, err := Import([]byte(content), ImportOptions{Format: format, Queue: of, Name: "n"})
				if err != nil {
					if code := rung.CodeOf(err); code != rung.CodeInput && code != rung.CodeUsage && code != rung.CodeConflict {
						t.Fatalf("%s: %v", format, err)
					}
					continue
				}
				target := of
				if got.Queue != nil {
					target = got.Queue
				}
				items := Items(target)
				for i := range got.Ratings {
					if items[got.Ratings[i].Item] == nil || CheckRater(got.Ratings[i].Rater) != nil {
						t.Fatalf("%s: %+v", format, got.Ratings[i])
					}
				}
				if _, err := json.Marshal(ResultOf(target, nil, got.Ratings, ResultOptions{Resamples: 20})); err != nil {
					t.Fatalf("%s: %v", format, err)
				}
			}
		}
	})
}
