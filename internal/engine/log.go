package engine

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"
)

// logTail keeps the last lines of a server's log, for the error when it dies.
type logTail struct {
	each func(string) // may be nil

	mu    sync.Mutex
	lines []string
	// changed is closed and replaced at every line, so that a reader can wait for one.
	changed chan struct{}
	count   int // lines seen in all
}

const (
	logLines    = 200
	logLineSize = 1 << 20
)

func newLogTail(each func(string)) *logTail {
	return &logTail{each: each, changed: make(chan struct{})}
}

// follow reads lines to the end. A line of more than 1 MiB is cut, not an error: the log is not ours.
func (l *logTail) follow(r io.Reader) {
	br := bufio.NewReaderSize(r, 64<<10)
	var line strings.Builder
	for {
		part, err := br.ReadSlice('\n')
		if line.Len() < logLineSize {
			line.Write(part)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if text := strings.TrimRight(line.String(), "\r\n"); text != "" {
			l.add(text)
		}
		line.Reset()
		if err != nil {
			return
		}
	}
}

func (l *logTail) add(line string) {
	l.mu.Lock()
	l.lines = append(l.lines, line)
	if len(l.lines) > logLines {
		l.lines = append(l.lines[:0:0], l.lines[len(l.lines)-logLines:]...)
	}
	l.count++
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	if l.each != nil {
		l.each(line)
	}
}

// last is the last n lines.
func (l *logTail) last(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-n):], "\n")
}

// since is the lines after the first n ever seen that are still kept, how many were seen in all, and a channel that is
// closed when there are more.
func (l *logTail) since(n int) (lines []string, seen int, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := max(0, len(l.lines)-(l.count-n))
	return append([]string(nil), l.lines[min(from, len(l.lines)):]...), l.count, l.changed
}
