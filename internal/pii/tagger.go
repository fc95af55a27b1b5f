package pii

import (
	_ "embed"
	"strings"
	"unicode"

	"github.com/rung-dev/rung/internal/guard/linear"
)

// Names that are on no list are told by two linear models: is this word part of a person's name, of a place's? They look at the
// word's form, its beginning and end, and the words around it. bench/guards/train makes them.

//go:embed person.bin
var personWeights []byte

//go:embed place.bin
var placeWeights []byte

// tagger marks words.
type tagger struct {
	model *linear.Model
	least float64 // probability from which a word is marked
}

// The probabilities are those at which about nine of ten marked words were rightly marked in cross-validation.
var taggers = struct{ person, place tagger }{mustTagger(personWeights, .4), mustTagger(placeWeights, .5)}

func mustTagger(weights []byte, least float64) tagger {
	m, err := linear.Load(weights)
	if err != nil {
		panic("guard: the embedded weights are broken: " + err.Error()) // every test would see it
	}
	return tagger{m, least}
}

// tag says which words are marked. Words in small letters are not looked at: users' texts hold few names in them, and much else.
func (t tagger) tag(ts []token) []bool {
	out := make([]bool, len(ts))
	for i := range ts {
		if nameable(ts[i]) {
			out[i] = t.model.ScoreFeatures(wordFeatures(ts, i)) >= t.least
		}
	}
	return out
}

// nameable words may be part of a name or an address.
func nameable(t token) bool {
	return t.capital || digit(t.text[0]) || strings.ToUpper(t.text) == t.text
}

// wordFeatures are the hashed features of a word among its neighbours.
func wordFeatures(ts []token, i int) []uint32 {
	t := ts[i]
	out := make([]uint32, 0, 24)
	add := func(kind byte, text string) { out = append(out, linear.Hash(kind, text)) }
	add(16, "")
	add(17, t.lower)
	add(18, shape(t.text))
	add(19, t.lower[:min(3, len(t.lower))])
	add(20, t.lower[max(0, len(t.lower)-3):])
	add(21, t.lower[max(0, len(t.lower)-2):])
	if givenNames[t.lower] {
		add(22, "")
	}
	if places[t.lower] || placeParts[t.lower] {
		add(23, "")
	}
	if t.opens {
		add(24, shape(t.text))
	}
	for d := -3; d <= 3; d++ {
		kind := byte(40 + d)
		switch j := i + d; {
		case d == 0:
		case j < 0 || j >= len(ts):
			add(kind, "<>")
		default:
			add(kind, ts[j].lower)
			if d >= -2 && d <= 2 {
				add(kind+10, shape(ts[j].text))
				if givenNames[ts[j].lower] {
					add(kind+20, "")
				}
			}
		}
	}
	add(70, gapOf(ts, i)+"|"+gapOf(ts, i+1))
	if i > 0 {
		add(71, ts[i-1].lower+"|"+shape(t.text))
	}
	if i > 1 {
		add(72, ts[i-2].lower+"|"+ts[i-1].lower)
	}
	return out
}

func gapOf(ts []token, i int) string {
	if i >= len(ts) {
		return "<>"
	}
	return ts[i].gap[:min(3, len(ts[i].gap))]
}

// shape is the word's form: Xx, XX, x, 9, with repeats left out.
func shape(w string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range w {
		c := r
		switch {
		case unicode.IsUpper(r):
			c = 'X'
		case unicode.IsDigit(r):
			c = '9'
		case unicode.IsLetter(r):
			c = 'x'
		}
		if c != last {
			b.WriteRune(c)
		}
		last = c
	}
	return b.String()
}

// Word is a word of a text with its features, for training.
type Word struct {
	Start, End int
	Features   []uint32
}

// Words are the words of a text that could be part of a name.
func Words(text string) []Word {
	ts := tokens(text)
	var out []Word
	for i := range ts {
		if nameable(ts[i]) {
			out = append(out, Word{ts[i].start, ts[i].end, wordFeatures(ts, i)})
		}
	}
	return out
}
