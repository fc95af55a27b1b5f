// Package extract turns document files into text with structure and positions: Markdown, HTML, plain text and PDF.
//
// The files come from anywhere, so they are treated as hostile: size is capped before reading, nesting is bounded, invalid
// UTF-8 is repaired and reported, and every step ends when the context does. PDF is read inside a WebAssembly sandbox that
// sees no file system.
package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

// Document is the text of one file. Its sections are in order and do not overlap; Text[s.Start:s.End] is the text of a section.
type Document struct {
	Path     string    `json:"path"`  // relative to the task, with forward slashes
	Title    string    `json:"title"` // from front matter, the first heading or the file's own title; else the file name
	Text     string    `json:"text"`  // valid UTF-8 with \n line ends
	Sections []Section `json:"sections"`
	Warnings []string  `json:"warnings,omitempty"` // what was repaired or left out, for a person
	Groups   []string  `json:"groups,omitempty"`   // who may read it, filled in by the caller; empty: everybody
}

// Section is the text under one heading, without the heading line itself.
type Section struct {
	Heading string `json:"heading,omitempty"` // the path of headings, such as "Leave > Parental leave"
	Text    string `json:"text"`
	Start   int    `json:"start"` // byte offsets in the document's Text
	End     int    `json:"end"`
}

// Limits bound what one file may cost. Zero values mean the defaults.
type Limits struct {
	Bytes int64         // of the file; default 16 MiB
	Text  int           // bytes of extracted text; default 8 MiB
	Pages int           // of a PDF; default 2,000
	Time  time.Duration // for parsing; default 2 minutes
}

func (l Limits) filled() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 16 << 20
	}
	if l.Text <= 0 {
		l.Text = 8 << 20
	}
	if l.Pages <= 0 {
		l.Pages = 2000
	}
	if l.Time <= 0 {
		l.Time = 2 * time.Minute
	}
	return l
}

// Extractor reads files. It is safe for concurrent use. Close releases the PDF sandbox, if one was started.
type Extractor struct {
	limits Limits
	mu     sync.Mutex
	pdf    *pdfEngine
}

// New makes an extractor.
func New(limits Limits) *Extractor { return &Extractor{limits: limits.filled()} }

// Close releases what the extractor holds. It may be used again afterwards.
func (x *Extractor) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pdf == nil {
		return nil
	}
	engine := x.pdf
	x.pdf = nil
	return engine.close()
}

// File reads one file. dir is the task's directory; the document's path is relative to it. Errors are *rung.Error with the
// code input, or the context's error.
func (x *Extractor) File(ctx context.Context, dir, file string) (Document, error) {
	path := relative(dir, file)
	data, err := x.read(file, path)
	if err != nil {
		return Document{}, err
	}
	return x.Bytes(ctx, path, data)
}

// Bytes is File for content that is already in memory. The extension of path says what it is.
func (x *Extractor) Bytes(ctx context.Context, path string, data []byte) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	if int64(len(data)) > x.limits.Bytes {
		return Document{}, tooLarge(path, x.limits.Bytes)
	}
	parse, err := x.parser(path)
	if err != nil {
		return Document{}, err
	}
	limited, cancel := context.WithTimeout(ctx, x.limits.Time)
	defer cancel()
	doc, err := within(limited, func() (Document, error) { return parse(limited, path, data) })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return Document{}, inputError(path, "the document could not be parsed in "+x.limits.Time.String(), "split it, or convert it to Markdown")
	}
	if err != nil {
		return Document{}, placed(err, path)
	}
	if len(doc.Text) > x.limits.Text {
		return Document{}, inputError(path, fmt.Sprintf("its text is larger than %s", size(int64(x.limits.Text))), "split the document")
	}
	if doc.Title == "" {
		doc.Title = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	return doc, nil
}

type parseFunc func(ctx context.Context, path string, data []byte) (Document, error)

// Extensions are the file name endings that can be read, in lower case.
var Extensions = []string{".md", ".markdown", ".txt", ".text", ".html", ".htm", ".pdf"}

func (x *Extractor) parser(path string) (parseFunc, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".md", ".markdown":
		return parseMarkdown, nil
	case ".txt", ".text":
		return parseText, nil
	case ".html", ".htm":
		return parseHTML, nil
	case ".pdf":
		return x.parsePDF, nil
	}
	return nil, inputError(path, "this kind of document cannot be read", "convert it to one of "+strings.Join(Extensions, ", "))
}

func (x *Extractor) read(file, path string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fileError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, inputError(path, "is not a regular file", "leave it out of documents")
	}
	if info.Size() > x.limits.Bytes {
		return nil, tooLarge(path, x.limits.Bytes)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer func() { _ = f.Close() }()
	// The file may grow between Stat and Read: one byte over the cap tells.
	data, err := io.ReadAll(io.LimitReader(f, x.limits.Bytes+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	return data, nil
}

// within runs a parser that cannot be interrupted and stops waiting for it when ctx ends. The parser works on capped input,
// so what is left behind ends soon. A panic in a parser of somebody else's becomes an error about the file.
func within(ctx context.Context, parse func() (Document, error)) (Document, error) {
	type result struct {
		doc Document
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r = result{err: &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("the document cannot be parsed (%v)", p),
					Do: "repair the document or convert it to Markdown"}}
			}
			done <- r
		}()
		r.doc, r.err = parse()
	}()
	select {
	case r := <-done:
		return r.doc, r.err
	case <-ctx.Done():
		return Document{}, ctx.Err()
	}
}

// placed fills in the place of an error that has none.
func placed(err error, path string) error {
	var e *rung.Error
	if errors.As(err, &e) && e.Place == "" {
		e.Place = path
	}
	return err
}

func relative(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(file)
}

func inputError(place, what, do string) *rung.Error {
	return &rung.Error{Code: rung.CodeInput, Place: place, What: what, Do: do}
}

func tooLarge(place string, limit int64) *rung.Error {
	return inputError(place, "the document is larger than "+size(limit), "split the document")
}

func fileError(place string, err error) *rung.Error {
	what := "cannot be read: " + err.Error()
	if errors.Is(err, os.ErrNotExist) {
		what = "there is no such document"
	}
	return &rung.Error{Code: rung.CodeInput, Place: place, What: what, Do: "correct documents in the task file", Err: err}
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
