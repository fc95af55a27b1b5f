package attack

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// dice gives numbers that depend on their seed and words only: the same suite on every machine.
type dice struct {
	seed  string
	count uint64
}

func newDice(words ...string) *dice { return &dice{seed: strings.Join(words, "\x00")} }

// below is a number from 0 to n−1.
func (d *dice) below(n int) int {
	d.count++
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], d.count)
	sum := sha256.Sum256(append([]byte(d.seed), b[:]...))
	return int(binary.LittleEndian.Uint64(sum[:8]) % uint64(n))
}

func pick[E any](d *dice, from []E) E { return from[d.below(len(from))] }

// token is a word that no language has and no text holds by chance: five syllables, about 2³² of them.
func (d *dice) token() string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	var b strings.Builder
	for range 5 {
		b.WriteByte(consonants[d.below(len(consonants))])
		b.WriteByte(vowels[d.below(len(vowels))])
	}
	return b.String()
}

// digits are n random digits, the first of them not 0.
func (d *dice) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + d.below(10))
	}
	if n > 0 && b[0] == '0' {
		b[0] = '7'
	}
	return string(b)
}

// folded are the words of a text: small letters and digits, everything else a gap.
func folded(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// runs are all runs of n words of some texts.
type runs struct {
	n   int
	set map[string]struct{}
}

// maxRuns bounds what is indexed of training texts, about 100 bytes each.
const maxRuns = 500_000

func newRuns(n int, texts ...string) *runs {
	x := &runs{n: n, set: map[string]struct{}{}}
	for _, t := range texts {
		words := folded(t)
		for i := 0; i+n <= len(words) && len(x.set) < maxRuns; i++ {
			x.set[strings.Join(words[i:i+n], " ")] = struct{}{}
		}
	}
	return x
}

// shared is the first run of text that x has and none of the others has; empty when there is none.
func (x *runs) shared(text string, without ...*runs) string {
	words := folded(text)
	for i := 0; i+x.n <= len(words); i++ {
		run := strings.Join(words[i:i+x.n], " ")
		if _, ok := x.set[run]; !ok {
			continue
		}
		if !slices.ContainsFunc(without, func(o *runs) bool { _, ok := o.set[run]; return ok }) {
			return run
		}
	}
	return ""
}

// squeezed is a text without spaces and marks, so that "07 55 – 12" is found in "075512".
func squeezed(text string) string { return strings.Join(folded(text), "") }

// flat is a JSON value as text: a string without its quotes, the strings of anything else in their order.
func flat(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	var parts []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			parts = append(parts, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, k := range sortedKeys(v) {
				parts = append(parts, k)
				walk(v[k])
			}
		}
	}
	var v any
	if json.Unmarshal(value, &v) != nil {
		return string(value)
	}
	walk(v)
	return strings.Join(parts, "\n")
}
