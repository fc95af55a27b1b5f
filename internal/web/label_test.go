package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

const guide = "# Guide\n\nTake **one** label.\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n<script>document.title='owned'</script>\n\n[go](javascript:document.title='owned') [there](https://example.org)\n"

// labelShelf is a store with one queue of labels; answers are shown where answer gives some.
func labelShelf(t *testing.T, out rung.Output, answer func(i int) string) *shelf {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	var pool []label.Row
	for i := range 8 {
		r := label.Row{DatasetRow: rung.DatasetRow{ID: fmt.Sprint("secret-row-", i), Input: json.RawMessage(fmt.Sprintf(`{"utterance":"Book a table for %d people in Łódź on <b>Friday</b>"}`, i))}}
		if answer != nil {
			r.Answer = &rung.RatingOption{Candidate: "secret-candidate", Text: answer(i)}
		}
		pool = append(pool, r)
	}
	o := label.Options{Options: rating.Options{Name: "q1", Task: "bookings", Seed: 4, Made: time.Unix(1_700_000_000, 0)}, Output: out, Choose: label.Random, Guidelines: guide, Modes: rung.StarterModes()}
	q, err := label.Make(pool, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.PutRatingQueue(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	return &shelf{st, q}
}

// looks photographs the page wide and on a phone, in both schemes, and says what does not fit.
func (tb *tab) looks(t *testing.T, name string) {
	t.Helper()
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"phone", "light", 390}} {
		tb.run(t, chromedp.EmulateViewport(look.width, 860))
		scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}}
		if _, err := chromedp.Call(tb.ctx, emulation.SetEmulatedMedia, scheme); err != nil {
			t.Fatal(err)
		}
		if wide := tb.eval(t, "document.documentElement.scrollWidth > innerWidth"); wide != "false" {
			t.Errorf("%s %s: the page is wider than the window", name, look.name)
		}
		tb.shoot(t, name+"_"+look.name)
	}
	tb.run(t, chromedp.EmulateViewport(1280, 860))
}

// TestLabelWithNumbers: a few labels have a key each; the guidelines are read at a key and do nothing; a closed tab and an ended server
// lose nothing.
func TestLabelWithNumbers(t *testing.T) {
	s := labelShelf(t, rung.Output{Kind: rung.Labels, Labels: []string{"book", "cancel", "<i>other</i>"}}, nil)
	b := openBrowser(t)
	url, end := s.serve(t, "ada")
	tb := b.open(t, url)
	tb.looks(t, "label_few")
	tb.press(t, "g", `document.getElementById('guide').open && document.querySelector('#guidetext strong').textContent === 'one'`)
	if bad := tb.eval(t, `document.querySelectorAll('#guidetext script, #guidetext a[href^=javascript]').length + document.querySelectorAll('#choices i').length + (document.title.includes('owned') ? 1 : 0)`); bad != "0" {
		t.Errorf("%s parts of the guidelines or labels act on the page", bad)
	}
	tb.looks(t, "label_guide")
	tb.press(t, "\x1b", `!document.getElementById('guide').open`)
	tb.press(t, "2", doneIs(1))
	tb.press(t, "3", doneIs(2))
	tb.press(t, "s", `document.getElementById('done').textContent.includes('1 skipped')`)
	tb.press(t, "9", `document.getElementById('done').textContent.startsWith('2 of')`)
	tb.press(t, "u", `!document.getElementById('done').textContent.includes('skipped')`)
	tb.press(t, "u", doneIs(1))
	if was := tb.eval(t, `document.querySelector('.choice.was').dataset.label`); was != "<i>other</i>" {
		t.Errorf("what was taken back is shown as %q", was)
	}
	if rs := s.ratings(t); len(rs) != 1 || string(rs[0].Label) != `"cancel"` || rs[0].Rater != "ada" {
		t.Fatalf("%+v", rs)
	}
	if text := tb.eval(t, `document.body.textContent`); strings.Contains(text, "secret-row") || strings.Contains(text, "random") {
		t.Error("the page tells what a labeller must not know")
	}
	tb.quiet(t, url)
	tb.close()
	end()
	url, _ = s.serve(t, "ada")
	tb = b.open(t, url)
	for n := 2; n <= len(s.q.Items); n++ {
		tb.press(t, "1", doneIs(n))
	}
	if text := tb.text(t, "#end"); !strings.Contains(text, "All done") {
		t.Errorf("the end reads %q", text)
	}
	tb.quiet(t, url)
}

// TestLabelFromMany: of many labels a number or a part of the name is typed.
func TestLabelFromMany(t *testing.T) {
	var labels []string
	for i := range 77 {
		labels = append(labels, fmt.Sprintf("%s_%d", []string{"card", "top_up", "exchange", "transfer"}[i%4], i))
	}
	s := labelShelf(t, rung.Output{Kind: rung.Labels, Labels: labels}, nil)
	url, _ := s.serve(t, "ada")
	tb := openBrowser(t).open(t, url)
	tb.looks(t, "label_many")
	tb.run(t, chromedp.KeyEvent("change_6"))
	tb.press(t, "\r", doneIs(1))
	tb.run(t, chromedp.KeyEvent("42"))
	tb.press(t, "\r", doneIs(2))
	tb.run(t, chromedp.KeyEvent("nonsense"))
	tb.press(t, "\r", `document.getElementById('status').className === 'bad' || document.querySelector('#choices .none') !== null`)
	tb.press(t, "\x1b", `document.activeElement.id !== 'find'`)
	tb.press(t, "u", doneIs(1))
	rs := s.ratings(t)
	if len(rs) != 1 || string(rs[0].Label) != `"exchange_6"` {
		t.Errorf("%+v", rs)
	}
	tb.quiet(t, url)
}

