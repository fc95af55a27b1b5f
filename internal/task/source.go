package task

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// maxFile bounds a task or schema file. People write these by hand; a larger one is the wrong file.
const maxFile = 512 << 10

// pos is a place in a source: line and column count from 1, the column in characters.
type pos struct{ line, col int }

// source is the text of one file that a person wrote, kept so that an error can show the line it speaks of.
type source struct {
	name  string // as the user gave it
	text  string // without byte order mark, line ends are \n
	lines []string
}

// readSource reads a text file of bounded size and refuses what is no UTF-8 text.
func readSource(name, path string) (*source, *rung.Error) {
	raw, err := readBounded(path, maxFile)
	if err != nil {
		return nil, fileError(name, err)
	}
	return newSource(name, raw)
}

func newSource(name string, raw []byte) (*source, *rung.Error) {
	if bytes.HasPrefix(raw, []byte{0xff, 0xfe}) || bytes.HasPrefix(raw, []byte{0xfe, 0xff}) {
		return nil, &rung.Error{Code: rung.CodeInput, Place: name, What: "the file is UTF-16", Do: "save it as UTF-8"}
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	src := &source{name: name, text: string(raw)}
	src.lines = strings.Split(src.text, "\n")
	for i, line := range src.lines {
		if utf8.ValidString(line) && !strings.ContainsRune(line, 0) {
			continue
		}
		what, col := notText(line)
		return nil, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d:%d", name, i+1, col), What: what, Do: "save the file as UTF-8 text"}
	}
	return src, nil
}

// notText says why a line is no UTF-8 text, and in which column.
func notText(line string) (what string, col int) {
	col = 1
	for i, c := range line {
		if c == 0 {
			return "the file holds a zero byte", col
		}
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(line[i:]); size == 1 {
				return fmt.Sprintf("byte 0x%02x is not UTF-8", line[i]), col
			}
		}
		col++
	}
	return "the line is not UTF-8", 1
}

// err makes an error at p, with the line and a caret under the fault.
func (s *source) err(p pos, what, do string) *rung.Error {
	return &rung.Error{Code: rung.CodeInput, Place: s.place(p), What: what, Do: do, Excerpt: s.excerpt(p)}
}

func (s *source) place(p pos) string {
	return fmt.Sprintf("%s:%d:%d", s.name, p.line, p.col)
}

// excerptWidth keeps a minified schema from filling the screen.
const excerptWidth = 100

func (s *source) excerpt(p pos) string {
	if p.line < 1 || p.line > len(s.lines) {
		return ""
	}
	line := []rune(s.lines[p.line-1])
	col := min(max(p.col-1, 0), len(line))
	if start := col - excerptWidth/2; len(line) > excerptWidth && start > 0 {
		line, col = line[start:], col-start
	}
	if len(line) > excerptWidth {
		line = line[:excerptWidth]
	}
	var caret strings.Builder
	for _, c := range line[:min(col, len(line))] {
		if c == '\t' {
			caret.WriteByte('\t')
			continue
		}
		caret.WriteByte(' ')
	}
	return string(line) + "\n" + caret.String() + "^"
}

// offset turns a byte offset of the text into a position.
func (s *source) offset(off int64) pos {
	off = min(max(off, 0), int64(len(s.text)))
	before := s.text[:off]
	line := strings.Count(before, "\n")
	return pos{line + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1}
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errIsDir
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	if info.Size() > limit {
		return nil, errTooLarge{size: info.Size(), limit: limit}
	}
	return os.ReadFile(path)
}
