package guard

import "strings"

// sentencesOf cuts a text into sentences and lines, and joins neighbours into windows of at most the given number. Pieces are
// at most maxPart bytes long. It gives bytes of the text.
func sentencesOf(text string, window int) []span {
	var single []span
	start := 0
	flush := func(end int) {
		s := text[start:end]
		trimmed := strings.TrimSpace(s)
		if trimmed != "" {
			at := start + strings.Index(s, trimmed)
			single = append(single, span{start: at, end: at + len(trimmed)})
		}
		start = end
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '\n', i-start >= maxPart && text[i]&0xc0 != 0x80 && (c == ' ' || i-start >= 2*maxPart):
			flush(i)
		case (c == '.' || c == '!' || c == '?') && i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\n' || text[i+1] == '"'):
			flush(i + 1)
		}
	}
	flush(len(text))
	if window <= 1 {
		return single
	}
	out := make([]span, 0, len(single))
	for i := range single {
		j := min(i+window, len(single)) - 1
		for j > i && single[j].end-single[i].start > 2*maxPart {
			j--
		}
		out = append(out, span{start: single[i].start, end: single[j].end})
	}
	return out
}

// maxPart is about the longest sentence that people write.
const maxPart = 600
