package report

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// What goes into one page. Text is packed with gzip (prompts repeat themselves) and read by the page piece by piece, only
// when it is shown, so that a page with ten thousand completions opens at once.
const (
	pageLimit     = 15 << 20  // bytes of the whole page
	indexLimit    = 24 << 20  // bytes of the example table before packing
	pieceSize     = 256 << 10 // bytes of completions packed together
	answerLimit   = 2000      // characters of an answer in the table; the completion has the rest
	messageLimit  = 200 << 10 // bytes of one message or answer in the page
	passagesShown = 20
)

// index is the table of examples with every rung's answer, as the page reads it.
type index struct {
	Metric   string     `json:"metric"`
	Rungs    []indexRow `json:"rungs"`
	Examples []indexed  `json:"examples"`
	Chosen   int        `json:"chosen"`
}

type indexRow struct {
	Rung      rung.Rung `json:"rung"`
	Candidate string    `json:"candidate"`
}

type indexed struct {
	ID       string           `json:"id"`
	Segment  string           `json:"segment,omitempty"`
	Input    []field          `json:"input,omitempty"`
	Expected [][]field        `json:"expected,omitempty"` // the output and its alternatives
	Answers  []*indexedAnswer `json:"answers"`            // one per rung; null where there is none
}

type indexedAnswer struct {
	Right    bool         `json:"right"`
	Value    float64      `json:"value"` // of the bar's metric
	Mistake  string       `json:"mistake,omitempty"`
	Problem  rung.Problem `json:"problem,omitempty"`
	Detail   string       `json:"detail,omitempty"`
	Repaired bool         `json:"repaired,omitempty"`
	Fields   []field      `json:"fields"`
	Passages []string     `json:"passages,omitempty"` // ids
	Millis   float64      `json:"ms"`
	CostUSD  float64      `json:"usd,omitempty"`
	In       int          `json:"in"`
	Out      int          `json:"out"`
	Calls    []call       `json:"calls,omitempty"`
}

// call is where the page finds a completion: piece and place in it; piece −1 when it was left out.
type call struct {
	Key   string `json:"key,omitempty"` // of a completion that is not in the page
	Piece int    `json:"piece"`
	Place int    `json:"place"`
}

// shownCompletion is one completion as the page shows it.
type shownCompletion struct {
	Key      string        `json:"key"`
	Model    rung.ModelRef `json:"model"`
	Served   string        `json:"served,omitempty"`
	Messages []shownText   `json:"messages"`
	Settings string        `json:"settings"` // the rest of the request
	Text     string        `json:"text"`
	TextLeft int           `json:"text_left,omitempty"` // bytes left out
	Finish   string        `json:"finish"`
	In       int           `json:"in"`
	Out      int           `json:"out"`
	CachedIn int           `json:"cached_in,omitempty"`
	CostUSD  float64       `json:"usd"`
	Millis   float64       `json:"ms"`
	Attempts int           `json:"attempts"`
	At       string        `json:"at,omitempty"`
}

type shownText struct {
	Role string `json:"role"`
	Text string `json:"text"`
	Left int    `json:"left,omitempty"` // bytes left out
}

// embedded is the data of a page: the packed index and the packed pieces of completions.
type embedded struct {
	index      []byte
	pieces     [][]byte
	leftRows   int // examples that found no room
	leftCalls  int // completions that found no room
	lostCalls  int // completions that the store does not have
	shownCalls int
}

// embed packs the details. room is how many bytes of base64 the data may take.
func embed(ctx context.Context, d *Details, src Source, room int) (*embedded, error) {
	out := &embedded{}
	ix, kept := buildIndex(d)
	out.leftRows = len(d.Examples) - len(kept)
	p := packer{src: src, out: out, room: room * 3 / 4, limit: pieceSize}
	p.room -= len(pack(ix)) + len(ix.Examples)*len(ix.Rungs)*40 // the places of calls, and keys of those left out, come later
	for _, wrongOnly := range []bool{true, false} {
		for r := range d.Ladder {
			for row, i := range kept {
				s := d.Ladder[r].Scores[i]
				if s == nil || s.Success == wrongOnly {
					continue
				}
				if err := p.add(ctx, s, ix.Examples[row].Answers[r]); err != nil {
					return nil, err
				}
			}
			p.flush()
		}
	}
	out.index = pack(ix)
	return out, nil
}

