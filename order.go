package rung

import (
	"encoding/hex"
	"math/rand/v2"
)

// Order is the fixed random order in which the examples of a set are asked, so that an evaluation may stop early: places in examples,
// shuffled by the set's digest, the examples of a group next to each other. It depends on nothing but the set.
func Order(set Digest, examples []Example) []int {
	var clusters [][]int
	at := map[string]int{}
	for i := range examples {
		group := examples[i].Group
		c, known := at[group]
		if group == "" || !known {
			c = len(clusters)
			clusters = append(clusters, nil)
			if group != "" {
				at[group] = c
			}
		}
		clusters[c] = append(clusters[c], i)
	}
	rng := rand.New(rand.NewChaCha8(orderSeed(set)))
	rng.Shuffle(len(clusters), func(i, j int) { clusters[i], clusters[j] = clusters[j], clusters[i] })
	order := make([]int, 0, len(examples))
	for _, c := range clusters {
		order = append(order, c...)
	}
	return order
}

func orderSeed(set Digest) (seed [32]byte) {
	b, err := hex.DecodeString(string(DigestBytes([]byte("rung order of " + string(set)))))
	if err == nil {
		copy(seed[:], b)
	}
	return seed
}

// LargestGroup is the number of examples of the largest group; 1 when every example stands alone.
func LargestGroup(examples []Example) int {
	counts, most := map[string]int{}, 1
	for i := range examples {
		if g := examples[i].Group; g != "" {
			counts[g]++
			most = max(most, counts[g])
		}
	}
	return most
}
