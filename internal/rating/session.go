package rating

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/store"
)

// Session is one person at work on a queue. Its state is what the store holds, so a session that is opened again goes on where the
// last one ended, and two at once do no harm. It is safe for concurrent use.
type Session struct {
	st    store.Ratings
	q     *rung.RatingQueue
	items map[string]*rung.RatingItem
	rater string
	role  rung.RatingRole
	asks  []rung.RatingAsk
	said  map[string][]Heard // for an adjudicator: what raters said, without their names
	look  *LabelForm         // of labels: how the screen asks for one
	form  *form.Form         // of labels
	now   func() time.Time

	mu    sync.Mutex
	seen  int64                  // Seq of the last rating that was read
	by    map[string]rung.Rating // this person's ratings that count, by item
	order []rung.Rating          // the same, in the order in which they were given
}

// Join opens a rater's session: the seat that was kept for the rater, or the next free one.
func Join(ctx context.Context, st store.Ratings, q *rung.RatingQueue, rater string) (*Session, error) {
	if err := CheckRater(rater); err != nil {
		return nil, err
	}
	seat, err := st.TakeRatingSeat(ctx, q.Name, rater)
	if err != nil {
		return nil, err
	}
	return newSession(st, q, rater, rung.AsRater, Seat(q, seat))
}

func newSession(st store.Ratings, q *rung.RatingQueue, rater string, role rung.RatingRole, asks []rung.RatingAsk) (*Session, error) {
	look, f, err := labelForm(q)
	if err != nil {
		return nil, err
	}
	return &Session{st: st, q: q, items: Items(q), rater: rater, role: role, asks: asks, look: look, form: f, now: time.Now, by: map[string]rung.Rating{}}, nil
}

// Input is one field of an example's input as a person reads it.
type Input struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Said is what a rater says of an item, in the words of the screen.
type Said struct {
	Item    string         `json:"item"`
	Choice  string         `json:"choice,omitempty"` // "left", "right" or "tie"
	Values  map[string]int `json:"values,omitempty"`
	Text    string         `json:"text,omitempty"`  // the label, as it was chosen or typed
	Modes   []string       `json:"modes,omitempty"` // that the shown answer shows
	Skipped bool           `json:"skipped,omitempty"`
	Comment string         `json:"comment,omitempty"`
	Seconds float64        `json:"seconds,omitempty"`
}

// Heard is what one of the raters said, as an adjudicator is shown it.
type Heard struct {
	Choice  string         `json:"choice,omitempty"`
	Values  map[string]int `json:"values,omitempty"`
	Text    string         `json:"text,omitempty"`
	Modes   []string       `json:"modes,omitempty"`
	Comment string         `json:"comment,omitempty"`
}

// Question is an item as it is shown: nothing in it says who wrote an answer or what the item is for.
type Question struct {
	Item      string   `json:"item"`
	Place     int      `json:"place"` // 1-based, of all items of this person
	Input     []Input  `json:"input"`
	Reference string   `json:"reference,omitempty"`
	Answers   []string `json:"answers"`         // one, or the left and the right one; of labels none or the one that was given
	Start     string   `json:"start,omitempty"` // of labels: what to begin from
	Before    *Said    `json:"before,omitempty"`
	Heard     []Heard  `json:"heard,omitempty"`
}

// State is everything that a screen shows.
type State struct {
	Queue    string           `json:"queue"`
	Task     string           `json:"task"`
	Rater    string           `json:"rater"`
	Role     rung.RatingRole  `json:"role"`
	Kind     rung.RatingKind  `json:"kind"`
	Ask      string           `json:"ask"`
	Criteria []rung.Criterion `json:"criteria,omitempty"`
	Ties     bool             `json:"ties"`
	Form     *LabelForm       `json:"form,omitempty"` // of labels
	Done     int              `json:"done"`           // rated
	Skipped  int              `json:"skipped"`        // looked at and not rated
	Total    int              `json:"total"`
	CanUndo  bool             `json:"can_undo"`
	Seconds  float64          `json:"seconds"`            // median over what was rated, 0 before anything was
	Question *Question        `json:"question,omitempty"` // none when nothing is left
}

