package grade

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard/linear"
)

// Voice tells texts of a style from others: logistic regression over words, pairs of words and character n-grams, balanced
// between the two. It never changes and is safe for concurrent use.
type Voice struct {
	model *linear.Model
	// AUC is the chance that it puts a text of the style before another, over texts that it was not trained on (five-fold
	// cross-validation). A voice that can tell nothing has .5.
	AUC  float64
	N, M int // texts of the style, and others
}

// voiceTraining: small and repeatable.
var voiceTraining = linear.Training{Epochs: 8, Rate: .3, Decay: 1e-6, Seed: 1}

// voiceFolds is the number of folds by which a voice is measured.
const voiceFolds = 5

// TrainVoice trains a voice. Texts are compared in lower case; both lists need at least one text.
func TrainVoice(examples, others []string) (*Voice, error) {
	rows := voiceRows(examples, true, float64(len(others))/float64(len(examples)+len(others)))
	rows = append(rows, voiceRows(others, false, float64(len(examples))/float64(len(examples)+len(others)))...)
	for i := range rows {
		rows[i].Features = linear.Features(rows[i].Text)
	}
	model, err := linear.Train(rows, voiceTraining)
	if err != nil {
		return nil, err
	}
	v := &Voice{model: model, N: len(examples), M: len(others)}
	v.AUC, err = crossValidated(rows)
	return v, err
}

func voiceRows(texts []string, yes bool, weight float64) []linear.Example {
	rows := make([]linear.Example, len(texts))
	for i, t := range texts {
		rows[i] = linear.Example{Text: voiceText(t), Yes: yes, Weight: 2 * weight}
	}
	return rows
}

func voiceText(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// crossValidated is the AUC over folds. Equal texts stay in one fold.
func crossValidated(rows []linear.Example) (float64, error) {
	fold := make(map[string]int, len(rows))
	random := rand.New(rand.NewPCG(1, 2))
	next := random.Perm(voiceFolds)
	for i := range rows {
		if _, seen := fold[rows[i].Text]; !seen {
			fold[rows[i].Text] = next[len(fold)%voiceFolds]
		}
	}
	var yes, no []float64
	for f := range voiceFolds {
		var train, test []linear.Example
		for i := range rows {
			if fold[rows[i].Text] == f {
				test = append(test, rows[i])
			} else {
				train = append(train, rows[i])
			}
		}
		if len(test) == 0 || len(train) == 0 {
			continue
		}
		m, err := linear.Train(train, voiceTraining)
		if err != nil {
			return 0, err
		}
		for i := range test {
			if s := m.ScoreFeatures(test[i].Features); test[i].Yes {
				yes = append(yes, s)
			} else {
				no = append(no, s)
			}
		}
	}
	return auc(yes, no), nil
}

// auc is the share of pairs of a yes and a no in which the yes is larger, ties counted half: the area under the ROC curve.
func auc(yes, no []float64) float64 {
	sorted := slices.Clone(no)
	slices.Sort(sorted)
	sum := 0.0
	for _, v := range yes {
		below, _ := slices.BinarySearch(sorted, v)
		upTo := below + sort.Search(len(sorted)-below, func(i int) bool { return sorted[below+i] > v })
		sum += float64(below+upTo) / 2
	}
	return sum / float64(len(yes)) / float64(len(no)) // NaN where there are none
}

// Score is the probability, by the voice's own training, that a text is of the style.
func (v *Voice) Score(text string) float64 { return v.model.Score(voiceText(text)) }

// likeMetric is how much the answer sounds like the examples of a style.
func likeMetric(spec rung.MetricSpec, v *Voice) metric {
	k := graded
	if spec.PassFail {
		k = passFail
	}
	return metric{name: spec.Name, kind: k, bounds: unit, grade: func(r *reading, _ []float64) float64 {
		p := v.Score(r.prose().s)
		if p < .5 {
			r.faults = append(r.faults, fault{spec.Name, "sounds like the others"})
		}
		if spec.PassFail {
			return score01(p >= .5)
		}
		return p
	}}
}

// weakVoice is the AUC under which a voice tells too little to be a metric.
const weakVoice = .6

func (g *Grader) makeLike(t *rung.Task, spec rung.MetricSpec) (metric, *rung.Error) {
	v, err := TrainVoice(spec.Like.Examples, spec.Like.Others)
	if err != nil {
		return metric{}, ownFault(t, spec, "it cannot be trained: "+err.Error(), "give it texts of both kinds", err)
	}
	if !(v.AUC >= weakVoice) {
		return metric{}, ownFault(t, spec, fmt.Sprintf("it cannot tell the examples from the others (cross-validated AUC %.2f, n = %d and %d)", v.AUC, v.N, v.M),
			"give it more texts, or others that differ in style and not in content", nil)
	}
	if g.voices == nil {
		g.voices = map[string]*Voice{}
	}
	g.voices[spec.Name] = v
	return likeMetric(spec, v), nil
}

// Voices are the classifiers of style of the task, by the name of the metric.
func (g *Grader) Voices() map[string]*Voice { return g.voices }
