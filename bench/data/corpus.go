package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// texts reads the text of each row of a file of the shared data.
func texts(dir, name, key string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, "data", name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var row map[string]any
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			return nil, err
		}
		if text, ok := row[key].(string); ok {
			out = append(out, text)
		}
	}
	return out, s.Err()
}

// realTexts are abstracts and paragraphs of some 200 words.
func realTexts(dir string) ([]string, error) {
	a, err := texts(dir, "scifact/corpus.jsonl", "text")
	if err != nil {
		return nil, err
	}
	b, err := texts(dir, "squad2_dev_half/corpus.jsonl", "text")
	return append(a, b...), err
}

// chain writes texts by a Markov chain over the words of real ones: their words, phrases and frequencies, and as many as one likes.
type chain struct {
	next  map[string][]string
	first []string
	rng   *rand.Rand
}

func newChain(real []string, rng *rand.Rand) *chain {
	c := &chain{next: map[string][]string{}, rng: rng}
	for _, text := range real {
		words := strings.Fields(text)
		for i := 1; i < len(words); i++ {
			c.next[words[i-1]] = append(c.next[words[i-1]], words[i])
		}
		if len(words) > 0 {
			c.first = append(c.first, words[0])
		}
	}
	return c
}

func (c *chain) text(words int) string {
	var b strings.Builder
	w := c.first[c.rng.IntN(len(c.first))]
	for i := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		follow := c.next[w]
		if len(follow) == 0 {
			follow = c.first
		}
		w = follow[c.rng.IntN(len(follow))]
	}
	return b.String()
}

const letters = "abcdefghijklmnopqrstuvwxyz"

// edit changes a share of the words (each put in place of, before, or left out) or of the characters of a text.
func edit(text, unit string, share float64, rng *rand.Rand) string {
	if unit == "chars" {
		var b strings.Builder
		for _, c := range text {
			if rng.Float64() >= share {
				b.WriteRune(c)
				continue
			}
			switch rng.IntN(3) {
			case 0:
				b.WriteByte(letters[rng.IntN(26)])
			case 1:
				b.WriteRune(c)
				b.WriteByte(letters[rng.IntN(26)])
			}
		}
		return b.String()
	}
	words := strings.Fields(text)
	out := make([]string, 0, len(words)+8)
	for _, w := range words {
		if rng.Float64() >= share {
			out = append(out, w)
			continue
		}
		other := words[rng.IntN(len(words))]
		switch rng.IntN(3) {
		case 0:
			out = append(out, other)
		case 1:
			out = append(out, w, other)
		}
	}
	return strings.Join(out, " ")
}

// corpus writes n rows, a fifth of which are edited copies of earlier ones; the copy of "d17" is "d17c".
func corpus(path string, real []string, n int, unit string, share float64) (err error) {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(share*1000)))
	c := newChain(real, rng)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	enc := json.NewEncoder(w)
	type row struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	var waiting []row
	originals := n - n/5
	for i := range originals {
		text := ""
		if i < len(real) {
			text = real[i]
		} else {
			text = c.text(40 + rng.IntN(160))
		}
		if err := enc.Encode(row{fmt.Sprintf("d%d", i), text}); err != nil {
			return err
		}
		if i%4 == 0 {
			waiting = append(waiting, row{fmt.Sprintf("d%dc", i), edit(text, unit, share, rng)})
		}
		if len(waiting) > 500 {
			k := rng.IntN(len(waiting))
			if err := enc.Encode(waiting[k]); err != nil {
				return err
			}
			waiting[k] = waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
		}
	}
	for _, r := range waiting {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return w.Flush()
}
