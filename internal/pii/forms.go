package pii

import (
	"net/netip"
	"slices"
	"strings"
)

// findEmails finds addresses around an @: a local part of at most 64 characters and a host with a dot.
func findEmails(text string, found []span) []span {
	last := 0
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '@')
		if i < 0 {
			return found
		}
		i += from
		from = i + 1
		start := i
		for start > last && i-start < 64 && (alnum(text[start-1]) || strings.IndexByte("._%+-'", text[start-1]) >= 0) {
			start--
		}
		for start < i && strings.IndexByte(".'-", text[start]) >= 0 {
			start++
		}
		end := hostEnd(text, i+1)
		if start < i && strings.IndexByte(text[i+1:end], '.') > 0 && end-i > 3 {
			found = append(found, span{start: start, end: end})
			last, from = end, end
		}
	}
}

// hostEnd is the end of a host name that starts at i, without a dot or dash at its end.
func hostEnd(text string, i int) int {
	end := i
	for end < len(text) && end-i < 253 && (alnum(text[end]) || text[end] == '.' || text[end] == '-') {
		end++
	}
	for end > i && (text[end-1] == '.' || text[end-1] == '-') {
		end--
	}
	return end
}

// hostEndings are endings of host names that may stand without a scheme; others would catch file names and the ends of
// sentences.
var hostEndings = words(`com org net edu gov mil int io co ai app dev info biz me tv us uk de fr es it nl be ch at se no fi dk pl cz sk hu ro bg gr
 pt ie ru ua tr il in cn jp kr tw hk sg my th vn id ph au nz ca mx br ar cl pe za ng ke eg sa ae ir is lt lv ee si hr rs eu xyz online
 site shop store blog tech club pro name`)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// findURLs finds addresses with a scheme, and host names with a usual ending.
func findURLs(text string, found []span) []span {
	for i := 0; i < len(text); {
		if !alnum(text[i]) || i > 0 && (alnum(text[i-1]) || text[i-1] == '@') {
			i++
			continue
		}
		var end int
		if scheme := schemeAt(text[i:]); scheme > 0 {
			end = pathEnd(text, i+scheme)
			if end == i+scheme {
				end = i
			}
		} else if h := hostEnd(text, i); h > i && isHost(text[i:h]) && (h == len(text) || text[h] != '@') {
			end = h
			if h < len(text) && strings.IndexByte("/:?", text[h]) >= 0 {
				end = pathEnd(text, h)
			}
		} else {
			i = max(h, i+1) // no part of it starts a host by itself: what is long is looked at once
			continue
		}
		if end > i {
			found = append(found, span{start: i, end: end})
		}
		i = max(end, i+1)
	}
	return found
}

func schemeAt(text string) int {
	for _, s := range []string{"https://", "http://", "ftp://", "ftps://", "ssh://", "postgres://", "mongodb://"} {
		if len(text) > len(s) && strings.EqualFold(text[:len(s)], s) {
			return len(s)
		}
	}
	return 0
}

func pathEnd(text string, i int) int {
	end := i
	for end < len(text) && text[end] > ' ' && text[end] < 0x7f && strings.IndexByte("<>\"{}|\\^`", text[end]) < 0 {
		end++
	}
	for end > i && strings.IndexByte(".,;:!?)]'", text[end-1]) >= 0 {
		end--
	}
	return end
}

func isHost(s string) bool {
	s = strings.ToLower(s)
	dot := strings.LastIndexByte(s, '.')
	if dot < 2 || !hostEndings[s[dot+1:]] || strings.Contains(s, "..") {
		return false
	}
	return strings.HasPrefix(s, "www.") || strings.IndexFunc(s[:dot], func(r rune) bool { return r >= 'a' && r <= 'z' }) >= 0
}

