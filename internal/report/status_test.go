package report

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rung-dev/rung"
)

// screen is a terminal of one line: it keeps what the line shows, every version of it, and the lines left behind.
type screen struct {
	mu    sync.Mutex
	line  string
	seen  []string
	above []string
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(b)
	if i := strings.LastIndex(text, "\r\x1b[K"); i >= 0 {
		s.line, text = "", text[i+len("\r\x1b[K"):]
	}
	for {
		line, rest, ended := strings.Cut(text, "\n")
		s.line += line
		if !ended {
			break
		}
		s.above, s.line, text = append(s.above, s.line), "", rest
	}
	if s.line != "" {
		s.seen = append(s.seen, s.line)
	}
	return len(b), nil
}

// shows is the line as it stands.
func (s *screen) shows() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line
}

func TestStatusOnTerminal(t *testing.T) {
	t.Setenv("LC_ALL", "en_GB.UTF-8")
	synctest.Test(t, func(t *testing.T) {
		out := &screen{}
		s := NewStatus(out, true)
		s.Phase(rung.LoRA, "scoring on held-out")
		time.Sleep(redraw / 20) // never at the same instant as a redraw
		for i := 1; i <= 400; i++ {
			time.Sleep(10 * time.Millisecond)
			s.Progress(i, 1000, .0123)
		}
		time.Sleep(2 * redraw)
		synctest.Wait()
		if want := "━━━━──────── lora: scoring on held-out · 400/1,000 · 6 s left · 98/s · $0.012"; out.shows() != want {
			t.Errorf("the line reads\n%s\nwant\n%s", out.shows(), want)
		}
		if n := len(out.seen); n > 42 {
			t.Errorf("%d lines in four seconds, want at most ten per second", n)
		}
		s.Note("the machine is busy")
		if out.shows() != "" || len(out.above) != 1 || out.above[0] != "the machine is busy" {
			t.Errorf("after a note: above %q, line %q", out.above, out.shows())
		}
		time.Sleep(2 * redraw)
		synctest.Wait()
		if !strings.Contains(out.shows(), "400/1,000") {
			t.Errorf("the status did not come back after the note: %q", out.shows())
		}
		s.Done()
		s.Done()
		if out.shows() != "" {
			t.Errorf("Done leaves %q", out.shows())
		}
	})
}

// A rate over the whole phase would promise the speed of the answers that came from the store.
func TestStatusForgetsStoredAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStatus(&screen{}, false)
		defer s.Done()
		s.Phase(rung.Prompt, "scoring")
		for i := 1; i <= 900; i++ {
			time.Sleep(time.Millisecond)
			s.Progress(i, 1000, 0)
		}
		for i := 901; i <= 960; i++ {
			time.Sleep(time.Second)
			s.Progress(i, 1000, 0)
		}
		rate, known := s.rate()
		if !known || rate < .9 || rate > 1.1 {
			t.Errorf("rate %.2f/s (known %v), want about 1", rate, known)
		}
	})
}

func TestStatusElsewhereIsOneLinePerPhase(t *testing.T) {
	var b strings.Builder
	s := NewStatus(&b, false)
	s.Phase(rung.Prompt, "trying templates on dev")
	for i := range 100 {
		s.Progress(i, 100, 0)
	}
	s.Phase(rung.Prompt, "trying templates on dev")
	s.Phase(rung.Prompt, "scoring on held-out")
	s.Phase("", "comparing\x1b[2Jrungs")
	s.Note("done")
	s.Done()
	want := "prompt: trying templates on dev\nprompt: scoring on held-out\ncomparing\\u001b[2Jrungs\ndone\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestStatusConcurrent(t *testing.T) {
	out := &screen{}
	s := NewStatus(out, true)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				s.Progress(i, 200, float64(g))
				if i%50 == 0 {
					s.Phase(rung.Prompt, fmt.Sprint("step ", i))
					s.Note("n")
				}
			}
		}()
	}
	wg.Wait()
	s.Done()
	if out.shows() != "" || len(out.above) != 32 {
		t.Errorf("line %q and %d notes, want none and 32", out.shows(), len(out.above))
	}
}

func TestStatusFitsItsWidth(t *testing.T) {
	s := &Status{now: time.Now, text: strings.Repeat("訓練", 40), rung: rung.RAGLoRA, total: 10, done: 3}
	for _, n := range []int{20, 40, 79, 200} {
		if got := columns(s.line(n)); got > n {
			t.Errorf("%d columns in %d", got, n)
		}
	}
}
