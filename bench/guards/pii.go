package main

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
)

// sentence is a row of the PII data set. Offsets count characters, not bytes.
type sentence struct {
	Text     string `json:"text"`
	Template int    `json:"template_id"`
	Spans    []struct {
		Type       string `json:"type"`
		Start, End int
	} `json:"spans"`
}

// kindOf maps the data set's types to ours. Types that are not here are not looked for.
var kindOf = map[string]string{"PERSON": "PERSON", "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CREDIT_CARD", "IBAN_CODE": "IBAN",
	"US_SSN": "US_SSN", "IP_ADDRESS": "IP", "DOMAIN_NAME": "URL", "GPE": "LOCATION", "STREET_ADDRESS": "LOCATION", "ZIP_CODE": "LOCATION"}

// marked is a finding: bytes of the text.
type marked struct {
	kind       string
	start, end int
}

// gold are the labelled spans of the types that are looked for.
func (s sentence) gold() []marked {
	at := make([]int, 0, len(s.Text)+1)
	for i := range s.Text {
		at = append(at, i)
	}
	at = append(at, len(s.Text))
	var out []marked
	for _, sp := range s.Spans {
		if kind := kindOf[sp.Type]; kind != "" {
			out = append(out, marked{kind, at[sp.Start], at[sp.End]})
		}
	}
	return out
}

// ours are the findings of the guard.
func ours(text string) []marked {
	var out []marked
	for _, f := range pii.Find(text, rung.GuardEntities) {
		out = append(out, marked{f.Type, f.Start, f.End})
	}
	return out
}

func touch(a, b marked) bool { return a.start < b.end && b.start < a.end }

// score counts, for each kind, labelled spans that a finding of that kind touches, and findings that touch no such span; and
// the share of labelled characters that any finding covers.
type piiScore struct {
	by             map[string]*tally
	covered, chars int
}

func newPIIScore() *piiScore { return &piiScore{by: map[string]*tally{}} }

func (p *piiScore) of(kind string) *tally {
	if p.by[kind] == nil {
		p.by[kind] = &tally{}
	}
	return p.by[kind]
}

func (p *piiScore) add(text string, gold, said []marked) {
	for _, g := range gold {
		hit := slices.ContainsFunc(said, func(m marked) bool { return m.kind == g.kind && touch(m, g) })
		p.of(g.kind).add(true, hit)
		for i, r := range text[g.start:g.end] {
			p.chars++
			if at := g.start + i; slices.ContainsFunc(said, func(m marked) bool { return m.start <= at && at+utf8.RuneLen(r) <= m.end }) {
				p.covered++
			}
		}
	}
	for _, m := range said {
		if !slices.ContainsFunc(gold, func(g marked) bool { return g.kind == m.kind && touch(m, g) }) {
			p.of(m.kind).fp++
		}
	}
}

func (p *piiScore) print() {
	var all, formed tally
	for _, kind := range rung.GuardEntities {
		t := p.by[kind]
		if t == nil {
			continue
		}
		fmt.Printf("  %-14s precision %.3f  recall %.3f  F1 %.3f  of %d\n", kind, t.precision(), t.recall(), t.f1(), t.tp+t.fn)
		for _, sum := range []*tally{&all, &formed} {
			if sum == &all || kind != "PERSON" && kind != "LOCATION" {
				sum.tp, sum.fp, sum.fn = sum.tp+t.tp, sum.fp+t.fp, sum.fn+t.fn
			}
		}
	}
	fmt.Printf("  %-14s precision %.3f  recall %.3f  F1 %.3f  of %d\n", "with a form", formed.precision(), formed.recall(), formed.f1(), formed.tp+formed.fn)
	fmt.Printf("  %-14s precision %.3f  recall %.3f  F1 %.3f  of %d\n", "all of these", all.precision(), all.recall(), all.f1(), all.tp+all.fn)
	fmt.Printf("  characters of labelled spans that are hidden: %.3f\n\n", ratio(p.covered, p.chars))
}

func personal(d dir) {
	score, n := newPIIScore(), 0
	for _, s := range lines[sentence](d, "presidio_pii", "all.jsonl") {
		if s.Template%2 == 1 { // the models of names are trained on the others
			score.add(s.Text, s.gold(), ours(s.Text))
			n++
		}
	}
	fmt.Printf("pii: presidio_pii, the %d sentences with an odd template; a labelled span counts as found when a finding of its kind touches it\n", n)
	score.print()
}
