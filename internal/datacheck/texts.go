package datacheck

import (
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"slices"
)

// Lengths are estimated tokens: four ASCII characters a token, two of three other characters.
type Lengths struct {
	N   int `json:"n"`
	Min int `json:"min"`
	P5  int `json:"p5"`
	P50 int `json:"p50"`
	P95 int `json:"p95"`
	P99 int `json:"p99"`
	Max int `json:"max"`
}

// lengthStat is a histogram: exact up to 255, then 128 steps to an octave, so that a quantile is right to within 1 %.
type lengthStat struct {
	counts  []int32
	n       int
	longest []measured
}

type measured struct {
	tokens int
	row    ExampleRow
}

const exactUpTo = 256

func bucket(n int) int {
	if n < exactUpTo {
		return n
	}
	octave := bits.Len(uint(n)) - 9 // 256 to 511 is 0
	return exactUpTo + octave*128 + (n>>(octave+1) - 128)
}

// floor is the smallest length of a bucket.
func floor(b int) int {
	if b < exactUpTo {
		return b
	}
	octave := (b - exactUpTo) / 128
	return ((b-exactUpTo)%128 + 128) << (octave + 1)
}

func (l *lengthStat) add(tokens int, r *row) {
	if r.outTokens == 0 && len(r.output) == 0 && tokens == 0 { // no output at all is no short output
		return
	}
	b := bucket(tokens)
	if b >= len(l.counts) {
		l.counts = append(l.counts, make([]int32, b+1-len(l.counts))...)
	}
	l.counts[b]++
	l.n++
	if len(l.longest) < keptExamples || tokens > l.longest[len(l.longest)-1].tokens {
		at, _ := slices.BinarySearchFunc(l.longest, tokens, func(m measured, t int) int {
			if m.tokens >= t {
				return -1
			}
			return 1
		})
		l.longest = slices.Insert(l.longest, at, measured{tokens, exampleOf(r, string(r.inText), fmt.Sprintf("about %d tokens", tokens))})
		l.longest = l.longest[:min(len(l.longest), keptExamples)]
	}
}

func (l *lengthStat) at(share float64) int {
	want := int(share * float64(l.n-1))
	for b, n := range l.counts {
		if want -= int(n); want < 0 {
			return floor(b)
		}
	}
	return 0
}

func (l *lengthStat) lengths() Lengths {
	if l.n == 0 {
		return Lengths{}
	}
	return Lengths{N: l.n, Min: l.at(0), P5: l.at(.05), P50: l.at(.5), P95: l.at(.95), P99: l.at(.99), Max: l.longest[0].tokens}
}

// outlier is the length beyond which a row is called far longer than the others: in logarithms, farther above the upper quartile than
// three times the distance between the quartiles (Tukey's outer fence), and at least four times the median.
func (l *lengthStat) outlier() int {
	q1, q2, q3 := math.Log1p(float64(l.at(.25))), l.at(.5), math.Log1p(float64(l.at(.75)))
	fence := math.Expm1(q3 + 3*max(q3-q1, .2))
	return max(int(fence), 4*q2, 64)
}

func (l *lengthStat) above(tokens int) (n int, rows []ExampleRow) {
	for b := bucket(tokens) + 1; b < len(l.counts); b++ {
		n += int(l.counts[b])
	}
	for _, m := range l.longest {
		if bucket(m.tokens) > bucket(tokens) {
			rows = append(rows, m.row)
		}
	}
	return n, rows
}

func (c *checker) reportLengths() {
	c.report.InputLen, c.report.OutputLen = c.scan.lengths[0].lengths(), c.scan.lengths[1].lengths()
	if c.o.MaxTokens > 0 {
		c.find("length", Bad, c.scan.over.n, c.scan.rows, Finding{What: fmt.Sprintf("input and output have more than %d tokens together", c.o.MaxTokens), Do: "shorten or leave them out: training cuts them off, and a prompt with them is refused",
			Method: "tokens estimated from characters, 10 % high or low for English prose", Examples: c.scan.over.kept})
	}
	for i, what := range []string{"inputs", "outputs"} {
		l := &c.scan.lengths[i]
		if l.n < 20 {
			continue
		}
		fence := l.outlier()
		n, rows := l.above(fence)
		c.find("length", Note, n, l.n, Finding{What: fmt.Sprintf("%s are far longer than the others: more than about %d tokens, where half have at most %d", what, fence, l.at(.5)),
			Do: "see whether something else slipped in; one such row can take the memory of a training step", Method: "beyond the upper quartile by three times the distance of the quartiles, in logarithms, and four times the median", Examples: rows})
	}
	c.did("length")
}

// emptyStat counts what has no text, and stand-ins for an answer.
type emptyStat struct {
	input, output, standIn atMost
	outputs                int
}

// standIns are what people and exports write where there is no answer.
var standIns = regexp.MustCompile(`(?i)^[\s\[\](){}<>"'*_.-]*(n/?a|null|none|nan|nil|undefined|unknown|todo|tbd|tba|fixme|xxx+|placeholder|lorem ipsum.*|\?+|empty|missing|no (answer|response|output)|error|insert .{0,30} here|your (answer|text|response) here)?[\s\[\](){}<>"'*_.!-]*$`)

func (e *emptyStat) add(s *scan, r *row) {
	if len(r.inText) == 0 {
		e.input.add(exampleOf(r, string(r.input), "the input has no text"))
	}
	if len(r.output) == 0 {
		return
	}
	e.outputs++
	if len(r.outText) == 0 && (r.output[0] == '"' || r.output[0] == 'n') {
		e.output.add(exampleOf(r, string(r.inText), "the output is "+string(r.output)))
		return
	}
	if t := s.o.Task; t != nil && t.Output.Kind == "labels" { // a label may have any name
		return
	}
	if r.output[0] == '"' && len(r.outText) <= 60 && standIns.Match(r.outText) {
		e.standIn.add(exampleOf(r, string(r.inText), "the output is "+string(r.outText)))
	}
}

func (c *checker) reportEmpty() {
	e := &c.scan.empties
	c.find("empty", Bad, e.input.n, c.scan.rows, Finding{What: "inputs have no text", Do: "leave the rows out", Method: "no sign in any field", Examples: e.input.kept})
	c.find("empty", Bad, e.output.n, e.outputs, Finding{What: "outputs are empty", Do: "write the answer, or leave the rows out: a model that is trained on them learns to say nothing", Method: "null, or a text of white space", Examples: e.output.kept})
	if c.scan.kind() == "labels" && e.standIn.n*20 > e.outputs {
		return // a label of that name
	}
	c.find("empty", Warn, e.standIn.n, e.outputs, Finding{What: "outputs are stand-ins for an answer, such as N/A or TODO", Do: "write the answer, or leave the rows out; if it is meant, say so in the instructions", Method: "outputs of at most 60 bytes that are one of a list of stand-ins, or signs alone", Examples: e.standIn.kept})
}
