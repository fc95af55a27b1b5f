// Package pii finds personal data and secrets in texts: by typed recognisers with checksums, by the words around them, by
// patterns of the user, and names, places and organisations by a small model of its own. Every scan takes time linear in the
// text. The guards of the gateway and `rung data pii` share it.
package pii

import (
	"slices"
)

// Finding is a piece of personal data or a secret in a text: its type and its bytes.
type Finding struct {
	Type  string `json:"type"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// span is a finding in the text as it is seen.
type span struct {
	start, end int
	kind       string
}

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

// Find gives the findings of the kinds asked for, none overlapping, in the order of the text. Other kinds are looked for as
// well where they could be mistaken for one asked for.
func Find(text string, entities []string) []Finding {
	s := Plain(text)
	var taken, out []span
	for _, f := range finders {
		wanted := slices.Contains(entities, f.entity)
		if !wanted && (f.entity == "PERSON" || f.entity == "LOCATION") {
			continue
		}
		fresh := slices.DeleteFunc(f.find(s.Text, nil), func(sp span) bool { return overlaps(taken, sp) })
		for i := range fresh {
			fresh[i].kind = f.entity
		}
		taken = disjoint(append(taken, fresh...))
		if wanted {
			out = append(out, fresh...)
		}
	}
	return findings(s, disjoint(out))
}

// Secrets gives the keys, tokens and passwords of a text, none overlapping, in the order of the text.
func Secrets(text string) []Finding {
	s := Plain(text)
	return findings(s, findSecrets(s.Text))
}

// findings gives spans as bytes of the original.
func findings(s Seen, spans []span) []Finding {
	out := make([]Finding, len(spans))
	for i, sp := range spans {
		start, end := s.Original(sp.start, sp.end)
		out[i] = Finding{sp.kind, start, end}
	}
	return out
}

// overlaps reports whether sp overlaps any of spans, which are sorted and disjoint.
func overlaps(spans []span, sp span) bool {
	i, _ := slices.BinarySearchFunc(spans, sp.start, func(s span, at int) int { return s.start - at })
	return i < len(spans) && spans[i].start < sp.end || i > 0 && spans[i-1].end > sp.start
}

// disjoint sorts spans and leaves out those that overlap an earlier one; of those that start together the longest stays, of
// equal ones the first.
func disjoint(spans []span) []span {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b span) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	out := spans[:0]
	for _, sp := range spans {
		if sp.end > sp.start && (len(out) == 0 || sp.start >= out[len(out)-1].end) {
			out = append(out, sp)
		}
	}
	return out
}
