package formats

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/records"
	"github.com/rung-dev/rung/internal/rows"
)

// shape makes dataset rows of a record's JSON. Nothing in them points into it. A fault is a row that cannot be used.
type shape interface {
	rows(text []byte) ([]draft, error)
}

// draft is a row with what had no place in it.
type draft struct {
	row     rung.DatasetRow
	left    []string // what was left out
	changes []string // for the origin
}

// fault is why a record gives no row.
type fault struct{ reason, what string }

func (f fault) Error() string { return f.what }

func faulty(format string, args ...any) error {
	return fault{"unreadable", fmt.Sprintf(format, args...)}
}

// roles are what a key can be besides a field of the input.
var roles = []string{"id", "output", "alternatives", "segment", "group", "split", "time", "person", "failure_modes", "counter_of", "generated", "source"}

// look is what the first rows of a file have.
type look struct {
	n      int
	keys   []string // in the order in which they first appear
	has    map[string]int
	shapes map[Format]int
	multi  bool // a chat has turns that text cannot hold
	calls  bool // an answer has several tool calls
}

// choose finds how the rows of the file say what is asked and answered.
func (r *reading) choose() (shape, Format, []string, error) {
	l := &look{has: map[string]int{}, shapes: map[Format]int{}}
	for _, h := range r.held {
		l.row(&r.x, h.json)
	}
	for _, key := range l.keys {
		if len(r.keys) < 1000 && !slices.Contains(r.keys, key) {
			r.keys = append(r.keys, key)
		}
	}
	format := r.o.Format
	if format == "" {
		format = l.format(r.o)
	}
	base := common{o: r.o, names: r.f.Names, table: r.f.Container == records.CSV || r.f.Container == records.TSV}
	for _, role := range slices.Sorted(maps.Keys(r.o.Map)) {
		base.chosen = append(base.chosen, role+": "+r.o.Map[role])
	}
	switch format {
	case Rung:
		return &rungShape{common: base}, format, base.chosen, nil
	case Text:
		return textShape{}, format, nil, nil
	case Chat, ShareGPT:
		c := &chatShape{common: base, format: format, messages: l.multi, lists: l.calls}
		if r.o.Conversation != "" {
			c.messages = r.o.Conversation == ChatMessages
		}
		return c, format, append(base.chosen, c.said()...), nil
	case Alpaca:
		return &alpacaShape{common: base}, format, append(base.chosen, "input: instruction, input, system", "output: output"), nil
	case LabelStudio:
		return &studioShape{common: base}, format, append(base.chosen, "input: data", "output: the first annotation"), nil
	case Promptfoo:
		return &promptfooShape{common: base}, format, append(base.chosen, "input: vars", "output: assert of type equals"), nil
	case Traces:
		return &traceShape{common: base}, format, append(base.chosen, "input: input", "output: the last correction, or else the answer"), nil
	case Folder:
		return nil, "", nil, &rung.Error{Code: rung.CodeUsage, Place: r.f.Name, What: "is a file, and the format folder reads folders", Do: "name the folder"}
	}
	f, err := newFlat(base, l)
	if err != nil {
		return nil, "", nil, withPlace(err, r.f.Name)
	}
	return f, Flat, append(base.chosen, f.said()...), nil
}

func withPlace(err error, place string) error {
	if e, ok := err.(*rung.Error); ok && e.Place == "" { //nolint:errorlint // made here
		e.Place = place
	}
	return err
}

func (l *look) row(x *rows.Extractor, text []byte) {
	l.n++
	if text[0] == '"' {
		l.shapes[Text]++
		return
	}
	members, err := x.Members(text)
	if err != nil {
		return // told when the row is read in earnest
	}
	members = slices.Clone(members)
	for _, m := range members {
		key := string(m.Key)
		if l.has[key]++; l.has[key] == 1 && len(l.keys) < 1000 {
			l.keys = append(l.keys, key)
		}
	}
	if f := formatOf(members); f != "" {
		l.shapes[f]++
		if f == Chat || f == ShareGPT {
			l.chat(f, members)
		}
	}
}

