package form

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"
	"unicode"

	"github.com/kaptinlin/jsonrepair"

	"github.com/rung-dev/rung"
)

// The repairer's time grows with the square of nesting, so hostile text could hold it for minutes: what is longer or nested
// deeper than any answer worth repairing is not given to it.
const (
	maxRepair      = 64 << 10 // bytes
	maxRepairDepth = 64
)

// deeper reports whether text opens more than n brackets that it has not closed.
func deeper(text string, n int) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[':
			if depth++; depth > n {
				return true
			}
		case '}', ']':
			depth = max(depth-1, 0)
		}
	}
	return false
}

// readJSON finds JSON in text: as it stands, else inside fences or among words, else repaired. It accepts objects and
// arrays only when it had to look for them: a sentence is not a JSON string because it could be quoted.
func readJSON(text string) (value []byte, repaired, ok bool) {
	text = strings.TrimSpace(text)
	if json.Valid([]byte(text)) {
		return []byte(text), false, true
	}
	start := strings.IndexAny(text, "{[")
	if start < 0 || len(text) > maxRepair || deeper(text, maxRepairDepth) {
		return nil, false, false
	}
	text = text[start:]
	var first json.RawMessage
	if json.NewDecoder(strings.NewReader(text)).Decode(&first) == nil {
		return first, true, true
	}
	if end := strings.LastIndex(text, "```"); end > 0 {
		text = text[:end]
	}
	return repair(text)
}

// repair closes brackets, drops trailing commas, quotes keys. The library is given bytes from outside, so a panic in it is
// an answer that cannot be repaired.
func repair(text string) (value []byte, repaired, ok bool) {
	defer func() {
		if recover() != nil {
			value, repaired, ok = nil, false, false
		}
	}()
	fixed, err := jsonrepair.Repair(text)
	if err != nil {
		return nil, false, false
	}
	b := bytes.TrimSpace([]byte(fixed))
	if len(b) == 0 || (b[0] != '{' && b[0] != '[') || !json.Valid(b) {
		return nil, false, false
	}
	return b, true, true
}

// normalLabel is how labels are compared when they do not match exactly.
func normalLabel(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return ' '
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// readLabel finds the label that text gives: the whole text, a JSON string or one-member object, else the only label that
// its first line, and failing that the whole text, mentions.
func (f *Form) readLabel(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if label, ok := f.exactLabel(text); ok {
		return label, true
	}
	if value, _, ok := readJSON(text); ok {
		if n, err := parseNode(value); err == nil {
			if n.kind == '{' && len(n.members) == 1 {
				n = n.members[0].value
			}
			if label, ok := f.exactLabel(n.str()); ok {
				return label, true
			}
		}
	}
	line, _, _ := strings.Cut(text, "\n")
	if _, after, ok := strings.Cut(line, ":"); ok {
		if label, ok := f.exactLabel(after); ok {
			return label, true
		}
	}
	if label, ok := f.exactLabel(line); ok {
		return label, true
	}
	if label, ok := f.onlyMention(line); ok {
		return label, true
	}
	return f.onlyMention(text)
}

func (f *Form) exactLabel(s string) (string, bool) {
	s = strings.TrimSpace(s)
	for _, label := range f.out.Labels {
		if s == label {
			return label, true
		}
	}
	key := normalLabel(s)
	label, ok := f.labels[key]
	return label, ok && key != ""
}

// onlyMention finds the one label that text mentions as words. Longer labels are looked for first, and what they cover is
// not looked at again, so that "not spam" is not read as "spam".
func (f *Form) onlyMention(text string) (string, bool) {
	rest := " " + normalLabel(text) + " "
	found := ""
	for _, key := range f.byLength {
		if !strings.Contains(rest, " "+key+" ") {
			continue
		}
		if found != "" {
			return "", false
		}
		found = f.labels[key]
		rest = strings.ReplaceAll(rest, " "+key+" ", " \x00 ")
	}
	return found, found != ""
}

// indexLabels prepares labels and byLength. Labels that are the same when normalised can only be matched exactly.
func (f *Form) indexLabels() {
	f.labels = make(map[string]string, len(f.out.Labels))
	clash := make(map[string]bool)
	for _, label := range f.out.Labels {
		key := normalLabel(label)
		if _, taken := f.labels[key]; taken {
			clash[key] = true
		}
		f.labels[key] = label
	}
	for key := range clash {
		delete(f.labels, key)
	}
	for key := range f.labels {
		if key != "" {
			f.byLength = append(f.byLength, key)
		}
	}
	sort.Slice(f.byLength, func(i, j int) bool {
		if len(f.byLength[i]) != len(f.byLength[j]) {
			return len(f.byLength[i]) > len(f.byLength[j])
		}
		return f.byLength[i] < f.byLength[j]
	})
}

// parseText reads a text answer.
func parseText(text string) Read {
	text = strings.TrimSpace(text)
	if text == "" {
		return Read{Problem: rung.EmptyAnswer, Detail: "the answer is empty", JSON: true}
	}
	value, err := marshal(text)
	if err != nil {
		return Read{Problem: rung.NotJSON, Detail: err.Error()}
	}
	return Read{Value: value, JSON: true}
}
