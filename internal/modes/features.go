package modes

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// A mistake is described by how the answer departs from what was expected: the words that it has too many and too few, its kind,
// its length against the expected, and how it begins. The words of the input count little: what was asked is no way to fail.

// weights of the parts of a description.
const (
	kindWeight   = 3
	modeWeight   = 3
	shapeWeight  = 1.5
	extraWeight  = 1
	lackWeight   = .7
	inputWeight  = .2
	maxTextBytes = 20_000
)

// features are the terms of a mistake with their weights.
func (m *Mistake) features() map[string]float64 {
	f := map[string]float64{}
	kind, detail, _ := strings.Cut(m.Score.Mistake, ":")
	f["kind "+kind] += kindWeight
	if detail != "" {
		f["kind "+m.Score.Mistake] += kindWeight / 2
	}
	for _, mode := range m.Found {
		f["mode "+mode] += modeWeight
	}
	got, want, input := wordsOf(m.Answer()), wordsOf(bare(m.Example.Output)), wordsOf(string(m.Example.Input))
	f["length "+lengthClass(len(got), len(want))] += shapeWeight
	if len(got) > 0 {
		f["begins "+got[0]] += shapeWeight / 2
	}
	bag(f, "+", without(got, want), extraWeight)
	bag(f, "-", without(want, got), lackWeight)
	bag(f, "?", input, inputWeight)
	return f
}

// bag adds words so that together they weigh as much as one word times weight·√n.
func bag(f map[string]float64, mark string, words []string, weight float64) {
	for _, w := range words {
		f[mark+w] += weight / math.Sqrt(math.Sqrt(float64(len(words))))
	}
}

func lengthClass(got, want int) string {
	switch ratio := float64(got+1) / float64(want+1); {
	case got == 0:
		return "nothing"
	case ratio < .4:
		return "far shorter"
	case ratio < .8:
		return "shorter"
	case ratio <= 1.25:
		return "equal"
	case ratio <= 2.5:
		return "longer"
	}
	return "far longer"
}

func wordsOf(s string) []string {
	s = strings.ToLower(s[:min(len(s), maxTextBytes)])
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '\'' })
}

// without are the words of a that b lacks, counted.
func without(a, b []string) []string {
	left := map[string]int{}
	for _, w := range b {
		left[w]++
	}
	var out []string
	for _, w := range a {
		if left[w] > 0 {
			left[w]--
			continue
		}
		out = append(out, w)
	}
	return out
}

// term is one coordinate of a sparse vector.
type term struct {
	id int
	w  float64
}

// described are the mistakes as sparse unit vectors, TF-IDF weighted, and the names of the coordinates.
func described(mistakes []Mistake) (vectors [][]term, names []string) {
	all := make([]map[string]float64, len(mistakes))
	in := map[string]int{}
	for i := range mistakes {
		all[i] = mistakes[i].features()
		for name := range all[i] {
			in[name]++
		}
	}
	for name := range in {
		names = append(names, name)
	}
	slices.Sort(names)
	id := make(map[string]int, len(names))
	for i, name := range names {
		id[name] = i
	}
	n := float64(len(mistakes))
	for _, f := range all {
		var v []term
		norm := 0.0
		for name, w := range f {
			w *= math.Log(1+n/float64(in[name])) / math.Ln2
			v = append(v, term{id[name], w})
		}
		slices.SortFunc(v, func(a, b term) int { return a.id - b.id })
		for _, t := range v { // in order: sums of floats depend on it
			norm += t.w * t.w
		}
		for i := range v {
			v[i].w /= math.Sqrt(norm)
		}
		vectors = append(vectors, v)
	}
	return vectors, names
}

func sparseCosine(a, b []term) float64 {
	sum, i, j := 0.0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i].id == b[j].id:
			sum += a[i].w * b[j].w
			i++
			j++
		case a[i].id < b[j].id:
			i++
		default:
			j++
		}
	}
	return sum
}

// sparseDistances is the matrix of cosine distances.
func sparseDistances(v [][]term) [][]float64 {
	return distances(len(v), func(i, j int) float64 { return 1 - sparseCosine(v[i], v[j]) })
}

// denseDistances is the matrix of cosine distances of embeddings.
func denseDistances(v [][]float32) [][]float64 {
	norms := make([]float64, len(v))
	for i := range v {
		for _, x := range v[i] {
			norms[i] += float64(x) * float64(x)
		}
		norms[i] = math.Sqrt(norms[i])
	}
	return distances(len(v), func(i, j int) float64 {
		dot := 0.0
		for k, x := range v[i] {
			dot += float64(x) * float64(v[j][k])
		}
		if norms[i] == 0 || norms[j] == 0 {
			return 1
		}
		return 1 - dot/norms[i]/norms[j]
	})
}

func distances(n int, of func(i, j int) float64) [][]float64 {
	d := make([][]float64, n)
	flat := make([]float64, n*n)
	for i := range d {
		d[i] = flat[i*n : (i+1)*n]
		for j := range i {
			d[i][j] = max(of(i, j), 0)
			d[j][i] = d[i][j]
		}
	}
	return d
}
