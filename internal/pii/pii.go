// Package pii finds personal data and secrets in texts: by typed recognisers with checksums, by the words around them, by
// patterns of the user, and names, places and organisations by a small model of its own. Every scan takes time linear in the
// text. The guards of the gateway and `rung data pii` share it.
package pii

import (
	"slices"
	"strings"
	"unicode"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii/crf"
)

// Finding is a piece of personal data or a secret in a text: its type, what found it, and its bytes.
type Finding struct {
	Type  Type   `json:"type"`
	Rule  string `json:"rule,omitempty"` // which rule of the type; "model" for the model of names
	Start int    `json:"start"`
	End   int    `json:"end"`
	Bare  bool   `json:"-"` // it has no letter
}

// span is a finding in the text as it is seen.
type span struct {
	start, end int
	kind       Type
	rule       string
	sure       float32 // of the model: natural logarithm of the odds against the next best
}

// Options say what an engine looks for.
type Options struct {
	Types    []Type    // none: all of Types
	Patterns []Pattern // of the user; they go before all others
	Sure     float64   // of what the model says, only what is surer: a natural logarithm of odds; 0: all
	Regions  []string  // ISO 3166 codes: phone numbers are also those that are dialled within these countries; none: Regions
}

// Engine finds personal data. It is safe for concurrent use.
type Engine struct {
	wanted   map[Type]bool
	secrets  bool
	model    bool
	patterns []pattern
	sure     float32
	regions  []string
	entities *crf.Model // nil: the one that is embedded
	names    *Gazetteer
}

// WithModel is the engine with another model and other lists of names, to measure them.
func (e *Engine) WithModel(m *crf.Model, g *Gazetteer) *Engine {
	out := *e
	out.entities, out.names = m, g
	return &out
}

// New makes an engine. A pattern that does not compile, or a region that there is not, is an error that names it.
func New(o Options) (*Engine, error) {
	e := &Engine{wanted: map[Type]bool{}, sure: float32(o.Sure), regions: o.Regions}
	if len(o.Types) == 0 {
		o.Types = Types
	}
	if len(o.Regions) == 0 {
		e.regions = Regions
	}
	for _, region := range o.Regions {
		if phonePlans().byRegion[region] == nil {
			return nil, &rung.Error{Code: rung.CodeUsage, Place: region, What: "is no region that phone numbers are known of", Do: "write the two letters of a country, such as DE"}
		}
	}
	for _, t := range o.Types {
		e.wanted[t] = true
		e.model = e.model || Named(t)
		e.secrets = e.secrets || t == Secret
	}
	for _, p := range o.Patterns {
		c, err := p.compile()
		if err != nil {
			return nil, err
		}
		e.patterns = append(e.patterns, c)
		e.wanted[p.Type] = true
	}
	return e, nil
}

func allTypes() map[Type]bool {
	out := map[Type]bool{}
	for _, t := range Types {
		out[t] = true
	}
	return out
}

// Find gives what the engine looks for in a text, none overlapping, in the order of the text.
func (e *Engine) Find(text string) []Finding {
	s := Plain(text)
	var buf [16]span
	found := e.recognise(s.Text, buf[:0])
	if e.model {
		found = e.withNames(s.Text, found)
	}
	kept := found[:0]
	for _, sp := range found {
		if e.wanted[sp.kind] || e.secrets && sp.rule == secretRule {
			kept = append(kept, sp)
		}
	}
	return findings(s, kept)
}

// bytes that a text has, which say what can be in it at all.
const (
	hasDigit = 1 << iota
	hasAt
	hasDot
	hasColon
	hasLetter
)

var byteBits = func() (out [256]uint8) {
	for c := range 256 {
		switch b := byte(c); {
		case digit(b):
			out[c] = hasDigit
		case b == '@':
			out[c] = hasAt
		case b == '.':
			out[c] = hasDot
		case b == ':':
			out[c] = hasColon
		}
	}
	return out
}()

// recognisers in the order of precedence: where two findings overlap, that of the earlier one stays. Each needs some bytes.
var recognisers = []struct {
	kind  Type
	needs uint8
	find  func(text string, found []span) []span
}{
	{Email, hasAt | hasDot, findEmails}, {URL, hasDot, findURLs}, {IBAN, hasDigit, findIBANs}, {Card, hasDigit, findCards}, {IP, hasDigit | hasDot, findIPs},
	{IP, hasColon, findIPs}, {NationalID, hasDigit, findNationals}, {NationalID, hasDigit, findLettered}, {NationalID, hasDigit, findSpacedNINO},
	{Date, hasDigit, findDates}, {Phone, hasDigit, nil}, // by the engine's own regions
}

