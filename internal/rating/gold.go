package rating

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

// The names that stand for candidates in gold items.
const (
	goldRight rung.Digest = "expected output"
	goldWrong rung.Digest = "answer to another input"
)

// madeGold is how many gold items are made of expected outputs at most: raters must not learn them by heart, and few do.
const madeGold = 24

// goldItems are those that the lead gave and those made of the examples: the expected output against an answer to another input, or
// one of them alone for criteria on which they must stand out.
func (m *maker) goldItems() []int {
	var out []int
	add := func(item rung.RatingItem) {
		item.ID, item.Check = NextID(m.q), rung.GoldCheck
		m.q.Items = append(m.q.Items, item)
		out = append(out, len(m.q.Items)-1)
	}
	for _, g := range m.o.Gold {
		add(g)
	}
	for _, e := range m.rng.Perm(len(m.examples)) {
		if len(out) >= madeGold+len(m.o.Gold) {
			break
		}
		if item, ok := m.madeOf(&m.examples[e], len(out)%2 == 0); ok {
			add(item)
		}
	}
	return out
}

// madeOf makes a gold item of an example; wrong says which answer a rubric item shows.
func (m *maker) madeOf(ex *rung.Example, wrong bool) (rung.RatingItem, bool) {
	right := TextOf(ex.Output)
	other := m.foreign(ex, right)
	if strings.TrimSpace(right) == "" || other == "" {
		return rung.RatingItem{}, false
	}
	if m.o.Kind == rung.Pairwise {
		item := m.item(ex, rung.RatingOption{Candidate: goldRight, Text: right}, rung.RatingOption{Candidate: goldWrong, Text: other})
		item.Gold = &rung.RatingGold{Preference: rung.PrefersFirst}
		return item, true
	}
	option, among := rung.RatingOption{Candidate: goldRight, Text: right}, [2]int{4, 5}
	if wrong {
		option, among = rung.RatingOption{Candidate: goldWrong, Text: other}, [2]int{1, 2}
	}
	item := m.item(ex, option)
	item.Gold = &rung.RatingGold{Values: map[string][2]int{}}
	for _, c := range m.o.Criteria {
		if c.Checked {
			item.Gold.Values[c.Name] = among
		}
	}
	return item, len(item.Gold.Values) > 0
}

// foreign is an answer to another example that has little in common with what is right here; empty where there is none.
func (m *maker) foreign(ex *rung.Example, right string) string {
	best, least := "", .5
	for range 20 {
		e := &m.examples[m.rng.IntN(len(m.examples))]
		text, ok := m.answers[m.rng.IntN(len(m.answers))].Texts[e.ID]
		if !ok || e.ID == ex.ID || text == NoAnswer || strings.TrimSpace(text) == "" {
			continue
		}
		if c := common(right, text); c < least {
			best, least = text, c
		}
	}
	return best
}

// common is the share of words that two texts have in common.
func common(a, b string) float64 {
	words := map[string]int{}
	for _, w := range strings.Fields(strings.ToLower(a)) {
		words[w] |= 1
	}
	for _, w := range strings.Fields(strings.ToLower(b)) {
		words[w] |= 2
	}
	both := 0.0
	for _, in := range words {
		if in == 3 {
			both++
		}
	}
	return both / float64(max(len(words), 1))
}

// goldRow is a line of a gold file.
type goldRow struct {
	Input   json.RawMessage            `json:"input"`
	Answers []string                   `json:"answers"`
	Prefer  *int                       `json:"prefer"` // 1, 2, or 0 for a tie
	Values  map[string]json.RawMessage `json:"values"` // criterion → value, or [lowest, highest]
}

// ReadGold reads items with known right ratings, one JSON object a line: "input", "answers" (two, with "prefer": 1, 2 or 0 for a tie;
// or one, with "values": criterion → value or [lowest, highest]).
func ReadGold(file string, content []byte, kind rung.RatingKind, criteria []rung.Criterion) ([]rung.RatingItem, error) {
	var out []rung.RatingItem
	var errs rung.Errors
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		item, err := goldItem(lines.Bytes(), kind, criteria)
		if err != nil {
			errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", file, n), What: err.Error(), Do: "see docs/rating.md for the form of a gold file"})
			continue
		}
		item.Example = fmt.Sprintf("gold:%d", n)
		out = append(out, item)
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: file, What: "cannot be read: " + err.Error()})
	}
	return out, errs.Or()
}

func goldItem(line []byte, kind rung.RatingKind, criteria []rung.Criterion) (rung.RatingItem, error) {
	var row goldRow
	if err := json.Unmarshal(line, &row); err != nil {
		return rung.RatingItem{}, fmt.Errorf("no JSON object of the right form: %w", err)
	}
	item := rung.RatingItem{Input: row.Input, Gold: &rung.RatingGold{}}
	want := map[rung.RatingKind]int{rung.Pairwise: 2, rung.Rubric: 1}[kind]
	if len(row.Answers) != want || len(row.Input) == 0 {
		return item, fmt.Errorf("a gold item of %s rating has an input and %d answers", kind, want)
	}
	for i, text := range row.Answers {
		item.Options = append(item.Options, rung.RatingOption{Candidate: rung.Digest(fmt.Sprintf("gold %d", i+1)), Text: text})
	}
	if kind == rung.Pairwise {
		if row.Prefer == nil || *row.Prefer < 0 || *row.Prefer > 2 {
			return item, fmt.Errorf(`"prefer" must be 1, 2, or 0 for a tie`)
		}
		item.Gold.Preference = []rung.Preference{rung.PrefersNone, rung.PrefersFirst, rung.PrefersSecond}[*row.Prefer]
		return item, nil
	}
	var err error
	item.Gold.Values, err = goldValues(row.Values, criteria)
	return item, err
}

func goldValues(said map[string]json.RawMessage, criteria []rung.Criterion) (map[string][2]int, error) {
	out := map[string][2]int{}
	for _, c := range criteria {
		raw, ok := said[c.Name]
		if !ok {
			continue
		}
		var one int
		var two [2]int
		if json.Unmarshal(raw, &one) == nil {
			two = [2]int{one, one}
		} else if json.Unmarshal(raw, &two) != nil {
			return nil, fmt.Errorf("the value of %s must be a number or [lowest, highest]", c.Name)
		}
		if two[0] < 1 || two[1] > 5 || two[0] > two[1] {
			return nil, fmt.Errorf("the value of %s must lie between 1 and 5", c.Name)
		}
		out[c.Name] = two
	}
	if len(out) == 0 || len(out) < len(said) {
		return nil, fmt.Errorf(`"values" must be of the rubric's criteria`)
	}
	return out, nil
}
