package charset

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// Line is a line of a text file, or a piece of a line that is longer than what was asked for.
type Line struct {
	Raw     []byte // as it stood in the file, without the line feed; of UTF-16 and other encodings, decoded. Valid until the next
	Text    []byte // UTF-8
	Number  int    // from 1
	More    bool   // the line goes on in the next piece
	Repairs []Repair
}

// Lines reads a text file line by line.
type Lines struct {
	r        *bufio.Reader
	name     string
	max      int
	number   int
	more     bool
	buf      []byte
	replaced bool // decoded by a decoder that puts U+FFFD in the place of what it cannot read
	high     int  // lines with characters that are not ASCII: as they should be, and in another encoding
	odd      int
	returns  bool
}

// NewLines begins to read. name is the encoding, "" finds it; pieces of lines are at most max bytes long. The error is *Unclear when the
// encoding cannot be found.
func NewLines(r io.Reader, name string, max int) (*Lines, error) {
	in := bufio.NewReaderSize(r, 256<<10)
	head, err := in.Peek(Head)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	guess := Guess{Name: name}
	if name == "" {
		if guess, err = Detect(head, len(head) < Head); err != nil {
			return nil, err
		}
	} else if marked, err := Detect(head, false); err == nil && marked.Name == name {
		guess.Mark = marked.Mark
	}
	if _, err := in.Discard(guess.Mark); err != nil {
		return nil, err
	}
	l := &Lines{r: in, name: guess.Name, max: max}
	dec, err := decoder(guess.Name)
	if err != nil {
		return nil, err
	}
	if dec != nil {
		l.r, l.replaced = bufio.NewReaderSize(transform.NewReader(in, dec), 256<<10), true
	}
	if head, _ = l.r.Peek(Head); bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		l.r, l.returns = bufio.NewReaderSize(&returnsAsFeeds{l.r}, 256<<10), true
	}
	return l, nil
}

// returnsAsFeeds reads the line ends of old Macs.
type returnsAsFeeds struct{ r io.Reader }

func (m *returnsAsFeeds) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// Peek gives the first bytes as text, for finding out what they are. They are read again.
func (l *Lines) Peek() []byte {
	head, _ := l.r.Peek(Head)
	out, _ := Fix(wholeLines(head), l.name)
	return out
}

// Encoding is the encoding of what was read so far.
func (l *Lines) Encoding() string {
	if l.name == UTF8 && l.odd > 0 && l.high == 0 {
		return Windows1252
	}
	return l.name
}

// Returns says that lines end with a carriage return alone.
func (l *Lines) Returns() bool { return l.returns }

// Next reads the next line, or piece of a line. The error is io.EOF at the end.
func (l *Lines) Next() (Line, error) {
	if !l.more {
		l.number++
	}
	raw, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		raw, err = l.long(raw)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return Line{}, err
	}
	if len(raw) == 0 && err != nil {
		return Line{}, err
	}
	line := Line{Number: l.number, More: raw[len(raw)-1] != '\n' && err == nil}
	l.more = line.More
	line.Raw = bytes.TrimSuffix(raw, []byte("\n"))
	l.fix(&line)
	return line, nil
}

// long collects a line that is longer than the buffer, up to max bytes and to the end of a character.
func (l *Lines) long(raw []byte) ([]byte, error) {
	l.buf = append(l.buf[:0], raw...)
	for len(l.buf) < l.max {
		raw, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, raw...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.buf, err
		}
	}
	for range utf8.UTFMax { // so that no character is cut in two
		next, err := l.r.Peek(1)
		if err != nil || utf8.RuneStart(next[0]) {
			break
		}
		l.buf = append(l.buf, next[0])
		_, _ = l.r.Discard(1) // it was peeked
	}
	return l.buf, nil
}

func (l *Lines) fix(line *Line) {
	line.Text, line.Repairs = Fix(line.Raw, l.name)
	if l.replaced {
		if at := bytes.Index(line.Text, []byte("\ufffd")); at >= 0 {
			line.Repairs = append(line.Repairs, repair(Invalid, line.Raw, line.Text, at))
		}
		return
	}
	switch {
	case len(line.Repairs) == 0:
		if l.name == UTF8 && hasHigh(line.Text) {
			l.high++
		}
	case line.Repairs[len(line.Repairs)-1].Kind == Latin:
		l.odd++
	default:
		l.high++
	}
}
