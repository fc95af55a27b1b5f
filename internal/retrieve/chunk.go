// Package retrieve cuts documents into passages and finds those that answer a query: by words (BM25), by meaning (exact
// scan over unit vectors), or by both fused. Equal scores are ordered by position, so that a search is repeatable.
package retrieve

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/extract"
)

// CountFunc counts the tokens of a text.
type CountFunc func(text string) int

// EstimateTokens is the count when no tokenizer is at hand: 1.3 tokens per word, more for words of over eight bytes (one per
// six bytes), and one per character of scripts written without spaces. Summed over English texts it lies between 4 % above and
// 12 % below what the tokenizer of SmolLM2 counts (SQuAD, SciFact, COVID-QA).
func EstimateTokens(text string) int {
	tokens := 0.0
	for word := range strings.FieldsSeq(text) {
		unspaced := 0
		for _, r := range word {
			if isUnspaced(r) {
				unspaced++
			}
		}
		if unspaced > 0 {
			tokens += float64(unspaced)
			continue
		}
		tokens += max(1.3, float64(len(word))/6)
	}
	return int(math.Ceil(tokens))
}

// ChunkSpec says how sections are cut. Zero values mean the defaults of rung.RetrievalSpec.
type ChunkSpec struct {
	Target  int       // tokens of a passage, default 700; no passage is counted above it
	Overlap int       // tokens that a passage repeats from the one before, default 80; negative: none
	Count   CountFunc // default EstimateTokens
}

// SpecOf fills in the defaults of a task's retrieval settings. A small target gets a small overlap.
func SpecOf(r rung.RetrievalSpec, count CountFunc) ChunkSpec {
	return ChunkSpec{Target: r.ChunkTokens, Overlap: r.Overlap, Count: count}.filled()
}

func (s ChunkSpec) filled() ChunkSpec {
	if s.Target <= 0 {
		s.Target = 700
	}
	if s.Overlap == 0 {
		s.Overlap = 80
	}
	// An overlap of more than a quarter would fill the index with copies.
	s.Overlap = max(0, min(s.Overlap, s.Target/4))
	if s.Count == nil {
		s.Count = EstimateTokens
	}
	return s
}

// Chunk cuts a document into passages, never across headings: at the ends of paragraphs where one is near, else at the ends
// of sentences, and inside a sentence only if it is longer than the target by itself.
func Chunk(doc extract.Document, spec ChunkSpec) []rung.Passage {
	spec = spec.filled()
	var out []rung.Passage
	for _, section := range doc.Sections {
		for _, part := range cut(section.Text, spec) {
			out = append(out, rung.Passage{
				ID: fmt.Sprintf("%s#%d", doc.Path, len(out)+1), Doc: doc.Path, Heading: section.Heading,
				Text:  section.Text[part.start:part.end],
				Start: section.Start + part.start, End: section.Start + part.end, Groups: doc.Groups,
			})
		}
	}
	return out
}

// atom is what is never cut: a sentence, or a piece of one that is too long by itself.
type atom struct {
	start, end int
	tokens     int
	paragraph  bool // a paragraph starts here
}

type piece struct{ start, end int }

// cut packs the atoms of a text into pieces of at most the target, each starting with the overlap of the one before.
func cut(text string, spec ChunkSpec) []piece {
	atoms := atomsOf(text, spec)
	var out []piece
	for from := 0; from < len(atoms); {
		to, sum := from, 0
		for to < len(atoms) && (to == from || sum+atoms[to].tokens <= spec.Target) {
			sum += atoms[to].tokens
			to++
		}
		if to < len(atoms) {
			to = atParagraph(atoms, from, to, spec.Target)
		}
		out = append(out, piece{atoms[from].start, atoms[to-1].end})
		if to == len(atoms) {
			break
		}
		from = overlapFrom(atoms, from, to, spec)
	}
	return out
}

// atParagraph moves a cut back to the start of a paragraph, if at least half of the target stays.
func atParagraph(atoms []atom, from, to, target int) int {
	kept := 0
	for i := from; i < to; i++ {
		kept += atoms[i].tokens
	}
	for i := to; i > from; i-- {
		if atoms[i].paragraph {
			return i
		}
		kept -= atoms[i-1].tokens
		if kept*2 < target {
			break
		}
	}
	return to
}