const bookings = `{"type":"object","properties":{"intent":{"enum":["book","cancel"]},"people":{"type":"integer"},"city":{"type":"string","description":"where"},"tags":{"type":"array","items":{"type":"string"}}},"required":["intent","people"],"additionalProperties":false}`

// TestCorrectJSON: a wrong answer is corrected in a form made of the schema or as JSON, held to the schema, with its failure modes; what was
// begun outlives a closed tab.
func TestCorrectJSON(t *testing.T) {
	s := labelShelf(t, rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(bookings)}, func(i int) string {
		if i%2 == 0 {
			return `{"intent":"book","people":12345678901234567,"city":"Lodz"}`
		}
		return `{"intent":"book","people":`
	})
	b := openBrowser(t)
	url, _ := s.serve(t, "ada")
	tb := b.open(t, url)
	for tb.eval(t, `document.getElementById('fields').hidden`) == "true" { // the broken answers are skipped for now
		before := tb.text(t, "#done")
		tb.press(t, "s", fmt.Sprintf(`document.getElementById('done').textContent !== %q`, before))
	}
	skipped := tb.text(t, "#done")
	tb.looks(t, "label_form")
	if people := tb.eval(t, `document.getElementById('field-people').value`); people != "12345678901234567" {
		t.Errorf("a number that JavaScript cannot hold is shown as %s", people)
	}
	tb.run(t, chromedp.Evaluate[chromedp.Void](`document.getElementById('field-people').focus()`), chromedp.Evaluate[chromedp.Void](`document.getElementById('field-people').value = ''`))
	tb.run(t, chromedp.KeyEvent("many"))
	tb.run(t, chromedp.Evaluate[chromedp.Void](`document.getElementById('save').click()`), chromedp.Poll[chromedp.Void](`document.getElementById('status').className === 'bad'`))
	if len(s.ratings(t)) != strings.Count(skipped, "skipped")*int(skipped[strings.Index(skipped+", 0", ", ")+2]-'0') {
		t.Fatalf("JSON that is none was kept: %+v (%s)", s.ratings(t), skipped)
	}
	tb.run(t, chromedp.Evaluate[chromedp.Void](`document.getElementById('field-people').value = ''`), chromedp.Evaluate[chromedp.Void](`document.getElementById('field-people').focus()`), chromedp.KeyEvent("4"))
	tb.press(t, "\x1b", `document.activeElement.tagName !== 'INPUT'`)
	tb.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('.chip')[2].click()`))
	tb.close()
	tb = b.open(t, url)
	if people, chip := tb.eval(t, `document.getElementById('field-people').value`), tb.eval(t, `document.querySelectorAll('.chip[aria-pressed=true]').length`); people != "4" || chip != "1" {
		t.Errorf("after the tab was closed people is %s and %s modes are marked", people, chip)
	}
	tb.run(t, chromedp.Evaluate[chromedp.Void](`document.getElementById('save').click()`), chromedp.Poll[chromedp.Void](doneIs(1)))
	rs := s.ratings(t)
	last := rs[len(rs)-1]
	if string(last.Label) != `{"intent":"book","people":4,"city":"Lodz"}` || len(last.Modes) != 1 || last.Modes[0] != "wrong_fact" {
		t.Errorf("%s %v", last.Label, last.Modes)
	}
	tb.press(t, "u", doneIs(0))
	tb.press(t, "j", `!document.getElementById('edit').hidden && document.getElementById('edit').value.includes('"people": 4')`)
	tb.run(t, chromedp.Poll[chromedp.Void](`document.activeElement.id === 'edit'`))
	if text := tb.eval(t, `document.getElementById('edit').value`); strings.Contains(text, "j") {
		t.Errorf("the key went into the field: %s", text)
	}
	tb.looks(t, "label_json")
	tb.quiet(t, url)
}

// TestLabelPageRefuses: what is no label of the task is refused by the server too, whatever a page sends.
func TestLabelPageRefuses(t *testing.T) {
	s := labelShelf(t, rung.Output{Kind: rung.Labels, Labels: []string{"a", "b"}}, nil)
	url, _ := s.serve(t, "ada")
	head := map[string]string{"Content-Type": "application/json", "Origin": "http://" + strings.Split(strings.TrimPrefix(url, "http://"), "/")[0]}
	item := s.q.Items[0].ID
	for body, want := range map[string]int{
		`{"item":"` + item + `","text":"c"}`:                        http.StatusBadRequest,
		`{"item":"` + item + `","choice":"left"}`:                   http.StatusBadRequest,
		`{"item":"` + item + `","text":"a","modes":["nonsense"]}`:   http.StatusBadRequest,
		`{"item":"` + item + `","text":"a","label":"\"a\""}`:        http.StatusBadRequest,
		`{"item":"` + strings.Repeat("x", 12) + `","text":"a"}`:     http.StatusBadRequest,
		`{"item":"` + item + `","text":"a","seconds":2,"modes":[]}`: http.StatusOK,
	} {
		if status, _, out := ask(t, "POST", url+"rate", body, head); status != want {
			t.Errorf("%s: status %d, want %d: %s", body, status, want, out)
		}
	}
	if status, h, out := ask(t, "GET", url+"guidelines", "", nil); status != 200 || strings.Contains(out, "<script") || strings.Contains(out, "javascript:") || !strings.Contains(out, "<table>") || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("status %d: %s", status, out)
	}
	if rs := s.ratings(t); len(rs) != 1 {
		t.Errorf("%+v", rs)
	}
}
