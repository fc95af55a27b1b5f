package report

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"io"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/fill"
)

//go:embed page/match.html
var matchTemplate string

//go:embed page/match.css
var matchStyle string

//go:embed page/match.js
var matchScript string

// What an example may take in the page, in bytes; rung show has the whole.
const (
	matchInput  = 700
	matchAnswer = 500
	// matchChunk is how many examples are packed together: the page unpacks those that it shows.
	matchChunk = 200
)

// matchIndex is what the page needs of every example to choose and to order them; columns, since 10,000 objects are slow to read.
type matchIndex struct {
	Subjects []string    `json:"subjects"`
	Metric   string      `json:"metric"`
	Chunk    int         `json:"chunk"`
	IDs      []string    `json:"ids"`
	Segments []string    `json:"segments"` // names
	Segment  []int       `json:"segment"`  // of each example
	Right    []string    `json:"right"`    // per subject one letter for each example: 1, 0, or - where it was not asked
	Values   [][]float64 `json:"values"`   // per subject, own scores of the metric
}

// matchText are the texts of one example.
type matchText struct {
	Input    string   `json:"i"`
	Expected string   `json:"e"`
	Answers  []string `json:"a"`
	Mistakes []string `json:"m"`
}

// MatchHTML writes a matchup as one page that needs nothing else.
func MatchHTML(w io.Writer, d *MatchDetails) error {
	t, err := fill.Page("match", matchFuncs(d.Doc), matchTemplate)
	if err != nil {
		return fmt.Errorf("comparison template: %w", err)
	}
	b := bufio.NewWriter(w)
	style := pageStyle + matchStyle
	title := fmt.Sprintf("%s: %s on %s", d.Doc.Task, plural(len(d.Doc.Subjects), "subject"), d.Doc.Suite.Name)
	fmt.Fprintf(b, pageHead, sourceHash(baseScript+matchScript), sourceHash(style), html.EscapeString(title), style)
	if err := t.Execute(b, d.Doc); err != nil {
		return fmt.Errorf("comparison page: %w", err)
	}
	fmt.Fprintf(b, "<script type=\"application/gzip\" id=\"index\">%s</script>\n", base64Of(pack(indexOfMatch(d))))
	for at := 0; at < len(d.Rows); at += matchChunk {
		fmt.Fprintf(b, "<script type=\"application/gzip\" id=\"chunk%d\">%s</script>\n", at/matchChunk, base64Of(pack(matchTexts(d, at))))
	}
	fmt.Fprintf(b, "<script>%s</script>\n</body>\n</html>\n", baseScript+matchScript)
	if err := b.Flush(); err != nil {
		return unwritten(err)
	}
	return nil
}

func indexOfMatch(d *MatchDetails) *matchIndex {
	ix := &matchIndex{Metric: d.Doc.Metric, Chunk: matchChunk}
	known := map[string]int{}
	for i := range d.Rows {
		ex := &d.Rows[i].Example
		no, ok := known[ex.Segment]
		if !ok {
			no = len(ix.Segments)
			known[ex.Segment] = no
			ix.Segments = append(ix.Segments, ex.Segment)
		}
		ix.IDs, ix.Segment = append(ix.IDs, ex.ID), append(ix.Segment, no)
	}
	for k := range d.Doc.Subjects {
		ix.Subjects = append(ix.Subjects, d.Doc.Subjects[k].Subject.Name)
		right, values := make([]byte, len(d.Rows)), make([]float64, len(d.Rows))
		for i := range d.Rows {
			s := d.Rows[i].Scores[k]
			right[i] = '-'
			if s != nil {
				right[i] = '0'
				if s.Success {
					right[i] = '1'
				}
				values[i] = s.Values[d.Doc.Metric]
			}
		}
		ix.Right, ix.Values = append(ix.Right, string(right)), append(ix.Values, values)
	}
	return ix
}

