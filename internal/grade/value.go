package grade

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// maxDepth bounds nesting, so that a hostile answer cannot exhaust the stack. What lies deeper is compared as it is written.
const maxDepth = 200

// value is a JSON value read once for all metrics of an example.
type value struct {
	kind    byte     // '{' '[' 's' 'n' 't' 'f' '0' (null), 'r' (nested too deeply: its bytes), 0 when there is none
	text    string   // of a string: its content; of a number: its canonical form; of 'r': the bytes
	members []member // of an object, in the order of the answer, the last of members with equal names only
	items   []value
}

type member struct {
	key   string
	value value
}

// readValue reads JSON. What is no JSON gives the zero value, which equals nothing but itself.
func readValue(raw []byte) value {
	if len(raw) == 0 {
		return value{}
	}
	if s, ok := bareString(raw); ok {
		return value{kind: 's', text: s}
	}
	if !gjson.ValidBytes(raw) {
		return value{}
	}
	return readResult(gjson.ParseBytes(raw), 0)
}

// bareString is the content of a JSON string that has no escapes: most labels and texts, worth the short way.
func bareString(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '"' || c == '\\' || c < ' ' {
			return "", false
		}
	}
	return string(inner), true
}

func readResult(r gjson.Result, depth int) value {
	switch r.Type {
	case gjson.String:
		return value{kind: 's', text: r.Str}
	case gjson.Number:
		return value{kind: 'n', text: canonicalNumber(r.Raw)}
	case gjson.True:
		return value{kind: 't'}
	case gjson.False:
		return value{kind: 'f'}
	case gjson.Null:
		return value{kind: '0'}
	}
	if depth >= maxDepth {
		return value{kind: 'r', text: r.Raw}
	}
	if r.IsObject() {
		return readObject(r, depth)
	}
	v := value{kind: '['}
	r.ForEach(func(_, item gjson.Result) bool {
		v.items = append(v.items, readResult(item, depth+1))
		return true
	})
	return v
}

func readObject(r gjson.Result, depth int) value {
	v := value{kind: '{'}
	r.ForEach(func(key, item gjson.Result) bool {
		v.members = append(v.members, member{key.Str, readResult(item, depth+1)})
		return true
	})
	v.members = lastOfEach(v.members)
	return v
}

// lastOfEach drops members that a later one of the same name overrides, as readers of JSON do.
func lastOfEach(members []member) []member {
	if len(members) <= 16 {
		for i := len(members) - 2; i >= 0; i-- {
			for j := i + 1; j < len(members); j++ {
				if members[i].key == members[j].key {
					members = slices.Delete(members, i, i+1)
					break
				}
			}
		}
		return members
	}
	last := make(map[string]int, len(members))
	for i, m := range members {
		last[m.key] = i
	}
	kept := members[:0]
	for i, m := range members {
		if last[m.key] == i {
			kept = append(kept, m)
		}
	}
	return kept
}

// get is the member named key; its kind is 0 when there is none.
func (v *value) get(key string) value {
	for i := range v.members {
		if v.members[i].key == key {
			return v.members[i].value
		}
	}
	return value{}
}

// appendCanonical writes v so that equal values have equal bytes: members sorted by name, numbers in canonical form.
func (v *value) appendCanonical(b []byte) []byte {
	switch v.kind {
	case '{':
		return v.appendObject(b)
	case '[':
		b = append(b, '[')
		for i := range v.items {
			b = v.items[i].appendCanonical(b)
			b = append(b, ',')
		}
		return append(b, ']')
	case 's':
		return strconv.AppendQuote(b, v.text)
	case 'n', 'r':
		return append(b, v.text...)
	case 't':
		return append(b, "true"...)
	case 'f':
		return append(b, "false"...)
	case '0':
		return append(b, "null"...)
	}
	return b
}

func (v *value) appendObject(b []byte) []byte {
	sorted := v.members
	if !slices.IsSortedFunc(sorted, byKey) {
		sorted = slices.Clone(sorted)
		slices.SortFunc(sorted, byKey)
	}
	b = append(b, '{')
	for i := range sorted {
		b = strconv.AppendQuote(b, sorted[i].key)
		b = append(b, ':')
		b = sorted[i].value.appendCanonical(b)
		b = append(b, ',')
	}
	return append(b, '}')
}

func byKey(a, b member) int { return strings.Compare(a.key, b.key) }

func (v *value) canonical() string { return string(v.appendCanonical(nil)) }

// canonicalNumber writes a JSON number as digits without trailing zeros and an exponent of ten, so that 1, 1.0 and 10e-1 are
// the same text and no digit of a long number is lost, as it would be in a float.
func canonicalNumber(raw string) string {
	if plainInteger(raw) {
		return raw
	}
	rest, negative := strings.CutPrefix(raw, "-")
	mantissa, exp := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		e, err := strconv.Atoi(strings.TrimPrefix(rest[i+1:], "+"))
		if err != nil || e > 1<<40 || e < -1<<40 {
			return raw // an exponent that no number has: equal only to itself
		}
		exp = e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exp -= len(fraction)
	digits := strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(digits, "0")
	exp += len(digits) - len(short)
	if short == "" {
		return "0"
	}
	return numberText(negative, short, exp)
}

func numberText(negative bool, digits string, exp int) string {
	if exp > 0 && exp <= 20 {
		digits, exp = digits+strings.Repeat("0", exp), 0
	}
	if negative {
		digits = "-" + digits
	}
	if exp == 0 {
		return digits
	}
	return digits + "e" + strconv.Itoa(exp)
}

// plainInteger reports whether raw is already canonical: up to 20 digits without point or exponent, and not -0.
func plainInteger(raw string) bool {
	if len(raw) > 20 || raw == "-0" {
		return false
	}
	for i := range len(raw) {
		if c := raw[i]; (c < '0' || c > '9') && (i != 0 || c != '-') {
			return false
		}
	}
	return true
}
