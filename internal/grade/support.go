package grade

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Support is how much of a sentence a source says: the share of the sentence's content words, weighted by how rare they are in the
// source, that stand together within three neighbouring sentences of it; halved where a number of the sentence is nowhere in
// the source. Words are compared by their first letters, so that inflections are alike. It is a measure of wording: it tells what
// has no ground at all from what has one, and does not see a contradiction in the source's own words. docs/metrics.md has its
// quality on real data.

// supportWindow is how many neighbouring sentences of a source may carry a sentence together.
const supportWindow = 3

// supported is the support from which a sentence counts as supported.
const supported = .5

// function words, which say nothing about the content.
var functionWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`of to in on at by for with from and or but if then than that this these those it its is are was were be been
		being has have had do does did will would can could should may might must not no nor so as into over under about up down out off he she
		they them his her their our your my we you i who whom whose which what when where why how there here also any all some such only same
		other more most very just both each every per via am im were youre dont doesnt didnt isnt wasnt cant wont`) {
		m[w] = true
	}
	return m
}()

// supportKeys are the content words of a text as they are compared, and the numbers among them.
func supportKeys(s string) (keys, numbers []string) {
	all, _ := words(s)
	for _, w := range all {
		if functionWords[w] {
			continue
		}
		key := supportKey(w)
		keys = append(keys, key)
		if strings.ContainsFunc(key, unicode.IsNumber) {
			numbers = append(numbers, key)
		}
	}
	return keys, numbers
}

// numberWords make numbers in words and in digits alike.
var numberWords = map[string]string{"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
	"nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "first": "1st", "second": "2nd", "third": "3rd"}

// supportLetters are the letters by which words are compared.
const supportLetters = 5

func supportKey(w string) string {
	if n, ok := numberWords[w]; ok {
		return n
	}
	if utf8.RuneCountInString(w) <= supportLetters || strings.ContainsFunc(w, unicode.IsNumber) {
		return w
	}
	return string([]rune(w)[:supportLetters])
}

// ground is a source that sentences are held against.
type ground struct {
	sentences []map[string]bool
	in        map[string]int // key → sentences that have it
}

func newGround(texts ...string) *ground {
	g := &ground{in: map[string]int{}}
	for _, text := range texts {
		for _, s := range sentences(text) {
			keys, _ := supportKeys(s)
			if len(keys) == 0 {
				continue
			}
			set := make(map[string]bool, len(keys))
			for _, k := range keys {
				set[k] = true
			}
			for k := range set {
				g.in[k]++
			}
			g.sentences = append(g.sentences, set)
		}
	}
	return g
}

// support is how much of a sentence the source says, from 0 to 1; 1 for a sentence without content.
func (g *ground) support(sentence string) float64 {
	keys, numbers := supportKeys(sentence)
	if len(keys) == 0 {
		return 1
	}
	weights, total := make([]float64, len(keys)), 0.0
	for i, k := range keys {
		weights[i] = math.Log(1 + float64(len(g.sentences)+1)/(float64(g.in[k])+.5))
		total += weights[i]
	}
	best := 0.0
	for at := range g.sentences {
		sum := 0.0
		window := g.sentences[at:min(at+supportWindow, len(g.sentences))]
		for i, k := range keys {
			for _, s := range window {
				if s[k] {
					sum += weights[i]
					break
				}
			}
		}
		best = max(best, sum/total)
	}
	for _, n := range numbers {
		if g.in[n] == 0 {
			return best / 2
		}
	}
	return best
}

// Support is how much of a sentence the sources say, from 0 to 1.
func Support(sentence string, sources ...string) float64 {
	return newGround(sources...).support(sentence)
}
