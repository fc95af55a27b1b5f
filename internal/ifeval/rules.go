package ifeval

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rule is one kind of instruction: what an answer must be, and what its arguments lack.
type rule struct {
	follows func(answer string, a *Args) bool
	fault   func(a *Args) string
}

// rules are the 25 kinds.
var rules = map[string]rule{
	"keywords:existence":                            {existence, func(a *Args) string { return lacks(len(a.Keywords) == 0, "keywords") }},
	"keywords:frequency":                            {frequency, func(a *Args) string { return either(lacks(a.Keyword == "", "keyword"), related(a.Relation)) }},
	"keywords:forbidden_words":                      {forbidden, func(a *Args) string { return lacks(len(a.Forbidden) == 0, "forbidden_words") }},
	"keywords:letter_frequency":                     {letterFrequency, letterFault},
	"language:response_language":                    {inLanguage, languageFault},
	"length_constraints:number_sentences":           {numberSentences, func(a *Args) string { return related(a.Relation) }},
	"length_constraints:number_paragraphs":          {numberParagraphs, func(a *Args) string { return lacks(a.Paragraphs <= 0, "num_paragraphs") }},
	"length_constraints:number_words":               {numberWords, func(a *Args) string { return related(a.Relation) }},
	"length_constraints:nth_paragraph_first_word":   {nthParagraph, nthFault},
	"detectable_content:number_placeholders":        {placeholders, nil},
	"detectable_content:postscript":                 {postscript, func(a *Args) string { return lacks(a.Marker == "", "postscript_marker") }},
	"detectable_format:number_bullet_lists":         {bullets, nil},
	"detectable_format:constrained_response":        {constrained, nil},
	"detectable_format:number_highlighted_sections": {highlights, nil},
	"detectable_format:multiple_sections":           {sections, func(a *Args) string { return lacks(a.Splitter == "", "section_spliter") }},
	"detectable_format:json_format":                 {jsonFormat, nil},
	"detectable_format:title":                       {title, nil},
	"combination:two_responses":                     {twoResponses, nil},
	"combination:repeat_prompt":                     {repeatPrompt, func(a *Args) string { return lacks(a.Repeat == "", "prompt_to_repeat") }},
	"startend:end_checker":                          {endsWith, func(a *Args) string { return lacks(a.End == "", "end_phrase") }},
	"startend:quotation":                            {quotation, nil},
	"change_case:capital_word_frequency":            {capitalWords, func(a *Args) string { return related(a.CapitalRel) }},
	"change_case:english_capital":                   {englishCapital, nil},
	"change_case:english_lowercase":                 {englishLower, nil},
	"punctuation:no_comma":                          {func(answer string, _ *Args) bool { return !strings.Contains(answer, ",") }, nil},
}