// recognise finds what has a form. All recognisers run, also those of types that nobody asked for: a card is no phone number.
// Secrets are looked for only when they are wanted.
func (e *Engine) recognise(text string, out []span) []span {
	var bits uint8
	for i := range len(text) {
		bits |= byteBits[text[i]]
	}
	for _, p := range e.patterns {
		out = merge(out, p.find(text, nil))
	}
	var fresh []span
	if e.secrets {
		fresh = findSecrets(text, fresh[:0])
		out = merge(out, fresh)
	}
	for i := range recognisers {
		r := &recognisers[i]
		if bits&r.needs != r.needs || i > 0 && r.needs == hasColon && bits&(hasDigit|hasDot) == hasDigit|hasDot {
			continue
		}
		if r.find == nil {
			fresh = e.findPhones(text, fresh[:0])
		} else {
			fresh = r.find(text, fresh[:0])
		}
		if len(fresh) > 0 {
			for k := range fresh {
				if fresh[k].kind == "" {
					fresh[k].kind = r.kind
				}
			}
			out = merge(out, fresh)
		}
	}
	return out
}

// withNames adds what the model of names finds. What the recognisers are sure of stays; a date or a phone number known by its
// groups alone gives way to an address around it.
func (e *Engine) withNames(text string, found []span) []span {
	tg := taggers.Get().(*tagger)
	defer taggers.Put(tg)
	model := e.entities
	if tg.names = e.names; model == nil {
		model, tg.names = entities(), gazetteer()
	}
	if len(strings.TrimSpace(text)) < 40 && !strings.ContainsAny(strings.TrimSpace(text), " \n\t") { // a label or a word, of which nothing says what it is
		return found
	}
	var buf [32]span
	said, plain := tg.tag(model, text, found, buf[:0])
	said = slices.DeleteFunc(said, func(sp span) bool { return sp.sure < e.sure })
	kept := slices.DeleteFunc(found, func(sp span) bool {
		if weak := sp.kind == Date || sp.kind == Phone && sp.rule == "formed"; !weak {
			return false
		}
		i, _ := slices.BinarySearchFunc(said, sp.start+1, func(o span, at int) int { return o.start - at })
		if i--; i < 0 || said[i].end < sp.end { // said are apart and in order: only this one can hold it
			return false
		}
		return said[i].kind == sp.kind || said[i].kind == Address && said[i].end > sp.end
	})
	return join(join(kept, said), plain)
}

// merge adds findings that overlap none that is there, and keeps all sorted.
func merge(all, fresh []span) []span {
	return join(all, Disjoint(fresh, (*span).bounds))
}

// join adds those of more that overlap none of all. Both are in order and without overlaps, and so is what comes out.
func join(all, more []span) []span {
	if len(more) == 0 {
		return all
	}
	if len(all) == 0 {
		return append(all, more...)
	}
	out := make([]span, 0, len(all)+len(more))
	for _, sp := range more {
		n := 0
		for n < len(all) && all[n].start < sp.end && all[n].end <= sp.start {
			n++
		}
		out, all = append(out, all[:n]...), all[n:]
		if len(all) == 0 || all[0].start >= sp.end {
			out = append(out, sp)
		}
	}
	return append(out, all...)
}

// findings gives spans as bytes of the original.
func findings(s Seen, spans []span) []Finding {
	if len(spans) == 0 {
		return nil
	}
	out := make([]Finding, len(spans))
	for i, sp := range spans {
		start, end := s.Original(sp.start, sp.end)
		bare := strings.IndexFunc(s.Text[sp.start:sp.end], unicode.IsLetter) < 0
		out[i] = Finding{sp.kind, strings.TrimPrefix(sp.rule, secretRule), start, end, bare}
	}
	return out
}

// Disjoint sorts spans, in place, and leaves out those that overlap an earlier one, and empty ones; of those that start together the
// longest stays, of equal ones the first. bounds gives start and end of a span.
func Disjoint[S any](spans []S, bounds func(*S) (start, end int)) []S {
	if len(spans) == 0 {
		return spans
	}
	slices.SortStableFunc(spans, func(a, b S) int {
		aStart, aEnd := bounds(&a)
		bStart, bEnd := bounds(&b)
		if aStart != bStart {
			return aStart - bStart
		}
		return bEnd - aEnd
	})
	out, last := spans[:0], -1
	for i := range spans {
		if start, end := bounds(&spans[i]); end > start && start >= last {
			out, last = append(out, spans[i]), end
		}
	}
	return out
}

func (s *span) bounds() (int, int) { return s.start, s.end }
