package pii

import (
	"net/netip"
	"strings"
)

// number is a run of digits with short separators between groups.
type number struct {
	start, end int
	size       int // digits; more than maxDigits: too long for anything
	digits     [maxDigits]byte
	groups     [maxGroups]uint8 // digits in each group
	marks      [maxGroups]byte  // first byte of the separator after each group
	parts      int              // groups
}

const (
	maxDigits = 20
	maxGroups = 12
)

// group reports whether the groups have just these sizes.
func (n *number) group(sizes ...uint8) bool {
	return string(n.groups[:n.parts]) == string(sizes)
}

// marked reports whether all separators start with this byte.
func (n *number) marked(c byte) bool {
	for _, m := range n.marks[:max(0, n.parts-1)] {
		if m != c {
			return false
		}
	}
	return n.parts > 1
}

// alone reports whether no letter or digit touches the number.
func (n *number) alone(text string) bool {
	return (n.start == 0 || !alnum(text[n.start-1])) && (n.end == len(text) || !alnum(text[n.end]))
}

// numbers finds the runs of digits of a text. mayJoin says which separators hold a run together, at most three in a row.
func numbers(text, mayJoin string, visit func(*number)) {
	var join [256]bool
	for i := range len(mayJoin) {
		join[mayJoin[i]] = true
	}
	for i := 0; i < len(text); {
		if !digit(text[i]) {
			i++
			continue
		}
		n := number{start: i}
		for {
			j := i
			for j < len(text) && digit(text[j]) {
				if n.size < maxDigits {
					n.digits[n.size] = text[j]
				}
				n.size++
				j++
			}
			n.end = j
			if n.parts < maxGroups {
				n.groups[n.parts] = uint8(min(255, j-i))
			}
			k := j
			for k < len(text) && k-j < 3 && join[text[k]] {
				k++
			}
			if n.parts++; k == j || k >= len(text) || !digit(text[k]) || n.parts >= maxGroups || n.size > maxDigits {
				break
			}
			n.marks[n.parts-1] = text[j]
			i = k
		}
		i = n.end
		visit(&n)
	}
}

// near reports whether one of the words stands within the given number of bytes before i. A short one must stand by itself.
func near(text string, i, within int, list []string) bool {
	var buf [64]byte
	before := buf[:copy(buf[:], text[max(0, i-min(within, len(buf))):i])]
	for k, c := range before {
		if c >= 'A' && c <= 'Z' {
			before[k] = c | 0x20
		}
	}
	s := string(before)
	for _, w := range list {
		for from := 0; ; {
			at := strings.Index(s[from:], w)
			if at < 0 {
				break
			}
			at += from
			from = at + 1
			if len(w) > 4 || (at == 0 || !letter(s[at-1])) && (at+len(w) == len(s) || !letter(s[at+len(w)])) {
				return true
			}
		}
	}
	return false
}

// findCards finds card numbers: 12 to 19 digits that pass Luhn's check, in one piece or in groups as they are printed.
func findCards(text string, found []span) []span {
	numbers(text, " -", func(n *number) {
		if n.card(text) {
			found = append(found, span{start: n.start, end: n.end, kind: Card})
		}
	})
	return found
}

func (n *number) card(text string) bool {
	if n.size < 12 || n.size > 19 || !n.alone(text) || !issuer(n.digits[:n.size]) || !luhn(n.digits[:n.size]) {
		return false
	}
	if n.size == 12 && n.digits[0] != '5' && n.digits[0] != '6' { // Maestro only
		return false
	}
	if n.parts == 1 {
		return true
	}
	for i, g := range n.groups[:n.parts] {
		if g > 7 || g < 3 && i+1 < n.parts {
			return false
		}
	}
	return n.parts >= 3
}

// issuer reports whether a number starts as a payment card does: with 2 to 6, or with the 1800 of older JCB cards.
func issuer(digits []byte) bool {
	return digits[0] >= '2' && digits[0] <= '6' || len(digits) == 15 && string(digits[:4]) == "1800"
}

// findNationals finds social security numbers of the United States and national numbers made of digits.
func findNationals(text string, found []span) []span {
	numbers(text, nationalSeparators, func(n *number) {
		if n.size < 7 || n.size > 18 {
			return
		}
		if n.ssn(text) {
			found = append(found, span{start: n.start, end: n.end, kind: SSN})
		} else if rule := n.national(text); rule != "" {
			found = append(found, span{start: n.start, end: n.end, kind: NationalID, rule: rule})
		}
	})
	return found
}

// ssn tells US social security numbers written with dashes or spaces, without the areas and groups that are never given
// out (000, 666, 9xx; 00; 0000), and nine digits in a row after a word that says what they are.
func (n *number) ssn(text string) bool {
	if n.size != 9 || !n.alone(text) {
		return false
	}
	d := string(n.digits[:9])
	if d[:3] == "000" || d[:3] == "666" || d[0] == '9' || d[3:5] == "00" || d[5:] == "0000" {
		return false
	}
	shaped := n.group(3, 2, 4)
	return shaped && (n.marked('-') || n.marked(' ')) || (shaped || n.parts == 1) && near(text, n.start, 40, ssnWords)
}

var ssnWords = []string{"ssn", "social security", "tax id", "itin"}

// findIPs finds IPv4 and IPv6 addresses.
func findIPs(text string, found []span) []span {
	isPart := func(c byte) bool { return c == '.' || c == ':' || digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	for i := 0; i < len(text); {
		if !isPart(text[i]) || text[i] == '.' {
			i++
			continue
		}
		end, dots, colons := i, 0, 0
		for end < len(text) && isPart(text[end]) {
			switch text[end] {
			case '.':
				dots++
			case ':':
				colons++
			}
			end++
		}
		if (dots >= 3 || colons >= 2) && end-i <= 60 && (i == 0 || !alnum(text[i-1])) && (end == len(text) || !alnum(text[end])) {
			if n := addressLength(text[i:end]); n > 0 {
				found = append(found, span{start: i, end: i + n, kind: IP})
			}
		}
		i = end
	}
	return found
}

// addressLength is the length of the address at the start of s: without a port and without the end of a sentence.
func addressLength(s string) int {
	s = strings.TrimRight(s, ".")
	colons := strings.Count(s, ":")
	if colons <= 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	if colons < 2 && strings.Count(s, ".") != 3 || len(s) < 4 {
		return 0
	}
	for _, t := range []string{s, strings.TrimSuffix(s, ":")} {
		if a, err := netip.ParseAddr(t); err == nil && !a.IsUnspecified() {
			return len(t)
		}
	}
	return 0
}
