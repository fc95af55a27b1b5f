package rung

import (
	"encoding/json"
	"time"
)

// RatingKind says what raters are asked.
type RatingKind string

// The kinds of ratings.
const (
	Pairwise RatingKind = "pairwise" // which of two answers is better
	Rubric   RatingKind = "rubric"   // 1 to 5 on each criterion, for one answer
	Labelled RatingKind = "label"    // what the output is, in the form of the task
)

// Criterion is one question of a rubric, answered from 1 (worst) to 5 (best). People and judges are given the same criteria.
type Criterion struct {
	Name     string `json:"name"`
	Question string `json:"question"`
	// Anchors say what a value means; any of 1 to 5 may be missing.
	Anchors map[int]string `json:"anchors,omitempty"`
	// Checked: an answer to another input must get a 1 or a 2 here, so that attention checks can be made of such answers.
	Checked bool `json:"checked,omitempty"`
}

// RatingQueue is what raters are asked: made once by a lead, never changed, joined by raters. It holds the texts themselves, so
// that ratings can be read without the store they were made from.
type RatingQueue struct {
	Name     string      `json:"name"`
	Task     string      `json:"task"`
	Kind     RatingKind  `json:"kind"`
	Question string      `json:"question"`           // what to go by, in a sentence
	Criteria []Criterion `json:"criteria,omitempty"` // for Rubric
	Labels   *LabelSpec  `json:"labels,omitempty"`   // for Labelled
	NoTies   bool        `json:"no_ties,omitempty"`
	Set      Digest      `json:"set,omitempty"` // the examples that were answered
	// Candidates are the rated ones with names for people; raters see neither. The key is RatingOption.Candidate.
	Candidates map[Digest]string `json:"candidates"`
	Seed       uint64            `json:"seed"`
	Seats      []RatingSeat      `json:"seats"` // what each rater is asked, in order
	Items      []RatingItem      `json:"items"`
	By         string            `json:"by,omitempty"`
	Made       time.Time         `json:"made"`
}

// LabelSpec is what a queue of labels asks for.
type LabelSpec struct {
	Guidelines string        `json:"guidelines,omitempty"` // Markdown
	Output     Output        `json:"output"`               // the form of a label
	Modes      []FailureMode `json:"modes,omitempty"`      // that a labeller may say of the answer that is shown
	// Set is under which the scores of the shown answers are kept; empty where none were scored.
	Set Digest `json:"set,omitempty"`
	// Pool says how many rows the items were chosen from, and how.
	Pool *LabelPool `json:"pool,omitempty"`
	// Batch is the sampling plan, where the items are a sample of generated rows.
	Batch *ReviewPlan `json:"batch,omitempty"`
}

// LabelPool says what the items of a queue were chosen from.
type LabelPool struct {
	Rows   int      `json:"rows"`             // that could be chosen
	Choose string   `json:"choose"`           // uncertainty, disagreement, coverage, random or mix
	Random int      `json:"random"`           // items drawn at random: shares and accuracies are estimated from these alone
	Source string   `json:"source,omitempty"` // where uncertainty or disagreement came from
	Notes  []string `json:"notes,omitempty"`
}

// ReviewPlan is a plan of acceptance sampling: of a batch of Rows generated rows, Sample are looked at, and the batch is accepted when
// at most Accept of them are defective.
type ReviewPlan struct {
	Batch      Digest  `json:"batch"` // of the file's bytes
	Rows       int     `json:"rows"`
	Tolerable  float64 `json:"tolerable"`  // share of defective rows that a batch may have
	Confidence float64 `json:"confidence"` // with which a batch that has more is refused
	Sample     int     `json:"sample"`
	Accept     int     `json:"accept"` // acceptance number
	// Risk is the probability that a batch with just more defects than are tolerable is accepted all the same, by the hypergeometric
	// distribution; Expected is a share of defects with which a batch is accepted with the probability Power.
	Risk     float64 `json:"risk"`
	Expected float64 `json:"expected"`
	Power    float64 `json:"power"`
	// Members are the rows of the batch: by their ids, a digest of what each says. Only they are vouched for.
	Members map[string]string `json:"members,omitempty"`
}

// RatingSeat is the work of one rater: the planned items in the order in which they are asked.
type RatingSeat struct {
	Rater string      `json:"rater,omitempty"` // who the seat is for; empty: whoever comes first
	Asks  []RatingAsk `json:"asks"`
}

