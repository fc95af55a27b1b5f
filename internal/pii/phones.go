package pii

import (
	"slices"
	"strings"
)

var phoneWords = []string{"phone", "call", "tel", "mobile", "cell", "fax", "number", "contact", "whatsapp", "sms", "text me", "reach", "ring", "dial", "anruf", "nummer"}

// findPhones finds phone numbers: with + and a country, in the usual groups of a country, or any 7 to 15 digits after a word
// that says so.
func (e *Engine) findPhones(text string, found []span) []span {
	numbers(text, " -./()", func(n *number) {
		if n.size < 7 || n.size > 15 {
			return
		}
		start, end, plus := n.start, n.end, false
		if start > 0 && text[start-1] == '(' {
			start--
		}
		if start > 0 && text[start-1] == '+' {
			start--
			plus = true
		}
		if end < len(text) && text[end] == 'x' || strings.HasPrefix(text[end:], " ext") {
			end = extension(text, end)
		} else if !n.alone(text) {
			return
		}
		if rule := e.phone(n, text, start, plus); rule != "" {
			found = append(found, span{start: start, end: end, kind: Phone, rule: rule})
		}
	})
	return found
}

// extension is the end of "x123" or " ext. 123" at i.
func extension(text string, i int) int {
	j := i
	for j < len(text) && j-i < 6 && !digit(text[j]) {
		j++
	}
	k := j
	for k < len(text) && k-j < 6 && digit(text[k]) {
		k++
	}
	if k == j {
		return i
	}
	return k
}

// phone says by which rule the number is one: "assigned" by the numbering plan of a country, "formed" by its groups, "named" by a
// word before it; "" when it is none. Made-up numbers are in no plan and are found by the other two.
func (e *Engine) phone(n *number, text string, start int, plus bool) string {
	switch {
	case n.isDate() || n.group(3, 2, 4), // the form of a US_SSN
		n.parts == 2 && n.groups[0] == 1 && n.marked('.') && !plus, // a decimal
		start > 0 && strings.IndexByte("$#", text[start-1]) >= 0, start > 2 && (text[start-3:start] == "€" || text[start-2:start] == "£"):
		return ""
	case e.assigned(n, text, plus):
		return "assigned"
	case plus || n.digits[0] == '0' && n.digits[1] == '0' && n.size >= 10:
		return "formed"
	case text[start] == '(' && n.parts > 1 && n.size >= 8:
		return "formed"
	case n.parts > 1 && (!n.marked('.') || n.size == 10): // else a version or an amount
		if n.size == 10 && n.group(3, 3, 4) || n.size == 11 && n.digits[0] == '1' && n.group(1, 3, 3, 4) || n.digits[0] == '0' && n.size >= 9 && n.size <= 12 {
			return "formed"
		}
	}
	if near(text, start, 32, phoneWords) {
		return "named"
	}
	return ""
}

// assigned reports whether the numbering plan of a country has the number: that of its calling code, or, in groups or with a trunk
// prefix, that of a region which the engine was told.
func (e *Engine) assigned(n *number, text string, plus bool) bool {
	digits := string(n.digits[:n.size])
	if plus {
		return phonePlans().international(digits)
	}
	if rest, ok := strings.CutPrefix(digits, "00"); ok && phonePlans().international(rest) {
		return true
	}
	single := n.end-n.start == n.size+n.parts-1 // one byte between groups: no sums, lists or intervals
	grouped := n.parts >= 3 && single && n.size >= 8 && (n.marked(' ') || n.marked('-') || n.marked('.'))
	trunk := digits[0] == '0' && n.size >= 9 && single && n.parts <= 2 && !n.marked('.')
	if !grouped && !trunk || slices.Min(n.groups[:n.parts]) < 2 || n.start > 0 && strings.IndexByte("=<>*/.,-", text[n.start-1]) >= 0 {
		return false
	}
	return slices.ContainsFunc(e.regions, func(region string) bool { return phonePlans().within(region, digits) })
}

// Regions are where numbers without a calling code are looked for when nobody says where: large countries whose texts are in a Latin
// script, and their neighbours. A number that many plans could hold must also stand in groups, or start with a trunk prefix.
var Regions = strings.Fields("US GB CA AU IN DE AT CH FR BE NL ES MX IT BR PL SE DK NO FI")
