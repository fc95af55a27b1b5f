package grade

import (
	"regexp"
	"strconv"
	"strings"
)

// Answers from passages: faithfulness says how much of an answer its passages carry, citation precision and recall whether the
// marks such as [2] lead to the passages that carry it (Gao et al., ALCE, EMNLP 2023, with lexical support in the place of an
// entailment model).

// ground is what the answer may rest on: its passages, or where there are none the text of its input.
func (r *reading) ground() *ground {
	if r.source == nil {
		var texts []string
		for i := range r.ans.Passages {
			p := &r.ans.Passages[i]
			texts = append(texts, p.Heading, p.Text)
		}
		if len(texts) == 0 {
			input := readValue(r.ex.Input)
			texts = stringsOf(nil, &input)
		}
		r.source = newGround(texts...)
	}
	return r.source
}

// faithfulness is the mean support of the answer's sentences. An answer that declines claims nothing: 1.
func faithfulness(r *reading) float64 {
	p := r.prose()
	if p.declines() {
		return 1
	}
	list := sentences(p.s)
	if len(list) == 0 {
		return 1
	}
	g, sum := r.ground(), 0.0
	for _, s := range list {
		sum += g.support(s)
	}
	mean := sum / float64(len(list))
	if mean < supported {
		r.faults = append(r.faults, fault{"faithfulness", "not carried by its passages"})
	}
	return mean
}

var citationMark = regexp.MustCompile(`\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]`)

// claim is one sentence of an answer with the passages that it cites, by place; −1 for a number that is no passage's.
type claim struct {
	text  string
	cites []int
}

// claims are the sentences of the answer as it was written, with its marks. A mark after the full stop belongs to the sentence before.
func (r *reading) claims() []claim {
	var out []claim
	for _, s := range sentences(marksBeforeStops.ReplaceAllString(r.ans.Text, "$2$1")) {
		c := claim{text: strings.TrimSpace(citationMark.ReplaceAllString(s, ""))}
		for _, m := range citationMark.FindAllStringSubmatch(s, -1) {
			for _, number := range strings.Split(m[1], ",") {
				n, err := strconv.Atoi(strings.TrimSpace(number))
				if err != nil || n < 1 || n > len(r.ans.Passages) {
					n = 0
				}
				c.cites = append(c.cites, n-1)
			}
		}
		if keys, _ := supportKeys(c.text); len(keys) == 0 && len(out) > 0 { // marks alone
			out[len(out)-1].cites = append(out[len(out)-1].cites, c.cites...)
			continue
		}
		out = append(out, c)
	}
	return out
}

var marksBeforeStops = regexp.MustCompile(`([.!?])((?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])+)`)

// cited is the support of a claim by the passages that it cites, without the one at place leave; −1 leaves none out.
func (r *reading) cited(c *claim, leave int) float64 {
	var texts []string
	for i, place := range c.cites {
		if place >= 0 && i != leave {
			texts = append(texts, r.ans.Passages[place].Heading, r.ans.Passages[place].Text)
		}
	}
	return newGround(texts...).support(c.text)
}

// citationRecall is the share of sentences that the passages they cite support. An answer that declines needs none: 1.
func citationRecall(r *reading) float64 {
	got, _ := r.texts()
	list := r.claims()
	if got.declines() || len(list) == 0 {
		return 1
	}
	kept := 0
	for i := range list {
		if len(list[i].cites) > 0 && r.cited(&list[i], -1) >= supported {
			kept++
		}
	}
	if kept < len(list) {
		r.faults = append(r.faults, fault{"citation_recall", "a sentence that what it cites does not carry"})
	}
	return float64(kept) / float64(len(list))
}

// citationPrecision is the share of marks that are needed or enough: their passage supports the sentence alone, or without it the
// sentence is no longer supported. An answer without marks scores 0 unless it declines.
func citationPrecision(r *reading) float64 {
	got, _ := r.texts()
	if got.declines() {
		return 1
	}
	marks, kept := 0, 0
	for _, c := range r.claims() {
		whole := r.cited(&c, -1) >= supported
		for i, place := range c.cites {
			marks++
			alone := claim{text: c.text, cites: []int{place}}
			if place >= 0 && (r.cited(&alone, -1) >= supported || whole && r.cited(&c, i) < supported) {
				kept++
			}
		}
	}
	if marks == 0 {
		r.faults = append(r.faults, fault{"citation_precision", "cites nothing"})
		return 0
	}
	if kept < marks {
		r.faults = append(r.faults, fault{"citation_precision", "cites what does not carry it"})
	}
	return float64(kept) / float64(marks)
}
