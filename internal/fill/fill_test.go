package fill

import (
	"bytes"
	"errors"
	"html/template"
	"maps"
	"strings"
	"testing"
	texttemplate "text/template"
	"time"
)

type inner struct {
	Name  string
	N     int
	Share float64
	Inner *inner
}

type word string

func (w word) String() string { return "word " + string(w) }

type data struct {
	Text    string
	Markup  HTML
	Empty   []inner
	List    []inner
	Map     map[string]int
	Any     any
	Nothing any
	Zero    int
	Yes     bool
	Took    time.Duration
	Word    word
	Deep    *inner
	inner
}

const hostile = `</td><script>alert("x' + 'y")</script>&amp;` + "\x00\xff {{.Text}}"

func someData() *data {
	return &data{Text: hostile, Markup: "<b>bold</b>", List: []inner{{Name: "a<", N: 1, Share: .5}, {Name: "b", N: 2, Inner: &inner{Name: "in", N: 7}}, {}},
		Map: map[string]int{"z": 1, "a": 2}, Any: 3, Yes: true, Took: time.Second, Word: "w", Deep: &inner{Name: hostile}, inner: inner{Name: "embedded"}}
}

func functions() Funcs {
	return Funcs{
		"upper": strings.ToUpper, "name": func(i inner) string { return i.Name }, "half": func(f float64) float64 { return f / 2 },
		"pointer": func(i *inner) int { return i.N }, "joined": func(parts ...string) string { return strings.Join(parts, ",") },
		"fails": func() (string, error) { return "", errors.New("it fails") }, "listed": func() []inner { return []inner{{N: 4}} },
	}
}

var cases = []string{
	"plain", "", "{{.Text}}", `<p title="{{.Text}}">{{.Text}}</p>`, `<i id="m-{{.Any}}" data-kind="{{.Text}}" class="a {{.Word}}">`,
	"{{if .Yes}}yes{{else}}no{{end}}{{if .Zero}}yes{{else if .Empty}}empty{{else}}no{{end}}{{if .Nothing}}x{{end}}{{if .Deep}}deep{{end}}",
	"{{with .Deep}}{{.N}}{{$.Text}}{{end}}{{with .Empty}}x{{else}}none{{end}}",
	"{{range .List}}{{.N}}: {{.Name}}{{with .Inner}} {{.Name}}{{end}};{{end}}{{range .Empty}}x{{else}}empty{{end}}",
	"{{range $i, $e := .List}}{{$i}}={{$e.N}} {{end}}{{range $e := .List}}{{$e.N}}{{.Name}}{{end}}{{range $k, $v := .Map}}{{$k}}{{$v}}{{end}}{{.Map.z}}",
	"{{$x := .Any}}{{range .List}}{{$x}}{{$x = .N}}{{end}}{{$x}}{{with $y := .Zero}}{{$y}}{{else}}{{$x}}{{end}}",
	`{{define "part"}}[{{.N}}{{$.Name}}]{{end}}{{range .List}}{{template "part" .}}{{end}}{{template "part" .Deep}}`,
	`{{block "b" .Deep}}<b>{{.N}}</b>{{end}}`,
	"{{range .List}}{{if eq .N 2}}{{continue}}{{end}}{{.N}}{{end}}{{range .List}}{{if eq .N 2}}{{break}}{{end}}{{.N}}{{end}}",
	"{{len .List}} {{(index .List 1).Inner.N}} {{index .Map \"a\"}} {{index .Map \"no\"}} {{not .Zero}} {{.Took}} {{.Word}} {{.Name}}",
	"{{if and .Yes (gt (len .List) 1)}}both{{end}}{{if or .Zero .Empty .Any}}one{{end}}{{or .Zero \"other\"}}{{and .Zero .Fails}}",
	`{{eq .Any 3}}{{ne .Text "x"}}{{lt 1 2}}{{le 2 2}}{{ge .Zero 1}}{{eq .Zero 1 0}}{{eq .Yes true}}{{eq "a" "b" "a"}}{{lt 1.5 2.5}}{{lt "a" "b"}}`,
	`{{upper .Text}}{{.Text | upper}}{{name (index .List 0)}}{{half 3}}{{half .Deep.Share}}{{joined "a" "b"}}{{joined}}{{printf "%05d|%s" .Any .Text}}{{print 1 2 "x"}}`,
	"{{range .List}}{{pointer .}}{{name .}}{{end}}{{name .Deep}}{{range listed}}{{.N}}{{end}}",
	"a {{- .Any -}} b {{/* nothing */}} c{{- /* nothing */ -}} d", "{{true}}{{1}}{{1.5}}{{\"s\"}}{{`r`}}", "{{.}}{{/* a struct is printed */}}",
}

