package dist

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"
)

func equal(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got != want && math.Abs(got-want) > 1e-12*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: %v, gonum has %v", what, got, want)
	}
}

// TestEqualsGonum compares with the distributions of gonum.
func TestEqualsGonum(t *testing.T) {
	for _, x := range []float64{-9, -2.5, -1, 0, .3, 1, 1.96, 6} {
		equal(t, "normal CDF", UnitNormal.CDF(x), distuv.UnitNormal.CDF(x))
		equal(t, "normal survival", UnitNormal.Survival(x), distuv.UnitNormal.Survival(x))
		equal(t, "normal density", UnitNormal.Prob(x), distuv.UnitNormal.Prob(x))
		for _, nu := range []float64{1, 2.5, 10, 300} {
			theirs := distuv.StudentsT{Sigma: 1, Nu: nu}
			equal(t, "t survival", StudentsT{nu}.Survival(x), theirs.Survival(x))
			equal(t, "t CDF", StudentsT{nu}.CDF(x), theirs.CDF(x))
			equal(t, "χ² survival", ChiSquared{nu}.Survival(x), distuv.ChiSquared{K: nu}.Survival(x))
		}
	}
	for _, p := range []float64{1e-9, .01, .3, .5, .9, .999} {
		equal(t, "normal quantile", UnitNormal.Quantile(p), distuv.UnitNormal.Quantile(p))
		equal(t, "t quantile", StudentsT{7}.Quantile(p), distuv.StudentsT{Sigma: 1, Nu: 7}.Quantile(p))
		equal(t, "beta density", Beta{2, 5.5}.Prob(p), distuv.Beta{Alpha: 2, Beta: 5.5}.Prob(p))
		equal(t, "beta quantile", Beta{2, 5.5}.Quantile(p), distuv.Beta{Alpha: 2, Beta: 5.5}.Quantile(p))
		for k := range 13 {
			theirs := distuv.Binomial{N: 12, P: p}
			equal(t, "binomial", Binomial{12, p}.Prob(float64(k)), theirs.Prob(float64(k)))
			equal(t, "binomial CDF", Binomial{12, p}.CDF(float64(k)), theirs.CDF(float64(k)))
		}
	}
	equal(t, "choose", LogChoose(40, 7), combin.LogGeneralizedBinomial(40, 7))
}

// TestFarOut: a p-value far out is small and not nought.
func TestFarOut(t *testing.T) {
	if p := UnitNormal.Survival(12); p <= 0 || p > 1e-30 {
		t.Errorf("P(X > 12) = %v", p)
	}
}
