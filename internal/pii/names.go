package pii

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The lists are written for this project: given names, words that are also names, countries, states and large cities.
//
//go:embed names.txt
var nameLists string

var givenNames, commonNames, places, placeParts = readNames(nameLists)

// readNames reads sections that start with a line "# title". Places of several words are kept whole, with their first words.
func readNames(text string) (given, common, place, parts map[string]bool) {
	lists := map[string]map[string]bool{}
	parts = map[string]bool{}
	var current map[string]bool
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "# "); ok {
			current = map[string]bool{}
			lists[title] = current
			continue
		}
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				current[name] = true
				for i := range name {
					if name[i] == ' ' {
						parts[name[:i]] = true
					}
				}
			}
		}
	}
	return lists["given names"], lists["names that are words"], lists["places"], parts
}

// token is a word with its place.
type token struct {
	start, end int
	text       string
	lower      string
	capital    bool // it starts with a capital and is not all capitals, unless it is an initial
	opens      bool // a sentence starts here
	gap        string
}

// tokens cuts a text into words: letters, and apostrophes, dots and dashes inside them.
func tokens(text string) []token {
	var out []token
	opens, last := true, 0
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			if strings.ContainsRune(".!?\n:", r) {
				opens = true
			}
			i += n
			continue
		}
		end := i
		for end < len(text) {
			r, n := utf8.DecodeRuneInString(text[end:])
			inner := (r == '\'' || r == '’' || r == '-') && end > i
			if inner {
				next, _ := utf8.DecodeRuneInString(text[end+n:])
				inner = unicode.IsLetter(next)
			}
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !inner {
				break
			}
			end += n
		}
		w := text[i:end]
		w = strings.TrimSuffix(strings.TrimSuffix(w, "'s"), "’s")
		second, _ := utf8.DecodeRuneInString(w[n:])
		out = append(out, token{start: i, end: i + len(w), text: w, lower: strings.ToLower(w), opens: opens, gap: text[last:i],
			capital: unicode.IsUpper(r) && (len(w) == n || unicode.IsLower(second) || second == '\'' || second == '’')})
		opens, last, i = false, end, end
	}
	return out
}

// follows reports whether a token may go on with the name of the one before: one space, or an initial's dot and a space.
func (t token) follows(before token) bool {
	return t.gap == " " || t.gap == ". " && utf8.RuneCountInString(before.text) <= 2
}

var titles = words("mr mrs ms miss mx dr prof professor sir madam herr frau monsieur madame señor señora dame lord rev fr sr captain")

// introductions are what comes before a name, as ends of lower-case text.
var introductions = []string{"my name is ", "name is ", "name's ", "i am ", "i'm ", "this is ", "call me ", "regards, ", "regards,\n", "sincerely, ", "sincerely,\n",
	"dear ", "hi ", "hello ", "hey ", "signed by ", "contact ", "speak to ", "talk to ", "on behalf of ", "thanks, ", "thanks,\n", "cheers, ", "named ", "name: ", "customer: ", "patient: ", "ask for ", "belongs to ", "married to "}

var notNames = words(`the a an and or but if i you he she it we they this that these those my your his her our their what which who when where why how
 is are was were be been do does did can could will would should please thanks thank hello hi hey dear no yes not in on at to from of for with by as
 monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december
 english german french spanish italian chinese japanese american british european street road avenue bank university inc ltd llc gmbh corp company
 all there here everyone team sir madam customer support service sales manager director president doctor mr mrs ms dr sorry looking trying just very so god internet`)

// findPersons finds names after titles and introductions, given names in the list with what follows them, and what the model of
// persons takes for a name.
func findPersons(text string, found []span) []span {
	ts := tokens(text)
	likely := taggers.person.tag(ts)
	for i := 0; i < len(ts); i++ {
		t := ts[i]
		if !likely[i] && (!t.capital || notNames[t.lower] && !givenNames[t.lower]) {
			continue
		}
		starts := likely[i] || titled(ts, i) || introduced(text, t) || givenNames[t.lower] && (!commonNames[t.lower] || i+1 < len(ts) && surname(ts[i+1], t))
		if !starts {
			continue
		}
		j := i + 1
		for j < len(ts) && j-i < 5 && (surname(ts[j], ts[j-1]) || likely[j] && ts[j].follows(ts[j-1])) {
			j++
		}
		found = append(found, span{start: t.start, end: ts[j-1].end})
		i = j - 1
	}
	return found
}

func titled(ts []token, i int) bool {
	return i > 0 && titles[ts[i-1].lower] && (ts[i].gap == " " || ts[i].gap == ". ")
}

func introduced(text string, t token) bool {
	if notNames[t.lower] || utf8.RuneCountInString(t.text) < 2 || places[t.lower] {
		return false
	}
	before := strings.ToLower(text[max(0, t.start-16):t.start])
	for _, intro := range introductions {
		if at := len(before) - len(intro); at >= 0 && before[at:] == intro && (at == 0 || !letter(before[at-1])) {
			return true
		}
	}
	return false
}

var particles = words("de da di van von der den del la le al el bin ibn ter ten")

func surname(t, before token) bool {
	return t.follows(before) && (t.capital && !notNames[t.lower] && !t.opens || t.capital && utf8.RuneCountInString(before.text) == 1 || particles[t.lower] && before.capital)
}