// formatOf is the format of one row by its keys, "" for a flat one.
func formatOf(members []rows.Member) Format {
	get := func(key string) []byte { return rows.Get(members, key) }
	is := func(key string, first byte) bool { v := get(key); return len(v) > 0 && v[0] == first }
	switch {
	case is("conversations", '[') || is("conversation", '[') && bytes.Contains(get("conversation"), []byte(`"from"`)):
		return ShareGPT
	case is("messages", '[') && get("input") == nil && !answered(members) && lastRole(get("messages")) == "assistant":
		return Chat
	case is("data", '{') && (is("annotations", '[') || is("predictions", '[') || is("completions", '[')):
		return LabelStudio
	case is("vars", '{') || is("tests", '[') && (get("prompts") != nil || get("providers") != nil || len(members) <= 4):
		return Promptfoo
	case get("gateway") != nil && get("api") != nil && get("status") != nil && get("at") != nil:
		return Traces
	case is("instruction", '"') && is("output", '"') && !is("input", '{'):
		return Alpaca
	case is("input", '{') || get("input") != nil && rungKeys(members):
		return Rung
	}
	return ""
}

// answered reports a key of its own for the answer.
func answered(members []rows.Member) bool {
	return slices.ContainsFunc(members, func(m rows.Member) bool { return slices.Contains(answers, string(m.Key)) })
}

func rungKeys(members []rows.Member) bool {
	for _, m := range members {
		if key := string(m.Key); key != "input" && key != "label" && !slices.Contains(roles, key) {
			return false
		}
	}
	return true
}

// format is that of most rows. They are flat where most have a key that was named as a part of the input or as the output; rows with an
// input of their own may have any output beside it.
func (l *look) format(o *Options) Format {
	if len(o.Input) == 1 && o.Input[0] == "*" {
		return Flat
	}
	for _, f := range []Format{Text, Rung, Chat, ShareGPT, Alpaca, LabelStudio, Promptfoo, Traces} {
		if l.shapes[f]*2 > l.n {
			if l.named(o, f) {
				break
			}
			return f
		}
	}
	return Flat
}

func (l *look) named(o *Options, f Format) bool {
	for key, role := range o.named() {
		if (strings.HasPrefix(role, "input") || role == "output" && f != Rung) && l.has[key]*2 > l.n {
			return true
		}
	}
	return false
}

// common is what all shapes know.
type common struct {
	o      *Options
	names  map[string][]string // of classes
	table  bool                // values are texts, and an empty one says nothing
	chosen []string
	x      rows.Extractor
}

// members takes a row apart.
func (c *common) members(text []byte) ([]rows.Member, error) {
	m, err := c.x.Members(text)
	if err != nil {
		return nil, faulty("%s", records.Reason(err))
	}
	return m, nil
}

// key is the key of a role.
func (c *common) key(role string) string {
	if k, ok := c.o.Map[role]; ok {
		return k
	}
	return role
}

// value is a copy of the value of a key in one way of writing, nil when it is missing, null, or an empty cell of a table. The numbers of
// classes become their names.
func (c *common) value(members []rows.Member, key string) json.RawMessage {
	v := rows.Get(members, key)
	if v == nil || string(v) == "null" || c.table && string(v) == `""` {
		return nil
	}
	if names := c.names[key]; names != nil {
		if name := records.ClassName(names, v); name != nil {
			return name
		}
	}
	return canonical(v)
}

// canonical is a copy with one way of writing each string.
func canonical(v []byte) json.RawMessage {
	out, err := jsontext.AppendFormat(nil, v, jsontext.PreserveRawStrings(false))
	if err != nil { // it was checked when it was read
		return append(json.RawMessage(nil), v...)
	}
	return out
}

// metadata reads everything but input and output.
func (c *common) metadata(d *draft, members []rows.Member) error {
	for _, role := range roles {
		if role == "output" {
			continue
		}
		v := c.value(members, c.key(role))
		if v == nil {
			continue
		}
		if err := c.meta(d, role, v); err != nil {
			return err
		}
	}
	return nil
}

func (c *common) meta(d *draft, role string, v json.RawMessage) error {
	row := &d.row
	switch role {
	case "alternatives", "failure_modes", "generated":
		return c.nested(row, role, v)
	}
	text, ok := scalar(v)
	if !ok {
		return faulty("%s is neither text nor a number", c.key(role))
	}
	switch role {
	case "id":
		row.ID = text
	case "segment":
		row.Segment = text
	case "group":
		row.Group = text
	case "person":
		row.Person = text
	case "source":
		row.Source = text
	case "counter_of":
		row.Counter = text
	case "split":
		if row.Split, ok = splitOf(text); !ok {
			d.left = append(d.left, "split "+text+" (not train, dev or heldout)")
		}
	case "time":
		at, ok := timeOf(text)
		if !ok {
			d.left = append(d.left, "time that is not understood")
			return nil
		}
		if row.Time = at; at != text {
			d.changes = append(d.changes, "time: was "+text)
		}
	}
	return nil
}

