package rating

import (
	"testing"

	"github.com/rung-dev/rung"
)

// A share of agreement stays between 0 and 1, and fifteen agreements do not prove that two raters always agree.
func TestAgreementWithOthersStaysAShare(t *testing.T) {
	b := &builder{q: &rung.RatingQueue{Kind: rung.Pairwise}, o: ResultOptions{Level: .95, Seed: 1, Resamples: 500}}
	twelve := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}
	halves := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, .5, .5, 0} // of items with three raters
	always := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	for _, values := range [][]float64{twelve, halves, always} {
		if iv := b.withOthersMean(values); iv.N != 15 || iv.Low < .4 || iv.Low > .85 || iv.High > 1 || iv.High < iv.Value {
			t.Errorf("%v: %+v", values, iv)
		}
	}
}
