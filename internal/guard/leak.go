package guard

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
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

// shingles are the runs of n words of some texts, by their hashes. Under the seed they are the same in every process.
type shingles struct {
	n    int
	seed uint64
	set  map[uint64]struct{}
}

func newShingles(n int, texts []string) *shingles {
	x := &shingles{n: n, seed: rand.Uint64(), set: map[uint64]struct{}{}}
	x.add(texts)
	return x
}

func (x *shingles) add(texts []string) {
	for _, t := range texts {
		x.each(x.words(t), func(_ int, sum uint64) {
			if len(x.set) < maxShingles {
				x.set[sum] = struct{}{}
			}
		})
	}
}

// sum hashes a word: FNV-1a (Fowler, Noll, Vo) from the seed on, mixed at the end.
func (x *shingles) sum(word string) uint64 {
	h := 14695981039346656037 ^ x.seed
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * 1099511628211
	}
	return mixed(h)
}

// mixed is the finaliser of MurmurHash3 (Appleby): each bit of h changes half of those that come out.
func mixed(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
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
		out = append(out, word{x.sum(s.Text[i:end]), from, to})
		i = end
	}
	return out
}

// each visits the hash of every run of n words.
func (x *shingles) each(ws []word, visit func(i int, sum uint64)) {
	for i := 0; i+x.n <= len(ws); i++ {
		h := x.seed
		for k := range x.n {
			h = mixed(h ^ ws[i+k].sum)
		}
		visit(i, h)
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

// newDataLeak compares answers with the training texts, and with those that marks were made of, in the same way.
func newDataLeak(training []string, marks []byte, threshold float64) (checker, error) {
	x := newShingles(dataRun, nil)
	if len(marks) > 0 {
		if err := x.read(marks); err != nil {
			return nil, err
		}
	}
	x.add(training)
	return leakChecker(x, leakWords, threshold, "TRAINING_TEXT"), nil
}

// marksHead begins marks; the seed and the hashes follow, 8 bytes each, little endian.
const marksHead = "rung-marks-1\n"

// Marks are what the guard data_leak needs of training texts to find them again: hashes of their runs of words, and no text. A
// release of an adapter carries them in place of the rows that it was trained on.
func Marks(texts []string) []byte {
	x := newShingles(dataRun, texts)
	b := append(make([]byte, 0, len(marksHead)+8+8*len(x.set)), marksHead...)
	b = binary.LittleEndian.AppendUint64(b, x.seed)
	for _, sum := range slices.Sorted(maps.Keys(x.set)) {
		b = binary.LittleEndian.AppendUint64(b, sum)
	}
	return b
}

func (x *shingles) read(marks []byte) error {
	rest, ok := bytes.CutPrefix(marks, []byte(marksHead))
	if !ok || len(rest) < 8 || len(rest)%8 != 0 || len(rest)/8 > maxShingles+1 {
		return errors.New("the marks of the training texts are damaged")
	}
	x.seed = binary.LittleEndian.Uint64(rest)
	for rest = rest[8:]; len(rest) > 0; rest = rest[8:] {
		x.set[binary.LittleEndian.Uint64(rest)] = struct{}{}
	}
	return nil
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
