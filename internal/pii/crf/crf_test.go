package crf_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/rung-dev/rung/internal/pii/crf"
)

// examples are sequences of letters whose tag depends on the letter and, for x, on the tag before: what no model without a chain tells.
func examples(n int, seed uint64) []crf.Example {
	r := rand.New(rand.NewPCG(seed, seed))
	var out []crf.Example
	for range n {
		var e crf.Example
		before := uint8(0)
		for range 3 + r.IntN(6) {
			c := r.IntN(3)
			tag := uint8(c)
			if c == 2 { // x goes on with what was
				tag = before
			}
			e.Steps = append(e.Steps, []uint32{crf.Hash(1, uint64(c)), crf.Hash(2, uint64(r.IntN(1000)))})
			e.Tags = append(e.Tags, tag)
			before = tag
		}
		out = append(out, e)
	}
	return out
}

func train() *crf.Model {
	return crf.Train(examples(400, 1), crf.Training{Tags: 2, Allowed: func(_, _ int) bool { return true }, Epochs: 6, Rate: .5, L1: .001, MinCount: 2, Least: .01, Seed: 1})
}

func TestAChainIsLearned(t *testing.T) {
	m := train()
	var s crf.Scratch
	right, all := 0, 0
	for _, e := range examples(200, 2) {
		tags, margins := m.Decode(e.Steps, &s)
		for i := range tags {
			all++
			if tags[i] == e.Tags[i] {
				right++
			}
			if margins[i] < -1e-3 {
				t.Fatalf("the best tag is %v behind another", margins[i])
			}
		}
	}
	if share := float64(right) / float64(all); share < .95 {
		t.Errorf("%.3f of %d tags are right", share, all)
	}
}

func TestTheSameExamplesGiveTheSameBytes(t *testing.T) {
	a := train().Bytes()
	if !bytes.Equal(a, train().Bytes()) {
		t.Fatal("two fits differ")
	}
	m, err := crf.Load(a)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Bytes(), a) {
		t.Error("a model that was read writes another file")
	}
}

func FuzzLoad(f *testing.F) {
	whole := train().Bytes()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("CRF1"))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := crf.Load(file)
		if err == nil {
			var s crf.Scratch
			m.Decode([][]uint32{{1, 2}, {3}}, &s)
		}
	})
}