// nested reads the roles that are lists or objects; in tables they are JSON in a text.
func (c *common) nested(row *rung.DatasetRow, role string, v json.RawMessage) error {
	if text, ok := scalar(v); ok && v[0] == '"' {
		v = json.RawMessage(text)
	}
	var err error
	switch role {
	case "alternatives":
		err = json.Unmarshal(v, &row.Alternatives)
	case "failure_modes":
		err = json.Unmarshal(v, &row.Modes)
	case "generated":
		err = json.Unmarshal(v, &row.Generated)
	}
	if err != nil {
		return faulty("%s is not what it must be: %v", c.key(role), err)
	}
	return nil
}

// scalar is the text of a JSON string, number or truth value.
func scalar(v []byte) (string, bool) {
	switch v[0] {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		return string(text), err == nil
	case '{', '[', 'n':
		return "", false
	}
	return string(v), true
}

func quote(text string) json.RawMessage {
	out, err := jsontext.AppendQuote(nil, text)
	if err != nil { // the texts come out of valid JSON
		out, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\ufffd"))
	}
	return out
}

// object writes an object; values that are nil are left out.
func object(pairs ...any) json.RawMessage {
	out := []byte{'{'}
	for i := 0; i+1 < len(pairs); i += 2 {
		v := pairs[i+1].(json.RawMessage)
		if v == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote(pairs[i].(string))...), ':'), v...)
	}
	return append(out, '}')
}

// splitOf reads a split by its name here or by the usual other names.
func splitOf(s string) (rung.Split, bool) {
	switch strings.ToLower(s) {
	case "train", "training":
		return rung.Train, true
	case "dev", "val", "valid", "validation":
		return rung.Dev, true
	case "heldout", "held-out", "held_out", "test", "eval":
		return rung.HeldoutIs, true
	}
	return "", false
}

var layouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02",
	"2.1.2006 15:04:05", "2.1.2006 15:04", "2.1.2006"} // with points it is the day first everywhere; slashes are left, since 3/4 is two days

// timeOf is a time in RFC 3339; one without a zone is taken as UTC, a number as seconds since 1970.
func timeOf(s string) (string, bool) {
	if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return s, true
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC().Format(time.RFC3339Nano), true
		}
	}
	var seconds json.Number
	if json.Unmarshal([]byte(s), &seconds) == nil {
		if f, err := seconds.Float64(); err == nil && f > 1e8 && f < 1e11 {
			return time.UnixMicro(int64(f * 1e6)).UTC().Format(time.RFC3339Nano), true
		}
	}
	return "", false
}

// textShape reads bare texts.
type textShape struct{}

func (textShape) rows(text []byte) ([]draft, error) {
	if text[0] != '"' {
		return nil, faulty("the row is no text")
	}
	return []draft{{row: rung.DatasetRow{Input: object("text", canonical(text))}}}, nil
}

// rungShape reads rung's own rows.
type rungShape struct{ common }

func (s *rungShape) rows(text []byte) ([]draft, error) {
	members, err := s.members(text)
	if err != nil {
		return nil, err
	}
	var d draft
	input := s.value(members, "input")
	if input == nil {
		return nil, faulty("the row has no input")
	}
	if d.row.Input = input; input[0] != '{' {
		d.row.Input = object("text", input)
	}
	output := cmp.Or(s.o.Output, s.o.Map["output"], "output")
	if d.row.Output = s.value(members, output); d.row.Output == nil && output == "output" {
		d.row.Output = s.value(members, "label")
	}
	for _, m := range members {
		if key := string(m.Key); key != "input" && key != "label" && key != output && !slices.Contains(roles, key) && !slices.Contains(slices.Collect(maps.Values(s.o.Map)), key) {
			d.left = append(d.left, "key "+key)
		}
	}
	err = s.metadata(&d, members)
	return []draft{d}, err
}
