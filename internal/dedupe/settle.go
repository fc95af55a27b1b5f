package dedupe

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/unionfind"
)

// keptCompared bounds the kept rows of one cluster that a further row is compared with.
const keptCompared = 256

// settle chooses what stays in each cluster.
func (r *Result) settle(ctx context.Context, joined unionfind.Forest, o *Options) error {
	groups := clustersOf(joined)
	if o.Elsewhere != nil && o.Embed == nil { // vectors are here only
		return r.settleElsewhere(ctx, groups, o)
	}
	type part struct {
		removed   []Removed
		cluster   []Cluster
		contrasts int
	}
	parts := make([]part, o.Workers)
	g, ctx := errgroup.WithContext(ctx)
	for w := range o.Workers {
		g.Go(func() error {
			s := &settler{comparer: newComparer(r.docs.set, r.docs, o), o: o}
			defer s.reader.Close()
			for _, members := range groups[len(groups)*w/o.Workers : len(groups)*(w+1)/o.Workers] {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				removed, c, err := s.cluster(members)
				if err != nil {
					return err
				}
				parts[w].removed = append(parts[w].removed, removed...)
				if len(removed) > 0 {
					parts[w].cluster = append(parts[w].cluster, c)
				}
			}
			parts[w].contrasts = s.contrasts
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, p := range parts {
		r.Removed = append(r.Removed, p.removed...)
		r.Clusters = append(r.Clusters, p.cluster...)
		r.Contrast += p.contrasts
	}
	r.finish()
	return nil
}

// finish adds the unreadable rows, counts and sorts.
func (r *Result) finish() {
	for doc, what := range r.docs.broken {
		r.Removed = append(r.Removed, Removed{Doc: doc, Kept: -1, Reason: Unreadable, What: what})
	}
	slices.SortFunc(r.Removed, func(a, b Removed) int { return int(a.Doc - b.Doc) })
	for i := range r.Removed {
		r.Counts[r.Removed[i].Reason]++
		if r.Removed[i].Conflict {
			r.Conflict++
		}
	}
	r.Found = len(r.Clusters)
	slices.SortFunc(r.Clusters, func(a, b Cluster) int { return cmp.Or(b.Size-a.Size, int(a.Kept[0]-b.Kept[0])) })
	r.Clusters = slices.Clip(r.Clusters[:min(len(r.Clusters), maxClusters)])
}

// clustersOf lists the sets of more than one document, each in order, without a map: documents that share a root are chained.
func clustersOf(joined unionfind.Forest) [][]int32 {
	size := make([]int32, len(joined))
	total := 0
	for i := range joined {
		root := joined.Root(int32(i))
		if size[root]++; size[root] == 2 {
			total += 2
		} else if size[root] > 2 {
			total++
		}
	}
	store := make([]int32, 0, total)
	var groups [][]int32
	at := make([]int32, len(joined)) // of a root, its group + 1
	for i := range joined {
		root := joined.Root(int32(i))
		if size[root] < 2 {
			continue
		}
		if at[root] == 0 {
			start := len(store)
			store = store[:start+int(size[root])]
			groups = append(groups, store[start:start:start+int(size[root])])
			at[root] = int32(len(groups))
		}
		g := &groups[at[root]-1]
		*g = append(*g, int32(i))
	}
	return groups
}

// settler settles clusters.
type settler struct {
	*comparer
	o         *Options
	texts     [2][]byte
	contrasts int // rows that stay beside one that they are alike to
}

// cluster removes the members that are alike to a kept one.
func (s *settler) cluster(members []int32) ([]Removed, Cluster, error) {
	c := Cluster{Size: len(members)}
	if err := s.order(members); err != nil {
		return nil, c, err
	}
	var removed []Removed
	var kept []int32
	for _, m := range members {
		x, gone, err := s.against(kept, m)
		if err != nil {
			return nil, c, err
		}
		if !gone {
			if x.Conflict {
				s.contrasts++
			}
			kept = append(kept, m)
			continue
		}
		removed = append(removed, x)
		if len(c.Gone) < clusterRows {
			c.Gone = append(c.Gone, m)
		}
	}
	c.Kept = kept[:min(len(kept), clusterRows)]
	return removed, c, nil
}

// order sorts the members by the keeping rule.
func (s *settler) order(members []int32) error {
	if s.o.Keep == First && !s.o.Dataset {
		return nil
	}
	type ranked struct {
		doc  int32
		rank int
		key  []byte
		n    float64
	}
	all := make([]ranked, len(members))
	for i, doc := range members {
		m, err := s.members(doc)
		if err != nil {
			return err
		}
		all[i].doc = doc
		if s.o.Dataset {
			if all[i].rank, err = rank(m); err != nil {
				return changed(s.docs, doc)
			}
		}
		if s.o.Keep == First {
			continue
		}
		if s.o.Keep == Longest {
			s.raw, _ = s.fields.Append(s.raw[:0], m)
			all[i].n = float64(len(s.raw))
			continue
		}
		key, _ := rows.Fields{s.o.NewestBy}.Append(nil, m)
		if n, err := strconv.ParseFloat(string(key), 64); err == nil {
			all[i].n = n
			continue
		}
		all[i].key = key
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(b.rank-a.rank, bytes.Compare(b.key, a.key), cmp.Compare(b.n, a.n), int(a.doc-b.doc))
	})
	for i := range all {
		members[i] = all[i].doc
	}
	return nil
}

func (s *settler) members(doc int32) ([]rows.Member, error) {
	line, err := s.reader.Read(s.docs.place(doc))
	if err != nil {
		return nil, err
	}
	m, err := s.x.Members(line)
	if err != nil {
		return nil, changed(s.docs, doc)
	}
	return m, nil
}

// against looks for a kept row that m is alike to. A row that stays in spite of one, since it answers otherwise, is marked as a conflict.
func (s *settler) against(kept []int32, m int32) (Removed, bool, error) {
	for _, k := range kept {
		if s.docs.sums[k] == s.docs.sums[m] {
			x, err := s.copy(k, m)
			return x, true, err
		}
	}
	if s.o.Exact {
		return Removed{}, false, nil
	}
	best, contrast := Removed{Doc: m, Kept: -1, Reason: Near}, false
	for _, k := range kept[max(0, len(kept)-keptCompared):] {
		x, ok, err := s.alike(k, m)
		if err != nil {
			return x, false, err
		}
		if !ok || x.Similarity <= best.Similarity {
			continue
		}
		if x.Conflict, err = s.conflict(k, m); err != nil {
			return x, false, err
		}
		if x.Conflict && s.o.Contrasts {
			contrast = true
			continue
		}
		best = x
	}
	if best.Kept < 0 {
		best.Conflict = contrast
		return best, false, nil
	}
	return best, true, nil
}

// alike compares by text and, where there are embeddings, by meaning.
func (s *settler) alike(k, m int32) (Removed, bool, error) {
	x := Removed{Doc: m, Kept: k, Reason: Near}
	if s.o.Near > 0 {
		var err error
		if x.Similarity, err = s.known(k, m); err != nil || x.Similarity >= s.o.Near {
			return x, err == nil, err
		}
	}
	if s.docs.vectors != nil {
		if cosine := s.docs.vectors.cosine(k, m); cosine >= s.o.Semantic {
			x.Reason, x.Similarity = Semantic, cosine
			return x, true, nil
		}
	}
	return x, false, nil
}

// known is the similarity of two documents, from before where they were compared.
func (s *settler) known(k, m int32) (float64, error) {
	e := newEdge(s.docs.first[k], s.docs.first[m], 0)
	if i, found := slices.BinarySearchFunc(s.docs.edges, e, edge.compare); found {
		return s.docs.edges[i].similarity, nil
	}
	return s.similarity(k, m)
}

// copy is the removal of a row with the same canonical text.
func (s *settler) copy(k, m int32) (Removed, error) {
	x := Removed{Doc: m, Kept: k, Reason: Exact, Similarity: 1}
	for i, doc := range []int32{k, m} {
		members, err := s.members(doc)
		if err != nil {
			return x, err
		}
		s.texts[i], _ = s.fields.Append(s.texts[i][:0], members)
	}
	if !bytes.Equal(s.texts[0], s.texts[1]) {
		x.Reason = Normalised
	}
	var err error
	x.Conflict, err = s.conflict(k, m)
	return x, err
}

// answers are the keys of what a row answers.
var answers = []string{"output", "label", "answer", "completion", "response"}

// conflict reports whether the answers of two rows are there and differ.
func (s *settler) conflict(a, b int32) (bool, error) {
	both := true
	for i, doc := range []int32{a, b} {
		members, err := s.members(doc)
		if err != nil {
			return false, err
		}
		s.texts[i] = s.texts[i][:0]
		said := false
		for _, key := range answers {
			raw := rows.Get(members, key)
			said = said || present(raw)
			s.texts[i] = append(append(s.texts[i], raw...), 0)
		}
		both = both && said
	}
	return both && !bytes.Equal(s.texts[0], s.texts[1]), nil
}
