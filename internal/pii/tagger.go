package pii

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/pii/crf"
)

// Names, places, organisations and what else has no form of its own are told by a conditional random field over words: the word,
// its ends and shape, lists of names, its neighbours, and what the recognisers say of it. bench/data/pii/train makes it.
//
//go:embed entities.bin
var entitiesFile []byte

// tagged are the types that the model knows. Tag 0 is none of them, 2i+1 the first token of tagged[i], 2i+2 a further one.
var tagged = []Type{Person, Location, Address, Organization, Date, Title, Age, Nationality, Postcode, Phone}

// Tags is the number of tags of the model.
var Tags = 2*len(tagged) + 1

// TagOf is the tag of a token of a type; 0 for types that the model does not know.
func TagOf(t Type, first bool) uint8 {
	i := slices.Index(tagged, t)
	switch {
	case i < 0:
		return 0
	case first:
		return uint8(2*i + 1)
	}
	return uint8(2*i + 2)
}

// Follows says whether a tag may follow another: a further token follows one of its own type.
func Follows(from, to int) bool { return to == 0 || to%2 == 1 || from == to || from == to-1 }

var entities = sync.OnceValue(func() *crf.Model {
	m, err := crf.Load(entitiesFile)
	if err != nil {
		panic("pii: the embedded model is broken: " + err.Error()) // every test would see it
	}
	return m
})

// tagger is the memory of one scan.
type tagger struct {
	lexer
	crf.Scratch
	steps [][]uint32
	flat  []uint32
}

var taggers = sync.Pool{New: func() any { return &tagger{} }}

// maxWindow is the most tokens that are tagged at once; a longer text is cut at line ends or anywhere.
const maxWindow = 400

// maxPiece is the most bytes of a text that are cut into tokens at once: a token takes some ninety bytes, and a text may be all signs.
const maxPiece = 64 << 10

// tag finds what the model knows, given what the recognisers found (sorted, disjoint), and what the words say by themselves.
func (tg *tagger) tag(m *crf.Model, text string, known []span, found []span) (said, plain []span) {
	for at := 0; at < len(text); {
		end := at + piece(text[at:])
		ts := tg.read(text, at, end, known)
		plain = plainWords(text, ts, plain)
		for len(ts) > 0 {
			n := window(ts)
			tags, margins := m.Decode(tg.features(ts[:n]), &tg.Scratch)
			found = collect(ts[:n], tags, margins, found)
			ts = ts[n:]
		}
		at = end
	}
	return found, plain
}