// streetWords end the name of a street; streetStarts begin one where the number comes first or last.
var streetWords = words(`street st road rd avenue ave lane ln drive dr court ct boulevard blvd way place pl square sq terrace crescent close highway hwy
 parkway pkwy trail alley circle cir strasse straße gasse weg platz allee gata gatan vej gade katu tie utca ulica`)

var streetStarts = words("rue via calle avenida rua avenue boulevard viale piazza plaza strada ulica ul")

var states = words(`AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT
 VA WA WV WI WY DC`)

// findLocations finds street addresses, US states with a ZIP code, the places of the list, and what the model of places takes
// for one.
func findLocations(text string, found []span) []span {
	ts := tokens(text)
	likely := taggers.place.tag(ts)
	for i := 0; i < len(ts); i++ {
		n := max(streetAt(ts, i), placeAt(ts, i))
		if states[ts[i].text] && i+1 < len(ts) && ts[i+1].gap == " " && isZIP(ts[i+1].text) {
			n = max(n, 2)
		}
		for j := i + n; j < len(ts) && (likely[j] || j > i && isZIP(ts[j].text) && states[ts[j-1].text]) && (j == i || len(ts[j].gap) <= 3); j++ {
			n++
		}
		if n > 0 {
			found = append(found, span{start: ts[i].start, end: ts[i+n-1].end})
			i += n - 1
		}
	}
	return found
}

func isZIP(s string) bool { return len(s) == 5 && strings.Trim(s, "0123456789") == "" }

// streetAt is the number of tokens of a street address at i: "12 Main Street", "Hauptstraße 5", "rue Victor Hugo 7", with an
// apartment after it.
func streetAt(ts []token, i int) int {
	numbered := digit(ts[i].text[0]) && len(ts[i].text) <= 6
	switch {
	case numbered:
		for j := i + 1; j < len(ts) && j <= i+5 && (ts[j].gap == " " || ts[j].gap == ". ") && (ts[j].capital || particles[ts[j].lower]); j++ {
			if j > i+1 && streetWords[ts[j].lower] || compound(ts[j].lower) || streetStarts[ts[j].lower] && j == i+1 {
				return apartment(ts, i, j+1)
			}
		}
	case ts[i].capital && (compound(ts[i].lower) || streetStarts[ts[i].lower]):
		for j := i + 1; j < len(ts) && j <= i+4 && (ts[j].gap == " " || ts[j].gap == ", "); j++ {
			if digit(ts[j].text[0]) && len(ts[j].text) <= 6 {
				return apartment(ts, i, j+1)
			}
			if !ts[j].capital && !particles[ts[j].lower] {
				break
			}
		}
	}
	return 0
}

func compound(w string) bool {
	for _, end := range []string{"straße", "strasse", "gasse", "weg", "platz", "gatan", "vägen", "gade", "vej", "katu", "laan", "straat", "utca"} {
		if len(w) > len(end)+2 && strings.HasSuffix(w, end) {
			return true
		}
	}
	return false
}

func apartment(ts []token, i, end int) int {
	if end+1 < len(ts) && (ts[end].lower == "apt" || ts[end].lower == "suite" || ts[end].lower == "unit") && digit(ts[end+1].text[0]) {
		return end + 2 - i
	}
	return end - i
}

// placeAt is the number of tokens of the longest place of the list at i.
func placeAt(ts []token, i int) int {
	if !ts[i].capital && len(ts[i].text) > 3 || ts[i].text == ts[i].lower {
		return 0
	}
	best, name := 0, ""
	for j := i; j < len(ts) && j < i+4 && (j == i || ts[j].gap == " " && ts[j].text != ts[j].lower || ts[j].lower == "of" || ts[j].lower == "and"); j++ {
		if j > i {
			name += " "
		}
		name += ts[j].lower
		if places[name] {
			best = j - i + 1
		}
		if !placeParts[name] {
			break
		}
	}
	return best
}

var birthWords = []string{"born", "birth", "dob", "d.o.b", "birthday", "birthdate", "geboren", "geburtsdatum"}

var months = words("january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec")

// findBirthDates finds dates after a word that says that they are dates of birth.
func findBirthDates(text string, found []span) []span {
	numbers(text, "/-.", func(n number) {
		if isDate(n) && len(n.digits) >= 5 && n.alone(text) && near(text, n.start, 40, birthWords) {
			found = append(found, span{start: n.start, end: n.end})
		}
	})
	ts := tokens(text)
	for i, t := range ts {
		if !months[t.lower] || !near(text, t.start, 40, birthWords) {
			continue
		}
		sp := span{start: t.start, end: t.end}
		if i > 0 && digit(ts[i-1].text[0]) && len(ts[i-1].text) <= 4 && strings.TrimSpace(t.gap) == "" {
			sp.start = ts[i-1].start
		}
		for j := i + 1; j < len(ts) && j <= i+2 && digit(ts[j].text[0]) && len(ts[j].text) <= 4 && len(ts[j].gap) <= 2; j++ {
			sp.end = ts[j].end
		}
		if sp.start < t.start || sp.end > t.end {
			found = append(found, sp)
		}
	}
	return found
}
