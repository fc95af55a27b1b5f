package datacheck_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/form"
)

// source gives rows from memory, numbered as lines.
func source(file string, all []rung.DatasetRow) datacheck.Source {
	return func(_ context.Context, take func(*rung.DatasetRow, rung.Origin) error, _ func(rung.RemovedRow) error) error {
		for i := range all {
			r := all[i]
			if err := take(&r, rung.Origin{ID: r.ID, File: file, Line: i + 1}); err != nil {
				return err
			}
		}
		return nil
	}
}

func row(text, output string) rung.DatasetRow {
	in, _ := json.Marshal(map[string]string{"text": text}) // strings always have JSON
	out, _ := json.Marshal(output)
	return rung.DatasetRow{Input: in, Output: out}
}

var nouns = strings.Fields("invoice parcel account card engine ticket ferry cabin meal doctor street window garden letter phone bridge lamp chair market river school hospital mountain picture")
var verbs = strings.Fields("lost found broke moved delayed opened closed painted carried ordered counted washed rented signed promised")

// sentences are plain English of a dozen words that are hardly ever alike, by the seed.
func sentences(n int, seed uint64) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(w []string) string { return w[rng.IntN(len(w))] }
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("Yesterday the %s %s number %d was %s near the %s, and the %s of my %s has not been %s since then.", pick(nouns), pick(nouns), rng.IntN(100000), pick(verbs), pick(nouns), pick(nouns), pick(nouns), pick(verbs))
	}
	return out
}

// clean are rows with nothing wrong: two labels in turn.
func clean(n int) []rung.DatasetRow {
	var all []rung.DatasetRow
	for i, s := range sentences(n, 7) {
		r := row(s, []string{"fault", "question"}[int(s[len(s)/2]+s[len(s)/3])%2])
		r.ID = fmt.Sprint("r", i)
		all = append(all, r)
	}
	return all
}

func check(t *testing.T, all []rung.DatasetRow, o datacheck.Options) *datacheck.Report {
	t.Helper()
	o.Tmp = t.TempDir()
	r, err := datacheck.Check(context.Background(), source("rows.jsonl", all), o)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(o.Tmp); err != nil || len(left) > 0 {
		t.Errorf("the working copy is left behind: %v %v", left, err)
	}
	return r
}

func found(r *datacheck.Report, check, what string) *datacheck.Finding {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Check == check && strings.Contains(f.What, what) {
			return f
		}
	}
	return nil
}