// piece is the length of the part of a text that is read next: up to the end of a line, of a word, or of a character.
func piece(text string) int {
	if len(text) <= maxPiece {
		return len(text)
	}
	for _, edge := range []string{"\n", " "} {
		if i := strings.LastIndex(text[maxPiece/2:maxPiece], edge); i >= 0 {
			return maxPiece/2 + i + 1
		}
	}
	n := maxPiece
	for n > maxPiece-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

// read cuts a part of a text into tokens and notes what recognisers found of each.
func (tg *tagger) read(text string, from, to int, known []span) []token {
	ts := tg.cut(text[from:to])
	for i := range ts {
		ts[i].start, ts[i].end = ts[i].start+from, ts[i].end+from
	}
	i := 0
	for _, sp := range known {
		for i < len(ts) && ts[i].end <= sp.start {
			i++
		}
		for j := i; j < len(ts) && ts[j].start < sp.end; j++ {
			ts[j].hint = uint8(slices.Index(hinted, sp.kind) + 1)
		}
	}
	return ts
}

// hinted are the types whose recognisers the model listens to.
var hinted = []Type{Email, URL, IBAN, Card, IP, NationalID, SSN, Phone, Date, BirthDate}

// window is the number of tokens that are tagged together.
func window(ts []token) int {
	if len(ts) <= maxWindow {
		return len(ts)
	}
	for n := maxWindow; n > maxWindow/2; n-- {
		if ts[n].gap == gapLine {
			return n
		}
	}
	return maxWindow
}

// collect makes spans of tags.
func collect(ts []token, tags []uint8, margins []float32, found []span) []span {
	for i := 0; i < len(ts); {
		tag := tags[i]
		if tag == 0 {
			i++
			continue
		}
		j, sure := i+1, margins[i]
		for j < len(ts) && tags[j] == tag+1 {
			sure = max(sure, margins[j])
			j++
		}
		found = append(found, span{start: ts[i].start, end: ts[j-1].end, kind: tagged[(tag-1)/2], rule: "model", sure: sure})
		i = j
	}
	return found
}

// Kinds of features. Each is a feature of its own for each thing seen there.
const (
	kindBias = iota + 1
	kindWord
	kindPair    = kindWord + 8
	kindShape   = kindPair + 8
	kindEnd     = kindShape + 8
	kindFlag    = kindEnd + 8
	kindFlags   = kindFlag + 4
	kindMixed   = kindFlags + 8
	kindGap     = kindMixed + 12
	kindHint    = kindGap + 4
	perToken    = 72
	allLower    = 1
	allUpper    = 2
	flagsForSet = flagGiven | flagFamily | flagPlace | flagCapital | flagUpper | flagDigits | flagMixed
)

// features gives the features of each token. They are the tagger's own until the next call.
func (tg *tagger) features(ts []token) [][]uint32 {
	tg.flat = slices.Grow(tg.flat[:0], len(ts)*perToken)
	tg.steps = slices.Grow(tg.steps[:0], len(ts))
	letters := caseOf(ts)
	for i := range ts {
		start := len(tg.flat)
		tg.flat = appendFeatures(tg.flat, ts, i, letters)
		tg.steps = append(tg.steps, tg.flat[start:len(tg.flat):len(tg.flat)])
	}
	return tg.steps
}

// caseOf tells texts without any capital, and texts in capitals, from others.
func caseOf(ts []token) uint64 {
	capitals, upper, words := 0, 0, 0
	for i := range ts {
		f := ts[i].flags
		if f&(flagDigits|flagMixed) != 0 || ts[i].ends[0] == 0 {
			continue
		}
		words++
		if f&flagCapital != 0 {
			capitals++
		}
		if f&flagUpper != 0 {
			upper++
		}
	}
	switch {
	case capitals == 0:
		return allLower
	case words > 3 && upper > words*3/4:
		return allUpper
	}
	return 0
}

// edge is what stands before the first token and after the last.
var edge = token{word: 1, shape: 1, gap: gapLine}

func appendFeatures(out []uint32, ts []token, i int, letters uint64) []uint32 {
	at := func(j int) *token {
		if j < 0 || j >= len(ts) {
			return &edge
		}
		return &ts[j]
	}
	add := func(kind uint32, seen uint64) { out = append(out, crf.Hash(kind, seen)) }
	t, b1, b2, b3, a1, a2 := &ts[i], at(i-1), at(i-2), at(i-3), at(i+1), at(i+2)
	add(kindBias, letters)
	for k, n := range [...]*token{t, b1, a1, b2, a2, b3} {
		add(kindWord+uint32(k), n.word)
	}
	for k, p := range [...][2]*token{{b1, t}, {t, a1}, {b2, b1}, {a1, a2}, {b1, a1}} {
		add(kindPair+uint32(k), p[0].word*31+p[1].word)
	}
	add(kindPair+5, (b3.word*31+b2.word)*31+b1.word)
	shape := t.shape + letters
	for k, s := range [...]uint64{shape, b1.shape*31 + shape, shape*31 + a1.shape, (b1.shape*31+shape)*31 + a1.shape, b1.shape, a1.shape,
		(b2.shape*31+b1.shape)*31 + shape, (shape*31+a1.shape)*31 + a2.shape} {
		add(kindShape+uint32(k), s)
	}
	for k, e := range t.ends {
		if e != 0 {
			add(kindEnd+uint32(k), e)
		}
	}
	for k, n := range [...]*token{t, b1, a1} {
		for f := n.flags; f != 0; f &= f - 1 {
			add(kindFlag+uint32(k), uint64(f&-f))
		}
	}
	set := func(n *token) uint64 { return uint64(n.flags&flagsForSet)<<8 | uint64(n.hint) }
	add(kindFlags, set(t)<<8|letters)
	add(kindFlags+1, set(b1)<<32|set(t))
	add(kindFlags+2, set(t)<<32|set(a1))
	add(kindFlags+3, (set(b1)*31+set(t))*31+set(a1))
	add(kindFlags+4, (set(b2)*31+set(b1))*31+set(t))
	add(kindFlags+5, uint64(t.flags)<<8|letters)
	for k, s := range [...]uint64{b1.word*31 + shape, a1.word*31 + shape, b1.word*31 + set(t), a1.word*31 + set(t), (b2.word*31+b1.word)*31 + set(t),
		(b1.word*31+set(t))*31 + a1.word, uint64(b1.flags)*31 + set(t), uint64(a1.flags)*31 + set(t), b2.word*31 + set(t)} {
		add(kindMixed+uint32(k), s)
	}
	add(kindGap, uint64(t.gap)<<2|uint64(a1.gap))
	add(kindGap+1, uint64(t.gap)<<40|set(t))
	add(kindHint, uint64(b1.hint)<<16|uint64(t.hint)<<8|uint64(a1.hint))
	return out
}

// Sequence is a text as the model sees it, for training: where its tokens are, and their features.
type Sequence struct {
	Tokens [][2]int
	Steps  [][]uint32
}

// SequenceOf prepares a text for training, just as Find does for tagging.
func SequenceOf(text string, g *Gazetteer) Sequence {
	tg := &tagger{}
	tg.names = g
	ts := tg.read(text, 0, len(text), (&Engine{wanted: allTypes()}).recognise(text, nil))
	out := Sequence{}
	for i := range ts {
		out.Tokens = append(out.Tokens, [2]int{ts[i].start, ts[i].end})
	}
	for _, step := range tg.features(ts) {
		out.Steps = append(out.Steps, slices.Clone(step))
	}
	return out
}
