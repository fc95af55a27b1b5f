package report_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rung-dev/rung/internal/browsertest"
	"github.com/rung-dev/rung/internal/report/reporttest"
)

// tab is one page in a real browser, with everything that the page complains about or asks for.
type tab struct {
	ctx context.Context
	log *browsertest.Log
}

// openTab opens file in Chromium, or skips the test where there is none.
func openTab(t *testing.T, file string) *tab {
	t.Helper()
	ctx := browsertest.Start(t, 1280, 1000)
	b := &tab{ctx: ctx, log: browsertest.Listen(t, ctx)}
	b.run(t, chromedp.Navigate("file://"+file), chromedp.WaitVisible(chromedp.CSS(`html[data-ready=yes]`)))
	return b
}

func (b *tab) run(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func until(condition string) chromedp.Action[chromedp.Void] { return browsertest.Until(condition) }

// text is the text of the first element that fits the selector.
func (b *tab) text(t *testing.T, selector string) string {
	t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *tab) eval(t *testing.T, js string) int {
	t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](js))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// choose sets a field as a person would, with its events.
func (b *tab) choose(t *testing.T, id, value, event string) {
	t.Helper()
	b.run(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event(%q)); return e.value === %q; })()`, id, value, event, value)))
}

// quiet fails the test if the page complained or asked for anything but itself.
func (b *tab) quiet(t *testing.T) {
	t.Helper()
	for _, c := range b.log.Complaints() {
		t.Errorf("the browser complains: %s", c)
	}
	for _, r := range b.log.Requests()[1:] {
		t.Errorf("the page asks for %s", r)
	}
}

func (b *tab) shoot(t *testing.T, name string) {
	t.Helper()
	browsertest.Shoot(t, b.ctx, name)
}

func TestPageInBrowser(t *testing.T) {
	c := reporttest.New(reporttest.Options{Seed: 1})
	b := openTab(t, pageFile(t, c))
	if got := b.text(t, "h1"); got != "The cheapest rung that meets the bar is lora" {
		t.Errorf("the headline reads %q", got)
	}
	b.filters(t, c)
	b.opensCompletion(t)
	b.shoot(t, "dialog")
	b.run(t, chromedp.Click(chromedp.CSS("#close")), chromedp.WaitNotVisible(chromedp.CSS("#completion")))
	b.choose(t, "search", "", "input")
	b.choose(t, "which", "all", "change")
	b.schemes(t)
	b.quiet(t)
}

// filters compares what the filters show with what the scores say.
func (b *tab) filters(t *testing.T, c *reporttest.Climb) {
	t.Helper()
	fewshot, lora := c.Scores[c.Doc.Rungs[1].Candidate], c.Scores[c.Doc.Rungs[3].Candidate]
	fixed, broken, kind := 0, 0, map[string]int{}
	for i := range lora {
		if !fewshot[i].Success && lora[i].Success {
			fixed++
		}
		if fewshot[i].Success && !lora[i].Success {
			broken++
		}
		kind[lora[i].Mistake]++
	}
	b.choose(t, "which", "fixed:2", "change")
	b.shows(t, fixed, "fixed by lora")
	b.choose(t, "which", "broken:2", "change")
	b.shows(t, broken, "broken by lora")
	b.choose(t, "which", "wrong:2", "change")
	b.choose(t, "kind", "wrong value: city", "change")
	b.shows(t, kind["wrong value: city"], "wrong city in lora")
	b.choose(t, "kind", "", "change")
	b.choose(t, "which", "all", "change")
	b.shows(t, 140, "everything")
	b.run(t, chromedp.SendKeys(chromedp.CSS("#search"), "u0042"), until(`document.querySelectorAll('#rows tbody tr').length === 1`))
	b.shows(t, 1, "search for an id")
	b.run(t, chromedp.Click(chromedp.CSS(`a[data-kind="wrong value: city"][data-rung=lora]`)))
	b.shows(t, kind["wrong value: city"], "a number in the table of mistakes")
}

// shows opens every row and counts.
func (b *tab) shows(t *testing.T, want int, what string) {
	t.Helper()
	got := b.eval(t, `(() => { const m = document.getElementById('more'); while (!m.hidden) m.click(); return document.querySelectorAll('#rows tbody tr').length; })()`)
	if got != want {
		t.Errorf("%s: %d rows, want %d", what, got, want)
	}
	if status := b.text(t, "#shown"); !strings.Contains(status, fmt.Sprintf(" of %d example", want)) {
		t.Errorf("%s: the status reads %q", what, status)
	}
}

func (b *tab) opensCompletion(t *testing.T) {
	t.Helper()
	b.choose(t, "which", "all", "change")
	b.choose(t, "kind", "not_json", "change")
	b.choose(t, "search", "", "input")
	b.run(t, until(`document.querySelector('#rows tbody .wrong button')`), chromedp.Focus(chromedp.CSS("#rows tbody .wrong button")),
		chromedp.KeyEvent("\r"), until(`document.querySelectorAll('#cbody .call').length === 2`))
	body := b.text(t, "#cbody")
	for _, want := range []string{"Call 2 of 2", "Extract the intent and the slots", "That is not JSON", "openai/gpt-4o-mini", "tokens", "latency", "cost"} {
		if !strings.Contains(body, want) {
			t.Errorf("the completion lacks %q:\n%s", want, body)
		}
	}
}

// schemes looks at the page in both colour schemes, wide and on a phone: nothing may be wider than the screen.
func (b *tab) schemes(t *testing.T) {
	t.Helper()
	for _, s := range []struct {
		name   string
		width  int64
		scheme string
		media  string
	}{{"desk_light", 1280, "light", ""}, {"desk_dark", 1280, "dark", ""}, {"phone_light", 390, "light", ""}, {"phone_dark", 390, "dark", ""}, {"paper", 760, "dark", "print"}} {
		b.run(t, chromedp.EmulateViewport(s.width, 900))
		scheme := emulation.SetEmulatedMediaParams{Media: s.media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}}}
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, scheme); err != nil {
			t.Fatal(err)
		}
		if w := b.eval(t, "document.documentElement.scrollWidth"); int64(w) > s.width {
			t.Errorf("%s: the page is %d pixels wide on a screen of %d", s.name, w, s.width)
		}
		b.shoot(t, s.name)
	}
}

// What a model answers, or a document says, must stay text, whatever it is.
func TestHostileAnswersStayText(t *testing.T) {
	long := strings.Repeat("A", 100_000)
	for name, hostile := range map[string]string{
		"script":  `<script>document.title='owned'</script></script><img src=x onerror="document.title='owned'">`,
		"quotes":  "\"'`}]};document.title='owned';//<!--<script>",
		"rtl":     "safe \u202egnp.exe\u202c \u2066abc\u2069 \u0000\u0007\u001b[31m\ufeff end",
		"long":    long + "</script><b>end</b>",
		"invalid": "caf\xff\xfe \xed\xa0\x80 bytes",
	} {
		t.Run(name, func(t *testing.T) {
			b := openTab(t, pageFile(t, reporttest.New(reporttest.Options{Seed: 2, N: 12, Hostile: hostile})))
			b.run(t, chromedp.Click(chromedp.CSS("#rows tbody .wrong button")), until(`document.querySelectorAll('#cbody .call').length === 2`))
			if n := b.eval(t, `document.querySelectorAll('#rows img, #rows b, #rows script, #cbody img, #cbody b, #cbody script').length`); n != 0 {
				t.Errorf("%d elements were made of an answer", n)
			}
			if n := b.eval(t, `document.title.includes('owned') ? 1 : 0`); n != 0 {
				t.Error("an answer ran as a script")
			}
			if n := b.eval(t, `/[\u202e\u2066\u0007\u001b]/.test(document.body.textContent) ? 1 : 0`); n != 0 {
				t.Error("characters that act on the text are in the page as they are")
			}
			if n := b.eval(t, "document.documentElement.scrollWidth"); n > 1280 {
				t.Errorf("the page is %d pixels wide", n)
			}
			b.quiet(t)
		})
	}
}