// TestCleanRowsHaveNoFinding but that they are few, and every check says what became of it.
func TestCleanRowsHaveNoFinding(t *testing.T) {
	r := check(t, clean(400), datacheck.Options{})
	for _, f := range r.Findings {
		if f.Check != "few" {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Ran) != len(datacheck.Checks) {
		t.Errorf("%d checks are told of, there are %d", len(r.Ran), len(datacheck.Checks))
	}
}

// TestPlantedFaultsAreFound: each kind of fault that is planted among clean rows is found, in as many rows, with its place.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, c := range []struct {
		check, what string
		severity    datacheck.Severity
		count       int
		plant       func(all []rung.DatasetRow) []rung.DatasetRow
	}{
		{"missing", "field text is missing", datacheck.Warn, 3, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i := range 3 {
				all[i*7].Input = json.RawMessage(`{"other":"The wrong key holds what was asked here."}`)
			}
			return all
		}},
		{"types", "several types", datacheck.Warn, 4, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i := range 4 {
				all[i*5].Input = fmt.Appendf(nil, `{"text":%d}`, i)
			}
			return all
		}},
		{"duplicate_id", "ids are used", datacheck.Bad, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			all[9].ID, all[12].ID = "r1", "r1"
			return all
		}},
		{"empty", "outputs are empty", datacheck.Bad, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			all[3].Output, all[4].Output = json.RawMessage(`"  "`), json.RawMessage(`null`)
			return all
		}},
		{"empty", "stand-ins", datacheck.Warn, 3, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i, s := range []string{"N/A", "TODO", "..."} {
				all[i+30].Output, _ = json.Marshal(s)
			}
			return all
		}},
		{"label_names", "differ in case", datacheck.Bad, 3, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i := range 3 {
				all[i].Output = json.RawMessage(`"Fault "`)
			}
			return all
		}},
		{"label_balance", "fewer than 10 rows", datacheck.Warn, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			all[0].Output, all[1].Output = json.RawMessage(`"praise"`), json.RawMessage(`"praise"`)
			return all
		}},
		{"contradiction", "same input", datacheck.Bad, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			return append(all, other(all[3], "%s", strings.ToUpper), other(all[8], "%s", strings.Clone))
		}},
		{"contradiction", "near-equal", datacheck.Warn, 1, func(all []rung.DatasetRow) []rung.DatasetRow {
			return append(all, other(all[5], "%s Thanks.", strings.Clone))
		}},
		{"leak", "have their input in train", datacheck.Bad, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			all = splits(all)
			for i := range 2 {
				leak := all[i]
				leak.Split, leak.ID = rung.HeldoutIs, fmt.Sprint("leak", i)
				all = append(all, leak)
			}
			return all
		}},
		{"leak", "near-copy", datacheck.Warn, 1, func(all []rung.DatasetRow) []rung.DatasetRow {
			leak := row(text(all[0])+" Bye.", "fault")
			leak.Split = rung.HeldoutIs
			return append(splits(all), leak)
		}},
		{"leak_group", "more than one split", datacheck.Bad, 1, func(all []rung.DatasetRow) []rung.DatasetRow {
			all = splits(all)
			all[0].Group, all[len(all)-1].Group = "g", "g"
			return all
		}},
		{"leak_time", "older than the newest", datacheck.Note, 50, func(all []rung.DatasetRow) []rung.DatasetRow {
			all = splits(all)
			for i := range all {
				all[i].Time = fmt.Sprintf("2026-01-%02d", 1+i%28)
			}
			all[0].Time = "2026-03-01"
			return all
		}},
		{"constant", "the same in nearly all", datacheck.Note, 400, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i := range all {
				all[i].Input = append(all[i].Input[:len(all[i].Input)-1], `,"channel":"web"}`...)
			}
			return all
		}},
		{"gives_away", `the word "ref-zz"`, datacheck.Warn, 200, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i := range all {
				s, label := text(all[i]), []string{"fault", "question"}[i%2]
				if i%2 == 0 {
					s = "REF-ZZ " + s
				}
				all[i] = row(s, label)
			}
			return all
		}},
		{"gives_away", "input.queue", datacheck.Bad, 400, func(all []rung.DatasetRow) []rung.DatasetRow {
			for i := range all {
				queue := map[string]string{`"fault"`: "q7", `"question"`: "q9"}[string(all[i].Output)]
				all[i].Input = fmt.Appendf(all[i].Input[:len(all[i].Input)-1], `,"queue":%q}`, queue)
			}
			return all
		}},
		{"language", "are not in en", datacheck.Warn, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			all[20] = row("Gestern habe ich meine Rechnung bekommen und leider ist der Betrag viel zu hoch, bitte prüfen Sie das.", "fault")
			all[21] = row("Ayer recibí la factura y por desgracia el importe es demasiado alto, por favor compruébenlo pronto.", "fault")
			return all
		}},
		{"order", "sorted by their label", datacheck.Note, 398, func(all []rung.DatasetRow) []rung.DatasetRow {
			slices.SortStableFunc(all, func(a, b rung.DatasetRow) int { return strings.Compare(string(a.Output), string(b.Output)) })
			return all
		}},
		{"length", "far longer", datacheck.Note, 1, func(all []rung.DatasetRow) []rung.DatasetRow {
			all[11] = row(strings.Join(sentences(60, 99), " "), "fault")
			return all
		}},
		{"copies", "repeat another row", datacheck.Note, 2, func(all []rung.DatasetRow) []rung.DatasetRow {
			a, b := all[1], all[2]
			a.ID, b.ID = "copy1", "copy2"
			return append(all, a, b)
		}},
	} {
		t.Run(c.check+" "+c.what, func(t *testing.T) {
			r := check(t, c.plant(clean(400)), datacheck.Options{})
			f := found(r, c.check, c.what)
			if f == nil {
				t.Fatalf("not found; there are %+v", r.Findings)
			}
			if f.Count != c.count || f.Severity != c.severity || f.Do == "" || f.Method == "" {
				t.Errorf("%+v", f)
			}
			if len(f.Examples) > 0 && (f.Examples[0].File != "rows.jsonl" || f.Examples[0].Line < 1) {
				t.Errorf("%+v", f.Examples[0])
			}
		})
	}
}

func text(r rung.DatasetRow) string {
	var in struct{ Text string }
	_ = json.Unmarshal(r.Input, &in) // what the tests made
	return in.Text
}

// other is a row's input, changed, with the other label.
func other(r rung.DatasetRow, format string, change func(string) string) rung.DatasetRow {
	label := "fault"
	if string(r.Output) == `"fault"` {
		label = "question"
	}
	return row(fmt.Sprintf(format, change(text(r))), label)
}

