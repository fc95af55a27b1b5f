package pii

import (
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
