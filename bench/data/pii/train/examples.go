package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/pii/crf"
)

// labelled is a text with its spans, in bytes.
type labelled struct {
	text     string
	spans    []mark
	template int // of presidio_pii
}

// mark is a span of a type.
type mark struct {
	kind       pii.Type
	start, end int
}

// row is a line of any of the data sets; offsets count characters.
type row struct {
	Text     string `json:"text"`
	Template int    `json:"template_id"`
	Intent   string `json:"intent"`
	Spans    []struct {
		Type       string `json:"type"`
		Start, End int
	} `json:"spans"`
	Slots []struct {
		Entity     string `json:"entity"`
		Start, End int
	} `json:"slots"`
	Entities []struct {
		Type       string `json:"type"`
		Start, End int
	} `json:"entities"`
}

func rowsOf(data, set, file string) []row {
	text, err := os.ReadFile(filepath.Join(data, set, file))
	if err != nil {
		fatal("the data set ", set, " is not here: ", err)
	}
	var out []row
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<24)
	for scan.Scan() {
		var r row
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			fatal(set, ": ", err)
		}
		out = append(out, r)
	}
	return out
}

// kinds of the data sets' types; what is not here is not looked for.
var (
	presidioKinds = map[string]pii.Type{"PERSON": pii.Person, "STREET_ADDRESS": pii.Address, "GPE": pii.Location, "ORGANIZATION": pii.Organization,
		"CREDIT_CARD": pii.Card, "DATE_TIME": pii.Date, "TITLE": pii.Title, "PHONE_NUMBER": pii.Phone, "AGE": pii.Age, "NRP": pii.Nationality,
		"EMAIL_ADDRESS": pii.Email, "ZIP_CODE": pii.Postcode, "DOMAIN_NAME": pii.URL, "IBAN_CODE": pii.IBAN, "US_SSN": pii.SSN, "IP_ADDRESS": pii.IP,
		"US_DRIVER_LICENSE": pii.NationalID}
	wnutKinds  = map[string]pii.Type{"person": pii.Person, "location": pii.Location, "group": pii.Organization, "corporation": pii.Organization}
	snipsKinds = map[string]pii.Type{"city": pii.Location, "country": pii.Location, "state": pii.Location, "timeRange": pii.Date}
)

// places of the characters of a text, in bytes.
func offsets(text string) []int {
	var at []int
	for i := range text {
		at = append(at, i)
	}
	return append(at, len(text))
}

func (r *row) labelled(kinds map[string]pii.Type) labelled {
	at := offsets(r.Text)
	l := labelled{text: r.Text, template: r.Template}
	add := func(name string, start, end int) {
		if k := kinds[name]; k != "" {
			l.spans = append(l.spans, mark{k, at[start], at[end]})
		}
	}
	for _, s := range r.Spans {
		add(s.Type, s.Start, s.End)
	}
	for _, s := range r.Slots {
		add(s.Entity, s.Start, s.End)
	}
	for _, s := range r.Entities {
		add(s.Type, s.Start, s.End)
	}
	return l
}

func presidio(data string) (out []labelled) {
	for _, r := range rowsOf(data, "presidio_pii", "all.jsonl") {
		out = append(out, r.labelled(presidioKinds))
	}
	return out
}

func wnut(data, split string) (out []labelled) {
	for _, r := range rowsOf(data, "wnut17", split+".jsonl") {
		out = append(out, r.labelled(wnutKinds).joined())
	}
	return out
}

// joined writes tokens that stand apart as people write them: no space before a comma or a full stop.
func (l labelled) joined() labelled {
	var b strings.Builder
	at := make([]int, len(l.text)+1)
	for i := range len(l.text) {
		at[i] = b.Len()
		if l.text[i] == ' ' && i+1 < len(l.text) && strings.IndexByte(",.!?:;)", l.text[i+1]) >= 0 && (i+2 == len(l.text) || l.text[i+2] == ' ') {
			continue
		}
		b.WriteByte(l.text[i])
	}
	at[len(l.text)] = b.Len()
	out := labelled{text: b.String()}
	for _, s := range l.spans {
		out.spans = append(out.spans, mark{s.kind, at[s.start], at[s.end]})
	}
	return out
}

// weather gives snips' questions about the weather, whose places and times are labelled.
func weather(data, split string, most int) (out []labelled) {
	for _, r := range rowsOf(data, "snips", split+".jsonl") {
		l := r.labelled(snipsKinds)
		if r.Intent == "GetWeather" && !strings.Contains(slotNames(r), "poi") && !strings.Contains(slotNames(r), "current") && len(out) < most {
			out = append(out, l)
		}
	}
	return out
}

func slotNames(r row) string {
	var b strings.Builder
	for _, s := range r.Slots {
		b.WriteString(s.Entity + " ")
	}
	return b.String()
}

//go:embed templates.txt
var templates string

var slotKinds = map[string]pii.Type{"person": pii.Person, "first": pii.Person, "last": pii.Person, "org": pii.Organization, "address": pii.Address, "street": pii.Address,
	"city": pii.Location, "country": pii.Location, "zip": pii.Postcode, "date": pii.Date, "year": pii.Date, "day": pii.Date, "age": pii.Age, "mr": pii.Title,
	"job": pii.Title, "nat": pii.Nationality, "phone": pii.Phone}

// filled makes sentences of our own templates, each so many times.
func filled(l *lists, times int, seed uint64) (out []labelled) {
	m := &maker{l, rand.New(rand.NewPCG(seed, 1))}
	for range times {
		for line := range strings.Lines(templates) {
			out = append(out, m.fill(strings.ReplaceAll(strings.TrimSpace(line), `\n`, "\n")))
		}
	}
	return out
}

func (m *maker) fill(template string) labelled {
	var l labelled
	for {
		before, rest, ok := strings.Cut(template, "{")
		l.text += before
		if !ok {
			return l
		}
		slot, after, _ := strings.Cut(rest, "}")
		value := m.value(slot)
		if value == "" {
			fatal("templates.txt has a slot that nothing fills: ", slot)
		}
		if k := slotKinds[slot]; k != "" {
			l.spans = append(l.spans, mark{k, len(l.text), len(l.text) + len(value)})
		}
		l.text += value
		template = after
	}
}

// recased copies every so-many-th text in small letters, and half as many in capitals: people write so too.
func recased(in []labelled, every int) (out []labelled) {
	for i, l := range in {
		if i%every != 0 {
			continue
		}
		to := strings.ToLower
		if i/every%3 == 2 {
			to = strings.ToUpper
		}
		if c := to(l.text); len(c) == len(l.text) && utf8.RuneCountInString(c) == utf8.RuneCountInString(l.text) {
			out = append(out, labelled{text: c, spans: l.spans, template: l.template})
		}
	}
	return out
}

// sequences turns labelled texts into what the model learns from.
func sequences(in []labelled, g *pii.Gazetteer) []crf.Example {
	out := make([]crf.Example, 0, len(in))
	for _, l := range in {
		s := pii.SequenceOf(l.text, g)
		e := crf.Example{Steps: s.Steps, Tags: make([]uint8, len(s.Tokens))}
		for _, sp := range l.spans {
			first := true
			for i, t := range s.Tokens {
				if t[0] < sp.end && sp.start < t[1] {
					e.Tags[i] = pii.TagOf(sp.kind, first)
					first = false
				}
			}
		}
		out = append(out, e)
	}
	return out
}
