package datacheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/rows"
)

// vocabulary counts the words of all texts in a table of hashes, and remembers how words begin, so that a word that is cut off can be
// told: it is no word of these rows and the beginning of one.
type vocabulary struct {
	counts []uint8  // by hash, up to 255
	begins []uint64 // bits, by hash of a word's beginning
	words  int
}

const (
	wordBits  = 22
	beginBits = 24
	maxWords  = 50_000_000 // after which no further words are counted
)

func newVocabulary() *vocabulary {
	return &vocabulary{counts: make([]uint8, 1<<wordBits), begins: make([]uint64, 1<<(beginBits-6))}
}

// FNV-1a, so that the beginnings of a word come with the word.
const (
	fnvStart = 14695981039346656037
	fnvPrime = 1099511628211
)

func mixed(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

func (v *vocabulary) add(text []byte) {
	if v.words > maxWords {
		return
	}
	h, n := uint64(fnvStart), 0
	var marks [32]uint64
	end := func() {
		if n >= 3 && n <= len(marks) {
			v.words++
			c := &v.counts[mixed(h)>>(64-wordBits)]
			if *c < 255 {
				*c++
			}
			for _, b := range marks[2 : n-1] { // beginnings of three letters and more, shorter than the word
				b = mixed(b) >> (64 - beginBits)
				v.begins[b/64] |= 1 << (b % 64)
			}
		}
		h, n = fnvStart, 0
	}
	for len(text) > 0 {
		r, size := rune(text[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text)
		}
		text = text[size:]
		if r < utf8.RuneSelf && 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		} else if r >= utf8.RuneSelf {
			r = unicode.ToLower(r)
		}
		if r < 'a' || r > 'z' && r < utf8.RuneSelf || r >= utf8.RuneSelf && !unicode.IsLetter(r) {
			end()
			continue
		}
		h = (h ^ uint64(r)) * fnvPrime
		if n < len(marks) {
			marks[n] = h
		}
		n++
	}
	end()
}

// cut reports whether a word looks like the beginning of another: nowhere else in the rows, and others begin so.
func (v *vocabulary) cut(word string) bool {
	h := uint64(fnvStart)
	for _, r := range word {
		h = (h ^ uint64(unicode.ToLower(r))) * fnvPrime
	}
	b := mixed(h) >> (64 - beginBits)
	return v.counts[mixed(h)>>(64-wordBits)] <= 1 && v.begins[b/64]&(1<<(b%64)) != 0
}

// The ways in which a text can end before its end, as bits.
const (
	unclosed   = 1 << iota // brackets, JSON, a fence or a quote opened and not closed
	midWord                // in the middle of a word
	danglingBy             // with a word or sign that needs another after it
	midPhrase              // without the sign that ends a sentence, where the others have one
	atLimit                // at exactly the longest length, which many have
	ways       = 1 << iota
)

var wayWords = []string{"brackets, JSON, a fence or a quote stay open", "in the middle of a word", "with a word or sign that needs another after it", "without the sign that ends a sentence, as most others have", "at exactly the length that is the longest, as many others"}

// endStat counts the texts of one side by how they end. All ways are counted at once, since which of them hold is known at the end only.
type endStat struct {
	counts   [ways]int
	examples [ways][]ExampleRow
	n        int // texts
	longer   int // texts of eight words and more, which can lack an end
	ended    int // of these, those that end like a sentence
	inMarks  int // of those with brackets, those that close them
	marks    int
	lengths  map[int]int // length in characters → texts
	longest  int
	long     []ExampleRow // rows of the longest length
}

const wordsOfSentence = 8

// dangling are words that a sentence does not end with (English; other languages have the other signs).
var dangling = regexp.MustCompile(`(?i)(^|[^\pL])(the|a|an|and|or|but|of|to|with|for|from|by|as|because|if|which|whose|their|your|our|my|its|is|are|was|were|und|oder|der|die|das|mit|von|et|ou|le|la|les|des|avec|y|el|los|las|del)$|[,(\[{:;&/=+–—-]$`)

