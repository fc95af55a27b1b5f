package crf

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Example is a sequence with its tags.
type Example struct {
	Steps [][]uint32 // the features of each step
	Tags  []uint8
}

// Training says how a model is fitted: AdaGrad (Duchi, Hazan, Singer, JMLR 2011) on the log-likelihood; after each epoch all
// weights are moved towards zero by an L1 penalty, so that most are exactly zero.
type Training struct {
	Tags     int
	Allowed  func(from, to int) bool // steps from tag to tag that may happen
	Epochs   int
	Rate     float32
	L1       float32 // by how much a weight is moved towards zero after each epoch
	MinCount int     // a feature seen in fewer steps has no weight
	Least    float32 // weights that end nearer to zero are dropped
	Seed     uint64
}

// slot holds what is learned of one feature: weights, and sums of squared gradients.
type slot struct{ w, g [width]float32 }

// sequence is an example with its features numbered: those of step i are ids[ends[i-1]:ends[i]].
type sequence struct {
	ids  []int32
	ends []int32
	tags []uint8
}

// trainer holds one fit.
type trainer struct {
	Training
	keys  []uint32 // sorted; the number of a feature is its place
	slots []slot
	trans []float64
	tg    []float64
	expT  []float64
	emit  []float64 // steps × tags, exponentials
	alpha []float64
	beta  []float64
	gold  []float64
	pair  []float64
	delta []float64
	ahead []float64
}

// Train fits a model. The same examples give the same model, to the byte, on the same kind of processor.
func Train(examples []Example, t Training) *Model {
	tr := newTrainer(examples, t)
	all := tr.number(examples)
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	random := rand.New(rand.NewPCG(t.Seed, t.Seed))
	for range t.Epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			tr.step(&all[i])
		}
		tr.shrink()
	}
	return tr.model()
}

func newTrainer(examples []Example, t Training) *trainer {
	var seen []uint32
	for _, e := range examples {
		for _, features := range e.Steps {
			seen = append(seen, features...)
		}
	}
	slices.Sort(seen)
	tr := &trainer{Training: t}
	for i := 0; i < len(seen); {
		j := i
		for j < len(seen) && seen[j] == seen[i] {
			j++
		}
		if j-i >= t.MinCount {
			tr.keys = append(tr.keys, seen[i])
		}
		i = j
	}
	k := t.Tags
	tr.slots = make([]slot, len(tr.keys))
	for _, s := range []*[]float64{&tr.trans, &tr.tg, &tr.expT, &tr.pair, &tr.delta} {
		*s = make([]float64, k*k)
	}
	tr.ahead = make([]float64, k)
	for i := range tr.trans {
		if !t.Allowed(i/k, i%k) {
			tr.trans[i] = forbidden
		}
	}
	return tr
}

// number replaces features by their numbers, once.
func (tr *trainer) number(examples []Example) []sequence {
	ids := make(map[uint32]int32, len(tr.keys))
	for i, key := range tr.keys {
		ids[key] = int32(i)
	}
	out := make([]sequence, 0, len(examples))
	for _, e := range examples {
		if len(e.Steps) == 0 {
			continue
		}
		s := sequence{tags: e.Tags}
		for _, features := range e.Steps {
			for _, f := range features {
				if id, ok := ids[f]; ok {
					s.ids = append(s.ids, id)
				}
			}
			s.ends = append(s.ends, int32(len(s.ids)))
		}
		out = append(out, s)
	}
	return out
}

// at are the features of a step.
func (s *sequence) at(i int) []int32 {
	if i == 0 {
		return s.ids[:s.ends[0]]
	}
	return s.ids[s.ends[i-1]:s.ends[i]]
}

// step goes one step up the gradient of one example's log-likelihood.
func (tr *trainer) step(s *sequence) {
	n, k := len(s.ends), tr.Tags
	tr.forwardBackward(s, n)
	var moved [width]uint8
	var by [width]float32
	for i := range n {
		p := tr.gold[i*k : (i+1)*k]
		p[s.tags[i]]--
		many := 0
		for t, d := range p { // expected minus gold
			if d > 1e-3 || d < -1e-3 {
				moved[many], by[many] = uint8(t), float32(-d)
				many++
			}
		}
		for _, id := range s.at(i) {
			sl := &tr.slots[id]
			for j, t := range moved[:many] {
				d := by[j]
				sl.g[t] += d * d
				sl.w[t] += tr.Rate * d / (1 + float32(math.Sqrt(float64(sl.g[t]))))
			}
		}
	}
	tr.stepTransitions(s.tags, n)
}