// packer gathers completions into pieces while there is room.
type packer struct {
	src   Source
	out   *embedded
	room  int // bytes of packed data that may still be added
	limit int
	piece []shownCompletion
	size  int
	calls []*call // of the piece that is being gathered
	full  bool
}

func (p *packer) add(ctx context.Context, s *rung.Score, a *indexedAnswer) error {
	a.Calls = make([]call, len(s.Answer.Calls))
	for i, key := range s.Answer.Calls {
		a.Calls[i] = call{Key: string(key), Piece: -1}
		if p.full {
			p.out.leftCalls++
			continue
		}
		c, ok, err := p.src.Completion(ctx, key)
		if err != nil {
			return err
		}
		if !ok {
			p.out.lostCalls++
			continue
		}
		shown := show(c)
		a.Calls[i].Piece, a.Calls[i].Place = len(p.out.pieces), len(p.piece)
		p.calls = append(p.calls, &a.Calls[i])
		p.piece = append(p.piece, shown)
		p.size += len(c.Request) + len(c.Text)
		if p.size >= p.limit {
			p.flush()
		}
	}
	return nil
}

// flush packs what was gathered, or leaves it out when it finds no room; nothing is added after that.
func (p *packer) flush() {
	if len(p.piece) == 0 {
		return
	}
	packed := pack(p.piece)
	if len(packed) > p.room { // the full key stays, for rung show
		p.full = true
		for _, c := range p.calls {
			c.Piece = -1
		}
		p.out.leftCalls += len(p.piece)
	} else {
		p.room -= len(packed)
		for _, c := range p.calls { // the completion itself has the full key
			c.Key = ""
		}
		p.out.pieces = append(p.out.pieces, packed)
		p.out.shownCalls += len(p.piece)
	}
	p.piece, p.calls, p.size = nil, nil, 0
}

// buildIndex makes the rows of the example table and says which examples they are: all, or as many as fit, those that
// some rung got wrong first.
func buildIndex(d *Details) (*index, []int) {
	ix := &index{Metric: d.Doc.Bar.Metric, Chosen: d.Chosen()}
	for _, s := range d.Ladder {
		ix.Rungs = append(ix.Rungs, indexRow{s.Outcome.Rung, s.Outcome.Candidate.Short()})
	}
	rows := make([]*indexed, len(d.Examples))
	size := 0
	for _, wrong := range []bool{true, false} {
		for i := range d.Examples {
			if anyWrong(d, i) != wrong || size > indexLimit {
				continue
			}
			rows[i] = indexRowOf(d, i)
			size += rows[i].size()
		}
	}
	var kept []int
	for i, r := range rows {
		if r != nil {
			ix.Examples = append(ix.Examples, *r)
			kept = append(kept, i)
		}
	}
	return ix, kept
}

func anyWrong(d *Details, i int) bool {
	for _, s := range d.Ladder {
		if s.Scores[i] != nil && !s.Scores[i].Success {
			return true
		}
	}
	return false
}

// size is about how many bytes the row takes.
func (r *indexed) size() int {
	n := 100 + sizeOf(r.Input)
	for _, e := range r.Expected {
		n += sizeOf(e)
	}
	for _, a := range r.Answers {
		if a != nil {
			n += sizeOf(a.Fields) + len(a.Detail) + 200
		}
	}
	return n
}

func sizeOf(fs []field) int {
	n := 0
	for _, f := range fs {
		n += len(f.Path) + len(f.Text) + 20
	}
	return n
}

