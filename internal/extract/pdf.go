package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klippa-app/go-pdfium"
	pdferrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
)

// pdfMemoryPages bounds the sandbox's memory, in pages of 64 KiB: 512 MiB.
const pdfMemoryPages = 8192

// pdfEngine is PDFium in a WebAssembly sandbox without file system, network or more than its memory.
type pdfEngine struct{ pool pdfium.Pool }

func startPDF() (*pdfEngine, error) {
	pool, err := webassembly.Init(webassembly.Config{
		MaxIdle: 1, MaxTotal: 2,
		// Without an own FSConfig the library would mount the whole root.
		FSConfig:      wazero.NewFSConfig(),
		RuntimeConfig: wazero.NewRuntimeConfig().WithMemoryLimitPages(pdfMemoryPages),
		Stdout:        io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, err
	}
	return &pdfEngine{pool: pool}, nil
}

func (e *pdfEngine) close() error { return e.pool.Close() }

// engine starts PDFium on first use: compiling it takes about a second, which no other command should pay.
func (x *Extractor) engine() (*pdfEngine, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pdf == nil {
		engine, err := startPDF()
		if err != nil {
			return nil, fmt.Errorf("the PDF reader did not start: %w", err)
		}
		x.pdf = engine
	}
	return x.pdf, nil
}

// forget drops an engine that is stuck in a hostile file, so that the next file gets a fresh one. The library has no working
// way to stop a call from outside; the stuck one holds at most its sandbox's memory until the process ends.
func (x *Extractor) forget(engine *pdfEngine) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pdf == engine {
		x.pdf = nil
	}
}

// parsePDF makes one section per page. Page headings are "page 3", so that a citation names the page.
func (x *Extractor) parsePDF(ctx context.Context, path string, data []byte) (Document, error) {
	engine, err := x.engine()
	if err != nil {
		return Document{}, err
	}
	doc, err := within(ctx, func() (Document, error) { return engine.document(ctx, path, data, x.limits) })
	if ctx.Err() != nil {
		x.forget(engine)
	}
	return doc, err
}

func (e *pdfEngine) document(ctx context.Context, path string, data []byte, limits Limits) (Document, error) {
	instance, err := e.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return Document{}, err
	}
	defer func() { _ = instance.Close() }()
	opened, err := instance.OpenDocument(&requests.OpenDocument{File: &data})
	if err != nil {
		return Document{}, pdfError(path, err)
	}
	count, err := instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: opened.Document})
	if err != nil {
		return Document{}, pdfError(path, err)
	}
	if count.PageCount > limits.Pages {
		return Document{}, inputError(path, fmt.Sprintf("the PDF has %d pages, more than %d", count.PageCount, limits.Pages), "split the document")
	}
	doc := Document{Path: path, Title: pdfTitle(instance, opened.Document)}
	for page := range count.PageCount {
		if err := ctx.Err(); err != nil {
			return Document{}, err
		}
		doc.page(instance, opened.Document, page)
		if len(doc.Text) > limits.Text {
			break // Bytes says that it is too large
		}
	}
	if len(doc.Sections) == 0 {
		return Document{}, inputError(path, "the PDF has no text, only pictures", "run text recognition over it first")
	}
	return doc, nil
}

// page appends the text of one page, counted from 0. A page that cannot be read is a warning, not the end of the document.
func (d *Document) page(instance pdfium.Pdfium, ref references.FPDF_DOCUMENT, page int) {
	res, err := instance.GetPageText(&requests.GetPageText{
		Page: requests.Page{ByIndex: &requests.PageByIndex{Document: ref, Index: page}}})
	if err != nil {
		d.Warnings = append(d.Warnings, fmt.Sprintf("page %d cannot be read: %v", page+1, err))
		return
	}
	text, _ := repair([]byte(res.Text))
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	// PDFium marks a hyphen at a line's end by U+FFFE (older: U+0002): the word goes on.
	text = strings.NewReplacer("\ufffe\n", "", "\x02\n", "", "\ufffe", "", "\x02", "").Replace(text)
	text, _ = dropControls(text)
	if d.Text != "" {
		d.Text += "\n\n"
	}
	start := len(d.Text)
	d.Text += text
	d.add(fmt.Sprintf("page %d", page+1), start, len(d.Text))
}

func pdfTitle(instance pdfium.Pdfium, ref references.FPDF_DOCUMENT) string {
	res, err := instance.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: ref, Tag: "Title"})
	if err != nil {
		return ""
	}
	title, _ := repair([]byte(res.Value))
	title, _ = dropControls(title)
	return strings.TrimSpace(title)
}

func pdfError(path string, err error) error {
	if errors.Is(err, pdferrors.ErrPassword) {
		return inputError(path, "the PDF needs a password", "save it without one")
	}
	return inputError(path, "the PDF cannot be read: "+err.Error(), "repair the document or convert it to Markdown")
}