// overlapFrom is where the next piece starts: some whole atoms before the cut, fewer if the next atom would not fit.
func overlapFrom(atoms []atom, from, to int, spec ChunkSpec) int {
	start, sum := to, 0
	for start-1 > from && sum+atoms[start-1].tokens <= spec.Overlap &&
		sum+atoms[start-1].tokens+atoms[to].tokens <= spec.Target {
		start--
		sum += atoms[start].tokens
	}
	return start
}

func atomsOf(text string, spec ChunkSpec) []atom {
	var out []atom
	at := 0
	for _, paragraph := range strings.SplitAfter(text, "\n\n") {
		first := true
		for _, s := range sentences(paragraph) {
			for _, p := range fit(paragraph, s, spec) {
				out = append(out, atom{at + p.start, at + p.end, spec.Count(paragraph[p.start:p.end]), first})
				first = false
			}
		}
		at += len(paragraph)
	}
	return out
}

// sentences are the trimmed sentences of a paragraph. Lines of lists and tables count as sentences.
func sentences(text string) []piece {
	var out []piece
	start := 0
	for i, r := range text {
		end := 0
		switch r {
		case '\n':
			if next := strings.TrimLeft(text[i+1:], " \t"); next == "" || strings.ContainsRune("-*+|#>0123456789", rune(next[0])) {
				end = i + 1
			}
		case '.', '!', '?', '…':
			if ends(text, i, utf8.RuneLen(r)) {
				end = i + utf8.RuneLen(r)
			}
		case '。', '！', '？', '।':
			end = i + utf8.RuneLen(r)
		}
		if end > 0 {
			out = appendTrimmed(out, text, start, end)
			start = end
		}
	}
	return appendTrimmed(out, text, start, len(text))
}

// ends reports whether the mark at i closes a sentence: white space and then no lower-case letter, and not after an initial
// ("J. Smith") or the number of a list item. A missed end only makes a longer sentence.
func ends(text string, i, width int) bool {
	rest := text[i+width:]
	next := strings.TrimLeft(rest, " \t\n\"')]”’")
	if len(next) == len(rest) && rest != "" {
		return false
	}
	if r, _ := utf8.DecodeRuneInString(next); unicode.IsLower(r) {
		return false
	}
	at := strings.LastIndexAny(text[:i], " \t\n") + 1
	word := text[at:i]
	if r, n := utf8.DecodeRuneInString(word); n == len(word) && unicode.IsUpper(r) {
		return next == ""
	}
	numbered := strings.Trim(word, "0123456789") == "" && strings.TrimSpace(text[strings.LastIndexByte(text[:at], '\n')+1:at]) == ""
	return next == "" || !numbered
}

func appendTrimmed(out []piece, text string, start, end int) []piece {
	s := text[start:end]
	start += len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
	end = start + len(strings.TrimSpace(s))
	if start >= end {
		return out
	}
	return append(out, piece{start, end})
}

// fit halves a piece, at a space near its middle if there is one, until every part is within the target.
func fit(text string, p piece, spec ChunkSpec) []piece {
	if p.end-p.start < 2 || spec.Count(text[p.start:p.end]) <= spec.Target {
		return []piece{p}
	}
	mid := middle(text[p.start:p.end])
	if mid == 0 {
		return []piece{p}
	}
	left := appendTrimmed(nil, text, p.start, p.start+mid)
	right := appendTrimmed(nil, text, p.start+mid, p.end)
	var out []piece
	for _, half := range append(left, right...) {
		out = append(out, fit(text, half, spec)...)
	}
	return out
}

// middle is an offset inside s to cut at: after the white space nearest to the middle, else between two characters there.
// It is 0 when s cannot be cut.
func middle(s string) int {
	half := len(s) / 2
	before := strings.LastIndexFunc(s[:half], unicode.IsSpace)
	after := strings.IndexFunc(s[half:], unicode.IsSpace)
	switch {
	case after >= 0 && (before < 0 || after < half-before):
		return half + after + 1
	case before > 0:
		return before + 1
	}
	for half > 0 && !utf8.RuneStart(s[half]) {
		half--
	}
	if half == 0 {
		_, half = utf8.DecodeRuneInString(s)
		if half >= len(s) {
			return 0
		}
	}
	return half
}