func splits(all []rung.DatasetRow) []rung.DatasetRow {
	for i := range all {
		if all[i].Split = rung.Train; i >= 350 {
			all[i].Split = rung.HeldoutIs
		}
	}
	return all
}

// TestCutAnswersAreFound among answers that end like sentences, and not among titles.
func TestCutAnswersAreFound(t *testing.T) {
	var all []rung.DatasetRow
	answers := sentences(300, 3)
	for i, s := range sentences(300, 2) {
		a := answers[i]
		switch i {
		case 10:
			a = a[:len(a)-2] // the sign is gone and a letter
		case 20:
			a = "The rules are: ```go\nfunc main() {\n" + a
		case 30:
			a = `{"steps": ["open the window", "close`
		case 40:
			a = "Please send the letter back to us together with the"
		}
		all = append(all, row(s, a))
	}
	r := check(t, all, datacheck.Options{})
	f := found(r, "truncated", "outputs seem to end")
	if f == nil || f.Count != 4 {
		t.Fatalf("%+v", f)
	}
	for i := range all {
		all[i] = row(text(all[i]), strings.Join(strings.Fields(answers[i])[:3+i%3], " "))
	}
	if f := found(check(t, all, datacheck.Options{}), "truncated", "outputs seem"); f != nil {
		t.Errorf("titles: %+v", f)
	}
}

// TestLengthLimitsAreFound: answers that an export cut off at 120 characters.
func TestLengthLimitsAreFound(t *testing.T) {
	var all []rung.DatasetRow
	long := sentences(400, 5)
	for i, s := range sentences(200, 4) {
		a := long[i][:60+i%50]
		if i%10 == 0 {
			a = (long[i] + long[i+200])[:120]
		}
		all = append(all, row(s, a))
	}
	if f := found(check(t, all, datacheck.Options{}), "truncated", "exactly 120 characters"); f == nil || f.Count != 20 {
		t.Errorf("%+v", f)
	}
}

func TestOutputsAreHeldToTheForm(t *testing.T) {
	task := &rung.Task{Input: []rung.Field{{Name: "text", Type: "string"}}, Output: rung.Output{Kind: rung.Labels, Labels: []string{"fault", "question", "praise"}},
		Bar: rung.Bar{AtLeast: .8, MinGain: .05}, Alpha: .05, Split: rung.Shares{Train: .5, Dev: .15, Heldout: .35}}
	f, err := form.New(task.Output)
	if err != nil {
		t.Fatal(err)
	}
	all := clean(200)
	all[4].Output = json.RawMessage(`"complaint"`)
	r := check(t, all, datacheck.Options{Task: task, Form: f, Rungs: 2, PassFail: true})
	if x := found(r, "breaks_form", "break the task's output form"); x == nil || x.Count != 1 || x.Examples[0].Line != 5 {
		t.Errorf("%+v", x)
	}
	if x := found(r, "label_balance", "labels of the task have no row: praise"); x == nil {
		t.Errorf("%+v", r.Findings)
	}
	if r.Power == nil || r.Power.Needed < r.Power.Heldout || found(r, "few", "would be held out") == nil {
		t.Errorf("%+v", r.Power)
	}
}

// TestOddToolSchemas: dict and float are read as object and number, and said; an output that breaks the schema so read is found.
func TestOddToolSchemas(t *testing.T) {
	const tools = `[{"name":"area","parameters":{"type":"dict","properties":{"r":{"type":"float"},"type":{"type":"string"}},"required":["r"]}}]`
	task := &rung.Task{Input: []rung.Field{{Name: "functions", Type: "array"}, {Name: "request", Type: "string"}}, Output: rung.Output{Kind: rung.Tools, ToolsFrom: "functions"}, Bar: rung.Bar{AtLeast: .5}, Alpha: .05}
	f, err := form.New(task.Output)
	if err != nil {
		t.Fatal(err)
	}
	var all []rung.DatasetRow
	for i, s := range sentences(30, 1) {
		out := `{"name":"area","arguments":{"r":2.5}}`
		if i == 7 {
			out = `{"name":"area","arguments":{"r":"wide"}}`
		}
		all = append(all, rung.DatasetRow{Input: fmt.Appendf(nil, `{"functions":%s,"request":%q}`, tools, s), Output: json.RawMessage(out)})
	}
	r := check(t, all, datacheck.Options{Task: task, Form: f})
	if x := found(r, "odd_schema", "dict 30, float 30"); x == nil || x.Count != 30 || x.Severity != datacheck.Note {
		t.Errorf("%+v", x)
	}
	if x := found(r, "breaks_form", "output form"); x == nil || x.Count != 1 || x.Examples[0].Line != 8 {
		t.Errorf("%+v", x)
	}
}

