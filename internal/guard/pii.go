package guard

import (
	"context"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
)

// Personal data and secrets are found by internal/pii, the engine that `rung data pii` has too.

func newPII(entities []string) (checker, error) {
	return func(_ context.Context, _ rung.GuardStage, text string) (result, error) {
		spans := findPII(text, entities)
		return result{hit: len(spans) > 0, score: float64(min(1, len(spans))), spans: spans}, nil
	}, nil
}

func checkSecrets(_ context.Context, _ rung.GuardStage, text string) (result, error) {
	spans := findSecrets(text)
	return result{hit: len(spans) > 0, score: float64(min(1, len(spans))), spans: spans}, nil
}

// findPII gives the findings of the kinds asked for, or of all, none overlapping, in the order of the text.
func findPII(text string, entities []string) []span {
	if len(entities) == 0 {
		entities = rung.GuardEntities
	}
	return spansOf(pii.Find(text, entities))
}

func findSecrets(text string) []span { return spansOf(pii.Secrets(text)) }

func spansOf(findings []pii.Finding) []span {
	out := make([]span, len(findings))
	for i, f := range findings {
		out[i] = span{f.Start, f.End, f.Type}
	}
	return out
}

// withoutNames takes out findings that rest on the look of words.
func withoutNames(r result) result {
	r.spans = slices.DeleteFunc(r.spans, func(sp span) bool { return sp.kind == "PERSON" || sp.kind == "LOCATION" })
	r.hit = len(r.spans) > 0 || len(r.kinds) > 0
	return r
}