func matchTexts(d *MatchDetails, from int) []matchText {
	rows := d.Rows[from:min(from+matchChunk, len(d.Rows))]
	out := make([]matchText, len(rows))
	for i := range rows {
		r := &rows[i]
		t := matchText{Input: shorten(Readable(r.Example.Input), matchInput), Expected: shorten(Readable(r.Example.Output), matchAnswer)}
		for _, s := range r.Scores {
			answer, mistake := "", ""
			if s != nil {
				answer, mistake = shorten(AnswerText(&s.Answer), matchAnswer), s.Mistake
				if answer == "" && s.Answer.Problem != "" {
					answer = "(" + string(s.Answer.Problem) + ")"
				}
			}
			t.Answers, t.Mistakes = append(t.Answers, answer), append(t.Mistakes, mistake)
		}
		out[i] = t
	}
	return out
}

// matchFuncs are how the template writes figures; an interval never without its level, n and method.
func matchFuncs(m *rung.Matchup) fill.Funcs {
	f := evalFigures(false)
	limit := 0.0
	var values []float64
	for i := range m.Pairs {
		d := m.Pairs[i].Deciding.Difference
		limit = max(limit, -d.Low, d.High, m.MinGain)
	}
	for i := range m.Subjects {
		iv := m.Subjects[i].Scorecard.Metrics[m.Metric]
		values = append(values, iv.Low, iv.High)
	}
	s := scoreScale(values, 8, 252)
	k := &methodKeys{}
	ds := scale{low: -limit, high: limit, from: 8, to: 252}
	return fill.Funcs{
		"short": rung.Digest.Short,
		"score": f.score, "signed": f.signed, "percent": percent, "count": count, "pvalue": f.pvalue, "millis": millis, "usd": usd,
		"ends":    f.ends,
		"here":    f.value,
		"change":  func(iv rung.Interval) string { f := f.wide(iv); return f.signed(iv.Low) + ", " + f.signed(iv.High) },
		"value":   func(iv rung.Interval) string { return f.wide(iv).signed(iv.Value) },
		"metric":  func(e rung.Evaluation) rung.Interval { return e.Scorecard.Metrics[m.Metric] },
		"figure":  func(e rung.Evaluation, name string) rung.Interval { return e.Scorecard.Metrics[name] },
		"metrics": func() []string { return metricNames(&m.Subjects[0].Scorecard, m.Metric) },
		"capital": capital, "segment": segmentName, "method": func(c rung.Contrast) template.HTML { return k.of(contrastMethod(&c)) },
		"by": func(iv rung.Interval) template.HTML { return k.of(iv.Method) }, "legend": func() []keyed { return k.all() },
		"holm": func(c rung.Contrast) string { return contrastP(&c, f) }, "modes": func() []subjectMode { return modesOfAll(m) }, "modesknown": func() string { return subjectsKnown },
		"judged": func(p rung.Pair) []string { return judgeLines(&p, f) },
		"strip":  func(iv rung.Interval) template.HTML { return strip(iv, m.Subjects[0].AtLeast, s, "plain") },
		"axis":   func() template.HTML { return stripAxis(s, f) },
		"shift": func(c rung.Contrast) template.HTML {
			class := "inconclusive"
			if c.Significant {
				class = map[bool]string{true: "pass", false: "fail"}[c.Difference.Value > 0]
			}
			return difference(rung.Comparison{Difference: c.Difference}, m.MinGain, ds, class)
		},
		"shiftAxis": func() template.HTML { return stripAxis(ds, f) },
		"date":      func() string { return m.Started.UTC().Format("2006-01-02 15:04 MST") },
	}
}

// methodKeys name the methods of a page by letters, so that a table's rows stay low; the legend at its end tells them.
type methodKeys struct{ printer }

// of is the letter of a method, as a link to its words.
func (k *methodKeys) of(method string) template.HTML {
	letter := k.key(method)
	return template.HTML(fmt.Sprintf(`<a class="key" href="#method-%s" title="%s">%s</a>`, letter, html.EscapeString(clean(method)), letter))
}

// keyed is one line of the legend.
type keyed struct{ Key, Method string }

func (k *methodKeys) all() []keyed {
	var out []keyed
	for _, method := range slices.Clone(k.keys) {
		out = append(out, keyed{k.key(method), method})
	}
	return out
}
