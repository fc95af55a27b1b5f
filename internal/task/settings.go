package task

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

var modelRule = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*/[^\s/][^\s]*$`)

const modelDo = "write provider/name, such as local/smollm2-135m, openai/gpt-4o-mini or ollama/qwen3"

func (r *reader) models(s section) []rung.ModelRef {
	if s.need("models", "list at least one model, such as: models: [local/smollm2-135m]") == nil {
		return nil
	}
	var models []rung.ModelRef
	for _, it := range s.list("models", true, modelDo) {
		switch {
		case !modelRule.MatchString(it.text):
			r.fail(it.at, fmt.Sprintf("%q is not the name of a model", it.text), modelDo)
		case slices.Contains(models, rung.ModelRef(it.text)):
			r.fail(it.at, it.text+" is listed twice", "keep it once")
		default:
			models = append(models, rung.ModelRef(it.text))
		}
	}
	return models
}

func (r *reader) embedder(s section) rung.ModelRef {
	const do = "write provider/name, such as local/minilm"
	name := s.text("embedder", do)
	if name != "" && !modelRule.MatchString(name) {
		r.fail(s.get("embedder").at, fmt.Sprintf("%q is not the name of a model", name), do)
	}
	return rung.ModelRef(name)
}

// rungs are the rungs to climb, in ladder order: those of the file, or all. One that does not apply is skipped in the climb,
// with its reason in the decision; asked for by name without what it needs, it is a fault.
func (r *reader) rungs(s section, documents []string) []rung.Rung {
	n := s.get("rungs")
	asked := r.rungNames(s)
	hasDocuments := s.get("documents") != nil
	var out []rung.Rung
	for _, level := range rung.Ladder {
		it, ok := asked[level]
		switch {
		case n == nil:
			out = append(out, level)
		case ok && level.Retrieves() && !hasDocuments:
			r.fail(it.at, fmt.Sprintf("the rung %s needs documents", level), "add documents: [PATH], or take it out")
		case ok:
			out = append(out, level)
		}
	}
	return out
}

func (r *reader) rungNames(s section) map[rung.Rung]item {
	known := make([]string, len(rung.Ladder))
	for i, level := range rung.Ladder {
		known[i] = string(level)
	}
	do := "the rungs are " + strings.Join(known, ", ")
	out := map[rung.Rung]item{}
	for _, it := range s.list("rungs", true, do) {
		level := rung.Rung(it.text)
		_, twice := out[level]
		switch {
		case !slices.Contains(known, it.text):
			hint := do
			if guess := nearest(it.text, known); guess != "" {
				hint = fmt.Sprintf("did you mean %q?", guess)
			}
			r.fail(it.at, fmt.Sprintf("there is no rung %q", it.text), hint)
		case twice:
			r.fail(it.at, "the rung "+it.text+" is listed twice", "keep it once")
		default:
			out[level] = it
		}
	}
	return out
}

func (r *reader) alphaWeights(s section, rungs []rung.Rung) map[rung.Rung]float64 {
	const do = "write rungs with their weights, such as: alpha_weights: {prompt: 2, lora: 1}"
	n := s.get("alpha_weights")
	if n == nil {
		return nil
	}
	if n.kind != mappingKind {
		r.fail(n.at, "alpha_weights is "+string(n.kind), do)
		return nil
	}
	out := map[rung.Rung]float64{}
	for _, p := range n.pairs {
		r.at["alpha_weights."+p.key] = p.value.at
		if !slices.Contains(rungs, rung.Rung(p.key)) {
			r.fail(p.at, fmt.Sprintf("%q is none of the rungs of this task", p.key), "take it out, or add it to rungs")
			continue
		}
		if f, ok := r.number(p.value, "alpha_weights."+p.key, bounds{low: 0, high: math.Inf(1), above: true}); ok {
			out[rung.Rung(p.key)] = f
		}
	}
	for _, level := range rungs {
		if _, ok := out[level]; !ok {
			out[level] = 1
		}
	}
	return out
}

// shareKeys are the keys of split that are shares.
var shareKeys = []string{"train", "dev", "heldout"}

// split reads the shares. Two of the three are enough.
func (r *reader) split(s section) rung.Shares {
	const do = "give shares that sum to 1, such as: split: {train: 0.5, dev: 0.15, heldout: 0.35}"
	n := s.get("split")
	if n == nil {
		return DefaultSplit
	}
	sec := r.section(n, "split", "split")
	if n.kind != mappingKind {
		return DefaultSplit
	}
	share := bounds{low: 0, high: 1, above: true}
	shares := map[string]float64{}
	sum, missing := 0.0, ""
	for _, key := range shareKeys {
		if sec.get(key) == nil {
			missing = key
			continue
		}
		shares[key] = sec.number(key, share, math.NaN())
		sum += shares[key]
	}
	if math.IsNaN(sum) {
		return DefaultSplit
	}
	if len(shares) == 2 {
		shares[missing] = 1 - sum
		sum = 1
	}
	if len(shares) < 2 || math.Abs(sum-1) > 1e-6 || slices.Min([]float64{shares["train"], shares["dev"], shares["heldout"]}) < 1e-6 {
		r.fail(n.at, fmt.Sprintf("the shares of the split sum to %.4g", sum), do)
		return DefaultSplit
	}
	return rung.Shares{Train: shares["train"], Dev: shares["dev"], Heldout: shares["heldout"]}
}

func (r *reader) limits(s section, models []rung.ModelRef) rung.Limits {
	timeout := DefaultTimeout
	if slices.ContainsFunc(models, rung.ModelRef.Local) {
		timeout = DefaultLocalTimeout
	}
	n := s.get("limits")
	l := r.section(n, "limits", "limits")
	positive := bounds{low: 0, high: math.Inf(1), above: true}
	return rung.Limits{
		Concurrency: l.whole("concurrency", 1, 10_000, 0),
		RPM:         l.number("rpm", positive, 0),
		TPM:         l.number("tpm", positive, 0),
		Timeout:     l.duration("timeout", timeout),
		Retries:     l.whole("retries", 0, 100, DefaultRetries),
		Reasks:      l.whole("reasks", 0, 10, DefaultReasks),
		MaxTokens:   l.whole("max_tokens", 1, 10_000_000, 0),
	}
}

// resources reads budget, training and retrieval.
func (r *reader) resources(s section, t *rung.Task) {
	b := r.section(s.get("budget"), "budget", "budget")
	t.Budget = rung.Budget{
		Cost: b.number("cost", bounds{low: 0, high: math.Inf(1), above: true}, 0),
		Wall: b.duration("wall", 0),
	}
	tr := r.section(s.get("training"), "training", "training")
	t.Training = rung.Training{
		Wall:    tr.duration("wall", 0),
		Seed:    tr.whole("seed", 0, math.MaxInt32, 0),
		MaxRank: tr.whole("max_rank", 1, 512, DefaultMaxRank),

		Canaries: tr.whole("canaries", 0, 64, 0),
	}
	re := r.section(s.get("retrieval"), "retrieval", "retrieval")
	t.Retrieval = rung.RetrievalSpec{
		ChunkTokens: re.whole("chunk_tokens", 20, 100_000, DefaultChunkTokens),
		Overlap:     re.whole("overlap", 0, 100_000, DefaultOverlap),
		K:           re.whole("k", 1, 1000, 0),
	}
	if n := re.get("overlap"); t.Retrieval.Overlap >= t.Retrieval.ChunkTokens {
		if n == nil {
			t.Retrieval.Overlap = t.Retrieval.ChunkTokens / 8
		} else {
			r.fail(n.at, fmt.Sprintf("retrieval.overlap is %d, as long as a chunk of %d", t.Retrieval.Overlap, t.Retrieval.ChunkTokens), "write about an eighth of chunk_tokens")
		}
	}
}
