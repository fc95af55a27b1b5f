package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/retrieve"
)

// pool is the train split as demonstrations to choose from. It is stored under its digest, so that a candidate with nearest
// demonstrations can be run without the task's files.
type pool struct {
	kit    *Kit
	digest rung.Digest
	demos  []rung.Demo
	texts  []string // what nearness is measured on
	near   *retrieve.Nearest
	dense  bool // near has vectors
}

// poolKind names pools among the store's blobs.
const poolKind = "pool"

func (k *Kit) trainPool(ctx context.Context) (*pool, error) {
	if k.pool != nil {
		return k.pool, nil
	}
	p := &pool{kit: k}
	fields := demoFields(rung.Candidate{Input: k.Task.Input, Output: k.Task.Output})
	for i := range k.Building.Train {
		e := &k.Building.Train[i]
		text, err := queryText(fields, e.Input)
		if err != nil {
			return nil, err
		}
		p.demos = append(p.demos, rung.Demo{ID: e.ID, Input: e.Input, Output: e.Output})
		p.texts = append(p.texts, text)
	}
	b, err := json.Marshal(p.demos)
	if err != nil {
		return nil, err
	}
	p.digest = rung.DigestBytes(b)
	if err := k.Store.PutBlob(ctx, poolKind, p.digest, b); err != nil {
		return nil, err
	}
	k.pool = p
	return p, nil
}

// nearest is the way to the pool's nearest texts in the given mode.
func (p *pool) nearest(ctx context.Context, mode rung.DemoMode) (Nearest, error) {
	if p.near == nil {
		p.near = retrieve.NewNearest(p.texts)
	}
	if mode == rung.NearestBM25 {
		return func(_ context.Context, query string, k int) ([]int, error) { return p.near.BM25(query, k), nil }, nil
	}
	if !p.dense {
		vectors, err := p.kit.Embed(ctx, p.texts)
		if err != nil {
			return nil, err
		}
		if err := p.near.SetVectors(vectors); err != nil {
			return nil, err
		}
		p.dense = true
	}
	return func(ctx context.Context, query string, k int) ([]int, error) {
		v, err := p.kit.Embed(ctx, []string{query})
		if err != nil {
			return nil, err
		}
		return p.near.Dense(v[0], k)
	}, nil
}

// balanced picks k demonstrations that show the kinds of output in turn, commonest kind first. Within a kind it takes
// outputs of middling length, since the shortest show too little and the longest cost on every call.
func (p *pool) balanced(k int, out rung.Output) []rung.Demo {
	kinds := make(map[string][]int)
	for i, d := range p.demos {
		key := outputKind(d.Output, out)
		kinds[key] = append(kinds[key], i)
	}
	keys := make([]string, 0, len(kinds))
	for key, members := range kinds {
		keys = append(keys, key)
		sort.SliceStable(members, func(a, b int) bool { return p.size(members[a]) < p.size(members[b]) })
	}
	sort.Slice(keys, func(a, b int) bool {
		if la, lb := len(kinds[keys[a]]), len(kinds[keys[b]]); la != lb {
			return la > lb
		}
		return keys[a] < keys[b]
	})
	picked := make([]rung.Demo, 0, k)
	for round := 0; len(picked) < k && round < len(p.demos); round++ {
		for _, key := range keys {
			if members := kinds[key]; round < len(members) && len(picked) < k {
				picked = append(picked, p.demos[members[middle(round, len(members))]])
			}
		}
	}
	return picked
}

func (p *pool) size(i int) int { return len(p.demos[i].Input) + len(p.demos[i].Output) }

// middle walks 0…n−1 from the middle outwards.
func middle(round, n int) int {
	at := (n - 1) / 2
	if step := (round + 1) / 2; round%2 == 1 {
		at += step
	} else {
		at -= step
	}
	return min(max(at, 0), n-1)
}

// outputKind is what demonstrations are balanced over: the label, the function called, or for other JSON the value of its
// first member when that is a short string (an intent, a type), else the set of its members.
func outputKind(output json.RawMessage, out rung.Output) string {
	switch out.Kind {
	case rung.Labels:
		return string(output)
	case rung.Tools:
		var call struct{ Name string }
		_ = json.Unmarshal(output, &call) // a list of calls has no single name: all of one kind
		return call.Name
	case rung.JSONSchema:
		return jsonKind(output)
	}
	return ""
}

func jsonKind(output json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(output, &members) != nil {
		return ""
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		var s string
		if json.Unmarshal(members[name], &s) == nil && len(s) <= 40 {
			return name + "=" + s
		}
	}
	return fmt.Sprint(names)
}
