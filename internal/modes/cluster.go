package modes

import (
	"math"
	"slices"
)

// Clustering is average linkage on cosine distance (Sokal and Michener, 1958), by the chain of nearest neighbours (Benzécri,
// 1982): quadratic in the number of mistakes and the same each time. How many clusters there are is chosen by the mean
// silhouette (Rousseeuw, 1987).

// maxClustered bounds the mistakes that are clustered: the distances of 2,000 take 16 MB.
const maxClustered = 2000

// merge joins the clusters at two places at a distance; the joint one keeps place a.
type merge struct {
	a, b int
	at   float64
}

// linkage are the merges of n points, nearest first. d is the full matrix of distances; it is overwritten.
func linkage(d [][]float64) []merge {
	n := len(d)
	size := make([]float64, n)
	alive := make([]bool, n)
	for i := range n {
		size[i], alive[i] = 1, true
	}
	var merges []merge
	var chain []int
	for len(merges) < n-1 {
		if len(chain) == 0 {
			chain = append(chain, slices.Index(alive, true))
		}
		top := chain[len(chain)-1]
		before := -1
		if len(chain) > 1 {
			before = chain[len(chain)-2]
		}
		next := nearest(d[top], alive, top, before)
		if next != before {
			chain = append(chain, next)
			continue
		}
		chain = chain[:len(chain)-2]
		a, b := min(top, next), max(top, next)
		merges = append(merges, merge{a, b, d[a][b]})
		for i := range n { // Lance and Williams (1967), group average
			if alive[i] && i != a && i != b {
				d[a][i] = (size[a]*d[a][i] + size[b]*d[b][i]) / (size[a] + size[b])
				d[i][a] = d[a][i]
			}
		}
		size[a] += size[b]
		alive[b] = false
	}
	slices.SortStableFunc(merges, func(x, y merge) int {
		switch {
		case x.at < y.at:
			return -1
		case x.at > y.at:
			return 1
		}
		return 0
	})
	return merges
}

// nearest is the nearest living point to i; among equals the one before it in the chain, then the first.
func nearest(row []float64, alive []bool, i, before int) int {
	best, at := math.Inf(1), -1
	if before >= 0 {
		best, at = row[before], before
	}
	for j, d := range row {
		if alive[j] && j != i && d < best {
			best, at = d, j
		}
	}
	return at
}

// cut gives each point its cluster once n−k merges are done, numbered by first appearance.
func cut(merges []merge, n, k int) []int {
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, m := range merges[:n-k] {
		a, b := find(m.a), find(m.b)
		parent[max(a, b)] = min(a, b)
	}
	number := map[int]int{}
	out := make([]int, n)
	for i := range out {
		root := find(i)
		if _, seen := number[root]; !seen {
			number[root] = len(number)
		}
		out[i] = number[root]
	}
	return out
}

// silhouette is the mean over points of (b−a)/max(a,b): a the mean distance to its own cluster, b to the nearest other. A point
// alone counts 0.
func silhouette(d [][]float64, cluster []int, k int) float64 {
	sum := 0.0
	size := make([]float64, k)
	for _, c := range cluster {
		size[c]++
	}
	to := make([]float64, k)
	for i, row := range d {
		clear(to)
		for j, v := range row {
			if j != i {
				to[cluster[j]] += v
			}
		}
		own := cluster[i]
		if size[own] < 2 {
			continue
		}
		a, b := to[own]/(size[own]-1), math.Inf(1)
		for c := range k {
			if c != own {
				b = min(b, to[c]/size[c])
			}
		}
		if top := max(a, b); top > 0 {
			sum += (b - a) / top
		}
	}
	return sum / float64(len(d))
}

// maxClusters is how many groups a person is asked to look at.
const maxClusters = 15

// grouped cuts the points into the number of clusters with the best silhouette, one cluster where there are fewer than four
// points. It gives the cluster of each point, how many there are, and the silhouette.
func grouped(d [][]float64) (cluster []int, k int, quality float64) {
	n := len(d)
	if n < 4 {
		return make([]int, n), min(n, 1), 0
	}
	kept := make([][]float64, n)
	for i := range d {
		kept[i] = slices.Clone(d[i])
	}
	merges := linkage(d)
	quality = math.Inf(-1)
	for try := 2; try <= min(maxClusters, n-1); try++ {
		c := cut(merges, n, try)
		if s := silhouette(kept, c, try); s > quality+1e-12 {
			cluster, k, quality = c, try, s
		}
	}
	return cluster, k, quality
}
