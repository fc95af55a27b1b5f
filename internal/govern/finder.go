package govern

import (
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Wanted is what is looked for when a person asks to be forgotten.
type Wanted struct {
	Persons []string `json:"persons,omitempty"` // keys of the sources' own
	IDs     []string `json:"ids,omitempty"`
	Texts   []string `json:"texts,omitempty"`   // looked for as they are, and nearly so
	Phrases []string `json:"phrases,omitempty"` // names and addresses, wherever they are mentioned
	Numbers []string `json:"numbers,omitempty"` // phones and accounts, however they are grouped
	// Learned are what the rows said that were found: what was made from them is found by it.
	Learned []string `json:"learned,omitempty"`
}

// NearText is the similarity (Jaccard over character 5-grams) from which two texts count as nearly the same.
const NearText = .6

// Finder finds rows and texts. It is not safe for concurrent use.
type Finder struct {
	Wanted
	persons, ids map[string]bool
	rows         map[string]bool // ids asked for and those of rows that were found
	phrases      []string
	numbers      map[string]bool
	texts        []nearby
	learned      []string
	known        map[string]bool
}

// nearby is a text with what its likeness is measured by.
type nearby struct {
	flat  string
	grams map[string]bool
}

// NewFinder prepares to look. What says too little to be anybody's, such as a number of four digits, is left out.
func NewFinder(w Wanted) *Finder {
	f := &Finder{Wanted: w, persons: map[string]bool{}, ids: map[string]bool{}, rows: map[string]bool{}, numbers: map[string]bool{}, known: map[string]bool{}}
	for _, p := range w.Persons {
		f.persons[p] = true
	}
	for _, id := range w.IDs {
		f.ids[id], f.rows[id] = true, true
	}
	for _, p := range w.Phrases {
		if p = canonicalMark(MarkPhrase, p); p != "" {
			f.phrases = append(f.phrases, " "+p+" ")
		}
	}
	for _, n := range w.Numbers {
		if n = canonicalMark(MarkNumber, n); n != "" {
			f.numbers[n] = true
		}
	}
	for _, t := range w.Texts {
		if flat := Flat(t); flat != "" {
			f.texts = append(f.texts, nearby{flat, grams(flat)})
		}
	}
	for _, l := range w.Learned {
		f.learn(l)
	}
	return f
}

// Empty reports whether there is nothing to look for.
func (f *Finder) Empty() bool {
	return len(f.persons)+len(f.ids)+len(f.phrases)+len(f.numbers)+len(f.texts)+len(f.learned) == 0
}

func grams(s string) map[string]bool {
	out := make(map[string]bool, len(s))
	for i := 0; i+5 <= len(s); i++ {
		out[s[i:i+5]] = true
	}
	return out
}

func jaccard(a, b map[string]bool) float64 {
	shared := 0
	for g := range a {
		if b[g] {
			shared++
		}
	}
	if all := len(a) + len(b) - shared; all > 0 {
		return float64(shared) / float64(all)
	}
	return 0
}

// Row says by what a row is found: person, id, text, near, phrase or number; empty when it is not. Of ids only those count that were asked
// for: rows of other datasets may have the id of a row that was found.
func (f *Finder) Row(row *rung.DatasetRow) string {
	if f.ids[row.ID] && !f.persons[row.Person] {
		return "id"
	}
	return f.Says(row)
}

// Says is Row without ids: by what a row of a raw file is found, whose id may not be the one that it has in a dataset.
func (f *Finder) Says(row *rung.DatasetRow) string {
	if f.persons[row.Person] {
		return "person"
	}
	return f.text(RowText(row), false)
}

// Holds reports whether a text, JSON or not, holds what is looked for, or what a found row said.
func (f *Finder) Holds(text []byte) bool { return f.text(Texts(text), true) != "" }

func (f *Finder) text(text string, derived bool) string {
	flat := " " + Flat(text) + " "
	for i := range f.texts {
		if strings.Contains(flat, " "+f.texts[i].flat+" ") {
			return "text"
		}
	}
	for _, p := range f.phrases {
		if strings.Contains(flat, p) {
			return "phrase"
		}
	}
	if len(f.numbers) > 0 {
		for _, n := range Numbers(text) {
			if f.numbers[n] {
				return "number"
			}
		}
	}
	if derived {
		for _, l := range f.learned {
			if strings.Contains(flat, l) {
				return "text"
			}
		}
	}
	if len(f.texts) > 0 && f.near(text) {
		return "near"
	}
	return ""
}

// near holds each line of a text to the texts that are looked for; lines of a very different length cannot be alike.
func (f *Finder) near(text string) bool {
	for line := range strings.Lines(text) {
		flat := Flat(line)
		var g map[string]bool
		for i := range f.texts {
			if t := &f.texts[i]; len(t.flat) >= 20 && 10*min(len(flat), len(t.flat)) >= 6*max(len(flat), len(t.flat)) {
				if g == nil {
					g = grams(flat)
				}
				if jaccard(g, t.grams) >= NearText {
					return true
				}
			}
		}
	}
	return false
}

// Learn takes in a row that was found: its id, and the texts of its input. Texts of fewer than three words and sixteen letters are in too
// many rows of others.
func (f *Finder) Learn(row *rung.DatasetRow) {
	if row.ID != "" {
		f.rows[row.ID] = true
	}
	for line := range strings.Lines(Texts(row.Input)) {
		if flat := Flat(line); len(flat) >= 16 || len(strings.Fields(flat)) >= 3 {
			f.learn(flat)
		}
	}
}

func (f *Finder) learn(flat string) {
	if !f.known[flat] {
		f.known[flat] = true
		f.Learned = append(f.Learned, flat)
		f.learned = append(f.learned, " "+flat+" ")
	}
}

// Rows are the ids of all rows that were found or asked for.
func (f *Finder) Rows() map[string]bool { return f.rows }

// Speaks reports whether persons or texts are looked for, and not only ids and what was learned.
func (f *Finder) Speaks() bool { return len(f.persons) > 0 || f.Mentions() }

// Mentions reports whether texts are looked for: what rows say, names, addresses and numbers.
func (f *Finder) Mentions() bool { return len(f.texts)+len(f.phrases)+len(f.numbers) > 0 }

// Found takes in the id of a row that was found.
func (f *Finder) Found(id string) { f.rows[id] = true }

// Mark puts on a list what keeps a found row and everything that was asked for away.
func (f *Finder) Mark(t *Tombstones, day, why string) {
	for mark, values := range map[Mark][]string{MarkPerson: f.Persons, MarkID: f.IDs, MarkText: f.Texts, MarkPhrase: f.Phrases, MarkNumber: f.Numbers} {
		for _, v := range slices.Sorted(slices.Values(values)) {
			t.Add(mark, v, day, why)
		}
	}
}
