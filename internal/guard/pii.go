package guard

import (
	"context"
	"slices"

	"github.com/rung-dev/rung"
)

// Personal data is found by its form: checksums where there are any (cards, IBANs), the words around it where the form alone
// says little (phone numbers, dates of birth), and for persons and places by lists of names and the look of words. The last
// two miss much; docs/guards.md says how much.

// finder appends what it finds in a text.
type finder func(text string, found []span) []span

// finders in the order of precedence: where two findings overlap, that of the earlier finder stays.
var finders = []struct {
	entity string
	find   finder
}{
	{"EMAIL", findEmails}, {"URL", findURLs}, {"IBAN", findIBANs}, {"CREDIT_CARD", findCards}, {"IP", findIPs}, {"US_SSN", findSSNs},
	{"DATE_OF_BIRTH", findBirthDates}, {"PHONE", findPhones}, {"LOCATION", findLocations}, {"PERSON", findPersons},
}

func newPII(entities []string) (checker, error) {
	if len(entities) == 0 {
		entities = rung.GuardEntities
	}
	return func(_ context.Context, _ rung.GuardStage, text string) (result, error) {
		spans := findPII(text, entities)
		return result{hit: len(spans) > 0, score: float64(min(1, len(spans))), spans: spans}, nil
	}, nil
}

// findPII gives the findings of the kinds asked for, none overlapping, in the order of the text. Other kinds are looked for as
// well where they could be mistaken for one asked for.
func findPII(text string, entities []string) []span {
	s := plain(text)
	var taken, out []span
	for _, f := range finders {
		wanted := slices.Contains(entities, f.entity)
		if !wanted && (f.entity == "PERSON" || f.entity == "LOCATION") {
			continue
		}
		fresh := slices.DeleteFunc(f.find(s.text, nil), func(sp span) bool { return overlaps(taken, sp) })
		for i := range fresh {
			fresh[i].kind = f.entity
		}
		taken = disjoint(append(taken, fresh...))
		if wanted {
			out = append(out, fresh...)
		}
	}
	out = disjoint(out)
	for i := range out {
		out[i].start, out[i].end = s.original(out[i].start, out[i].end)
	}
	return out
}

// overlaps reports whether sp overlaps any of spans, which are sorted and disjoint.
func overlaps(spans []span, sp span) bool {
	i, _ := slices.BinarySearchFunc(spans, sp.start, func(s span, at int) int { return s.start - at })
	return i < len(spans) && spans[i].start < sp.end || i > 0 && spans[i-1].end > sp.start
}

// withoutNames takes out findings that rest on the look of words.
func withoutNames(r result) result {
	r.spans = slices.DeleteFunc(r.spans, func(sp span) bool { return sp.kind == "PERSON" || sp.kind == "LOCATION" })
	r.hit = len(r.spans) > 0 || len(r.kinds) > 0
	return r
}

// Finding is a piece of personal data in a text: its kind and its bytes.
type Finding struct {
	Kind       string `json:"kind"`
	Start, End int
}

// Find gives the personal data in a text, of the kinds given or of all.
func Find(text string, entities []string) []Finding {
	if len(entities) == 0 {
		entities = rung.GuardEntities
	}
	var out []Finding
	for _, sp := range findPII(text, entities) {
		out = append(out, Finding{sp.kind, sp.start, sp.end})
	}
	return out
}