// ibanLengths by country, from the registry of SWIFT.
var ibanLengths = map[string]int{"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21,
	"CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22,
	"GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
	"LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
	"NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24,
	"SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20}

// findIBANs finds account numbers whose length fits the country and whose checksum is right (ISO 13616, mod 97).
func findIBANs(text string, found []span) []span {
	for i := 0; i+15 <= len(text); i++ {
		if !digit(text[i+2]) || !digit(text[i+3]) || digit(text[i]) || i > 0 && alnum(text[i-1]) {
			continue
		}
		want := ibanLengths[strings.ToUpper(text[i:i+2])]
		if want == 0 {
			continue
		}
		n, end, rest := 0, i, 0
		var compact [34]byte
		for end < len(text) && n < want {
			switch c := text[end]; {
			case alnum(c):
				compact[n] = c &^ 0x20
				if digit(c) {
					compact[n] = c
				}
				n++
			case c != ' ' && c != '-' || end+1 < len(text) && !alnum(text[end+1]):
				rest = 1
			}
			if rest > 0 {
				break
			}
			end++
		}
		if n == want && (end == len(text) || !alnum(text[end])) && mod97(compact[:n]) == 1 {
			found = append(found, span{start: i, end: end})
			i = end - 1
		}
	}
	return found
}

// mod97 is the remainder of an IBAN with its first four characters moved to the end, letters counting from 10.
func mod97(iban []byte) int {
	rem := 0
	for k := range iban {
		c := iban[(k+4)%len(iban)]
		if digit(c) {
			rem = (rem*10 + int(c-'0')) % 97
		} else {
			rem = (rem*100 + int(c-'A') + 10) % 97
		}
	}
	return rem
}

// number is a run of digits with single separators between groups.
type number struct {
	start, end int
	digits     []byte
	groups     []int  // digits in each group
	marks      string // separators, one per gap
	plus       bool
}

// numbers finds the runs of digits of a text. mayJoin says which separators hold a run together.
func numbers(text, mayJoin string, visit func(number)) {
	for i := 0; i < len(text); {
		if !digit(text[i]) {
			i++
			continue
		}
		n := number{start: i}
		for i < len(text) && len(n.digits) < 40 {
			j := i
			for j < len(text) && digit(text[j]) {
				j++
			}
			if j == i {
				break
			}
			n.digits = append(n.digits, text[i:j]...)
			n.groups = append(n.groups, j-i)
			n.end = j
			k := j
			for k < len(text) && k-j < 3 && strings.IndexByte(mayJoin, text[k]) >= 0 {
				k++
			}
			if k == j || k >= len(text) || !digit(text[k]) {
				break
			}
			n.marks += text[j : j+1]
			i = k
		}
		i = max(n.end, i+1)
		for n.end < len(text) && len(n.digits) >= 40 && digit(text[n.end]) { // too long for anything
			n.end++
			i = n.end
		}
		visit(n)
	}
}

// bounded reports whether no letter or digit touches the number.
func (n number) alone(text string) bool {
	return (n.start == 0 || !alnum(text[n.start-1])) && (n.end == len(text) || !alnum(text[n.end]))
}

// findCards finds card numbers: 12 to 19 digits that pass Luhn's check, in one piece or in groups as they are printed.
func findCards(text string, found []span) []span {
	numbers(text, " -", func(n number) {
		if len(n.digits) < 12 || len(n.digits) > 19 || !n.alone(text) || !issuer(n.digits) || !luhn(n.digits) {
			return
		}
		if len(n.groups) > 1 && (len(n.groups) < 3 || slices.Min(n.groups[:len(n.groups)-1]) < 3 || slices.Max(n.groups) > 7) {
			return
		}
		if len(n.digits) == 12 && n.digits[0] != '5' && n.digits[0] != '6' { // Maestro only
			return
		}
		found = append(found, span{start: n.start, end: n.end})
	})
	return found
}

// issuer reports whether a number starts as a payment card does: with 2 to 6, or with the 1800 of older JCB cards.
func issuer(digits []byte) bool {
	return strings.IndexByte("23456", digits[0]) >= 0 || len(digits) == 15 && string(digits[:4]) == "1800"
}

// luhn is the check of ISO/IEC 7812-1.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// findIPs finds IPv4 and IPv6 addresses.
func findIPs(text string, found []span) []span {
	isPart := func(c byte) bool { return c == '.' || c == ':' || digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	for i := 0; i < len(text); {
		if !isPart(text[i]) || text[i] == '.' {
			i++
			continue
		}
		end := i
		for end < len(text) && isPart(text[end]) {
			end++
		}
		s := text[i:end]
		if len(s) <= 60 && (i == 0 || !alnum(text[i-1])) && (end == len(text) || !alnum(text[end])) {
			if n := addressLength(s); n > 0 {
				found = append(found, span{start: i, end: i + n})
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

// findSSNs finds US social security numbers written with dashes or spaces, without the areas and groups that are never given
// out (000, 666, 9xx; 00; 0000), and nine digits in a row after a word that says what they are.
func findSSNs(text string, found []span) []span {
	numbers(text, "- ", func(n number) {
		if len(n.digits) != 9 || !n.alone(text) {
			return
		}
		d := string(n.digits)
		if d[:3] == "000" || d[:3] == "666" || d[0] == '9' || d[3:5] == "00" || d[5:] == "0000" {
			return
		}
		shaped := slices.Equal(n.groups, []int{3, 2, 4})
		if shaped && (n.marks == "--" || near(text, n.start, 40, ssnWords)) || len(n.groups) == 1 && near(text, n.start, 40, ssnWords) || shaped && n.marks == "  " {
			found = append(found, span{start: n.start, end: n.end})
		}
	})
	return found
}

var ssnWords = []string{"ssn", "social security", "tax id", "itin"}

// near reports whether one of the words stands within the given number of bytes before i.
func near(text string, i, within int, list []string) bool {
	before := strings.ToLower(text[max(0, i-within):i])
	for _, w := range list {
		if strings.Contains(before, w) {
			return true
		}
	}
	return false
}

var phoneWords = []string{"phone", "call", "tel", "mobile", "cell", "fax", "number", "contact", "whatsapp", "sms", "text me", "reach", "ring", "dial", "anruf", "nummer"}

// findPhones finds phone numbers: with + and a country, in the usual groups of a country, or any 7 to 15 digits after a word
// that says so.
func findPhones(text string, found []span) []span {
	numbers(text, " -./()", func(n number) {
		start, end := n.start, n.end
		if start > 0 && text[start-1] == '(' {
			start--
		}
		if start > 0 && text[start-1] == '+' {
			start--
			n.plus = true
		}
		if end < len(text) && text[end] == 'x' || strings.HasPrefix(text[end:], " ext") {
			end = extension(text, end)
		} else if !n.alone(text) {
			return
		}
		if isPhone(text, n, start) {
			found = append(found, span{start: start, end: end})
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

func isPhone(text string, n number, start int) bool {
	size := len(n.digits)
	switch {
	case size < 7 || size > 15 || isDate(n) || slices.Equal(n.groups, []int{3, 2, 4}) || // the form of a US_SSN
		start > 0 && strings.IndexByte("$€£#", text[start-1]) >= 0:
		return false
	case n.plus || strings.HasPrefix(string(n.digits), "00") && size >= 10:
		return true
	case text[start] == '(' && len(n.groups) > 1 && size >= 8:
		return true
	case len(n.groups) == 1:
		return near(text, start, 32, phoneWords)
	case strings.Trim(n.marks, ".") == "" && size != 10: // a version or an amount
		return near(text, start, 32, phoneWords)
	case size == 10 && slices.Equal(n.groups, []int{3, 3, 4}), size == 11 && n.digits[0] == '1' && slices.Equal(n.groups, []int{1, 3, 3, 4}):
		return true
	case n.digits[0] == '0' && size >= 9 && size <= 12:
		return true
	}
	return near(text, start, 32, phoneWords)
}

// isDate tells dates and times from phone numbers: groups of 4-2-2 or 2-2-4 digits.
func isDate(n number) bool {
	g := n.groups
	if len(g) != 3 || len(n.digits) > 8 {
		return false
	}
	return g[0] == 4 && g[1] <= 2 && g[2] <= 2 || g[2] == 4 && g[0] <= 2 && g[1] <= 2 || len(n.digits) <= 6
}
