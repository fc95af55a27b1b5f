package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/browsertest"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/web"
)

// browser is a Chromium with one profile, whose tabs come and go.
type browser struct{ ctx context.Context }

func openBrowser(t *testing.T) *browser {
	t.Helper()
	ctx := browsertest.Start(t, 1280, 900)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // tabs are opened in a browser that runs
		t.Fatal(err)
	}
	return &browser{ctx}
}

// tab is one page, with what it complains about and asks for.
type tab struct {
	ctx   context.Context
	close context.CancelFunc
	log   *browsertest.Log
}

func (b *browser) open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	tb := &tab{ctx: ctx, close: cancel, log: browsertest.Listen(t, ctx)}
	tb.run(t, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS(`html[data-ready=yes]`)))
	return tb
}

func (tb *tab) run(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tb.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func (tb *tab) text(t *testing.T, selector string) string {
	t.Helper()
	s, err := chromedp.Run(tb.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (tb *tab) eval(t *testing.T, js string) string {
	t.Helper()
	s, err := chromedp.Run(tb.ctx, chromedp.Evaluate[string]("String("+js+")"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// press sends keys and waits until the page says what it should.
func (tb *tab) press(t *testing.T, keys, until string) {
	t.Helper()
	tb.run(t, chromedp.KeyEvent(keys), browsertest.Until(until))
}

func doneIs(n int) string {
	return fmt.Sprintf(`document.getElementById('done').textContent.startsWith('%d of')`, n)
}

// quiet fails the test if the page complained or asked for anything but its own server.
func (tb *tab) quiet(t *testing.T, origin string) {
	t.Helper()
	for _, c := range tb.log.Complaints() {
		t.Errorf("the browser complains: %s", c)
	}
	for _, r := range tb.log.Requests() {
		if !strings.HasPrefix(r, origin) && !strings.HasPrefix(r, "data:") {
			t.Errorf("the page asks for %s", r)
		}
	}
}

func (tb *tab) shoot(t *testing.T, name string) {
	t.Helper()
	browsertest.Shoot(t, tb.ctx, name)
}

// shelf is a store with one queue.
type shelf struct {
	st *sqlite.Store
	q  *rung.RatingQueue
}

const secret = "fewshot-of-model-x"

func shelfOf(t *testing.T, o rating.Options, text func(candidate, example int) string) *shelf {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	var examples []rung.Example
	answers := make([]rating.Answers, 2)
	for c := range answers {
		answers[c] = rating.Answers{Candidate: rung.DigestOf(c), Name: fmt.Sprint(secret, c), Texts: map[string]string{}}
	}
	for i := range 10 {
		ex := rung.Example{ID: fmt.Sprint("secret-example-", i), Input: json.RawMessage(fmt.Sprintf(`{"question":"What is number %d?","context":"It is told here."}`, i)), Output: json.RawMessage(fmt.Sprintf(`"right %d"`, i))}
		examples = append(examples, ex)
		for c := range answers {
			answers[c].Texts[ex.ID] = text(c, i)
		}
	}
	o.Name, o.Task, o.Seed, o.Made = "q1", "numbers", 4, time.Unix(1_700_000_000, 0)
	q, err := rating.Make(examples, answers, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.PutRatingQueue(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	return &shelf{st, q}
}

// serve starts the page of a rater and gives its address and what ends it.
func (s *shelf) serve(t *testing.T, rater string) (url string, end func()) {
	t.Helper()
	session, err := rating.Join(context.Background(), s.st, s.q, rater)
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.Listen(0, web.Rating(session))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(end)
	return server.URL(), end
}

func (s *shelf) ratings(t *testing.T) []rung.Rating {
	t.Helper()
	var out []rung.Rating
	for r, err := range s.st.Ratings(context.Background(), store.RatingFilter{Queue: "q1"}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// preferred is what pressing a key for a side means, given what the page shows.
func preferred(q *rung.RatingQueue, r rung.Rating, leftText string) rung.Preference {
	item := rating.Items(q)[r.Item]
	if item.Options[0].Text == leftText {
		return rung.PrefersFirst
	}
	return rung.PrefersSecond
}

func plainAnswer(c, i int) string {
	return fmt.Sprintf("Number %d is told by answer %d, at some length and with words that differ a little.", i, c)
}

// TestRateWithTheKeyboard rates with keys alone, closes the tab in the middle, ends the server, opens a new one and goes on.
func TestRateWithTheKeyboard(t *testing.T) {
	s := shelfOf(t, rating.Options{Kind: rung.Pairwise, Checks: .2, Reference: true}, plainAnswer)
	b := openBrowser(t)
	url, end := s.serve(t, "ada")
	tb := b.open(t, url)
	left := tb.text(t, "article .text")
	footer := tb.eval(t, `document.querySelector('footer').getBoundingClientRect().top`)
	tb.shoot(t, "rate_desk")
	tb.press(t, "1", doneIs(1))
	if rs := s.ratings(t); len(rs) != 1 || rs[0].Preference != preferred(s.q, rs[0], left) || rs[0].Rater != "ada" || rs[0].Swapped != (rs[0].Preference == rung.PrefersSecond) {
		t.Fatalf("the left answer was chosen: %+v", rs)
	}
	if now := tb.eval(t, `document.querySelector('footer').getBoundingClientRect().top`); now != footer {
		t.Errorf("the keys moved from %s to %s", footer, now)
	}
	tb.press(t, "c", `document.getElementById('comment').open`)
	tb.run(t, chromedp.KeyEvent("both are fine u 1 2"))
	tb.run(t, chromedp.Evaluate[chromedp.Void](`document.getElementById('comment').close()`))
	tb.press(t, "0", doneIs(2))
	tb.press(t, "s", `document.getElementById('done').textContent.includes('1 skipped')`)
	tb.press(t, "2", doneIs(3))
	tb.press(t, "u", doneIs(2))
	if rs := s.ratings(t); len(rs) != 3 || rs[1].Comment != "both are fine u 1 2" || rs[1].Preference != rung.PrefersNone || !rs[2].Skipped {
		t.Fatalf("%+v", rs)
	}
	if was := tb.eval(t, `document.querySelector('.choice.was').dataset.key`); was != "2" {
		t.Errorf("what was taken back is shown as %s", was)
	}
	again := tb.text(t, "article .text")
	tb.quiet(t, url)
	tb.close()
	end()

	url, _ = s.serve(t, "ada")
	tb = b.open(t, url)
	if got := tb.text(t, "article .text"); got != again || !strings.Contains(tb.text(t, "#status"), "go on") {
		t.Errorf("after the tab and the server had ended, the page shows %q, and not %q", got, again)
	}
	total := len(rating.Seat(s.q, 0))
	for n := 3; n < total; n++ {
		tb.press(t, "1", doneIs(n))
	}
	if end := tb.text(t, "#end"); !strings.Contains(end, "Nothing is left but what you skipped") {
		t.Errorf("the end reads %q", end)
	}
	tb.press(t, "r", `!document.getElementById('work').hidden`)
	tb.press(t, "2", `document.getElementById('endhead').textContent.startsWith('All done')`)
	tb.shoot(t, "rate_end")
	tb.quiet(t, url)
	if rs := s.ratings(t); len(rs) != total {
		t.Errorf("%d ratings of %d", len(rs), total)
	}
}

// TestRateRubric: numbers set the marked criterion and go on to the next; what was begun outlives a closed tab.
func TestRateRubric(t *testing.T) {
	criteria := []rung.Criterion{{Name: "true", Question: "Is it true?", Checked: true, Anchors: map[int]string{1: "no word of it", 5: "every word"}}, {Name: "short", Question: "Is it short?"}}
	s := shelfOf(t, rating.Options{Kind: rung.Rubric, Criteria: criteria, Checks: .2}, plainAnswer)
	b := openBrowser(t)
	url, _ := s.serve(t, "ada")
	tb := b.open(t, url)
	tb.shoot(t, "rubric_desk")
	tb.press(t, "\r", `document.getElementById('status').className === 'bad'`)
	tb.press(t, "4", `document.querySelectorAll('fieldset')[1].className === 'here'`)
	tb.close()
	tb = b.open(t, url)
	if set := tb.eval(t, `document.querySelector('input:checked').value`); set != "4" {
		t.Errorf("the value that was set is %s after the tab was closed", set)
	}
	tb.press(t, "2", `document.querySelectorAll('input:checked').length === 2`)
	if len(s.ratings(t)) != 0 {
		t.Fatal("a rating was kept before it was confirmed")
	}
	tb.press(t, "\r", doneIs(1))
	if rs := s.ratings(t); len(rs) != 1 || rs[0].Values["true"] != 4 || rs[0].Values["short"] != 2 {
		t.Errorf("%+v", rs)
	}
	if set := tb.eval(t, `document.querySelectorAll('input:checked').length`); set != "0" {
		t.Errorf("%s values are set on the next item", set)
	}
	tb.quiet(t, url)
}

// TestPageFits looks at the page in both schemes, wide and on a phone, with texts as long as they come.
func TestPageFits(t *testing.T) {
	s := shelfOf(t, rating.Options{Kind: rung.Pairwise, Reference: true}, func(c, i int) string {
		if i == 0 {
			return strings.Repeat("unbroken", 200+c)
		}
		return strings.Repeat(plainAnswer(c, i)+" ", 12) + "\n\n" + fmt.Sprintf(`{"slots": {"city": "Łódź %d"}}`, c)
	})
	url, _ := s.serve(t, "ada")
	tb := openBrowser(t).open(t, url)
	for n := range 2 {
		for _, look := range []struct {
			name, scheme string
			width        int64
		}{{"desk_light", "light", 1280}, {"desk_dark", "dark", 1280}, {"phone_light", "light", 390}, {"phone_dark", "dark", 390}} {
			tb.run(t, chromedp.EmulateViewport(look.width, 860))
			scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}}
			if _, err := chromedp.Call(tb.ctx, emulation.SetEmulatedMedia, scheme); err != nil {
				t.Fatal(err)
			}
			if w := tb.eval(t, "document.documentElement.scrollWidth"); w > fmt.Sprint(look.width) && len(w) >= len(fmt.Sprint(look.width)) {
				t.Errorf("%s: the page is %s pixels wide", look.name, w)
			}
			if top := tb.eval(t, "Math.round(innerHeight - document.querySelector('footer').getBoundingClientRect().bottom)"); top != "0" {
				t.Errorf("%s: the keys stand %s pixels above the lower edge", look.name, top)
			}
			tb.shoot(t, fmt.Sprintf("long%d_%s", n, look.name))
		}
		tb.run(t, chromedp.EmulateViewport(1280, 860))
		tb.press(t, "d", `document.querySelectorAll('mark.only').length > 0 || document.getElementById('diff').getAttribute('aria-pressed') === 'false'`)
		tb.shoot(t, fmt.Sprintf("diff%d", n))
		tb.press(t, "1", doneIs(n+1))
	}
	tb.quiet(t, url)
}

// TestHostileAnswersStayText: what a model answers does nothing to the page.
func TestHostileAnswersStayText(t *testing.T) {
	hostile := "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> safe \u202egnp.exe\u2066 \u0007\u001b[31m </article>"
	s := shelfOf(t, rating.Options{Kind: rung.Pairwise}, func(c, i int) string { return hostile + fmt.Sprint(c, i) })
	url, _ := s.serve(t, "ada")
	tb := openBrowser(t).open(t, url)
	for _, diff := range []string{"off", "on"} {
		if diff == "on" {
			tb.press(t, "d", `document.querySelectorAll('mark.only').length > 0`)
		}
		if n := tb.eval(t, `document.querySelectorAll('article img, article script').length`); n != "0" {
			t.Errorf("differences %s: %s elements were made of an answer", diff, n)
		}
		if bad := tb.eval(t, `/[\u202e\u2066\u0007\u001b]/.test(document.body.textContent) || document.title.includes('owned')`); bad != "false" {
			t.Errorf("differences %s: an answer acts on the page", diff)
		}
	}
	tb.quiet(t, url)
}