// mine reads what this person has said since the last time, here or in another session.
func (s *Session) mine(ctx context.Context) error {
	for r, err := range s.st.Ratings(ctx, store.RatingFilter{Queue: s.q.Name, Rater: s.rater, Role: s.role, All: true, After: s.seen}) {
		if err != nil {
			return err
		}
		if _, again := s.by[r.Item]; again {
			s.order = slices.DeleteFunc(s.order, func(old rung.Rating) bool { return old.Item == r.Item })
			delete(s.by, r.Item)
		}
		if !r.Withdrawn {
			s.by[r.Item] = r
			s.order = append(s.order, r)
		}
		s.seen = r.Seq
	}
	return nil
}

// Guidelines are those of a queue of labels, in Markdown; empty where it has none.
func (s *Session) Guidelines() string {
	if s.look == nil {
		return ""
	}
	return s.look.Guidelines
}

// State is what comes next.
func (s *Session) State(ctx context.Context) (*State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state(ctx, "", nil)
}

// state shows an item, or the first open one; before is what was said of it and taken back.
func (s *Session) state(ctx context.Context, item string, before *rung.Rating) (*State, error) {
	if err := s.mine(ctx); err != nil {
		return nil, err
	}
	out := &State{Queue: s.q.Name, Task: s.q.Task, Rater: s.rater, Role: s.role, Kind: s.q.Kind, Ask: s.q.Question, Criteria: blindCriteria(s.q.Criteria),
		Ties: !s.q.NoTies, Form: s.look, Total: len(s.asks), CanUndo: len(s.order) > 0}
	var seconds []float64
	for i := range s.order {
		if s.order[i].Skipped {
			out.Skipped++
			continue
		}
		out.Done++
		seconds = append(seconds, s.order[i].Seconds)
	}
	out.Seconds = median(seconds)
	if at := s.next(item); at >= 0 {
		out.Question = s.question(at, before)
	}
	return out, nil
}

// next is the place of the item, else of the first open one, −1 when nothing is left.
func (s *Session) next(item string) int {
	if at := slices.IndexFunc(s.asks, func(a rung.RatingAsk) bool { return a.Item == item }); at >= 0 {
		return at
	}
	return slices.IndexFunc(s.asks, func(a rung.RatingAsk) bool { _, rated := s.by[a.Item]; return !rated })
}

// blindCriteria are the criteria without the mark of those that checks are made of.
func blindCriteria(cs []rung.Criterion) []rung.Criterion {
	out := slices.Clone(cs)
	for i := range out {
		out[i].Checked = false
	}
	return out
}

func (s *Session) question(at int, before *rung.Rating) *Question {
	ask := s.asks[at]
	item := s.items[ask.Item]
	q := &Question{Item: ask.Item, Place: at + 1, Input: InputsOf(item.Input), Heard: s.said[ask.Item]}
	if len(item.Reference) > 0 {
		q.Reference = TextOf(item.Reference)
	}
	if len(item.Start) > 0 {
		q.Start = TextOf(item.Start)
	}
	q.Answers = []string{}
	for _, o := range item.Options {
		q.Answers = append(q.Answers, o.Text)
	}
	if ask.Swapped {
		slices.Reverse(q.Answers)
	}
	if before != nil {
		q.Before = &Said{Item: ask.Item, Choice: choice(before.Preference, ask.Swapped), Values: before.Values, Modes: before.Modes, Comment: before.Comment, Seconds: before.Seconds}
		if len(before.Label) > 0 {
			q.Before.Text = TextOf(before.Label)
		}
	}
	return q
}

// choice is a preference in the words of the screen.
func choice(p rung.Preference, swapped bool) string {
	if swapped {
		p = p.Other()
	}
	return map[rung.Preference]string{rung.PrefersFirst: "left", rung.PrefersSecond: "right", rung.PrefersNone: "tie"}[p]
}