// shrink moves all weights towards zero.
func (tr *trainer) shrink() {
	for i := range tr.slots {
		w := &tr.slots[i].w
		for t, v := range w {
			switch {
			case v > tr.L1:
				w[t] = v - tr.L1
			case v < -tr.L1:
				w[t] = v + tr.L1
			default:
				w[t] = 0
			}
		}
	}
}

func resized(s []float64, n int) []float64 { return slices.Grow(s[:0], n)[:n] }

// forwardBackward fills gold with the probability of each tag at each step, and keeps alpha and beta, scaled at each step so that
// alpha sums to one.
func (tr *trainer) forwardBackward(s *sequence, n int) {
	k := tr.Tags
	tr.emit, tr.alpha, tr.beta, tr.gold = resized(tr.emit, n*k), resized(tr.alpha, n*k), resized(tr.beta, n*k), resized(tr.gold, n*k)
	for i, w := range tr.trans {
		tr.expT[i] = math.Exp(w)
	}
	for i := range n {
		e := tr.emit[i*k : (i+1)*k]
		var sum [width]float32
		for _, id := range s.at(i) {
			for t, w := range &tr.slots[id].w {
				sum[t] += w
			}
		}
		for t := range e {
			e[t] = float64(sum[t])
		}
		high := slices.Max(e)
		for t := range e {
			e[t] = math.Exp(e[t] - high)
		}
	}
	for i := range n {
		a := tr.alpha[i*k : (i+1)*k]
		if i == 0 {
			copy(a, tr.emit[:k])
		} else {
			clear(a)
			for f, v := range tr.alpha[(i-1)*k : i*k] {
				if v < 1e-12 {
					continue
				}
				for t, w := range tr.expT[f*k : (f+1)*k] {
					a[t] += v * w
				}
			}
			for t := range a {
				a[t] *= tr.emit[i*k+t]
			}
		}
		normalise(a)
	}
	tr.backward(n)
}

func (tr *trainer) backward(n int) {
	k := tr.Tags
	for t := range k {
		tr.beta[(n-1)*k+t] = 1
	}
	ahead := tr.ahead
	for i := n - 2; i >= 0; i-- {
		for t := range ahead {
			ahead[t] = tr.beta[(i+1)*k+t] * tr.emit[(i+1)*k+t]
		}
		b := tr.beta[i*k : (i+1)*k]
		for f := range b {
			sum := 0.0
			for t, w := range tr.expT[f*k : (f+1)*k] {
				sum += w * ahead[t]
			}
			b[f] = sum
		}
		normalise(b)
	}
	for i := range n {
		p := tr.gold[i*k : (i+1)*k]
		for t := range p {
			p[t] = tr.alpha[i*k+t] * tr.beta[i*k+t]
		}
		normalise(p)
	}
}

func normalise(v []float64) {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	if sum <= 0 {
		sum = 1e-300
	}
	for i := range v {
		v[i] /= sum
	}
}

// stepTransitions goes up the gradient of the weights between tags.
func (tr *trainer) stepTransitions(tags []uint8, n int) {
	k := tr.Tags
	d, pair := tr.delta, tr.pair
	clear(d)
	for i := 1; i < n; i++ {
		for f := range k {
			a := tr.alpha[(i-1)*k+f]
			for t := range k {
				pair[f*k+t] = a * tr.expT[f*k+t] * tr.emit[i*k+t] * tr.beta[i*k+t]
			}
		}
		normalise(pair)
		for j, p := range pair {
			d[j] -= p
		}
		d[int(tags[i-1])*k+int(tags[i])]++
	}
	for i, v := range d {
		if v != 0 && tr.trans[i] != forbidden {
			tr.tg[i] += v * v
			tr.trans[i] += float64(tr.Rate) * v / (1 + math.Sqrt(tr.tg[i]))
		}
	}
}

// model rounds the weights to bytes and leaves out features without any.
func (tr *trainer) model() *Model {
	var high float32
	for i := range tr.slots {
		for _, w := range tr.slots[i].w {
			high = max(high, w, -w)
		}
	}
	m := &Model{tags: tr.Tags, scale: max(high, 1e-9) / 127}
	for _, w := range tr.trans {
		m.trans = append(m.trans, float32(w))
	}
	var keys []uint32
	for i, key := range tr.keys {
		var r row
		any := false
		for t, w := range tr.slots[i].w {
			if max(w, -w) >= tr.Least {
				r[t] = int8(math.Round(float64(w / m.scale)))
				any = any || r[t] != 0
			}
		}
		if any {
			keys, m.rows = append(keys, key), append(m.rows, r)
		}
	}
	m.index(keys)
	return m
}