// TestFilledAsTheStandardLibraryDoes: pages byte for byte as html/template writes them, texts as text/template does.
func TestFilledAsTheStandardLibraryDoes(t *testing.T) {
	theirs := texttemplate.FuncMap{}
	maps.Copy(theirs, functions())
	for _, text := range cases {
		if strings.Contains(text, "{{.}}") {
			continue
		}
		var want, got bytes.Buffer
		their, err := template.New("t").Funcs(theirs).Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		our, err := Page("t", functions(), text)
		if err != nil {
			t.Fatal(text, err)
		}
		if err := errors.Join(their.Execute(&want, someData()), our.Execute(&got, someData())); err != nil || want.String() != got.String() {
			t.Errorf("page %s: %v\nwant %q\ngot  %q", text, err, want.String(), got.String())
		}
		plain, err := texttemplate.New("t").Funcs(theirs).Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		ours, err := read(&Template{name: "t"}, functions(), []string{text})
		if err != nil {
			t.Fatal(text, err)
		}
		want.Reset()
		got.Reset()
		if err := errors.Join(plain.Execute(&want, someData()), ours.Execute(&got, someData())); err != nil || want.String() != got.String() {
			t.Errorf("text %s: %v\nwant %q\ngot  %q", text, err, want.String(), got.String())
		}
	}
}

// TestMarkupIsForPages: HTML stays markup in a page.
func TestMarkupIsForPages(t *testing.T) {
	p, err := Page("t", nil, "<p>{{.Markup}}</p>{{.Text}}")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Execute(&b, someData()); err != nil || !strings.HasPrefix(b.String(), "<p><b>bold</b></p>&lt;/td&gt;&lt;script") {
		t.Errorf("%v %s", err, &b)
	}
}

// TestTemplatesFail: what text/template refuses is refused, and nothing is written before.
func TestTemplatesFail(t *testing.T) {
	for _, text := range []string{
		"before {{.Unknown}}", "{{.inner}}", "{{.Map.no}}", "{{.Nothing.Name}}", "{{template \"no\"}}", "{{fails}}", "{{index .List 3}}", "{{index .List -1}}", "{{len 3}}",
		"{{half .Text}}", "{{half}}", "{{half 1 2}}", "{{.Text 1}}", "{{range .Any}}{{end}}", "{{eq .List .List}}", "{{lt 1 .Text}}", `{{define "loop"}}{{template "loop"}}{{end}}{{template "loop"}}`,
		"{{.Deep.Inner.Name}}", "{{.Word.String}}",
	} {
		p, err := Page("t", functions(), text)
		if err != nil {
			t.Fatal(text, err)
		}
		var b bytes.Buffer
		if err := p.Execute(&b, someData()); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, wrote %q", text, err, b.String())
		}
	}
	for _, text := range []string{"{{", "{{if}}", "{{unknown .}}", "{{$x}}", "{{end}}", "{{break}}"} {
		if _, err := Page("t", functions(), text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// TestLaterTextsReplace: a text uses what the ones before it define, and may define it anew.
func TestLaterTextsReplace(t *testing.T) {
	for text, want := range map[string]string{`{{template "a" .}}`: "old", `{{define "a"}}new{{end}}{{template "a" .}}`: "new", "": ""} {
		p, err := Text("t", `{{define "a"}}old{{end}}`, text)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := p.Execute(&b, nil); err != nil || b.String() != want {
			t.Errorf("%q: %q, %v", text, b.String(), err)
		}
	}
}
