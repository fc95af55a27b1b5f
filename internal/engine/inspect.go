package engine

import (
	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/venv"
)

// Found is what there is of the local engine on this machine.
type Found struct {
	Server string       // path of the user's own llama-server; empty: none
	Wheel  string       // Python of the environment that holds xllamacpp; empty: not installed
	Models []FoundModel // the built-in models
}

// FoundModel is a built-in model. Path and Digest are empty when it is not prepared.
type FoundModel struct {
	Ref      rung.ModelRef
	Embedder bool
	Path     string
	Digest   rung.Digest
}

// Inspect looks at what is installed. It changes nothing, starts nothing and asks no network.
func Inspect(cacheDir string) Found {
	f := Found{Server: FindServer()}
	if python, ok := venv.Ready("engine", engineLock()); ok {
		f.Wheel = python
	}
	for i := range builtins {
		b := &builtins[i]
		m := FoundModel{Ref: rung.ModelRef("local/" + b.name), Embedder: b.embedding}
		if p, ok := b.ready(cacheDir); ok {
			m.Path, m.Digest = p.Served, p.Digest
		}
		f.Models = append(f.Models, m)
	}
	return f
}

// Builtins are the models that rung can install itself.
func Builtins() []rung.ModelRef {
	out := make([]rung.ModelRef, len(builtins))
	for i, b := range builtins {
		out[i] = rung.ModelRef("local/" + b.name)
	}
	return out
}
