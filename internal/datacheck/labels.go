package datacheck

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rung-dev/rung"
)

// LabelStat is how many rows have a label.
type LabelStat struct {
	Label string  `json:"label"`
	Rows  int     `json:"rows"`
	Share float64 `json:"share"`
}

// labelStat counts outputs that could be labels.
type labelStat struct {
	counts  map[string]*labelCount
	rows    int // with an output
	labels  int // with one that could be a label
	dropped int // outputs that came when there were too many already
	changes int // rows whose label is not that of the row before
	last    string
}

type labelCount struct {
	n     int
	index int
	first ExampleRow
}

const (
	maxLabels     = 5000 // different outputs that are counted
	longestLabel  = 100  // bytes of an output that can be a label
	fewOfLabel    = 10   // rows below which a label can hardly be learned and not be judged at all
	repeatsEnough = 5    // rows a label on average, for outputs to be called labels where no task says so
)

func (l *labelStat) add(r *row) {
	if len(r.output) == 0 {
		return
	}
	l.rows++
	if r.output[0] != '"' && r.output[0] != 't' && r.output[0] != 'f' && typeOf(r.output) != "number" || len(r.output) > longestLabel {
		return
	}
	label := string(r.outText)
	k := l.counts[label]
	if k == nil {
		if len(l.counts) >= maxLabels {
			l.dropped++
			return
		}
		k = &labelCount{index: len(l.counts), first: exampleOf(r, string(r.inText), "label "+label)}
		l.counts[label] = k
	}
	k.n++
	l.labels++
	if label != l.last {
		l.changes++
		l.last = label
	}
}

// are reports whether the outputs look like labels.
func (l *labelStat) are() bool {
	return l.dropped == 0 && l.labels > 0 && l.labels*10 >= l.rows*9 && l.labels >= repeatsEnough*len(l.counts)
}

func (c *checker) reportLabels() {
	l := &c.scan.labels
	if c.scan.kind() != "labels" {
		for _, name := range []string{"label_names", "label_balance", "order", "gives_away"} {
			c.skip(name, "the outputs are no labels")
		}
		return
	}
	for label, k := range l.counts {
		c.report.Labels = append(c.report.Labels, LabelStat{Label: label, Rows: k.n, Share: float64(k.n) / float64(l.rows)})
	}
	slices.SortFunc(c.report.Labels, byRows)
	c.reportBalance()
	c.reportNames()
	c.reportOrder()
}

func (c *checker) reportBalance() {
	c.did("label_balance")
	l := &c.scan.labels
	most := c.report.Labels[0]
	if most.Share >= .9 && len(c.report.Labels) > 1 {
		c.find("label_balance", Warn, most.Rows, l.rows, Finding{What: fmt.Sprintf("nearly all rows are %q: always answering it has an accuracy of %.3f", most.Label, most.Share), Do: "collect rows of the other labels, and hold the bar to a metric that sees them (macro_f1)", Method: "a label with at least 90 % of the rows", Examples: []ExampleRow{l.counts[most.Label].first}})
	}
	var few []string
	var examples []ExampleRow
	n := 0
	for _, s := range slices.Backward(c.report.Labels) {
		if s.Rows < fewOfLabel {
			few, n = append(few, fmt.Sprintf("%s (%d)", s.Label, s.Rows)), n+s.Rows
			examples = append(examples, l.counts[s.Label].first)
		}
	}
	c.find("label_balance", Warn, n, l.rows, Finding{What: fmt.Sprintf("%d of %d labels have fewer than %d rows: %s", len(few), len(c.report.Labels), fewOfLabel, listed(few, 8)), Do: "collect more of them, or join labels that are one", Method: "every row with an output is looked at", Examples: examples})
	if t := c.o.Task; t != nil {
		var unused []string
		for _, label := range t.Output.Labels {
			if l.counts[label] == nil {
				unused = append(unused, label)
			}
		}
		if len(unused) > 0 {
			c.find("label_balance", Warn, len(unused), len(t.Output.Labels), Finding{What: "labels of the task have no row: " + listed(unused, 8), Do: "add rows, or take the labels out of the task", Method: "counted in labels, not rows"})
		}
	}
}

func listed(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// reportNames finds labels that are one name written in two ways.
func (c *checker) reportNames() {
	c.did("label_names")
	l := &c.scan.labels
	same := map[string][]LabelStat{}
	for _, s := range c.report.Labels {
		key := foldLabel(s.Label)
		same[key] = append(same[key], s)
	}
	for _, key := range sortedKeys(same) {
		list := same[key]
		if len(list) < 2 || key == "" {
			continue
		}
		n := 0
		var names []string
		var examples []ExampleRow
		for i, s := range list {
			names = append(names, fmt.Sprintf("%q (%d)", s.Label, s.Rows))
			if i > 0 {
				n += s.Rows
				examples = append(examples, l.counts[s.Label].first)
			}
		}
		c.find("label_names", Bad, n, l.rows, Finding{What: "labels differ in case, space or punctuation alone: " + listed(names, 6), Do: "write one of them everywhere", Method: "compared by their letters and digits in lower case; counted are the rows of all but the commonest", Examples: examples})
	}
}

// foldLabel is a label without what two writings of one name differ in: case, space, _-.,:;! and quotes. Other signs tell labels apart: C,
// C++, C#. A label without letters stays what it is.
func foldLabel(s string) string {
	letters := false
	folded := strings.Map(func(r rune) rune {
		letters = letters || unicode.IsLetter(r)
		if unicode.IsSpace(r) || strings.ContainsRune("_-.,:;!\"'`’", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	if !letters {
		return ""
	}
	return folded
}

// reportOrder finds rows that stand sorted by their label: whoever takes the first of them takes a few labels only.
func (c *checker) reportOrder() {
	c.did("order")
	l := &c.scan.labels
	if l.rows < 50 || len(l.counts) < 2 {
		c.skip("order", "fewer than 50 rows, or one label")
		return
	}
	same := 0.0 // chance that neighbours have one label in a random order
	for _, s := range c.report.Labels {
		same += s.Share * s.Share
	}
	expected := (1 - same) * float64(l.rows)
	if float64(l.changes) < .2*expected {
		c.find("order", Note, l.rows-l.changes, l.rows, Finding{What: fmt.Sprintf("the rows stand sorted by their label: it changes %d times from row to row, in a random order about %.0f times", l.changes, expected), Do: "never take the first so many of them; rung data split draws by content", Method: "changes of the label between neighbours below a fifth of those in a random order"})
	}
}

// splitStat counts the splits that rows name, and what groups and times say about them.
type splitStat struct {
	counts map[rung.Split]int
	groups map[uint64]splitMask
	torn   atMost
	times  timeStat
}

type splitMask uint8

func maskOf(s rung.Split) splitMask {
	switch s {
	case rung.Train:
		return 1
	case rung.Dev:
		return 2
	case rung.HeldoutIs:
		return 4
	}
	return 0
}
