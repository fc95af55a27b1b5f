package linear

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func examples() []Example {
	var out []Example
	for i := range 60 {
		out = append(out, Example{Text: fmt.Sprintf("please send invoice %d", i), Weight: 1}, Example{Text: fmt.Sprintf("play song %d loudly", i), Yes: true, Weight: 1})
	}
	return out
}

func TestTrainedModelTellsTheClassesApartAndIsRepeatable(t *testing.T) {
	setup := Training{Epochs: 5, Rate: .5, Decay: 1e-5, Seed: 1}
	m, err := Train(examples(), setup)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := m.Score("play another song"), m.Score("another invoice please"); a < .8 || b > .2 {
		t.Errorf("scores %.2f and %.2f", a, b)
	}
	if s := m.Score(""); s != 0 {
		t.Errorf("nothing scores %v", s)
	}
	again, err := Train(examples(), setup)
	if err != nil || !bytes.Equal(m.Bytes(), again.Bytes()) {
		t.Error("the same training must give the same bytes", err)
	}
	read, err := Load(m.Bytes())
	if err != nil || read.Score("play this") != m.Score("play this") {
		t.Error("a model read back scores otherwise", err)
	}
	if _, err := Train(nil, setup); err == nil {
		t.Error("nothing can be learned from nothing")
	}
}

func TestDamagedModelsAreRefused(t *testing.T) {
	m, err := Train(examples(), Training{Epochs: 1, Rate: .5})
	if err != nil {
		t.Fatal(err)
	}
	data := m.Bytes()
	random := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		if _, err := Load(data[:random.IntN(len(data))]); err == nil {
			t.Fatal("a model that ends too early was read")
		}
	}
	copy(data[len(magic):], []byte{0, 0, 0xc0, 0x7f}) // not a number
	if _, err := Load(data); err == nil {
		t.Error("a model whose numbers are none was read")
	}
}
