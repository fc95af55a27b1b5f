package guard

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
)

// Personal data and secrets are found by internal/pii, the engine that `rung data pii` has too. In a guard, LOCATION means street
// addresses and postcodes as well.

func newPII(entities []string) (checker, error) {
	e := engineOf(entities)
	return func(_ context.Context, _ rung.GuardStage, text string) (result, error) {
		spans := spansOf(e.Find(text))
		return result{hit: len(spans) > 0, score: float64(min(1, len(spans))), spans: spans}, nil
	}, nil
}

func checkSecrets(_ context.Context, _ rung.GuardStage, text string) (result, error) {
	spans := findSecrets(text)
	return result{hit: len(spans) > 0, score: float64(min(1, len(spans))), spans: spans}, nil
}

// engines are kept by the kinds that they look for.
var engines sync.Map

// engineOf gives the engine for kinds of personal data, for all of rung.GuardEntities when there are none.
func engineOf(entities []string) *pii.Engine {
	if len(entities) == 0 {
		entities = rung.GuardEntities
	}
	key := strings.Join(entities, " ")
	if e, ok := engines.Load(key); ok {
		return e.(*pii.Engine)
	}
	if slices.Contains(entities, pii.Location) {
		entities = append(slices.Clone(entities), pii.Address, pii.Postcode)
	}
	e := newEngine(entities)
	engines.Store(key, e)
	return e
}

// sureEnough is what the model of names must be for a guard to act: hiding a word that is no name harms an answer.
const sureEnough = 1

func newEngine(types []pii.Type) *pii.Engine {
	e, err := pii.New(pii.Options{Types: types, Sure: sureEnough})
	if err != nil {
		panic("guard: " + err.Error()) // only patterns can be wrong, and there are none
	}
	return e
}

var secretEngine = newEngine([]pii.Type{pii.Secret})

// findPII gives the findings of the kinds given, or of all, none overlapping, in the order of the text.
func findPII(text string, entities []string) []span { return spansOf(engineOf(entities).Find(text)) }

func findSecrets(text string) []span { return spansOf(secretEngine.Find(text)) }

// spansOf makes locations of the parts of addresses. A part that is only a number counts beside another part.
func spansOf(findings []pii.Finding) []span {
	out := make([]span, 0, len(findings))
	for i, f := range findings {
		if f.Type == pii.Address || f.Type == pii.Postcode {
			f.Type = pii.Location
			if f.Bare && !beside(findings, i) {
				continue
			}
		}
		out = append(out, span{f.Start, f.End, f.Type})
	}
	return out
}

// beside reports whether a place with letters stands next to finding i.
func beside(findings []pii.Finding, i int) bool {
	place := func(j int) bool {
		if j < 0 || j >= len(findings) || findings[j].Bare {
			return false
		}
		t := findings[j].Type
		return t == pii.Address || t == pii.Location
	}
	return place(i-1) && findings[i].Start-findings[i-1].End <= 3 || place(i+1) && findings[i+1].Start-findings[i].End <= 3
}

// withoutNames takes out findings that rest on the look of words.
func withoutNames(r result) result {
	r.spans = slices.DeleteFunc(r.spans, func(sp span) bool { return sp.kind == "PERSON" || sp.kind == "LOCATION" })
	r.hit = len(r.spans) > 0 || len(r.kinds) > 0
	return r
}