// InputsOf takes an input object apart in the order of its fields; another value is one field without a name.
func InputsOf(input json.RawMessage) []Input {
	dec := json.NewDecoder(strings.NewReader(string(input)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return []Input{{Text: TextOf(input)}}
	}
	var out []Input
	for dec.More() {
		name, err := dec.Token()
		var v json.RawMessage
		if err != nil || dec.Decode(&v) != nil {
			return []Input{{Text: TextOf(input)}}
		}
		out = append(out, Input{Name: fmt.Sprint(name), Text: TextOf(v)})
	}
	return out
}

// limits of what a screen may send.
const (
	longestComment = 4000
	longestSeconds = 4 * 3600
)

// Rate keeps what was said and gives what comes next. When it returns, the rating is on the disk.
func (s *Session) Rate(ctx context.Context, said Said) (*State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rating(said)
	if err != nil {
		return nil, err
	}
	if _, err := s.st.PutRating(ctx, r); err != nil {
		return nil, err
	}
	return s.state(ctx, "", nil)
}

func (s *Session) rating(said Said) (rung.Rating, error) {
	at := slices.IndexFunc(s.asks, func(a rung.RatingAsk) bool { return a.Item == said.Item })
	if at < 0 {
		return rung.Rating{}, &rung.Error{Code: rung.CodeUsage, Place: said.Item, What: "this item is not among those you are asked", Do: "reload the page"}
	}
	r := s.blank(at)
	r.Skipped, r.Comment = said.Skipped, strings.TrimSpace(said.Comment)
	if utf8.RuneCountInString(r.Comment) > longestComment || !utf8.ValidString(r.Comment) {
		return r, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the comment is longer than %d characters", longestComment), Do: "shorten it"}
	}
	if said.Seconds > 0 && said.Seconds < longestSeconds {
		r.Seconds = said.Seconds
	}
	if said.Skipped {
		return r, nil
	}
	var err error
	switch s.q.Kind {
	case rung.Rubric:
		r.Values, err = s.values(said.Values)
	case rung.Labelled:
		if r.Modes, err = s.modes(said.Modes); err == nil {
			r.Label, err = s.label(said.Text, s.items[said.Item].Input)
		}
	default:
		r.Preference, err = s.preference(said.Choice, r.Swapped)
	}
	return r, err
}

// blank is a rating of an item that says nothing yet.
func (s *Session) blank(at int) rung.Rating {
	ask := s.asks[at]
	item := s.items[ask.Item]
	r := rung.Rating{Queue: s.q.Name, Task: s.q.Task, Item: item.ID, Example: item.Example, Rater: s.rater, Role: s.role, Swapped: ask.Swapped,
		Check: item.Check, At: s.now().UTC()}
	for _, o := range item.Options {
		r.Candidates = append(r.Candidates, o.Candidate)
	}
	return r
}

func (s *Session) preference(said string, swapped bool) (rung.Preference, error) {
	p, ok := map[string]rung.Preference{"left": rung.PrefersFirst, "right": rung.PrefersSecond, "tie": rung.PrefersNone}[said]
	if !ok || p == rung.PrefersNone && s.q.NoTies {
		return "", &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q is no choice here", said), Do: "choose left, right, or tie where ties are allowed"}
	}
	if swapped {
		p = p.Other()
	}
	return p, nil
}

func (s *Session) values(said map[string]int) (map[string]int, error) {
	for _, c := range s.q.Criteria {
		if v := said[c.Name]; v < 1 || v > 5 {
			return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s has no value from 1 to 5", c.Name), Do: "rate every criterion, or skip the item"}
		}
	}
	if len(said) != len(s.q.Criteria) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "there are values for criteria that the rubric does not have", Do: "reload the page"}
	}
	return maps.Clone(said), nil
}

// Undo takes the last rating back and shows its item again, with what was said of it.
func (s *Session) Undo(ctx context.Context) (*State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mine(ctx); err != nil {
		return nil, err
	}
	if len(s.order) == 0 {
		return nil, &rung.Error{Code: rung.CodeConflict, What: "there is nothing to undo"}
	}
	last := s.order[len(s.order)-1]
	gone := last
	gone.Withdrawn, gone.At = true, s.now().UTC()
	if _, err := s.st.PutRating(ctx, gone); err != nil {
		return nil, err
	}
	return s.state(ctx, last.Item, &last)
}

// Again opens the skipped items, so that they are asked once more.
func (s *Session) Again(ctx context.Context) (*State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mine(ctx); err != nil {
		return nil, err
	}
	var gone []rung.Rating
	for _, r := range s.order {
		if r.Skipped {
			r.Withdrawn, r.At = true, s.now().UTC()
			gone = append(gone, r)
		}
	}
	if err := s.st.PutRatings(ctx, gone); err != nil {
		return nil, err
	}
	return s.state(ctx, "", nil)
}

// median is the middle value, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
