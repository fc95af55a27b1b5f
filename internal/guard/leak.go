package guard

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"slices"

	"github.com/rung-dev/rung"
)

// A leak is a run of words that a secret text and an answer have in common. Words are compared folded, so that capitals,
// accents and invisible characters hide nothing; a paraphrase is not found.

const (
	promptRun = 5  // words in a row that count as copied from a prompt
	dataRun   = 8  // and from a training text
	leakWords = 12 // a run of as many words scores 1, unless the secret text is shorter
	// maxShingles bounds the index of training texts: 8 bytes each and the table's room.
	maxShingles = 5_000_000
)

// shingles are the runs of n words of some texts, by their hashes.
type shingles struct {
	n    int
	seed maphash.Seed
	set  map[uint64]struct{}
}

func newShingles(n int, texts []string) *shingles {
	x := &shingles{n: n, seed: maphash.MakeSeed(), set: map[uint64]struct{}{}}
	for _, t := range texts {
		x.each(x.words(t), func(_ int, sum uint64) {
			if len(x.set) < maxShingles {
				x.set[sum] = struct{}{}
			}
		})
	}
	return x
}

// word is a word's hash and its place in the original text.
type word struct {
	sum        uint64
	start, end int
}

func (x *shingles) words(text string) []word {
	s := folded(text)
	var out []word
	for i := 0; i < len(s.Text); {
		if !letter(s.Text[i]) && !digit(s.Text[i]) {
			i++
			continue
		}
		end := i
		for end < len(s.Text) && (letter(s.Text[end]) || digit(s.Text[end])) {
			end++
		}
		from, to := s.Original(i, end)
		out = append(out, word{maphash.String(x.seed, s.Text[i:end]), from, to})
		i = end
	}
	return out
}

// each visits the hash of every run of n words.
func (x *shingles) each(ws []word, visit func(i int, sum uint64)) {
	buf := make([]byte, 8*x.n)
	for i := 0; i+x.n <= len(ws); i++ {
		for k := range x.n {
			binary.LittleEndian.PutUint64(buf[8*k:], ws[i+k].sum)
		}
		visit(i, maphash.Bytes(x.seed, buf))
	}
}

// copied gives the runs of the text that stand in the index, and the number of words of the longest.
func (x *shingles) copied(text, kind string) (spans []span, longest int) {
	ws := x.words(text)
	first, last := -1, -1
	flush := func() {
		if first >= 0 {
			spans = append(spans, span{ws[first].start, ws[last].end, kind})
			longest = max(longest, last-first+1)
			first = -1
		}
	}
	x.each(ws, func(i int, sum uint64) {
		if _, ok := x.set[sum]; !ok {
			return
		}
		if first >= 0 && i > last-x.n+2 {
			flush()
		}
		if first < 0 {
			first = i
		}
		last = i + x.n - 1
	})
	flush()
	return spans, longest
}

const defaultLeak = .8

// newPromptLeak compares answers with the system prompt. The score is the longest run of common words over 12, or over the
// length of a shorter prompt.
func newPromptLeak(system string, threshold float64) checker {
	x := newShingles(promptRun, nil)
	size := len(x.words(system))
	x.n = max(1, min(promptRun, size))
	x.each(x.words(system), func(_ int, sum uint64) { x.set[sum] = struct{}{} })
	return leakChecker(x, max(1, min(leakWords, size)), threshold, "SYSTEM_PROMPT")
}

// newDataLeak compares answers with the training texts in the same way.
func newDataLeak(training []string, threshold float64) checker {
	return leakChecker(newShingles(dataRun, training), leakWords, threshold, "TRAINING_TEXT")
}

func leakChecker(x *shingles, full int, threshold float64, kind string) checker {
	if threshold == 0 {
		threshold = defaultLeak
	}
	return func(_ context.Context, _ rung.GuardStage, text string) (result, error) {
		spans, longest := x.copied(text, kind)
		score := min(1, float64(longest)/float64(full))
		if longest == 0 || score < threshold {
			return result{score: score}, nil
		}
		spans = slices.DeleteFunc(spans, func(sp span) bool {
			return float64(len(x.words(text[sp.start:sp.end])))/float64(full) < threshold
		})
		return result{hit: true, score: score, spans: spans}, nil
	}
}

// TrainingTexts are the texts of examples that a model may have learned by heart: the strings of their inputs and outputs.
func TrainingTexts(examples []rung.Example) []string {
	var out []string
	add := func(value json.RawMessage) {
		units, err := parseUnits(string(value))
		if err != nil { // an example is JSON; what is none cannot have been trained on
			return
		}
		for _, u := range units {
			if u.quoted && !u.name {
				out = append(out, u.text)
			}
		}
	}
	for i := range examples {
		add(examples[i].Input)
		for _, o := range examples[i].Expected() {
			add(o)
		}
	}
	return out
}
