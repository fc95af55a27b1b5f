package label

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard/linear"
	"github.com/rung-dev/rung/internal/rating"
)

// Classifier is a small model of a task's labels: logistic regression over hashed words and character n-grams, one label against the
// others. It is there to say of which rows it is unsure, and not to answer.
type Classifier struct {
	Labels []string
	models []*linear.Model
}

// fewestLabelled is from how many labelled rows on a classifier is worth asking.
const fewestLabelled = 10

// TrainClassifier fits a classifier to labelled rows; nil where they are too few, or of one label.
func TrainClassifier(rows []rung.DatasetRow, seed uint64) (*Classifier, error) {
	at := map[string]int{}
	c := &Classifier{}
	var features [][]uint32
	var label []int
	for i := range rows {
		name := rating.TextOf(rows[i].Output)
		if _, there := at[name]; !there {
			at[name] = len(c.Labels)
			c.Labels = append(c.Labels, name)
		}
		features = append(features, linear.Features(strings.ToLower(Text(rows[i].Input))))
		label = append(label, at[name])
	}
	if len(rows) < fewestLabelled || len(c.Labels) < 2 {
		return nil, nil
	}
	for l := range c.Labels {
		examples := make([]linear.Example, len(rows))
		of := 0
		for i := range rows {
			if label[i] == l {
				of++
			}
		}
		for i := range rows {
			weight := 1.0
			if label[i] == l { // rare against all others: both sides weigh as much up to a point
				weight = math.Sqrt(float64(len(rows)-of) / float64(of))
			}
			examples[i] = linear.Example{Features: features[i], Yes: label[i] == l, Weight: max(weight, 1e-3)}
		}
		m, err := linear.Train(examples, linear.Training{Epochs: 12, Rate: .3, Decay: 1e-5, Seed: seed})
		if err != nil {
			return nil, err
		}
		c.models = append(c.models, m)
	}
	return c, nil
}

// Classify gives the likeliest label of an input and how unsure the model is: 1 less the distance between the two likeliest labels
// (margin sampling: Scheffer, Decomain and Wrobel, 2001), their probabilities brought to a sum of 1.
func (c *Classifier) Classify(input json.RawMessage) (label string, doubt float64) {
	fs := linear.Features(strings.ToLower(Text(input)))
	first, second, sum, best := 0.0, 0.0, 0.0, 0
	for l, m := range c.models {
		p := m.ScoreFeatures(fs)
		sum += p
		if p > first {
			first, second, best = p, first, l
		} else {
			second = max(second, p)
		}
	}
	return c.Labels[best], 1 - (first-second)/max(sum, 1e-9)
}

// Doubts fills in how unsure the classifier is of each row of a pool.
func (c *Classifier) Doubts(pool []Row) {
	for i := range pool {
		_, pool[i].Doubt = c.Classify(pool[i].Input)
	}
}

// Spread is how far several answers to one input differ: 1 less the share of the commonest. Answers that could not be read differ from
// all others.
func Spread(answers []rung.Answer) float64 {
	counts, most := map[string]int{}, 0
	for i := range answers {
		if answers[i].Problem == rung.NoProblem {
			counts[string(answers[i].Value)]++
			most = max(most, counts[string(answers[i].Value)])
		}
	}
	if len(answers) < 2 {
		return math.NaN()
	}
	return 1 - float64(max(most, 1))/float64(len(answers))
}

// Apart is the share of the pairs of subjects that answer an input differently; each subject's first answer counts.
func Apart(bySubject []rung.Answer) float64 {
	pairs, differ := 0, 0
	for i := range bySubject {
		for j := range i {
			a, b := &bySubject[i], &bySubject[j]
			pairs++
			if a.Problem != b.Problem || string(a.Value) != string(b.Value) {
				differ++
			}
		}
	}
	if pairs == 0 {
		return math.NaN()
	}
	return float64(differ) / float64(pairs)
}

// StatedDoubt is 1 less the confidence that an answer states in a field, on a scale that ends at 1 or at 100; NaN where it states none.
func StatedDoubt(a *rung.Answer, field string) float64 {
	var all map[string]json.RawMessage
	var v float64
	if field == "" || json.Unmarshal(a.Value, &all) != nil || json.Unmarshal(all[field], &v) != nil || v < 0 || v > 100 {
		return math.NaN()
	}
	if v > 1 {
		v /= 100
	}
	return 1 - v
}

// MeanDoubt is the mean of what is known; NaN of nothing.
func MeanDoubt(values ...float64) float64 {
	known := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(known) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range known {
		sum += v
	}
	return sum / float64(len(known))
}
