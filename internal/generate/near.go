package generate

import (
	"hash/fnv"
	"strings"
	"unicode"
)

// Likeness of texts is the Jaccard similarity of their character 5-grams, folded: what repeats a sentence with a word changed is near 1,
// another sentence on the same thing well below a half.

const gram = 5

// grams are the distinct hashed 5-grams of a text in lower case, with white space and punctuation as one space.
func grams(text string) map[uint64]bool {
	var b strings.Builder
	space := true
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
			space = false
		case !space:
			b.WriteByte(' ')
			space = true
		}
	}
	s := []rune(" " + strings.TrimSpace(b.String()) + " ")
	out := map[uint64]bool{}
	for i := 0; i+gram <= len(s); i++ {
		out[hashOf(string(s[i:i+gram]))] = true
	}
	if len(out) == 0 {
		out[hashOf(string(s))] = true
	}
	return out
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash takes everything
	return h.Sum64()
}

// likes finds the most similar of the texts that it holds.
type likes struct {
	sizes []int
	posts map[uint64][]int32
	count map[int32]int
}

func newLikes() *likes { return &likes{posts: map[uint64][]int32{}, count: map[int32]int{}} }

func (l *likes) add(g map[uint64]bool) {
	at := int32(len(l.sizes))
	l.sizes = append(l.sizes, len(g))
	for h := range g {
		l.posts[h] = append(l.posts[h], at)
	}
}

// nearest is the text that is most like g, but for the one at not; −1 of none. Among equals it is the first.
func (l *likes) nearest(g map[uint64]bool, not int) (at int, similarity float64) {
	clear(l.count)
	for h := range g {
		for _, i := range l.posts[h] {
			l.count[i]++
		}
	}
	at = -1
	for i, shared := range l.count {
		if int(i) == not {
			continue
		}
		s := float64(shared) / float64(len(g)+l.sizes[i]-shared)
		if s > similarity || s == similarity && at >= 0 && int(i) < at {
			at, similarity = int(i), s
		}
	}
	return at, similarity
}

// distinct is the share of different word n-grams among all of some texts (Li et al., A diversity-promoting objective function for neural
// conversation models, 2016).
func distinct(texts []string, n int) float64 {
	seen, all := map[string]bool{}, 0
	for _, t := range texts {
		words := strings.Fields(strings.ToLower(t))
		for i := 0; i+n <= len(words); i++ {
			seen[strings.Join(words[i:i+n], " ")] = true
			all++
		}
	}
	return float64(len(seen)) / float64(max(all, 1))
}
