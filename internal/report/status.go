package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

// Status shows what is happening while a climb runs. On a terminal it is one line, rewritten in place at most ten times a
// second; elsewhere one plain line per phase. It is safe for concurrent use; Progress costs a lock and no output.
type Status struct {
	mu      sync.Mutex
	w       io.Writer
	tty     bool
	color   bool
	ascii   bool
	width   func() int
	now     func() time.Time
	rung    rung.Rung
	text    string
	since   time.Time // start of the phase
	done    int
	total   int
	cost    float64
	samples []sample // of this phase, oldest first
	dirty   bool
	drawn   time.Time
	onLine  bool // the terminal's last line is ours
	stop    chan struct{}
	stopped sync.WaitGroup
}

// sample is how much was done at a time.
type sample struct {
	at   time.Time
	done int
}

// The rate is taken over the last rateWindow, so that answers from the store do not promise a speed that the model cannot
// keep; redraw is the shortest time between two lines.
const (
	rateWindow = 20 * time.Second
	redraw     = 100 * time.Millisecond
)

// NewStatus starts a status on w, which is standard error. tty says whether w is a terminal that can rewrite its line.
// The caller ends it with Done.
func NewStatus(w io.Writer, tty bool) *Status {
	_, color := Look(w)
	s := &Status{w: w, tty: tty, color: color, ascii: !utf8Locale(), now: time.Now, stop: make(chan struct{})}
	s.width = func() int { n, _ := Look(w); return n }
	if tty {
		s.stopped.Add(1)
		go s.keepDrawing()
	}
	return s
}

// keepDrawing redraws when something changed, and once a second so that the elapsed time moves.
func (s *Status) keepDrawing() {
	defer s.stopped.Done()
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.mu.Lock()
			if s.text != "" && (s.dirty || s.now().Sub(s.drawn) >= time.Second) {
				s.draw()
			}
			s.mu.Unlock()
		}
	}
}

// Phase begins a step of a rung, such as "scoring on held-out". The same phase again changes nothing.
func (s *Status) Phase(r rung.Rung, text string) {
	text = clean(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r == s.rung && text == s.text {
		return
	}
	s.rung, s.text, s.since = r, text, s.now()
	s.done, s.total, s.samples = 0, 0, []sample{{s.since, 0}}
	s.dirty = true
	if !s.tty {
		fmt.Fprintln(s.w, s.title())
	}
}

// Progress says how far the phase is, and the cost of the whole climb so far in USD. A total of 0 is unknown.
func (s *Status) Progress(done, total int, costUSD float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if done < s.done {
		s.samples = nil
	}
	s.done, s.total, s.cost, s.dirty = done, total, costUSD, true
	if n := len(s.samples); n > 0 && at.Sub(s.samples[n-1].at) < redraw {
		return
	}
	s.samples = append(s.samples, sample{at, done})
	for len(s.samples) > 2 && at.Sub(s.samples[1].at) >= rateWindow {
		s.samples = s.samples[1:]
	}
}

// Note writes a line that stays.
func (s *Status) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	fmt.Fprintln(s.w, clean(text))
	s.dirty = true
}

// Done ends the status and leaves no line behind. It may be called more than once.
func (s *Status) Done() {
	s.mu.Lock()
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.erase()
	s.text, s.dirty = "", false
	s.mu.Unlock()
	s.stopped.Wait()
}

// erase clears the line on the terminal if it is ours.
func (s *Status) erase() {
	if s.onLine {
		io.WriteString(s.w, "\r\x1b[K")
		s.onLine = false
	}
}

func (s *Status) draw() {
	line := s.line(s.width() - 1)
	io.WriteString(s.w, "\r\x1b[K"+line)
	s.onLine, s.dirty, s.drawn = true, false, s.now()
}

func (s *Status) title() string {
	if s.rung == "" {
		return s.text
	}
	return string(s.rung) + ": " + s.text
}

// line is the status in at most n columns: what is least needed goes first when there is no room.
func (s *Status) line(n int) string {
	parts := []string{s.title()}
	if s.total > 0 {
		parts = append(parts, fmt.Sprintf("%s/%s", count(s.done), count(s.total)))
	} else if s.done > 0 {
		parts = append(parts, count(s.done))
	}
	elapsed := s.now().Sub(s.since)
	rate, known := s.rate()
	switch {
	case known && s.total > s.done:
		parts = append(parts, s.leftover(rate), perSecond(rate))
	case elapsed >= 2*time.Second:
		parts = append(parts, span(elapsed))
	}
	if s.cost > 0 {
		parts = append(parts, usd(s.cost))
	}
	sep, ellipsis := " · ", "…"
	if s.ascii {
		sep, ellipsis = " - ", "..."
	}
	line := strings.Join(parts, sep)
	for len(parts) > 2 && columns(line) > n {
		parts = parts[:len(parts)-1]
		line = strings.Join(parts, sep)
	}
	line = cut(line, n, ellipsis)
	if s.ascii {
		line = plain(line)
	}
	return s.withBar(line, n)
}

func (s *Status) leftover(rate float64) string {
	return span(time.Duration(float64(s.total-s.done)/rate*float64(time.Second))) + " left"
}

// withBar puts a bar before the line where there is room for it.
func (s *Status) withBar(line string, n int) string {
	const cells = 12
	if s.total <= 0 || columns(line)+cells+1 > n {
		return line
	}
	full := min(cells, s.done*cells/s.total)
	done, rest := strings.Repeat("━", full), strings.Repeat("─", cells-full)
	if s.ascii {
		done, rest = strings.Repeat("#", full), strings.Repeat(".", cells-full)
	}
	if s.color {
		done, rest = "\x1b["+green+"m"+done+"\x1b[0m", "\x1b["+dim+"m"+rest+"\x1b[0m"
	}
	return done + rest + " " + line
}

// rate is items per second over the window; known only after a second of work.
func (s *Status) rate() (perSecond float64, known bool) {
	if len(s.samples) == 0 {
		return 0, false
	}
	first := s.samples[0]
	took := s.now().Sub(first.at).Seconds()
	if took < 1 || s.done <= first.done {
		return 0, false
	}
	return float64(s.done-first.done) / took, true
}

func perSecond(rate float64) string {
	if rate >= 9.95 {
		return fmt.Sprintf("%.0f/s", rate)
	}
	if rate >= .995 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.0f/min", rate*60)
}
