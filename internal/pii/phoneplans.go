package pii

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The numbering plans of all countries, as libphonenumber (Apache-2.0) has them: bench/data/pii/train/phones.py writes the file.
//
//go:embed phones.txt
var phoneLines string

// plan is the numbering plan of a region. Its patterns are compiled when a number of its calling code is first seen.
type plan struct {
	code, region string
	main         bool // its national prefix is that of the calling code
	rule         string
	fields       []string // patterns as they are written: prefix, any number, numbers of a type
	once         sync.Once
	trunk        string         // national prefix that is always the same digits
	prefix       *regexp.Regexp // at the start of a number dialled within the country; nil: there is none, or trunk
	any, typed   *automaton     // whole national numbers
}

type plans struct {
	byCode   map[string][]*plan
	byRegion map[string]*plan
}

var phonePlans = sync.OnceValue(func() plans {
	out := plans{byCode: map[string][]*plan{}, byRegion: map[string]*plan{}}
	for line := range strings.Lines(phoneLines) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		p := &plan{code: f[0], region: f[1], main: f[2] == "main", rule: f[4], fields: []string{f[3], f[5], f[6]}}
		out.byCode[p.code] = append(out.byCode[p.code], p)
		if p.region != "001" { // numbers of no country, such as those of satellites
			out.byRegion[p.region] = p
		}
	}
	return out
})

// compiled is the plan with its patterns. That they compile is held by TestPhonePlans.
func (p *plan) compiled() *plan {
	p.once.Do(func() {
		if strings.Trim(p.fields[0], "0123456789") == "" {
			p.trunk = p.fields[0]
		} else {
			p.prefix = regexp.MustCompile("^(?:" + p.fields[0] + ")")
		}
		p.any, p.typed = newAutomaton(p.fields[1]), newAutomaton(p.fields[2])
	})
	return p
}

// national is a number without the prefix that is dialled within the country. It stays where what is left would be no number
// although the whole is one, as libphonenumber has it.
func (p *plan) national(digits string) string {
	p.compiled()
	if p.prefix == nil {
		rest := strings.TrimPrefix(digits, p.trunk)
		if rest != digits && p.any.matches(digits) && !p.any.matches(rest) {
			return digits
		}
		return rest
	}
	m := p.prefix.FindStringSubmatchIndex(digits)
	if m == nil {
		return digits
	}
	rest := digits[m[1]:]
	if p.rule != "" && len(m) > 2 && m[len(m)-2] >= 0 {
		rest = string(p.prefix.ExpandString(nil, p.rule, digits, m)) + rest
	}
	if p.any.matches(digits) && !p.any.matches(rest) {
		return digits
	}
	return rest
}

// assigned reports whether a national number is one of any type in the country of the calling code.
func (s plans) assigned(code, national string) bool {
	return slices.ContainsFunc(s.byCode[code], func(p *plan) bool {
		p.compiled()
		return p.any.matches(national) && p.typed.matches(national)
	})
}

// international reports whether digits, calling code first, are a number by the plan of their country.
func (s plans) international(digits string) bool {
	for n := 1; n <= 3 && n < len(digits); n++ {
		list := s.byCode[digits[:n]]
		if list == nil { // no calling code is the beginning of another
			continue
		}
		main := list[max(0, slices.IndexFunc(list, func(p *plan) bool { return p.main }))]
		return s.assigned(digits[:n], main.national(digits[n:]))
	}
	return false
}

// within reports whether digits, as they are dialled in a region, are a number of its country.
func (s plans) within(region, digits string) bool {
	p := s.byRegion[region]
	return p != nil && s.assigned(p.code, p.national(digits))
}
