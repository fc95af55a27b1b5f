package report

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"io"

	"github.com/rung-dev/rung/internal/fill"
)

//go:embed page/page.html
var pageTemplate string

//go:embed page/page.css
var pageStyle string

//go:embed page/base.js
var baseScript string

//go:embed page/page.js
var pageScript string

// The style and the script are ours and stand in the page under a policy that allows these two and nothing else: no
// other script, no request to anywhere. Text from outside enters through the template, which escapes it, or as packed
// data, which the script shows as text.
const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
`

// HTML writes the report as one page that needs nothing else: it opens from a file, offline, and asks for no resource.
func HTML(ctx context.Context, w io.Writer, d *Details, src Source) error {
	return writePage(ctx, w, d, src, pageLimit)
}

// writtenRoom is what the written part of a page is expected to take, in bytes: its words, tables, pictures and recipes.
const writtenRoom = 300 << 10

// writePage keeps the page within about limit bytes, by leaving out completions.
func writePage(ctx context.Context, w io.Writer, d *Details, src Source, limit int) error {
	e, err := embed(ctx, d, src, limit-writtenRoom)
	if err != nil {
		return err
	}
	t, err := fill.Page("page", nil, pageTemplate)
	if err != nil {
		return fmt.Errorf("page template: %w", err)
	}
	v := newView(d, e)
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, pageHead, sourceHash(baseScript+pageScript), sourceHash(pageStyle), html.EscapeString(v.title()), pageStyle)
	if err := t.Execute(b, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	packed := func(id string, data []byte) {
		fmt.Fprintf(b, "<script type=\"application/gzip\" id=\"%s\">%s</script>\n", id, base64Of(data))
	}
	packed("index", e.index)
	for i, p := range e.pieces {
		packed(fmt.Sprintf("piece%d", i), p)
	}
	fmt.Fprintf(b, "<script>%s</script>\n</body>\n</html>\n", baseScript+pageScript)
	if err := b.Flush(); err != nil {
		return unwritten(err)
	}
	return nil
}

// sourceHash is how a content security policy names an inline script or style.
func sourceHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
