package extract

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

// Whatever the bytes, there is either a document whose sections lie where they say, or an error about the input.
func fuzz(f *testing.F, path string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	x := New(Limits{Bytes: 1 << 20})
	if path == "a.pdf" { // compiling the sandbox may take longer than the ten seconds that one input has
		if _, err := x.engine(); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		doc, err := x.Bytes(ctx, path, data)
		if err != nil {
			if rung.CodeOf(err) != rung.CodeInput || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%d bytes: %v", len(data), err)
			}
			return
		}
		checkPositions(t, doc)
	})
}

func FuzzMarkdown(f *testing.F) {
	fuzz(f, "a.md", "# A\ntext\n## B\n- x\n", "---\ntitle: x\n---\nA\n===\n", "<!-- a\n-->b\n# c", "> # q\n", "#\n", "\t# a\r\n")
}

func FuzzHTML(f *testing.F) {
	fuzz(f, "a.html", "<h1>A</h1><p>b<table><tr><td>c", "<a><a><img alt=x>", "<title>x</title><svg><title>y</title>", "<pre># x")
}

func FuzzText(f *testing.F) {
	fuzz(f, "a.txt", "abc\xff", "\xff\xfea\x00", "\xef\xbb\xbfx")
}

func FuzzPDF(f *testing.F) {
	fuzz(f, "a.pdf", string(minimalPDF("x")), "%PDF-1.4\n")
}
