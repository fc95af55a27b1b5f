package curate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/formats"
)

// knowsItself reports a format that says itself what is asked and answered.
func knowsItself(f formats.Format) bool {
	return slices.Contains([]formats.Format{formats.Chat, formats.ShareGPT, formats.Alpaca, formats.LabelStudio, formats.Promptfoo, formats.Traces}, f)
}

// measure counts the letters of each field that is text.
func (f *DraftFile) measure(input json.RawMessage) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(input, &fields) != nil {
		return
	}
	for name, raw := range fields {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			f.lengths[name] += utf8.RuneCountInString(text)
		}
	}
}

// longest is the field with the most text: what most likely is what the model reads. Of equal ones the first counts.
func (f *DraftFile) longest() string {
	best := ""
	for _, name := range f.Fields {
		if best == "" || f.lengths[name] > f.lengths[best] {
			best = name
		}
	}
	return best
}

// alike says when the files have different input fields, and proposes a mapping for each file: rows whose inputs have other fields than the
// rest make a dataset that no one prompt fits.
func (d *Draft) alike() {
	sets := map[string]bool{}
	var said []string
	for i := range d.Found {
		f := &d.Found[i]
		if len(f.Fields) == 0 {
			continue // it has no rows
		}
		fields := slices.Sorted(slices.Values(f.Fields))
		sets[strings.Join(fields, "\x00")] = true
		said = append(said, fmt.Sprintf("%s has %s", f.File, strings.Join(f.Fields, ", ")))
	}
	if len(sets) < 2 {
		return
	}
	name := d.commonName()
	for i := range d.Found {
		f := &d.Found[i]
		if len(f.Fields) == 1 && f.Fields[0] == name || len(f.Fields) == 0 {
			continue
		}
		from := name
		if !slices.Contains(f.Fields, name) {
			from = f.longest()
		}
		f.Mapping = fmt.Sprintf("{input: {%s: %s}}", yamlText(name), yamlText(from))
	}
	d.Notes = append(d.Notes, "THE SOURCES HAVE DIFFERENT INPUT FIELDS: "+strings.Join(said, "; ")+". Every row of a dataset should have the same; mapping names them alike, and a proposal stands at each source to be looked at")
}

// commonName is the field that most files have, of equal ones text or the first.
func (d *Draft) commonName() string {
	n := map[string]int{}
	var names []string
	for i := range d.Found {
		for _, name := range d.Found[i].Fields {
			if n[name]++; n[name] == 1 {
				names = append(names, name)
			}
		}
	}
	best := "text"
	for _, name := range names {
		if n[name] > max(n[best], 1) {
			best = name
		}
	}
	return best
}
