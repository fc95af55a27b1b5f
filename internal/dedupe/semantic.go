package dedupe

import (
	"context"
	"fmt"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/unionfind"
)

// maxSemantic bounds the rows that are compared by meaning: every pair of them is.
const maxSemantic = 30_000

// vectors are the embeddings of documents.
type vectors struct {
	at   map[int32]int
	docs []int32
	all  [][]float32
}

func (v *vectors) cosine(a, b int32) float64 {
	i, ok := v.at[a]
	j, also := v.at[b]
	if !ok || !also {
		return 0
	}
	return dot(v.all[i], v.all[j])
}

func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return float64(s0 + s1 + s2 + s3)
}

// semanticPairs embeds the first document of every cluster so far and joins those of one meaning.
func semanticPairs(ctx context.Context, d *documents, joined unionfind.Forest, o *Options) error {
	v := &vectors{at: map[int32]int{}}
	for i := range joined {
		if doc := int32(i); joined.Root(doc) == doc && d.hasText(doc) {
			v.docs = append(v.docs, doc)
		}
	}
	if len(v.docs) > maxSemantic {
		return &rung.Error{Code: rung.CodeCapacity, What: fmt.Sprintf("%d rows are left to compare by meaning, at most %d can be, since every pair of them is compared", len(v.docs), maxSemantic),
			Do: "compare them without embeddings, or take a part of the rows"}
	}
	if err := v.embed(ctx, d, o); err != nil {
		return err
	}
	d.vectors = v
	for i := range v.all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for j := range i {
			if dot(v.all[j], v.all[i]) >= o.Semantic {
				joined.Join(v.docs[j], v.docs[i])
			}
		}
	}
	return nil
}

// embedBatch is how many texts are embedded at once.
const embedBatch = 256

func (v *vectors) embed(ctx context.Context, d *documents, o *Options) error {
	c := newComparer(d.set, d, o)
	defer c.reader.Close()
	for start := 0; start < len(v.docs); start += embedBatch {
		var texts []string
		for _, doc := range v.docs[start:min(start+embedBatch, len(v.docs))] {
			line, err := c.reader.Read(d.place(doc))
			if err != nil {
				return err
			}
			members, err := c.x.Members(line)
			if err != nil {
				return changed(d, doc)
			}
			c.raw, _ = o.Fields.Append(c.raw[:0], members)
			texts = append(texts, string(c.raw))
		}
		got, err := o.Embed(ctx, texts)
		if err != nil {
			return err
		}
		if len(got) != len(texts) {
			return &rung.Error{Code: rung.CodeProvider, What: "the embedder answered with another number of vectors than texts", Do: "check it"}
		}
		for i, x := range got {
			v.at[v.docs[start+i]] = len(v.all)
			v.all = append(v.all, unit(x))
		}
	}
	return nil
}

func unit(x []float32) []float32 {
	var n float64
	for _, v := range x {
		n += float64(v) * float64(v)
	}
	if n == 0 {
		return x
	}
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(float64(v) / math.Sqrt(n))
	}
	return out
}
