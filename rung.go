// Package rung holds the words of the project as types: task, example, bar, rung, candidate, completion, score,
// verdict and decision. It uses the standard library only and does no I/O; every other package imports it.
package rung

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Rung is a level of the ladder. Rungs are ordered by what they cost to own.
type Rung string

// The rungs, cheapest first.
const (
	Prompt  Rung = "prompt"
	FewShot Rung = "fewshot"
	RAG     Rung = "rag"
	LoRA    Rung = "lora"
	RAGLoRA Rung = "rag+lora"
)

// Ladder is every rung, cheapest first.
var Ladder = []Rung{Prompt, FewShot, RAG, LoRA, RAGLoRA}

// Retrieves reports whether candidates of the rung put retrieved passages into the prompt.
func (r Rung) Retrieves() bool { return r == RAG || r == RAGLoRA }

// Trains reports whether candidates of the rung carry an adapter.
func (r Rung) Trains() bool { return r == LoRA || r == RAGLoRA }

// Digest names content: the hex form of a SHA-256.
type Digest string

// Short is the form shown to people: the first twelve hex digits.
func (d Digest) Short() string {
	if len(d) <= 12 {
		return string(d)
	}
	return string(d[:12])
}

// DigestBytes is the digest of b.
func DigestBytes(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(hex.EncodeToString(sum[:]))
}

// DigestOf is the digest of v's JSON. v must be made of types whose JSON is deterministic: structs, slices, maps with
// string keys, and raw JSON that its producer already put in canonical order.
func DigestOf(v any) Digest {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("rung: digest of a value that has no JSON: %v", err))
	}
	return DigestBytes(b)
}

// ModelRef names a model as provider/name, such as local/smollm2-135m or openai/gpt-4o-mini.
type ModelRef string

// Provider is the part before the first slash.
func (m ModelRef) Provider() string {
	p, _, _ := strings.Cut(string(m), "/")
	return p
}

// Name is the part after the first slash.
func (m ModelRef) Name() string {
	_, n, _ := strings.Cut(string(m), "/")
	return n
}

// Local reports whether the model runs in the engine that rung manages.
func (m ModelRef) Local() bool { return m.Provider() == "local" }
