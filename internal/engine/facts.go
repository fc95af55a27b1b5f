package engine

import (
	"context"

	"github.com/rung-dev/rung"
)

// Fact is what is known of a model that comes with rung: under which licence it may be used, and under which name its
// publisher has it, which is what PEFT, vLLM and others load it by.
type Fact struct {
	Licence   string // SPDX identifier
	Published string // repository on the Hugging Face hub
}

var facts = map[string]Fact{
	"smollm2-135m": {"Apache-2.0", "HuggingFaceTB/SmolLM2-135M-Instruct"},
	"minilm":       {"Apache-2.0", "sentence-transformers/all-MiniLM-L6-v2"},
}

// FactOf gives what is known of a model; nothing for one of the user's own or of a provider.
func FactOf(ref rung.ModelRef) Fact {
	if !ref.Local() {
		return Fact{}
	}
	return facts[ref.Name()]
}

// Repeatable reports whether the model answers the same request with the same text: where each server has one slot, an
// answer does not depend on what else is asked at the same time. With several slots about a fifth of the answers differ.
func (e *Engine) Repeatable(ctx context.Context, ref rung.ModelRef) (bool, error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		return false, err
	}
	return m.fleet.per == 1, nil
}
