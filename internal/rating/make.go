// Package rating is how people say what they think of answers: which items are asked of whom and in which order, what a rater
// sees, whether raters attend and agree, what their ratings come to, and the files of other tools. Raters are blind: nothing
// that they are shown says which candidate wrote an answer, or which item is a check.
package rating

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"crypto/sha256"

	"github.com/rung-dev/rung"
)

// Answers are one candidate's answers to the examples.
type Answers struct {
	Candidate rung.Digest
	Name      string            // for people who read results, never for raters
	Texts     map[string]string // example's id → answer; an example that is not in it is not asked
}

// Options say what to make of answers.
type Options struct {
	Name      string
	Task      string
	Kind      rung.RatingKind
	Question  string // default: DefaultQuestion
	Criteria  []rung.Criterion
	NoTies    bool
	Set       rung.Digest
	Items     int               // to ask at most; 0: all
	Raters    []string          // names, one per seat; an empty one is for whoever comes
	PerItem   int               // raters of an overlapping item; default 2
	Overlap   int               // items that PerItem raters are asked; 0: as many as agreement needs, −1: all
	Checks    float64           // checks per item asked, default none
	Gold      []rung.RatingItem // items with a known right rating, beside those that are made of expected outputs
	Reference bool              // raters see the expected output
	Seed      uint64
	By        string
	Made      time.Time
}

// DefaultQuestion is what raters are asked unless the lead says otherwise.
func DefaultQuestion(kind rung.RatingKind) string {
	if kind == rung.Rubric {
		return "How good is this answer to the input?"
	}
	return "Which answer is the better one for the input?"
}

// DefaultCriteria is the rubric unless the lead gives one.
func DefaultCriteria() []rung.Criterion {
	return []rung.Criterion{{Name: "quality", Question: "How well does the answer do what the input asks for?", Checked: true, Anchors: map[int]string{
		1: "wrong, or about something else", 2: "mostly wrong", 3: "partly right", 4: "right, with a small flaw", 5: "right and complete"}}}
}

// maker is a queue while it is made.
type maker struct {
	o        Options
	examples []rung.Example
	answers  []Answers
	q        *rung.RatingQueue
	asked    []int // indexes of items that somebody is to rate, checks left out
	rng      *rand.Rand
}

// Make makes a queue: its items, who is asked which, in which order and with which answer on the left. The same options and
// answers make the same queue.
func Make(examples []rung.Example, answers []Answers, o Options) (*rung.RatingQueue, error) {
	if err := o.fill(answers); err != nil {
		return nil, err
	}
	m := &maker{o: o, examples: examples, answers: answers, rng: rand.New(rand.NewPCG(o.Seed, 0x72756e67))}
	m.q = &rung.RatingQueue{Name: o.Name, Task: o.Task, Kind: o.Kind, Question: o.Question, Criteria: o.Criteria, NoTies: o.NoTies, Set: o.Set,
		Seed: o.Seed, By: o.By, Made: o.Made.UTC().Round(0), Candidates: map[rung.Digest]string{}}
	for _, a := range answers {
		m.q.Candidates[a.Candidate] = a.Name
	}
	if o.Kind == rung.Rubric {
		m.rubricItems()
	} else {
		m.pairs()
	}
	if len(m.asked) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: o.Name, What: "there is nothing to rate: no example has answers that differ", Do: "name candidates that were scored on the same examples"}
	}
	var gold []int
	if o.Checks > 0 {
		gold = m.goldItems()
	}
	assign(m.q, m.asked, gold, &m.o, m.rng)
	return m.q, nil
}

// Assign gives a queue whose items are made its seats: the items that are asked, by their place, are shared among raters such that
// agreement can be computed, and checks are hidden among them. Used of o are Raters, PerItem, Overlap, Checks, Gold and Seed.
func Assign(q *rung.RatingQueue, asked []int, o Options) error {
	if err := o.people(); err != nil {
		return err
	}
	var gold []int
	if o.Checks > 0 {
		for _, g := range o.Gold {
			g.ID, g.Check = NextID(q), rung.GoldCheck
			q.Items = append(q.Items, g)
			gold = append(gold, len(q.Items)-1)
		}
	}
	assign(q, asked, gold, &o, rand.New(rand.NewPCG(o.Seed, 0x72756e67)))
	return nil
}

func (o *Options) fill(answers []Answers) error {
	o.Question = cmp.Or(o.Question, DefaultQuestion(o.Kind))
	if o.Kind == rung.Rubric && len(o.Criteria) == 0 {
		o.Criteria = DefaultCriteria()
	}
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if err := o.people(); err != nil {
		return err
	}
	need := 1
	if o.Kind == rung.Pairwise {
		need = 2
	}
	if len(answers) < need {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s rating needs %d candidates or more, there are %d", o.Kind, need, len(answers)), Do: "name more candidates"}
	}
	return nil
}

