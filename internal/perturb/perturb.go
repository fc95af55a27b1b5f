// Package perturb makes changed copies of examples whose right answer stays the same: inputs with typing errors, in lower case,
// in another order, or in other words. A copy depends on the example's id and the kind of change alone, so that everybody who
// measures the same examples measures the same copies.
package perturb

import (
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"github.com/rung-dev/rung"
)

// Kind is a kind of change.
type Kind string

// The kinds.
const (
	Typos      Kind = "typos"      // letters exchanged, left out, doubled or hit beside
	Case       Kind = "case"       // all in lower case and without marks at the ends of sentences, as people type
	Order      Kind = "order"      // sentences in another order; within one sentence, neighbouring words exchanged
	Paraphrase Kind = "paraphrase" // other words for the same, by a small list; English
)

// Kinds are all kinds, in the order of reports.
var Kinds = []Kind{Typos, Case, Order, Paraphrase}

// Says describes a kind for people.
func (k Kind) Says() string {
	return map[Kind]string{Typos: "typing errors in about one word of six", Case: "lower case, no marks at the ends of sentences",
		Order: "sentences or neighbouring words exchanged", Paraphrase: "other words for the same, from a list (English)"}[k]
}

// Examples are changed copies in the same order, and how many of them differ. IDs, groups and expected outputs stay. Only the input
// fields in fields are changed, and in them no word that an expected output holds: what must be copied must be there to be copied.
func Examples(examples []rung.Example, kind Kind, fields []rung.Field) (out []rung.Example, changed int) {
	out = slices.Clone(examples)
	for i := range out {
		if input, ok := change(&out[i], kind, fields); ok {
			out[i].Input = input
			changed++
		}
	}
	return out, changed
}

// change is the changed input; ok is false where nothing could be changed.
func change(ex *rung.Example, kind Kind, fields []rung.Field) (input json.RawMessage, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(ex.Input, &members) != nil {
		return nil, false
	}
	w := writer{random: rand.New(rand.NewPCG(seedOf(ex.ID, string(kind)), 1)), kept: wordsOf(ex)}
	for _, f := range fields {
		var text string
		if f.Type != "string" || json.Unmarshal(members[f.Name], &text) != nil {
			continue
		}
		other := w.write(text, kind)
		if other == text {
			continue
		}
		raw, err := encode(other)
		if err != nil {
			return nil, false
		}
		members[f.Name], ok = raw, true
	}
	if !ok {
		return nil, false
	}
	return inOrder(members, fields), true
}

// encode writes a string without escaping what is no fault in JSON.
func encode(s string) (json.RawMessage, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return json.RawMessage(strings.TrimSpace(b.String())), err
}

// inOrder writes the members in the task's order, others after them by name.
func inOrder(members map[string]json.RawMessage, fields []rung.Field) json.RawMessage {
	var names []string
	for _, f := range fields {
		if _, there := members[f.Name]; there {
			names = append(names, f.Name)
		}
	}
	var rest []string
	for name := range members {
		if !slices.Contains(names, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	out := []byte{'{'}
	for i, name := range append(names, rest...) {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := encode(name)
		if err != nil {
			continue // a name that was read from JSON can be written
		}
		out = append(append(append(out, key...), ':'), members[name]...)
	}
	return append(out, '}')
}

func seedOf(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// wordsOf are the words of all expected outputs, lowered.
func wordsOf(ex *rung.Example) map[string]bool {
	kept := map[string]bool{}
	for _, raw := range ex.Expected() {
		for _, w := range strings.FieldsFunc(strings.ToLower(string(raw)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
			kept[w] = true
		}
	}
	return kept
}

// writer changes one text.
type writer struct {
	random *rand.Rand
	kept   map[string]bool // words that stay as they are
}

func (w *writer) write(text string, kind Kind) string {
	switch kind {
	case Typos:
		return w.typos(text)
	case Case:
		return w.lower(text)
	case Order:
		return w.reorder(text)
	case Paraphrase:
		return w.paraphrase(text)
	}
	return text
}

// piece is a run of letters and digits, or what stands between two.
type piece struct {
	text string
	word bool
}

func pieces(s string) []piece {
	var out []piece
	start, inside := 0, false
	for i, r := range s {
		is := unicode.IsLetter(r) || unicode.IsNumber(r) || r == '\''
		if i > 0 && is != inside {
			out = append(out, piece{s[start:i], inside})
			start = i
		}
		inside = is
	}
	if start < len(s) {
		out = append(out, piece{s[start:], inside})
	}
	return out
}

func joined(ps []piece) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String()
}

// free reports whether a word may be changed: it is in no expected output and holds no digit.
func (w *writer) free(p piece) bool {
	return p.word && !w.kept[strings.ToLower(p.text)] && !strings.ContainsFunc(p.text, unicode.IsNumber)
}
