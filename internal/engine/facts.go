package engine

import "github.com/rung-dev/rung"

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