func lacks(missing bool, key string) string {
	if missing {
		return "has no " + key
	}
	return ""
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

const (
	atLeast  = "at least"
	lessThan = "less than"
)

func related(relation string) string {
	if relation != atLeast && relation != lessThan {
		return `needs the relation "at least" or "less than"`
	}
	return ""
}

func languageFault(a *Args) string {
	if a.Language != "" && !known[a.Language] {
		return "asks for the language " + a.Language + ", which cannot be told here"
	}
	return lacks(a.Language == "", "language")
}

func letterFault(a *Args) string {
	if utf8.RuneCountInString(a.Letter) != 1 {
		return "needs a letter"
	}
	return related(a.LetterRelation)
}

func nthFault(a *Args) string {
	return either(lacks(a.FirstWord == "", "first_word"), lacks(a.Nth <= 0 || a.Paragraphs <= 0, "nth_paragraph and num_paragraphs"))
}

// holds compares a count with what was asked.
func holds(n int, relation string, want int) bool {
	if relation == lessThan {
		return n < want
	}
	return n >= want
}

// existence: every keyword stands in the answer, in any case, also within a word.
func existence(answer string, a *Args) bool {
	low := strings.ToLower(answer)
	for _, k := range a.Keywords {
		if !strings.Contains(low, strings.ToLower(k)) {
			return false
		}
	}
	return true
}

func frequency(answer string, a *Args) bool {
	return holds(strings.Count(strings.ToLower(answer), strings.ToLower(a.Keyword)), a.Relation, a.Frequency)
}

// forbidden: none of the words stands in the answer as a word of its own.
func forbidden(answer string, a *Args) bool {
	low := strings.ToLower(answer)
	for _, w := range a.Forbidden {
		if wholeWord(low, strings.ToLower(w)) {
			return false
		}
	}
	return true
}

// wholeWord reports whether word stands in text with a boundary of words on either side: one character is part of a word and its
// neighbour is not.
func wholeWord(text, word string) bool {
	if word == "" {
		return false
	}
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		i += at
		if boundary(text, i) && boundary(text, i+len(word)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		at = i + size
	}
}

func boundary(text string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	after, _ := utf8.DecodeRuneInString(text[at:])
	return (at > 0 && wordRune(before)) != (at < len(text) && wordRune(after))
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func letterFrequency(answer string, a *Args) bool {
	return holds(strings.Count(strings.ToLower(answer), strings.ToLower(a.Letter)), a.LetterRelation, a.LetterCount)
}

func inLanguage(answer string, a *Args) bool { return speaks(answer, a.Language) }

func numberWords(answer string, a *Args) bool { return holds(countWords(answer), a.Relation, a.Words) }

// countWords counts runs of letters, digits and underscores. Marks that belong to a letter end a run, as they do for the published
// checker's \w+: words of Indic scripts count for more than one.
func countWords(text string) int {
	n, inside := 0, false
	for _, r := range text {
		is := wordRune(r)
		if is && !inside {
			n++
		}
		inside = is
	}
	return n
}

func numberSentences(answer string, a *Args) bool {
	return holds(countSentences(answer), a.Relation, a.Sentences)
}

var paragraphMark = regexp.MustCompile(`\s?\*\*\*\s?`)

// numberParagraphs: so many paragraphs with *** between them. An empty one may stand at either end and does not count.
func numberParagraphs(answer string, a *Args) bool {
	parts := paragraphMark.Split(answer, -1)
	n := len(parts)
	for i, p := range parts {
		if strings.TrimSpace(p) != "" {
			continue
		}
		if i != 0 && i != len(parts)-1 {
			return false
		}
		n--
	}
	return n == a.Paragraphs
}

// nthParagraph: so many paragraphs with an empty line between them, and one of them begins with a given word.
func nthParagraph(answer string, a *Args) bool {
	parts := strings.Split(answer, "\n\n")
	n := 0
	for _, p := range parts {
		if strings.TrimSpace(p) != "" {
			n++
		}
	}
	if n != a.Paragraphs || a.Nth > n {
		return false
	}
	words := strings.Fields(parts[a.Nth-1])
	if len(words) == 0 {
		return false
	}
	first := strings.TrimLeft(strings.TrimLeft(words[0], "'"), `"`)
	if i := strings.IndexAny(first, `.,?!'"`); i >= 0 {
		first = first[:i]
	}
	return strings.EqualFold(first, a.FirstWord)
}

var placeholder = regexp.MustCompile(`\[[^\n]*?\]`)

func placeholders(answer string, a *Args) bool {
	return len(placeholder.FindAllStringIndex(answer, -1)) >= a.Placeholders
}

var (
	postPS  = regexp.MustCompile(`p\.\s?s\.`)
	postPPS = regexp.MustCompile(`p\.\s?p\.\s?s`)
)

// postscript: the marker stands in the answer; P.S. and P.P.S may have a space after each point.
func postscript(answer string, a *Args) bool {
	low := strings.ToLower(answer)
	switch a.Marker {
	case "P.S.":
		return postPS.MatchString(low)
	case "P.P.S":
		return postPPS.MatchString(low)
	}
	return strings.Contains(low, strings.ToLower(a.Marker))
}

// bullets: exactly so many lines that begin with "* " or with a dash. A line that begins with two asterisks is bold type.
func bullets(answer string, a *Args) bool {
	n := 0
	lines := strings.Split(answer, "\n")
	for i := 0; i < len(lines); i++ {
		switch s := strings.TrimLeftFunc(lines[i], unicode.IsSpace); {
		case strings.HasPrefix(s, "-"):
			n++
		case s == "*": // its text is the next line, whatever that begins with
			if i++; i < len(lines) {
				n++
			}
		case strings.HasPrefix(s, "*") && !strings.HasPrefix(s, "**"):
			n++
		}
	}
	return n == a.Bullets
}

var constrainedAnswers = []string{"My answer is yes.", "My answer is no.", "My answer is maybe."}

func constrained(answer string, _ *Args) bool {
	for _, c := range constrainedAnswers {
		if strings.Contains(answer, c) {
			return true
		}
	}
	return false
}

var (
	highlight     = regexp.MustCompile(`\*[^\n*]*\*`)
	boldHighlight = regexp.MustCompile(`\*\*[^\n*]*\*\*`)
)

// highlights: at least so many passages in *one* or **two** pairs of asterisks that are not empty.
func highlights(answer string, a *Args) bool {
	n := 0
	for _, h := range highlight.FindAllString(answer, -1) {
		if strings.TrimSpace(strings.Trim(h, "*")) != "" {
			n++
		}
	}
	for _, h := range boldHighlight.FindAllString(answer, -1) {
		if strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(h, "**"), "**")) != "" {
			n++
		}
	}
	return n >= a.Highlights
}

