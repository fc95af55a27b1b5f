package pii

import "strings"

// What the model of names leaves, some words say by themselves: a nationality, a day of the week, a year after "in", a number before
// "years old". Their lists and rules are written for this project and not learned.

// isIn reports whether a word of the text, in small letters, is one of a list.
func isIn(word string, list ...string) bool {
	for _, w := range list {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}

var (
	flagDay         = listed["donnerstag"]
	flagNationality = listed["brazilian"]
)

// plainWords gives what the tokens say by themselves, in order, in found.
func plainWords(text string, ts []token, found []span) []span {
	for i := range ts {
		t := &ts[i]
		word := text[t.start:t.end]
		kind := Type("")
		switch {
		case t.flags&flagCapital != 0 && t.flags&flagNationality != 0 && !isIn(word, "pole", "black", "white", "turk", "democrat", "republican", "liberal", "conservative"):
			kind = Nationality
		case t.flags&flagCapital != 0 && t.flags&flagDay != 0 && len(word) >= 6 && strings.HasSuffix(word, "day"):
			kind = Date
		case t.flags&flagYear != 0 && i > 0 && isIn(text[ts[i-1].start:ts[i-1].end], "in", "since", "from", "until", "till", "by", "before", "after", "during", "year", "of", "circa"):
			kind = Date
		case t.flags&flagAge != 0 && aged(text, ts, i):
			kind = Age
		default:
			continue
		}
		found = append(found, span{start: t.start, end: t.end, kind: kind, rule: "word", sure: 1e3})
	}
	return found
}

// aged reports whether the number i is an age: "30 years old", "30-year-old", "30 y/o", "aged 30", "age: 30".
func aged(text string, ts []token, i int) bool {
	word := func(j int) string {
		if j < 0 || j >= len(ts) {
			return ""
		}
		return text[ts[j].start:ts[j].end]
	}
	after := i + 1
	if word(after) == "-" {
		after++
	}
	switch {
	case isIn(word(after), "year", "years", "yr", "yrs") && (isIn(word(after+1), "old") || word(after+1) == "-" && isIn(word(after+2), "old") || isIn(word(after+2), "old", "age")),
		isIn(word(after), "year-old", "years-old", "yo"), isIn(word(after), "y") && word(after+1) == "/",
		isIn(word(i-1), "aged") || isIn(word(i-1), "age") && i+1 < len(ts):
		return true
	}
	return word(i-1) == ":" && isIn(word(i-2), "age") || isIn(word(i-2), "age") && isIn(word(i-1), "of", "is")
}
