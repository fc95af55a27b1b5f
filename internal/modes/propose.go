package modes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Embed gives the vectors of texts, in their order.
type Embed func(ctx context.Context, texts []string) ([][]float32, error)

// Cluster is a group of mistakes that are alike, with the failure mode that is proposed for it.
type Cluster struct {
	Number  int      `json:"cluster"` // from 1, largest first
	Size    int      `json:"size"`
	Mode    string   `json:"mode"`            // unnamed_N where nothing of the taxonomy offers itself
	Why     string   `json:"why"`             // what speaks for the mode
	Terms   []string `json:"terms,omitempty"` // what sets the group apart
	Members []string `json:"examples"`        // ids, the most typical first

	places []int // of the members among the mistakes
}

// Grouping is what clustering made of a scorecard's mistakes.
type Grouping struct {
	Method     string    `json:"method"`
	Mistakes   int       `json:"mistakes"`
	LeftOut    int       `json:"left_out,omitempty"` // mistakes beyond those that can be clustered
	Silhouette float64   `json:"silhouette"`         // mean, from −1 to 1: how well the groups stand apart; near 0, hardly
	Clusters   []Cluster `json:"clusters"`
}

// Group clusters mistakes, by embeddings where embed is not nil and by TF-IDF otherwise, and proposes a mode for each group: what
// the rules or people say of most of its members. The same mistakes give the same groups.
func Group(ctx context.Context, mistakes []Mistake, said []Standing, embed Embed) (*Grouping, error) {
	g := &Grouping{Method: "TF-IDF of the differences, average linkage", Mistakes: len(mistakes), LeftOut: max(0, len(mistakes)-maxClustered)}
	mistakes = mistakes[:min(len(mistakes), maxClustered)]
	if len(mistakes) == 0 {
		return g, nil
	}
	sparse, names := described(mistakes)
	d := sparseDistances(sparse)
	if embed != nil {
		g.Method = "embeddings of the differences and TF-IDF, average linkage"
		vectors, err := embed(ctx, embedTexts(mistakes))
		if err != nil {
			return nil, err
		}
		for i, row := range denseDistances(vectors) {
			for j, v := range row {
				d[i][j] = (d[i][j] + v) / 2
			}
		}
	}
	var cluster []int
	var k int
	distance := make([][]float64, len(d))
	for i := range d {
		distance[i] = slices.Clone(d[i])
	}
	cluster, k, g.Silhouette = grouped(d)
	for c := range k {
		g.Clusters = append(g.Clusters, describe(c, cluster, mistakes, distance, sparse, names))
	}
	slices.SortStableFunc(g.Clusters, func(a, b Cluster) int { return cmp.Compare(b.Size, a.Size) })
	unnamed := 0
	for i := range g.Clusters {
		c := &g.Clusters[i]
		c.Number = i + 1
		if c.Mode, c.Why = vote(c.Members, said); c.Mode == "" {
			unnamed++
			c.Mode, c.Why = fmt.Sprintf("unnamed_%d", unnamed), "no rule and nobody speaks for most of its members"
		}
	}
	return g, nil
}

// embedTexts are what embedders are given of mistakes.
func embedTexts(mistakes []Mistake) []string {
	out := make([]string, len(mistakes))
	for i := range mistakes {
		m := &mistakes[i]
		out[i] = clip("mistake: "+m.Score.Mistake+"\nexpected: "+clip(bare(m.Example.Output), 400)+"\nanswer: "+clip(m.Answer(), 600), 1200)
	}
	return out
}

// describe orders the members of a cluster by how typical they are and finds what sets it apart.
func describe(c int, cluster []int, mistakes []Mistake, d [][]float64, sparse [][]term, names []string) Cluster {
	var out Cluster
	for i := range cluster {
		if cluster[i] == c {
			out.places = append(out.places, i)
		}
	}
	mean := make(map[int]float64, len(out.places))
	for _, i := range out.places {
		for _, j := range out.places {
			mean[i] += d[i][j]
		}
	}
	slices.SortStableFunc(out.places, func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
	for _, i := range out.places {
		out.Members = append(out.Members, mistakes[i].Example.ID)
	}
	out.Size = len(out.places)
	out.Terms = distinctive(c, cluster, sparse, names)
	return out
}

// shownTerms is how many terms describe a cluster.
const shownTerms = 5

// distinctive are the terms whose mean weight within the cluster exceeds that without by most.
func distinctive(c int, cluster []int, sparse [][]term, names []string) []string {
	inside, outside := make([]float64, len(names)), make([]float64, len(names))
	n, m := 0.0, 0.0
	for i, v := range sparse {
		into, count := outside, &m
		if cluster[i] == c {
			into, count = inside, &n
		}
		*count++
		for _, t := range v {
			into[t.id] += t.w
		}
	}
	ids := make([]int, len(names))
	gain := make([]float64, len(names))
	for i := range ids {
		ids[i], gain[i] = i, inside[i]/n-outside[i]/max(m, 1)
	}
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(gain[b], gain[a]) })
	var out []string
	for _, id := range ids {
		if gain[id] <= .02 || len(out) == shownTerms {
			break
		}
		out = append(out, readableTerm(names[id]))
	}
	return out
}

// readableTerm is a coordinate as people read it.
func readableTerm(name string) string {
	switch {
	case strings.HasPrefix(name, "+"):
		return "says “" + name[1:] + "”"
	case strings.HasPrefix(name, "-"):
		return "lacks “" + name[1:] + "”"
	case strings.HasPrefix(name, "?"):
		return "asked with “" + name[1:] + "”"
	case strings.HasPrefix(name, "begins "):
		return "begins with “" + strings.TrimPrefix(name, "begins ") + "”"
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "kind "), "mode ")
	return strings.Replace(name, "length ", "length: ", 1)
}

// vote is the mode that people or rules give most members, if they are half of them at least.
func vote(members []string, said []Standing) (mode, why string) {
	inside := make(map[string]bool, len(members))
	for _, id := range members {
		inside[id] = true
	}
	byPerson, byRule := map[string]int{}, map[string]int{}
	for _, s := range said {
		switch {
		case !inside[s.Example]:
		case s.Status == rung.ModeConfirmed:
			byPerson[s.Mode]++
		case s.Status == rung.ModeFound:
			byRule[s.Mode]++
		}
	}
	best, n := "", 0
	for _, name := range Order(nil, merged(byPerson, byRule)) {
		if k := byPerson[name] + byRule[name]; k > n {
			best, n = name, k
		}
	}
	if 2*n < len(members) || n == 0 {
		return "", ""
	}
	if byPerson[best] > 0 {
		return best, fmt.Sprintf("%d of %d show it: %d confirmed, %d by rule", n, len(members), byPerson[best], byRule[best])
	}
	return best, fmt.Sprintf("%d of %d show it by rule", n, len(members))
}

func merged(a, b map[string]int) map[string]int {
	out := map[string]int{}
	for name, n := range a {
		out[name] += n
	}
	for name, n := range b {
		out[name] += n
	}
	return out
}