func indexRowOf(d *Details, i int) *indexed {
	ex := &d.Examples[i]
	row := &indexed{ID: ex.ID, Segment: ex.Segment}
	if len(ex.Input) > 0 {
		row.Input = shown(ex.Input)
	}
	if len(ex.Output) > 0 {
		for _, e := range ex.Expected() {
			row.Expected = append(row.Expected, shown(e))
		}
	}
	for _, s := range d.Ladder {
		row.Answers = append(row.Answers, answerOf(s.Scores[i], row.Expected, d.Doc.Bar.Metric))
	}
	return row
}

// shown is a JSON value taken apart, or its text where it has no parts or too many.
func shown(v json.RawMessage) []field {
	fs := fieldsOf(v)
	if fs == nil {
		fs = []field{{Text: string(v)}}
	}
	for i := range fs {
		fs[i].Path, fs[i].Text = shorten(fs[i].Path, 200), shorten(fs[i].Text, answerLimit)
	}
	return fs
}

func answerOf(s *rung.Score, expected [][]field, metric string) *indexedAnswer {
	if s == nil {
		return nil
	}
	a := &s.Answer
	out := &indexedAnswer{
		Right: s.Success, Value: s.Values[metric], Mistake: shorten(s.Mistake, 200), Problem: a.Problem, Detail: shorten(a.Detail, 300),
		Repaired: a.Repaired, Millis: float64(a.Latency.Microseconds()) / 1000, CostUSD: a.CostUSD, In: a.Usage.In, Out: a.Usage.Out,
	}
	if len(a.Value) > 0 {
		out.Fields = closest(expected, shown(a.Value))
	} else {
		out.Fields = []field{{Text: shorten(a.Text, answerLimit)}}
	}
	for i, p := range a.Passages {
		if i == passagesShown {
			break
		}
		out.Passages = append(out.Passages, shorten(p.ID, 200))
	}
	return out
}

// shorten cuts s after n bytes at most, between characters, and says how much it cut.
func shorten(s string, n int) string {
	head := clip(s, n)
	if len(head) == len(s) {
		return s
	}
	return fmt.Sprintf("%s … (%s bytes more)", head, count(len(s)-len(head)))
}

// clip is the longest beginning of s of at most n bytes that ends between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// show takes a request apart: its messages, and everything else as settings.
func show(c rung.Completion) shownCompletion {
	out := shownCompletion{
		Key: string(c.Key), Model: c.Model, Served: c.Served, Finish: c.Finish, In: c.Usage.In, Out: c.Usage.Out,
		CachedIn: c.Usage.CachedIn, CostUSD: c.CostUSD, Millis: float64(c.Latency.Microseconds()) / 1000, Attempts: c.Attempts,
	}
	if !c.At.IsZero() {
		out.At = c.At.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	out.Text = clip(c.Text, messageLimit)
	out.TextLeft = len(c.Text) - len(out.Text)
	messages, settings := splitRequest(c.Request)
	for _, m := range messages {
		text := clip(m.Content, messageLimit)
		out.Messages = append(out.Messages, shownText{m.Role, text, len(m.Content) - len(text)})
	}
	out.Settings = clip(settings, messageLimit)
	return out
}

// turn is one message of a request.
type turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// splitRequest reads the messages of a stored request and gives what remains as indented JSON. A request in another form
// is shown whole.
func splitRequest(request json.RawMessage) ([]turn, string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(request, &fields) != nil {
		return nil, string(request)
	}
	var messages []turn
	if json.Unmarshal(fields["messages"], &messages) == nil {
		delete(fields, "messages")
	}
	var b bytes.Buffer
	if json.Indent(&b, jsonBytes(fields), "", "  ") != nil {
		return messages, string(request)
	}
	return messages, b.String()
}

// jsonBytes is v's JSON. Strings that are no UTF-8 come out with replacement characters.
func jsonBytes(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("report: a value of the page has no JSON: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}

// pack is v's JSON, compressed.
func pack(v any) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed+5)
	_, _ = z.Write(jsonBytes(v)) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
