package guard

import (
	"context"
	_ "embed"
	"math"
	"strings"

	"github.com/rung-dev/rung"
)

// Toxicity is told by lists and a few rules, not by a trained model: there was no text to train on that may be shared. Each
// sentence gets points: slurs and insults by themselves; contempt, wishes of harm and dehumanising words when they are said of
// a group of people or of somebody spoken to. Negation ("I don't hate …") and quoting in order to object take points away.
// The score is 1 − e^−points of the worst sentence.

// toxicLists hold words and phrases, written for this project.
//
//go:embed toxic.txt
var toxicLists string

type toxicity struct {
	lists     map[string]*matcher
	threshold float64
}

// defaultToxicity is one strong sign, or two weak ones.
const defaultToxicity = .6

var toxicWords = func() map[string]*matcher {
	out := map[string]*matcher{}
	var title string
	phrases := map[string][]string{}
	for line := range strings.Lines(toxicLists) {
		line = strings.TrimSpace(line)
		if t, ok := strings.CutPrefix(line, "# "); ok {
			title = t
			continue
		}
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); p != "" {
				phrases[title] = append(phrases[title], p)
			}
		}
	}
	for title, list := range phrases {
		m, err := newMatcher(list)
		if err != nil {
			panic("guard: the embedded lists are broken: " + err.Error()) // a test reads them
		}
		out[title] = m
	}
	return out
}()

func newToxicity(threshold float64) checker {
	t := &toxicity{lists: toxicWords, threshold: threshold}
	if t.threshold == 0 {
		t.threshold = defaultToxicity
	}
	return t.check
}

func (t *toxicity) check(_ context.Context, _ rung.GuardStage, text string) (result, error) {
	var r result
	parts := sentencesOf(text, 1)
	for i, part := range parts {
		points, spans := t.points(text[part.start:part.end], i > 0 && t.groupIn(text[parts[i-1].start:parts[i-1].end]))
		score := 1 - math.Exp(-points)
		r.score = max(r.score, score)
		if score < t.threshold {
			continue
		}
		r.hit = true
		if len(spans) == 0 {
			spans = []span{{start: 0, end: part.end - part.start}}
		}
		for _, sp := range spans {
			r.spans = append(r.spans, span{part.start + sp.start, part.start + sp.end, "TOXIC"})
		}
	}
	return r, nil
}

// groupIn reports whether a sentence names a group: "them" in the next one may be that.
func (t *toxicity) groupIn(sentence string) bool {
	return len(t.lists["groups"].find(sentence))+len(t.lists["slurs"].find(sentence)) > 0
}

// points weighs one sentence, and gives the words to take out. before says that the sentence before it names a group. Letters
// that stand one by one are read as words, which are then not found in place.
func (t *toxicity) points(sentence string, before bool) (float64, []span) {
	if words := joined(folded(sentence).text); words != "" {
		sentence += " " + words
		points, _ := t.weigh(sentence, before)
		return points, nil
	}
	return t.weigh(sentence, before)
}

func (t *toxicity) weigh(sentence string, before bool) (float64, []span) {
	hits := map[string][]span{}
	for title, m := range t.lists {
		if found := m.find(sentence); len(found) > 0 {
			hits[title] = found
		}
	}
	if len(hits) == 0 {
		return 0, nil
	}
	n := func(title string) float64 { return math.Min(3, float64(len(hits[title]))) }
	target := math.Min(1, n("groups")+n("slurs"))
	if before && len(hits["them"]) > 0 {
		target = 1
	}
	spoken := math.Min(1, n("spoken to"))
	points := 1.6*n("slurs") + 2.5*n("threats")*math.Max(math.Max(target, spoken), .3) + 1.1*n("dehumanising")*math.Max(target, .6*spoken) +
		1.1*n("contempt")*math.Max(target, .3*spoken) + .9*n("insults")*math.Max(spoken, math.Max(target, .3)) + .2*n("profanity")
	if n("profanity") > 0 && target > 0 {
		points += .9
	}
	if n("exclusion") > 0 && target > 0 {
		points += 1.2
	}
	points -= .9*n("negation") + 1.1*n("objection") + .6*n("reclaimed")
	var spans []span
	for _, title := range []string{"slurs", "threats", "dehumanising", "insults", "profanity"} {
		spans = append(spans, hits[title]...)
	}
	return math.Max(0, points), disjoint(spans)
}