// sections: the section word with a number stands at least so often.
func sections(answer string, a *Args) bool {
	n := 0
	for at := 0; ; {
		i := strings.Index(answer[at:], a.Splitter)
		if i < 0 {
			return n >= a.Sections
		}
		at += i + len(a.Splitter)
		rest := answer[at:]
		if r, size := utf8.DecodeRuneInString(rest); unicode.IsSpace(r) {
			rest = rest[size:]
		}
		if r, _ := utf8.DecodeRuneInString(rest); unicode.IsDigit(r) {
			n++
		}
	}
}

// jsonFormat: the answer is one JSON value, with or without a fence around it.
func jsonFormat(answer string, _ *Args) bool {
	s := strings.TrimSpace(answer)
	for _, fence := range []string{"```json", "```Json", "```JSON", "```"} {
		s = strings.TrimPrefix(s, fence)
	}
	return json.Valid([]byte(strings.TrimSpace(strings.TrimSuffix(s, "```"))))
}

var titleMark = regexp.MustCompile(`<<[^\n]+>>`)

func title(answer string, _ *Args) bool {
	for _, t := range titleMark.FindAllString(answer, -1) {
		if strings.TrimSpace(strings.TrimRight(strings.TrimLeft(t, "<"), ">")) != "" {
			return true
		}
	}
	return false
}

// twoResponses: two different responses with ****** between them; nothing else but space may stand before or after such a line.
func twoResponses(answer string, _ *Args) bool {
	parts := strings.Split(answer, "******")
	var said []string
	for i, p := range parts {
		p = strings.TrimSpace(p)
		switch {
		case p != "":
			said = append(said, p)
		case i != 0 && i != len(parts)-1:
			return false
		}
	}
	return len(said) == 2 && said[0] != said[1]
}

func repeatPrompt(answer string, a *Args) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), strings.ToLower(strings.TrimSpace(a.Repeat)))
}

func endsWith(answer string, a *Args) bool {
	s := strings.ToLower(strings.Trim(strings.TrimSpace(answer), `"`))
	return strings.HasSuffix(s, strings.ToLower(strings.TrimSpace(a.End)))
}

func quotation(answer string, _ *Args) bool {
	s := strings.TrimSpace(answer)
	return len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"'
}

func capitalWords(answer string, a *Args) bool {
	return holds(countCapitalWords(answer), a.CapitalRel, a.CapitalCount)
}

func englishCapital(answer string, _ *Args) bool {
	return allCapital(answer) && speaks(answer, "en")
}

func englishLower(answer string, _ *Args) bool {
	return allLower(answer) && speaks(answer, "en")
}