// TestLanguages: a few that are easily mixed up, and texts of which nothing can be said.
func TestLanguages(t *testing.T) {
	for want, s := range map[string]string{
		"en": "The parcel that I ordered last week has still not arrived, and nobody answers the phone.",
		"de": "Das Paket, das ich letzte Woche bestellt habe, ist noch nicht angekommen, und niemand geht ans Telefon.",
		"it": "Il pacco che ho ordinato la settimana scorsa non è ancora arrivato e nessuno risponde al telefono.",
		"es": "El paquete que pedí la semana pasada todavía no ha llegado y nadie contesta el teléfono en la oficina.",
		"pt": "A encomenda que fiz na semana passada ainda não chegou e ninguém atende o telefone no escritório.",
		"uk": "Посилка, яку я замовив минулого тижня, досі не надійшла, і ніхто не відповідає на телефон.",
		"ru": "Посылка, которую я заказал на прошлой неделе, до сих пор не пришла, и никто не отвечает на звонки.",
		"ja": "先週注文した荷物がまだ届いていません。", "zh": "我上周订购的包裹还没有到。", "ko": "지난주에 주문한 소포가 아직 도착하지 않았습니다.",
		"": "ok 12 34",
	} {
		if got, _ := datacheck.Language([]byte(s)); got != want {
			t.Errorf("%q is %q, and not %q", s, got, want)
		}
	}
}

func TestNothingToCheck(t *testing.T) {
	_, err := datacheck.Check(context.Background(), source("x", nil), datacheck.Options{Tmp: t.TempDir()})
	if rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("%v", err)
	}
}

// FuzzCheck: rows of any bytes end in a report, never in a panic.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"text":"hello","n":1}`), []byte(`"yes"`))
	f.Add([]byte(`[{"name":"x","parameters":{"type":"dict"}}]`), []byte(`{"a":[1,{"b":"c"}]}`))
	f.Add([]byte("\xff\xfe"), []byte(``))
	f.Fuzz(func(t *testing.T, input, output []byte) {
		if !json.Valid(output) {
			output = nil
		}
		all := []rung.DatasetRow{{Input: input, Output: output}, {Input: input, Output: json.RawMessage(`"x"`), Split: rung.Train}, {ID: string(input), Input: json.RawMessage(`{"text":"a"}`)}}
		if _, err := datacheck.Check(context.Background(), source("f", all), datacheck.Options{Tmp: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSentencesWithoutAnEnd: where a text in a hundred has no sign at its end it is probably cut, where one in eight has none people write so.
func TestSentencesWithoutAnEnd(t *testing.T) {
	for every, want := range map[int]datacheck.Severity{100: datacheck.Warn, 8: datacheck.Note, 3: ""} {
		answers, all := sentences(600, 11), clean(600)
		for i := range all {
			text := answers[i]
			if i%every == 0 {
				text = strings.TrimSuffix(text, ".")
			}
			all[i].Output, _ = json.Marshal(text) // strings always have JSON
		}
		f := found(check(t, all, datacheck.Options{}), "truncated", "outputs end without the sign")
		if want == "" && f != nil || want != "" && (f == nil || f.Severity != want || f.Count != (600+every-1)/every) {
			t.Errorf("one of %d: %+v", every, f)
		}
	}
}

// TestFieldsThatTheSameRowsLackAreOneFinding: rows of two sources with fields of their own are told once, with what to do.
func TestFieldsThatTheSameRowsLackAreOneFinding(t *testing.T) {
	all := clean(60)
	for i := range all {
		text := string(all[i].Input)
		if i < 20 {
			all[i].Input = json.RawMessage(`{"question":` + strconv.Quote(text) + `,"context":"c ` + strconv.Itoa(i) + `","source":"s` + strconv.Itoa(i) + `"}`)
		}
	}
	r := check(t, all, datacheck.Options{})
	n := 0
	for _, f := range r.Findings {
		if f.Check == "missing" {
			n++
		}
	}
	if x := found(r, "missing", "only these rows have the input fields question, context, source"); x == nil || x.Count != 20 || n != 2 || !strings.Contains(x.Do, "mapping") {
		t.Errorf("%d findings: %+v", n, r.Findings)
	}
}
