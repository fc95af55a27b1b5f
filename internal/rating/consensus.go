package rating

import (
	"slices"

	"github.com/rung-dev/rung"
)

// Judged is what people said about one item, checks left out. The adjudicated rating stands beside those of the raters.
type Judged struct {
	Item        *rung.RatingItem
	Ratings     []rung.Rating // of raters, one each, in the order in which they were given
	Adjudicated *rung.Rating  // the last one; nil where nobody settled it
	Same        bool          // two equal answers: a tie that nobody was asked
}

// JudgedItems are the items of a queue that somebody rated, and the pairs of equal answers, in the queue's order. Ratings of checks,
// skipped items and the raters in without are left out.
func JudgedItems(q *rung.RatingQueue, ratings []rung.Rating, without []string) []Judged {
	by := map[string]*Judged{}
	for i := range ratings {
		r := &ratings[i]
		if r.Check != rung.NoCheck || r.Skipped || r.Withdrawn || slices.Contains(without, r.Rater) {
			continue
		}
		j := by[r.Item]
		if j == nil {
			j = &Judged{}
			by[r.Item] = j
		}
		if r.Role == rung.AsAdjudicator {
			j.Adjudicated = r
		} else {
			j.Ratings = append(j.Ratings, *r)
		}
	}
	var out []Judged
	for i := range q.Items {
		item := &q.Items[i]
		if item.Check != rung.NoCheck {
			continue
		}
		j := by[item.ID]
		switch {
		case j != nil:
			j.Item = item
			out = append(out, *j)
		case Same(item):
			out = append(out, Judged{Item: item, Same: true})
		}
	}
	return out
}

// points is a preference as a score of the first answer.
func points(p rung.Preference) float64 {
	switch p {
	case rung.PrefersFirst:
		return 1
	case rung.PrefersSecond:
		return 0
	}
	return .5
}

// First is the score of the first answer: the adjudicated one where there is one, else the mean of the raters, a tie counting half.
func (j *Judged) First() float64 {
	if j.Adjudicated != nil {
		return points(j.Adjudicated.Preference)
	}
	if len(j.Ratings) == 0 {
		return .5
	}
	sum := 0.0
	for i := range j.Ratings {
		sum += points(j.Ratings[i].Preference)
	}
	return sum / float64(len(j.Ratings))
}

// Preference is the verdict on a pair: the adjudicated one, else that of more than half of the raters. It is false where raters are
// split and nobody settled it.
func (j *Judged) Preference() (rung.Preference, bool) {
	switch {
	case j.Adjudicated != nil:
		return j.Adjudicated.Preference, true
	case j.Same:
		return rung.PrefersNone, true
	}
	for _, p := range []rung.Preference{rung.PrefersFirst, rung.PrefersSecond, rung.PrefersNone} {
		n := 0
		for i := range j.Ratings {
			if j.Ratings[i].Preference == p {
				n++
			}
		}
		if 2*n > len(j.Ratings) {
			return p, true
		}
	}
	return "", false
}

// Value is a criterion's value: the adjudicated one where there is one, else the mean of the raters. It is false where nobody gave one.
func (j *Judged) Value(criterion string) (float64, bool) {
	if j.Adjudicated != nil {
		v, ok := j.Adjudicated.Values[criterion]
		return float64(v), ok
	}
	sum, n := 0, 0
	for i := range j.Ratings {
		if v, ok := j.Ratings[i].Values[criterion]; ok {
			sum += v
			n++
		}
	}
	return float64(sum) / float64(max(n, 1)), n > 0
}

// Candidates are all candidates that an option of the item stands for.
func candidatesOf(o *rung.RatingOption) []rung.Digest {
	return append([]rung.Digest{o.Candidate}, o.Also...)
}

// cluster names the examples that are not independent of the item's.
func cluster(item *rung.RatingItem) string {
	if item.Group != "" {
		return "group " + item.Group
	}
	return "example " + item.Example
}
