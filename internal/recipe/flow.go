package recipe

import (
	"strings"
	"unicode"
)

// flow hands a text answer on while it comes, so that what was handed on in all is what read makes of the whole text: without
// white space at its ends and, where citations are asked for, without marks such as [2] and the white space before them. What
// may turn out to be such is held back until it is clear.
type flow struct {
	cite    bool
	next    func(string) error
	held    string
	space   string // white space that is handed on once something else follows it
	started bool   // something but white space was handed on
	err     error
}

func newFlow(cite bool, next func(string) error) *flow { return &flow{cite: cite, next: next} }

func (f *flow) write(delta string) error {
	if f.err != nil {
		return f.err
	}
	text := f.held + delta
	if f.cite {
		// Marks that are whole are left out; what stands before the last of them is settled.
		at := 0
		for _, m := range citation.FindAllStringIndex(text, -1) {
			if err := f.pass(text[at:m[0]]); err != nil {
				return err
			}
			at = m[1]
		}
		text = text[at:]
	}
	keep := f.open(text)
	f.held = text[keep:]
	return f.pass(text[:keep])
}

// open is where the part of text begins that the next words may still change.
func (f *flow) open(text string) int {
	end := len(text)
	if f.cite {
		if i := strings.LastIndexByte(text, '['); i >= 0 && mayCite(text[i:]) {
			end = i
		}
	}
	return len(strings.TrimRightFunc(text[:end], unicode.IsSpace))
}

// mayCite reports whether s is the beginning of a mark.
func mayCite(s string) bool {
	if len(s) > 4 { // "[123" is the longest beginning
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (f *flow) pass(text string) error {
	text = f.space + text
	if !f.started {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	settled := strings.TrimRightFunc(text, unicode.IsSpace)
	f.space = text[len(settled):]
	if settled == "" {
		return f.err
	}
	f.started = true
	f.err = f.next(settled)
	return f.err
}

// close hands on what was held back and is text after all.
func (f *flow) close() error {
	if f.err != nil {
		return f.err
	}
	rest := strings.TrimRightFunc(f.held, unicode.IsSpace)
	f.held = ""
	return f.pass(rest)
}
