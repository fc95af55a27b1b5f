package task

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// style reads the rules of a style.
func (r *reader) style(m section, path string) *rung.StyleSpec {
	n := m.get("style")
	s := r.section(n, path+".style", "metrics[].style")
	if n.kind != mappingKind {
		return nil
	}
	const most = 1_000_000
	grade := bounds{low: 0, high: 30, above: true}
	spec := &rung.StyleSpec{
		MinWords: s.whole("min_words", 1, most, 0), MaxWords: s.whole("max_words", 1, most, 0),
		MaxSentenceWords: s.whole("max_sentence_words", 1, most, 0),
		MinGrade:         s.number("min_grade", grade, 0), MaxGrade: s.number("max_grade", grade, 0),
	}
	for key, into := range map[string]*[]string{"required": &spec.Required, "forbidden": &spec.Forbidden, "sections": &spec.Sections, "structure": &spec.Structure} {
		for _, it := range s.list(key, true, "list phrases, such as: "+key+": [Dear customer]") {
			if key == "structure" && !slices.Contains(rung.Structures, it.text) {
				r.fail(it.at, fmt.Sprintf("there is no structure %q", it.text), "use one of "+strings.Join(rung.Structures, ", "))
				continue
			}
			*into = append(*into, it.text)
		}
	}
	switch {
	case spec.MaxWords > 0 && spec.MinWords > spec.MaxWords:
		r.fail(s.get("min_words").at, "min_words is above max_words", "exchange them")
	case spec.MaxGrade > 0 && spec.MinGrade > spec.MaxGrade:
		r.fail(s.get("min_grade").at, "min_grade is above max_grade", "exchange them")
	case len(n.pairs) == 0:
		r.fail(n.at, path+".style has no rules", "give it some, such as: style: {max_words: 80, forbidden: [unfortunately]}")
	}
	return spec
}

// Bounds of what a style's classifier is trained on.
const (
	fewestTexts = 10
	mostTexts   = 20_000
)

// like reads the texts of a style and those that are not of it.
func (r *reader) like(m section, path string) *rung.LikeSpec {
	n := m.get("like")
	s := r.section(n, path+".like", "metrics[].like")
	if n.kind != mappingKind {
		return nil
	}
	s.need("examples", "name files with texts in the style")
	s.need("others", "name files with texts that are not in the style: other writers', other models', the same facts in other words")
	return &rung.LikeSpec{Examples: r.likeTexts(s, "examples"), Others: r.likeTexts(s, "others")}
}

// likeTexts reads texts: of a .jsonl file each line is a string, or an object with the string text or output; of other files
// each line is a text.
func (r *reader) likeTexts(s section, key string) []string {
	var texts []string
	names := s.list(key, true, "name files, such as: "+key+": voice.txt")
	for _, name := range names {
		src := r.open(name.at, name.text)
		if src == nil {
			return nil
		}
		for i, line := range src.lines {
			text := strings.TrimSpace(line)
			if text == "" {
				continue
			}
			if strings.HasSuffix(name.text, ".jsonl") {
				var ok bool
				if text, ok = jsonText(text); !ok {
					r.errs = append(r.errs, src.err(pos{i + 1, 1}, "neither a string nor an object with the string text or output", `write one text per line, such as {"text": "Dear customer"}`))
					return nil
				}
			}
			texts = append(texts, text)
		}
	}
	if n := len(texts); len(names) > 0 && (n < fewestTexts || n > mostTexts) {
		r.fail(names[0].at, fmt.Sprintf("%d texts for %s", n, key), fmt.Sprintf("give it from %d to %d", fewestTexts, mostTexts))
	}
	return texts
}

func jsonText(line string) (string, bool) {
	var text string
	if json.Unmarshal([]byte(line), &text) == nil {
		return text, true
	}
	var row struct{ Text, Output *string }
	if json.Unmarshal([]byte(line), &row) != nil {
		return "", false
	}
	switch {
	case row.Text != nil:
		return *row.Text, true
	case row.Output != nil:
		return *row.Output, true
	}
	return "", false
}