// endOf says in which ways a text seems to end before its end, whatever the others are like.
func (v *vocabulary) endOf(text []byte, e *endStat) int {
	s := bytes.TrimRight(text, " \t\r\n")
	if len(s) == 0 {
		return 0
	}
	e.n++
	way := 0
	if opens, open := stillOpen(s); opens {
		e.marks++
		if open {
			way |= unclosed
		} else {
			e.inMarks++
		}
	}
	words := bytes.Count(s, []byte(" "))
	tail := s[max(0, len(s)-60):]
	ended := endsSentence(tail)
	if words+1 >= wordsOfSentence {
		e.longer++
		if ended {
			e.ended++
		} else {
			way |= midPhrase
		}
	}
	if ended || words+1 < 4 {
		return way
	}
	if dangling.Match(tail) {
		way |= danglingBy
	}
	if w := lastWord(tail); utf8.RuneCountInString(w) >= 3 && v.cut(w) {
		way |= midWord
	}
	return way
}

// endsSentence reports a text that ends with the sign of an end, quotes and brackets after it apart.
func endsSentence(tail []byte) bool {
	s := strings.TrimRight(string(tail), "\"'”’»)]}*_` \n")
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?…。！？।؟:|", r) || len(s) == 0 || strings.HasSuffix(string(tail), "```") || strings.HasSuffix(string(tail), "}") || strings.HasSuffix(string(tail), "]") || strings.HasSuffix(string(tail), ">") ||
		unicode.Is(unicode.So, r) // a sentence may end with a picture
}

func lastWord(tail []byte) string {
	s := string(tail)
	i := strings.LastIndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	if i < 0 {
		return ""
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return s[i+size:]
}

// stillOpen reports whether a text has what must be closed, and whether some of it is not: fences, JSON, brackets.
func stillOpen(s []byte) (opens, open bool) {
	if n := bytes.Count(s, []byte("```")); n > 0 {
		return true, n%2 == 1
	}
	if s[0] == '{' || s[0] == '[' {
		var v any
		err := json.Unmarshal(s, &v)
		return true, err != nil && strings.Contains(err.Error(), "unexpected end")
	}
	if !bytes.ContainsAny(s, "([{") {
		return false, false
	}
	depth, last := 0, 0
	for i, c := range s {
		switch c {
		case '(', '[', '{':
			if c == '(' && i > 0 && (s[i-1] == ':' || s[i-1] == ';' || s[i-1] == '-') {
				continue // a face
			}
			depth++
			last = i
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return true, depth > 0 && len(s)-last < 400 // a bracket far from the end is a slip, not a cut
}

func (e *endStat) add(way int, length int, row func() ExampleRow) {
	if e.lengths == nil {
		e.lengths = map[int]int{}
	}
	e.lengths[length]++
	if length >= e.longest {
		if length > e.longest {
			e.longest, e.long = length, nil
		}
		if len(e.long) < 3 {
			e.long = append(e.long, row())
		}
	}
	e.counts[way]++
	if way != 0 && len(e.examples[way]) < 3 {
		e.examples[way] = append(e.examples[way], row())
	}
}

// The shares of the set from which a way to end says something.
const (
	endingShare  = .8 // of the longer texts end like sentences, for those that do not to be cut
	closingShare = .8 // of the texts with brackets close them
	limitRows    = 5  // texts of exactly the longest length
	limitTimes   = 5  // times as many as of each of the lengths below it
)

// active are the ways that say something in this set.
func (e *endStat) active() int {
	way := danglingBy | midWord
	if e.longer >= 20 && float64(e.ended) >= endingShare*float64(e.longer) {
		way |= midPhrase
	}
	if e.longer < 20 || float64(e.ended) < .5*float64(e.longer) {
		way &^= midWord | danglingBy // lists, titles, chat: nobody ends a sentence here
	}
	if e.marks < 20 || float64(e.inMarks) >= closingShare*float64(e.marks) {
		way |= unclosed
	}
	return way
}

// limited is how many texts have exactly the longest length, where that is more than chance: a limit that cut them off.
func (e *endStat) limited() int {
	n := e.lengths[e.longest]
	if n < limitRows || e.longest < 40 {
		return 0
	}
	below := 0
	for i := 1; i <= 20; i++ {
		below += e.lengths[e.longest-i]
	}
	if float64(n) < limitTimes*float64(below)/20 {
		return 0
	}
	return n
}

// again is the second pass: what shows only when all rows are known.
func (c *checker) again(ctx context.Context) error {
	p := &secondPass{c: c, ends: [2]endStat{}, gives: newGiveaways(c)}
	set, err := rows.Open(ctx, []string{c.work.path}, "")
	if err != nil {
		return err
	}
	defer func() { _ = set.Close() }()
	if err := set.Each(ctx, func(_ int, r rows.Row) error { return p.row(r) }); err != nil {
		return err
	}
	p.report()
	return nil
}

type secondPass struct {
	c     *checker
	x     rows.Extractor
	ends  [2]endStat
	gives *giveaways
}

func (p *secondPass) row(r rows.Row) error {
	members, err := p.x.Members(r.Raw)
	if err != nil {
		return fmt.Errorf("the working copy: %w", err)
	}
	output := rows.Get(members, "output")
	text := str(rows.Get(members, "text"))
	p.end(0, []byte(text), members)
	if typeOf(output) == "string" && p.c.scan.kind() != "labels" {
		p.end(1, []byte(str(output)), members)
	}
	p.gives.add(members, text, output)
	return nil
}

func (p *secondPass) end(side int, text []byte, members []rows.Member) {
	e := &p.ends[side]
	way := p.c.scan.words.endOf(text, e)
	e.add(way, utf8.RuneCount(text), func() ExampleRow {
		s := bytes.TrimSpace(text)
		tail := s[max(0, len(s)-shownText):]
		for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
			tail = tail[1:]
		}
		if len(tail) < len(s) {
			tail = append([]byte("…"), tail...)
		}
		return p.c.example(members, string(tail))
	})
}

