// Package linear is logistic regression over hashed words, pairs of words and character n-grams of a text: small, quick, and
// the same code for training and serving.
package linear

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Bits is the size of the table of weights, as a power of two.
const Bits = 16

// Model scores texts. It never changes and is safe for concurrent use.
type Model struct {
	bias    float32
	scale   float32 // of one step of a weight
	weights []int8  // 1 << Bits
}

// maxRunes is how much of a text is scored; callers cut longer ones into parts.
const maxRunes = 4000

// Features are the distinct hashed features of a text in ascending order. The text should be folded: case counts.
func Features(text string) []uint32 {
	if len(text) > maxRunes {
		text = text[:maxRunes]
	}
	var out []uint32
	var before uint32
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !wordRune(r) {
			if r > ' ' {
				out = append(out, hash(3, text[i:i+n], 0)) // punctuation counts as such
			}
			i += n
			continue
		}
		end := i
		for end < len(text) {
			r, n := utf8.DecodeRuneInString(text[end:])
			if !wordRune(r) {
				break
			}
			end += n
		}
		w := text[i:end]
		h := hash(1, w, 0)
		out = append(out, h, hash(2, w, before))
		before = h
		out = grams(out, w)
		i = end
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func wordRune(r rune) bool {
	return r == '\'' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// grams adds the runs of 4 bytes of a word with its ends marked.
func grams(out []uint32, w string) []uint32 {
	if len(w) > 40 {
		w = w[:40]
	}
	marked := "<" + w + ">"
	for i := 0; i+4 <= len(marked); i++ {
		out = append(out, hash(4, marked[i:i+4], 0))
	}
	return out
}

// Hash is the feature of a kind (16 and above: those below are taken) and a text.
func Hash(kind byte, text string) uint32 { return hash(kind, text, 0) }

// hash is FNV-1a over a kind, a text and the word before.
func hash(kind byte, text string, before uint32) uint32 {
	h := uint32(2166136261)
	h = (h ^ uint32(kind)) * 16777619
	h = (h ^ before) * 16777619
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return (h ^ h>>Bits) & (1<<Bits - 1)
}

// Score is the probability that the text is of the class that the model knows.
func (m *Model) Score(text string) float64 { return m.ScoreFeatures(Features(text)) }

// ScoreFeatures is Score for features that the caller has made.
func (m *Model) ScoreFeatures(fs []uint32) float64 {
	if len(fs) == 0 {
		return 0
	}
	sum := 0
	for _, f := range fs {
		sum += int(m.weights[f])
	}
	return sigmoid(float64(m.bias) + float64(m.scale)*float64(sum)/math.Sqrt(float64(len(fs))))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

const magic = "rung-linear-1\n"

// Bytes is the model in a form that Load reads: bias and scale as little-endian float32, then a signed byte per weight.
func (m *Model) Bytes() []byte {
	out := []byte(magic)
	out = binary.LittleEndian.AppendUint32(out, math.Float32bits(m.bias))
	out = binary.LittleEndian.AppendUint32(out, math.Float32bits(m.scale))
	for _, w := range m.weights {
		out = append(out, byte(w))
	}
	return out
}

// Load reads a model.
func Load(data []byte) (*Model, error) {
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok || len(rest) != 8+1<<Bits {
		return nil, errors.New("this is no linear model")
	}
	m := &Model{bias: math.Float32frombits(binary.LittleEndian.Uint32(rest)), scale: math.Float32frombits(binary.LittleEndian.Uint32(rest[4:])),
		weights: make([]int8, 1<<Bits)}
	for i, b := range rest[8:] {
		m.weights[i] = int8(b)
	}
	if bad := float64(m.bias) + float64(m.scale); math.IsNaN(bad) || math.IsInf(bad, 0) {
		return nil, errors.New("the model's numbers are not finite")
	}
	return m, nil
}
