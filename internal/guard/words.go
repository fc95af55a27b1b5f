package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/pii"
)

// newLength cuts or refuses what is longer than max characters.
func newLength(max int) checker {
	return func(_ context.Context, _ rung.GuardStage, text string) (result, error) {
		n := utf8.RuneCountInString(text)
		if n <= max {
			return result{score: float64(n) / float64(max)}, nil
		}
		at := 0
		for i := range text {
			if at == max {
				return result{hit: true, score: 1, spans: []span{{i, len(text), "LENGTH"}}}, nil
			}
			at++
		}
		return result{hit: true, score: 1}, nil
	}
}

// newSchema holds answers to the task's output form. An answer that needs repair is a finding: what is passed on is the text.
func newSchema(f *form.Form) (checker, error) {
	if f == nil {
		return nil, errors.New("there is no output form to hold answers to")
	}
	return func(ctx context.Context, _ rung.GuardStage, text string) (result, error) {
		input, _ := ctx.Value(inputKey{}).(json.RawMessage)
		read := f.Parse(text, input)
		if read.Problem != rung.NoProblem {
			return result{hit: true, score: 1, kinds: []string{string(read.Problem)}}, nil
		}
		return result{}, nil
	}, nil
}

// newPhrases finds phrases as whole words, whatever their case, accents, look-alike letters, digits for letters, invisible
// characters and spaces between.
func newPhrases(phrases []string) (checker, error) {
	m, err := newMatcher(phrases)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, _ rung.GuardStage, text string) (result, error) {
		spans := m.find(text)
		for i := range spans {
			spans[i].kind = "PHRASE"
		}
		return result{hit: len(spans) > 0, score: float64(min(1, len(spans))), spans: spans}, nil
	}, nil
}

// matcher finds phrases in folded text.
type matcher struct {
	auto   *automaton
	length []int // of each phrase, folded
}

// maxPhrases and maxPhraseBytes bound the automaton: it takes some 1 KiB per byte.
const (
	maxPhrases     = 10_000
	maxPhraseBytes = 200_000
)

func newMatcher(phrases []string) (*matcher, error) {
	var patterns []string
	total := 0
	for _, p := range phrases {
		f := strings.TrimSpace(squeeze(folded(p)).Text)
		if f == "" {
			return nil, fmt.Errorf("the phrase %q holds nothing to look for", p)
		}
		patterns = append(patterns, f)
		total += len(f)
	}
	if len(patterns) > maxPhrases || total > maxPhraseBytes {
		return nil, fmt.Errorf("there are %d phrases of %d bytes; at most %d of %d are possible", len(patterns), total, maxPhrases, maxPhraseBytes)
	}
	m := &matcher{auto: newAutomaton(patterns)}
	for _, p := range patterns {
		m.length = append(m.length, len(p))
	}
	return m, nil
}

// match is a finding of one phrase.
type match struct {
	span
	pattern int
}

// find gives the findings in the original text, apart and in order.
func (m *matcher) find(text string) []span {
	var spans []span
	for _, f := range m.findAll(text) {
		spans = append(spans, f.span)
	}
	return disjoint(spans)
}

// findAll gives all findings, as the text is read and as it is read with digits for letters.
func (m *matcher) findAll(text string) []match {
	s := squeeze(folded(text))
	found := m.in(s, s.Text, nil)
	if leeted := unleet(s.Text); leeted != s.Text {
		found = m.in(s, leeted, found)
	}
	return found
}

func (m *matcher) in(s pii.Seen, text string, found []match) []match {
	m.auto.each(text, func(pattern, end int) {
		start := end - m.length[pattern]
		if wordEdge(text, start) && wordEdge(text, end) {
			from, to := s.Original(start, end)
			found = append(found, match{span{start: from, end: to}, pattern})
		}
	})
	return found
}

// wordEdge reports whether no word goes on across i. In scripts without spaces every place is an edge.
func wordEdge(text string, i int) bool {
	if i <= 0 || i >= len(text) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i:])
	return !wordRune(before) || !wordRune(after)
}

func wordRune(r rune) bool {
	return r < utf8.RuneSelf && alnum(byte(r)) || r >= 0xc0 && r < 0x2000
}

// squeeze makes one space of every run of spaces and line ends.
func squeeze(s pii.Seen) pii.Seen {
	var b strings.Builder
	b.Grow(len(s.Text))
	at := make([]int32, 0, len(s.Text)+1)
	space := false
	for i := range len(s.Text) {
		c := s.Text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			if space {
				continue
			}
			c, space = ' ', true
		} else {
			space = false
		}
		b.WriteByte(c)
		at = append(at, s.At[i])
	}
	return pii.Seen{Text: b.String(), At: append(at, s.At[len(s.Text)])}
}

// automaton is Aho and Corasick's (Communications of the ACM, 1975): it finds all patterns in one pass over the text.
type automaton struct {
	next [][256]int32
	fail []int32
	out  [][]int32 // patterns that end in a state
}

func newAutomaton(patterns []string) *automaton {
	a := &automaton{next: make([][256]int32, 1), fail: make([]int32, 1), out: make([][]int32, 1)}
	for n, p := range patterns {
		state := int32(0)
		for i := range len(p) {
			to := a.next[state][p[i]]
			if to == 0 {
				to = int32(len(a.next))
				a.next, a.fail, a.out = append(a.next, [256]int32{}), append(a.fail, 0), append(a.out, nil)
				a.next[state][p[i]] = to
			}
			state = to
		}
		a.out[state] = append(a.out[state], int32(n))
	}
	a.link()
	return a
}

// link completes the transitions breadth first, so that a search never goes back.
func (a *automaton) link() {
	var queue []int32
	for _, to := range a.next[0] {
		if to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		for c, to := range a.next[state] {
			behind := a.next[a.fail[state]][c]
			if to == 0 {
				a.next[state][c] = behind
				continue
			}
			a.fail[to] = behind
			a.out[to] = append(slices.Clip(a.out[to]), a.out[behind]...)
			queue = append(queue, to)
		}
	}
}

// each calls visit for every match: the pattern's number and the offset after it.
func (a *automaton) each(text string, visit func(pattern, end int)) {
	state := int32(0)
	for i := range len(text) {
		state = a.next[state][text[i]]
		for _, p := range a.out[state] {
			visit(int(p), i+1)
		}
	}
}
