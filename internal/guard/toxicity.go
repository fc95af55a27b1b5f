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

type toxicity struct{ threshold float64 }

// defaultToxicity is one strong sign, or two weak ones.
const defaultToxicity = .6

// toxicWords finds the words of all lists in one pass; toxicTitles says which list each of them is from.
var toxicWords, toxicTitles = func() (*matcher, []string) {
	var title string
	var phrases, titles []string
	for line := range strings.Lines(toxicLists) {
		line = strings.TrimSpace(line)
		if t, ok := strings.CutPrefix(line, "# "); ok {
			title = t
			continue
		}
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); p != "" {
				phrases, titles = append(phrases, p), append(titles, title)
			}
		}
	}
	m, err := newMatcher(phrases)
	if err != nil {
		panic("guard: the embedded lists are broken: " + err.Error()) // a test reads them
	}
	return m, titles
}()

// signs are the words of a sentence by list.
func signs(sentence string) map[string][]span {
	var hits map[string][]span
	for _, sp := range toxicWords.findAll(sentence) {
		if hits == nil {
			hits = map[string][]span{}
		}
		title := toxicTitles[sp.pattern]
		hits[title] = append(hits[title], sp.span)
	}
	for title := range hits {
		hits[title] = disjoint(hits[title])
	}
	return hits
}

// ToxicityThreshold is the score from which a text counts as toxic.
const ToxicityThreshold = defaultToxicity

// Toxicity is the score of the worst sentence of a text, from 0 to 1.
func Toxicity(text string) float64 {
	worst, group := 0.0, false
	for _, part := range sentencesOf(text, 1) {
		sum, _, names := points(text[part.start:part.end], group)
		group = names
		worst = max(worst, 1-math.Exp(-sum))
	}
	return worst
}

func newToxicity(threshold float64) checker {
	if threshold == 0 {
		threshold = defaultToxicity
	}
	return (&toxicity{threshold}).check
}

func (t *toxicity) check(_ context.Context, _ rung.GuardStage, text string) (result, error) {
	var r result
	group := false
	for _, part := range sentencesOf(text, 1) {
		points, spans, names := points(text[part.start:part.end], group)
		group = names
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

// points weighs one sentence, and gives the words to take out. group says that the sentence before it names a group, which
// "them" may mean. Letters that stand one by one are read as words, which are then not found in place.
func points(sentence string, group bool) (sum float64, words []span, names bool) {
	close := joined(folded(sentence).Text)
	if close != "" {
		sentence += " " + close
	}
	hits := signs(sentence)
	if len(hits) == 0 {
		return 0, nil, false
	}
	if close == "" {
		for _, title := range []string{"slurs", "threats", "dehumanising", "insults", "profanity"} {
			words = append(words, hits[title]...)
		}
	}
	return weigh(hits, group), disjoint(words), len(hits["groups"])+len(hits["slurs"]) > 0
}

func weigh(hits map[string][]span, group bool) float64 {
	n := func(title string) float64 { return math.Min(3, float64(len(hits[title]))) }
	target := math.Min(1, n("groups")+n("slurs"))
	if group && len(hits["them"]) > 0 {
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
	return math.Max(0, points)
}