// surelyEnded is the share of texts that end like sentences from which one that does not is probably cut. Below it people leave the sign out:
// 9 % do in e2e_nlg, 1.6 % in mts_dialog.
const surelyEnded = .95

// tally counts the texts of the ways that are wanted, by the words for them.
func (e *endStat) tally(active int, want func(way int) bool) (counts map[string]int, n int, examples []ExampleRow) {
	counts = map[string]int{}
	for way := range ways {
		if e.counts[way] == 0 || !want(way) {
			continue
		}
		n += e.counts[way]
		for i, words := range wayWords {
			if way&active&(1<<i) != 0 {
				counts[words] += e.counts[way]
			}
		}
		for _, x := range e.examples[way] {
			x.Why = strings.Join(waysOf(way&active), "; ")
			examples = append(examples, x)
		}
	}
	return counts, n, examples
}

func (p *secondPass) report() {
	p.c.did("truncated")
	for side, what := range []string{"inputs", "outputs"} {
		e := &p.ends[side]
		severity := Warn
		if side == 0 {
			severity = Note
		}
		active := e.active()
		method := fmt.Sprintf("rules, held against the set: %d of %d longer texts end like sentences", e.ended, e.longer)
		do := "look at them; a model that is trained on cut answers learns to stop in the middle"
		counts, n, examples := e.tally(active, func(way int) bool { return way&active&^midPhrase != 0 })
		p.c.find("truncated", severity, n, e.n, Finding{What: what + " seem to end before their end: " + mostOf(counts, 5), Do: do, Method: method, Examples: examples})
		if float64(e.ended) < surelyEnded*float64(e.longer) {
			severity = Note
		}
		_, n, examples = e.tally(active, func(way int) bool { return way&active == midPhrase })
		p.c.find("truncated", severity, n, e.n, Finding{What: what + " end without the sign that ends a sentence, as most others have", Do: do, Method: method, Examples: examples})
		if n := e.limited(); n > 0 {
			p.c.find("truncated", Warn, n, e.n, Finding{What: fmt.Sprintf("%s of exactly %d characters, the longest there are: a limit has cut them off", what, e.longest), Do: "export them again without the limit",
				Method: "at least five, and five times as many as of each length just below", Examples: e.long})
		}
	}
	p.gives.report()
}

func waysOf(way int) []string {
	var out []string
	for i, words := range wayWords {
		if way&(1<<i) != 0 {
			out = append(out, words)
		}
	}
	return out
}