// RatingAsk is one item as one rater is asked it.
type RatingAsk struct {
	Item    string `json:"item"`
	Swapped bool   `json:"swapped,omitempty"` // the second option stands on the left
}

// RatingCheck says what an item of a queue is for.
type RatingCheck string

// The attention checks.
const (
	NoCheck     RatingCheck = ""       // an item like any other
	GoldCheck   RatingCheck = "gold"   // the right rating is known
	RepeatCheck RatingCheck = "repeat" // the same as an earlier item, sides changed
)

// RatingItem is one question: an input with one answer (Rubric), two (Pairwise), or none or one (Labelled). Its ID says nothing about what is in it.
type RatingItem struct {
	ID        string          `json:"id"`
	Example   string          `json:"example"`
	Group     string          `json:"group,omitempty"` // of the example: items of one group form one cluster
	Input     json.RawMessage `json:"input"`
	Reference json.RawMessage `json:"reference,omitempty"` // the expected output, where raters are to see it
	Options   []RatingOption  `json:"options"`
	Row       *DatasetRow     `json:"row,omitempty"`    // for Labelled: the row, without its output
	Start     json.RawMessage `json:"start,omitempty"`  // for Labelled: what a labeller begins from
	Chosen    string          `json:"chosen,omitempty"` // for Labelled: why this row; "random" for the unbiased part
	Check     RatingCheck     `json:"check,omitempty"`
	Of        string          `json:"of,omitempty"`   // for a repeat: the item that it repeats
	Gold      *RatingGold     `json:"gold,omitempty"` // for a gold item
}

// RatingGold is what an attentive rater says.
type RatingGold struct {
	Preference Preference        `json:"preference,omitempty"`
	Values     map[string][2]int `json:"values,omitempty"` // criterion → lowest and highest value that is right
	Label      json.RawMessage   `json:"label,omitempty"`
}

// RatingOption is an answer to be rated.
type RatingOption struct {
	Candidate Digest `json:"candidate"` // of a candidate or another subject; the name that an imported file gives, otherwise
	Text      string `json:"text"`
	// Also are other candidates that gave this very answer: what is said of it holds for them too.
	Also []Digest `json:"also,omitempty"`
}

// Preference is a verdict on two answers, in the order of RatingItem.Options and not of the screen.
type Preference string

// The preferences.
const (
	PrefersFirst  Preference = "first"
	PrefersSecond Preference = "second"
	PrefersNone   Preference = "tie"
)

// Other is the preference with the answers in the other order.
func (p Preference) Other() Preference {
	switch p {
	case PrefersFirst:
		return PrefersSecond
	case PrefersSecond:
		return PrefersFirst
	}
	return p
}

// RatingRole says in which part somebody rates.
type RatingRole string

// The roles.
const (
	AsRater       RatingRole = "rater"
	AsAdjudicator RatingRole = "adjudicator" // settles where raters disagree; the ratings stay
)

// Rating is what one person said about one item. Ratings are only ever added: of those by one rater, in one role, on one item the
// last counts, and a withdrawn one leaves nothing.
type Rating struct {
	Seq        int64           `json:"seq"` // given by the store, growing
	Queue      string          `json:"queue"`
	Task       string          `json:"task"`
	Item       string          `json:"item"`
	Example    string          `json:"example"`
	Rater      string          `json:"rater"`
	Role       RatingRole      `json:"role"`
	Candidates []Digest        `json:"candidates"`           // of the options, in their order
	Preference Preference      `json:"preference,omitempty"` // for Pairwise
	Values     map[string]int  `json:"values,omitempty"`     // for Rubric: criterion → 1 to 5
	Label      json.RawMessage `json:"label,omitempty"`      // for Labelled: the output, as the form writes it
	Modes      []string        `json:"modes,omitempty"`      // for Labelled: that the shown answer shows
	Skipped    bool            `json:"skipped,omitempty"`    // looked at, and not rated
	Withdrawn  bool            `json:"withdrawn,omitempty"`  // undone
	Swapped    bool            `json:"swapped,omitempty"`    // the second option stood on the left
	Check      RatingCheck     `json:"check,omitempty"`      // ratings of checks are not part of any result
	Comment    string          `json:"comment,omitempty"`
	Seconds    float64         `json:"seconds"` // spent on it, as far as the page was looked at
	At         time.Time       `json:"at"`
}
