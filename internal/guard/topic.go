package guard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/rung-dev/rung"
)

// A topic is told by its words, and with an embedder also by being near in meaning. A forbidden topic is a finding when its
// words occur or it is near enough. Where topics are allowed, a text is a finding that has the words of none and is near to
// none. Words alone are too few to tell what a text is about: a task that allows topics should have an embedder.

// defaultNear is the cosine from which a text is about a topic, for MiniLM-like embedders.
const defaultNear = .35

type topics struct {
	allowed, forbidden *matcher
	names              [2][]string // allowed, forbidden
	near               float64
	embed              EmbedFunc

	mu      sync.Mutex
	vectors [2][][]float32 // of the names, once they are known
}

func newTopic(spec rung.GuardSpec, embed EmbedFunc) (checker, error) {
	t := &topics{near: spec.Threshold, embed: embed}
	if t.near == 0 {
		t.near = defaultNear
	}
	for _, name := range spec.Topics {
		if rest, forbidden := strings.CutPrefix(name, "!"); forbidden {
			t.names[1] = append(t.names[1], strings.TrimSpace(rest))
		} else {
			t.names[0] = append(t.names[0], name)
		}
	}
	var err error
	if t.allowed, err = matcherOf(t.names[0]); err != nil {
		return nil, err
	}
	if t.forbidden, err = matcherOf(t.names[1]); err != nil {
		return nil, err
	}
	return t.check, nil
}

func matcherOf(names []string) (*matcher, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return newMatcher(names)
}

func (t *topics) check(ctx context.Context, _ rung.GuardStage, text string) (result, error) {
	if strings.TrimSpace(text) == "" {
		return result{}, nil
	}
	if t.forbidden != nil && len(t.forbidden.find(text)) > 0 {
		return result{hit: true, score: 1, kinds: []string{"FORBIDDEN"}}, nil
	}
	inside := t.allowed == nil || len(t.allowed.find(text)) > 0
	if t.embed == nil {
		if inside {
			return result{}, nil
		}
		return result{hit: true, score: 1, kinds: []string{"OFF_TOPIC"}}, nil
	}
	allowed, forbidden, err := t.nearness(ctx, text)
	switch {
	case err != nil:
		return result{}, err
	case len(t.names[1]) > 0 && forbidden >= t.near && forbidden > allowed:
		return result{hit: true, score: forbidden, kinds: []string{"FORBIDDEN"}}, nil
	case !inside && allowed < t.near:
		return result{hit: true, score: 1 - max(0, allowed), kinds: []string{"OFF_TOPIC"}}, nil
	}
	return result{score: max(0, forbidden)}, nil
}

// maxTopicText is how much of a text is embedded: its start says what it is about, and embedders read no more.
const maxTopicText = 2000

// nearness is the greatest cosine between the text and an allowed, and a forbidden, topic.
func (t *topics) nearness(ctx context.Context, text string) (allowed, forbidden float64, err error) {
	vectors, err := t.topicVectors(ctx)
	if err != nil {
		return 0, 0, err
	}
	v, err := t.embedAll(ctx, []string{strings.ToValidUTF8(text[:min(len(text), maxTopicText)], "")})
	if err != nil {
		return 0, 0, err
	}
	best := [2]float64{-1, -1}
	for side, list := range vectors {
		for _, name := range list {
			best[side] = max(best[side], cosine(v[0], name))
		}
	}
	return best[0], best[1], nil
}

// topicVectors embeds the names of the topics once; after a failure it tries again.
func (t *topics) topicVectors(ctx context.Context) ([2][][]float32, error) {
	t.mu.Lock()
	known := t.vectors
	t.mu.Unlock()
	if known[0] != nil || known[1] != nil {
		return known, nil
	}
	all, err := t.embedAll(ctx, append(append([]string{}, t.names[0]...), t.names[1]...))
	if err != nil {
		return known, err
	}
	known[0], known[1] = all[:len(t.names[0])], all[len(t.names[0]):]
	t.mu.Lock()
	t.vectors = known
	t.mu.Unlock()
	return known, nil
}

func (t *topics) embedAll(ctx context.Context, texts []string) ([][]float32, error) {
	out, err := t.embed(ctx, texts)
	if err != nil {
		return nil, errors.New("the embedder did not answer") // its own words may hold the text
	}
	if len(out) != len(texts) {
		return nil, fmt.Errorf("the embedder gave %d vectors for %d texts", len(out), len(texts))
	}
	for _, v := range out {
		if len(v) == 0 || len(v) != len(out[0]) {
			return nil, errors.New("the embedder's vectors are of no use")
		}
	}
	return out, nil
}

func cosine(a, b []float32) float64 {
	if len(a) != len(b) {
		return -1
	}
	var dot, x, y float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		x += float64(a[i]) * float64(a[i])
		y += float64(b[i]) * float64(b[i])
	}
	if x == 0 || y == 0 || math.IsNaN(dot) {
		return -1
	}
	return dot / math.Sqrt(x*y)
}
