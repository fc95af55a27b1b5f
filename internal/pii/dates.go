package pii

import "strings"

var birthWords = []string{"born", "birth", "dob", "d.o.b", "birthday", "birthdate", "geboren", "geburtsdatum"}

// findDates finds dates by their form; after a word that says so they are dates of birth.
func findDates(text string, found []span) []span {
	numbers(text, "/-.", func(n *number) {
		if n.isDate() && n.size >= 5 && n.alone(text) {
			found = append(found, dated2(text, span{start: n.start, end: timeEnd(text, n.end)}))
		}
	})
	return findNamedDates(text, found)
}

func dated2(text string, sp span) span {
	if sp.kind = Date; near(text, sp.start, 40, birthWords) {
		sp.kind = BirthDate
	}
	return sp
}

// isDate tells dates and times from phone numbers: groups of 4-2-2 or 2-2-4 digits.
func (n *number) isDate() bool {
	if n.parts != 3 || n.size > 8 {
		return false
	}
	a, b, c := n.groups[0], n.groups[1], n.groups[2]
	return a == 4 && b <= 2 && c <= 2 || c == 4 && a <= 2 && b <= 2 || n.size <= 6
}

// timeEnd is the end of a time of day after a date: " 23:08:55", "T23:08Z".
func timeEnd(text string, i int) int {
	j := i
	if j < len(text) && (text[j] == ' ' || text[j] == 'T') {
		j++
	}
	k, colons := j, 0
	for k < len(text) && k-j < 16 && (digit(text[k]) || text[k] == ':' || text[k] == '.' && k+1 < len(text) && digit(text[k+1])) {
		if text[k] == ':' {
			colons++
		}
		k++
	}
	if colons == 0 || colons > 2 || !digit(text[k-1]) {
		return i
	}
	if k < len(text) && text[k] == 'Z' {
		k++
	}
	return k
}

var monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// monthAt is the length of an English month's name or its usual short form at i, 0 when there is none.
func monthAt(text string, i int) int {
	n := 0
	var word [10]byte
	for i+n < len(text) && letter(text[i+n]) {
		if n == len(word) {
			return 0
		}
		word[n] = text[i+n] | 0x20
		n++
	}
	for _, m := range monthNames {
		if s := string(word[:n]); n >= 3 && (s == m || s == m[:3] || s == "sept" && m == "september") {
			return n
		}
	}
	return 0
}

// findNamedDates finds "3 May 1980", "May 3rd, 1980", "May 1980", "3. May".
func findNamedDates(text string, found []span) []span {
	for i := 0; i < len(text); i++ {
		if strings.IndexByte("jfmasondJFMASOND", text[i]) < 0 || i > 0 && (letter(text[i-1]) || digit(text[i-1])) {
			continue
		}
		n := monthAt(text, i)
		if n == 0 {
			continue
		}
		start, end := dayBefore(text, i), dayAfter(text, i+n)
		if start < i || end > i+n {
			found = append(found, dated2(text, span{start: start, end: end}))
		}
		i = end - 1
	}
	return found
}

// dayBefore is where a day starts that stands before the month at i: "3 ", "3rd ", "3. ", "3rd of ".
func dayBefore(text string, i int) int {
	j := i
	for j > 0 && text[j-1] == ' ' {
		j--
	}
	if j == i {
		return i
	}
	if j >= 3 && strings.EqualFold(text[j-3:j], " of") {
		j -= 3
	}
	switch {
	case j > 0 && text[j-1] == '.':
		j--
	case j > 2 && strings.Contains("st nd rd th", strings.ToLower(text[j-2:j])):
		j -= 2
	}
	k := j
	for k > 0 && digit(text[k-1]) && j-k < 3 {
		k--
	}
	if j-k < 1 || j-k > 2 || k > 0 && (alnum(text[k-1]) || text[k-1] == '.' || text[k-1] == '/') {
		return i
	}
	return k
}

// dayAfter is where a date ends whose month ends at i: " 3", " 3rd, 1980", " 1980", ", 1980".
func dayAfter(text string, i int) int {
	end := i
	for range 2 {
		j := end
		if j < len(text) && text[j] == '.' && end == i {
			j++
		}
		if j < len(text) && text[j] == ',' {
			j++
		}
		if j >= len(text) || text[j] != ' ' && text[j] != '-' {
			break
		}
		j++
		k := j
		for k < len(text) && digit(text[k]) && k-j < 5 {
			k++
		}
		size := k - j
		if size == 0 || size == 3 || size > 4 {
			break
		}
		if size <= 2 && k+1 < len(text) && strings.Contains("st nd rd th", strings.ToLower(text[k:k+2])) {
			k += 2
		}
		if k < len(text) && (alnum(text[k]) || text[k] == ':') {
			break
		}
		end = k
		if size == 4 {
			break
		}
	}
	return end
}
