package linear

import (
	"errors"
	"math"
	"math/rand/v2"
)

// Example is a text with its class and its weight in training.
type Example struct {
	Text     string
	Features []uint32 // instead of those of Text
	Yes      bool
	Weight   float64
}

// Training bounds and seeds a training.
type Training struct {
	Epochs int     // passes over the examples
	Rate   float64 // of AdaGrad
	Decay  float64 // L2, per step
	Seed   uint64
}

// Train fits a model by AdaGrad (Duchi, Hazan and Singer, 2011) on the log loss; weights are then rounded to a byte.
func Train(examples []Example, t Training) (*Model, error) {
	if len(examples) == 0 {
		return nil, errors.New("there are no examples")
	}
	features := make([][]uint32, len(examples))
	for i, e := range examples {
		if features[i] = e.Features; features[i] == nil {
			features[i] = Features(e.Text)
		}
	}
	weights, squares := make([]float64, 1<<Bits), make([]float64, 1<<Bits)
	bias, biasSquares := 0.0, 0.0
	random := rand.New(rand.NewPCG(t.Seed, 1))
	for range t.Epochs {
		for _, i := range random.Perm(len(examples)) {
			fs := features[i]
			if len(fs) == 0 {
				continue
			}
			size := math.Sqrt(float64(len(fs)))
			z := bias
			for _, f := range fs {
				z += weights[f] / size
			}
			gradient := sigmoid(z)
			if examples[i].Yes {
				gradient--
			}
			gradient *= examples[i].Weight
			biasSquares += gradient * gradient
			bias -= t.Rate * gradient / (math.Sqrt(biasSquares) + 1e-8)
			for _, f := range fs {
				g := gradient/size + t.Decay*weights[f]
				squares[f] += g * g
				weights[f] -= t.Rate * g / (math.Sqrt(squares[f]) + 1e-8)
			}
		}
	}
	return rounded(bias, weights), nil
}

func rounded(bias float64, weights []float64) *Model {
	largest := 1e-9
	for _, w := range weights {
		largest = max(largest, math.Abs(w))
	}
	m := &Model{bias: float32(bias), scale: float32(largest / 127), weights: make([]int8, len(weights))}
	for i, w := range weights {
		m.weights[i] = int8(math.Round(w / largest * 127))
	}
	return m
}