// people checks who rates, and fills in how many rate an overlapping item.
func (o *Options) people() error {
	o.PerItem = min(cmp.Or(o.PerItem, 2), max(len(o.Raters), 1))
	if len(o.Raters) == 0 {
		o.Raters = []string{""}
	}
	names := slices.DeleteFunc(slices.Clone(o.Raters), func(s string) bool { return s == "" })
	slices.Sort(names)
	if twice := len(slices.Compact(slices.Clone(names))) != len(names); twice {
		return &rung.Error{Code: rung.CodeUsage, What: "a rater is named twice", Do: "name each rater once"}
	}
	for _, n := range names {
		if err := CheckRater(n); err != nil {
			return err
		}
	}
	return nil
}

// pairs makes an item of each example and pair of candidates. Where there are to be fewer, each pair gets about as many examples.
// Pairs of equal answers are items that nobody is asked: they are ties.
func (m *maker) pairs() {
	var pairs [][2]int
	for i := range m.answers {
		for j := i + 1; j < len(m.answers); j++ {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	order := m.rng.Perm(len(m.examples))
	for round := range pairs {
		for at, e := range order {
			if m.o.Items > 0 && len(m.asked) >= m.o.Items {
				return
			}
			p := pairs[(at+round)%len(pairs)]
			m.pair(&m.examples[e], &m.answers[p[0]], &m.answers[p[1]])
		}
	}
}

func (m *maker) pair(ex *rung.Example, a, b *Answers) {
	first, ok := a.Texts[ex.ID]
	second, also := b.Texts[ex.ID]
	if !ok || !also {
		return
	}
	item := m.item(ex, rung.RatingOption{Candidate: a.Candidate, Text: first}, rung.RatingOption{Candidate: b.Candidate, Text: second})
	m.q.Items = append(m.q.Items, item)
	if !Same(&item) {
		m.asked = append(m.asked, len(m.q.Items)-1)
	}
}

// Same reports that an item's two answers are the same text, which is a tie without asking anybody.
func Same(item *rung.RatingItem) bool {
	return len(item.Options) == 2 && strings.TrimSpace(item.Options[0].Text) == strings.TrimSpace(item.Options[1].Text)
}

// rubricItems makes an item of each different answer, all candidates of an example together, so that candidates can be compared on the
// same examples.
func (m *maker) rubricItems() {
	for _, e := range m.rng.Perm(len(m.examples)) {
		if m.o.Items > 0 && len(m.asked) >= m.o.Items {
			return
		}
		ex, at := &m.examples[e], map[string]int{}
		for i := range m.answers {
			a := &m.answers[i]
			text, ok := a.Texts[ex.ID]
			if !ok {
				continue
			}
			if there, seen := at[strings.TrimSpace(text)]; seen {
				o := &m.q.Items[there].Options[0]
				o.Also = append(o.Also, a.Candidate)
				continue
			}
			at[strings.TrimSpace(text)] = len(m.q.Items)
			m.asked = append(m.asked, len(m.q.Items))
			m.q.Items = append(m.q.Items, m.item(ex, rung.RatingOption{Candidate: a.Candidate, Text: text}))
		}
	}
}

func (m *maker) item(ex *rung.Example, options ...rung.RatingOption) rung.RatingItem {
	item := rung.RatingItem{ID: NextID(m.q), Example: ex.ID, Group: ex.Group, Input: ex.Input, Options: options}
	if m.o.Reference && len(ex.Output) > 0 {
		item.Reference = ex.Output
	}
	return item
}

// NextID names the next item of a queue. It is a digest, so that a rater cannot tell from it what kind of item it is, or which came
// before.
func NextID(q *rung.RatingQueue) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d", q.Name, q.Seed, len(q.Items)))
	return hex.EncodeToString(sum[:6])
}

// TextOf is a value as people read it: a string itself, anything else as indented JSON.
func TextOf(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if !json.Valid(v) || enc.Encode(v) != nil {
		return string(v)
	}
	return strings.TrimRight(b.String(), "\n")
}

// AnswerText is what raters read of an answer.
func AnswerText(a *rung.Answer) string {
	switch {
	case len(a.Value) > 0:
		return TextOf(a.Value)
	case strings.TrimSpace(a.Text) != "":
		return a.Text
	}
	return NoAnswer
}

// NoAnswer stands for an answer that is not there. It is rated like any other: failures count.
const NoAnswer = "(no answer)"

// words that rung rate takes itself.
var commands = []string{"make", "review", "list", "show", "adjudicate", "export", "import", "help"}

// CheckName says what is wrong with the name of a queue.
func CheckName(name string) error {
	switch {
	case slices.Contains(commands, name):
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q is a command and cannot name a queue", name), Do: "choose another name"}
	case !plain(name, 60):
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q cannot name a queue", name), Do: "use up to 60 letters, digits, '-', '_' and '.'"}
	}
	return nil
}

// CheckRater says what is wrong with the name of a rater.
func CheckRater(name string) error {
	if !plain(name, 60) {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q cannot be a rater's name", name), Do: "use up to 60 letters, digits, '-', '_', '.' and '@'"}
	}
	return nil
}

func plain(s string, longest int) bool {
	if s == "" || len(s) > longest || s[0] == '-' || s[0] == '.' {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.@", r):
		default:
			return false
		}
	}
	return true
}
