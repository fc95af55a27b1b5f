package extract

import (
	"bytes"
	"context"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// maxNesting bounds quotes and lists inside each other. Deeper files are read by lines instead of by the parser, which
// recurses once per level.
const maxNesting = 100

// maxHeading bounds the bytes of one heading that are looked at.
const maxHeading = 400

func parseMarkdown(_ context.Context, path string, data []byte) (Document, error) {
	source, warnings, err := decode(path, data)
	if err != nil {
		return Document{}, err
	}
	doc := markdown(path, source)
	doc.Warnings = append(warnings, doc.Warnings...)
	return doc, nil
}

// markdown cuts Markdown at its headings. The text stays as it is written, without front matter and comments: tables and
// lists read well to a model as they are, and an answer can be found in it word by word.
func markdown(path, source string) Document {
	title, source := frontMatter(source)
	doc := Document{Path: path, Title: title}
	var headings []heading
	var cuts []span
	if nesting(source) > maxNesting {
		doc.Warnings = append(doc.Warnings, "quotes or lists are nested too deep; only lines that start with # were taken as headings")
		headings = headingLines(source)
	} else {
		headings, cuts = blocks([]byte(source))
	}
	doc.Text, headings = without(source, cuts, headings)
	doc.sections(headings)
	if doc.Title == "" && len(headings) > 0 {
		doc.Title = headings[0].text
	}
	return doc
}

type span struct{ start, end int }

// heading is one heading and the bytes of its line or lines.
type heading struct {
	span
	level int
	text  string
}

// sections cuts the document's text at the headings.
func (d *Document) sections(headings []heading) {
	first := len(d.Text)
	if len(headings) > 0 {
		first = headings[0].start
	}
	d.add("", 0, first)
	var open []heading
	for i, h := range headings {
		for len(open) > 0 && open[len(open)-1].level >= h.level {
			open = open[:len(open)-1]
		}
		open = append(open, h)
		end := len(d.Text)
		if i+1 < len(headings) {
			end = headings[i+1].start
		}
		d.add(headingPath(open), h.end, end)
	}
}

func headingPath(open []heading) string {
	parts := make([]string, 0, len(open))
	for _, h := range open {
		if h.text != "" {
			parts = append(parts, h.text)
		}
	}
	return strings.Join(parts, " > ")
}

// Two parsers: the block parser finds headings and comments; inline markup is parsed inside headings alone, because nothing
// else needs it and hostile text can make it slow.
func blockParser() parser.Parser {
	return parser.NewParser(parser.WithBlockParsers(parser.DefaultBlockParsers()...))
}

func inlineParser() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(util.Prioritized(parser.NewParagraphParser(), 1000)),
		parser.WithInlineParsers(parser.DefaultInlineParsers()...))
}

func blocks(source []byte) (headings []heading, comments []span) {
	root := blockParser().Parse(text.NewReader(source))
	inline := inlineParser()
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			if n.Lines().Len() > 0 {
				headings = append(headings, headingAt(source, n, inline))
			}
		case *ast.HTMLBlock:
			if n.HTMLBlockType == ast.HTMLBlockType2 {
				comments = append(comments, commentAt(source, n))
			}
		}
	}
	return headings, comments
}

func headingAt(source []byte, n *ast.Heading, inline parser.Parser) heading {
	lines := n.Lines()
	first, last := lines.At(0), lines.At(lines.Len()-1)
	start := lineStart(source, first.Start)
	end := lineEnd(source, max(last.Start, last.Stop-1))
	if !bytes.HasPrefix(bytes.TrimLeft(source[start:], " "), []byte("#")) {
		end = lineEnd(source, end) // a setext heading has its underline on the next line
	}
	content := n.Lines().Value(source)
	return heading{span: span{start, end}, level: n.Level, text: plain(inline, content)}
}

// plain is the text of a heading without emphasis, code marks and link targets.
func plain(inline parser.Parser, content []byte) string {
	content = bytes.Join(bytes.Fields(content), []byte(" "))
	if len(content) > maxHeading {
		content = bytes.ToValidUTF8(content[:maxHeading], nil)
	}
	var b strings.Builder
	root := inline.Parse(text.NewReader(content))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(util.UnescapePunctuations(n.Value(content)))
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(content))
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(string(util.ResolveEntityNames(util.ResolveNumericReferences([]byte(b.String())))))
}

func commentAt(source []byte, n *ast.HTMLBlock) span {
	lines := n.Lines()
	if lines.Len() == 0 {
		return span{}
	}
	end := lines.At(lines.Len() - 1).Stop
	if n.HasClosure() {
		end = max(end, n.ClosureLine.Stop)
	}
	block := span{lineStart(source, lines.At(0).Start), end}
	// Text after the comment's end on its last line stays.
	if i := bytes.LastIndex(source[block.start:block.end], []byte("-->")); i >= 0 {
		block.end = block.start + i + len("-->")
	}
	return block
}

// without removes the cuts from the source and moves the headings to where they are now.
func without(source string, cuts []span, headings []heading) (string, []heading) {
	if len(cuts) == 0 {
		return source, headings
	}
	var b strings.Builder
	at, removed, h := 0, 0, 0
	for _, cut := range append(cuts, span{len(source), len(source)}) {
		for ; h < len(headings) && headings[h].start < cut.start; h++ {
			headings[h].start -= removed
			headings[h].end -= removed
		}
		b.WriteString(source[at:cut.start])
		removed += cut.end - cut.start
		at = cut.end
	}
	return b.String(), headings
}

func lineStart(source []byte, at int) int {
	return bytes.LastIndexByte(source[:min(at, len(source))], '\n') + 1
}

// lineEnd is the offset after the line break of the line that holds at.
func lineEnd(source []byte, at int) int {
	if at >= len(source) {
		return len(source)
	}
	if i := bytes.IndexByte(source[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(source)
}

// nesting bounds from above how deep quotes and lists can be nested: by the marks and the indentation at the start of a line.
func nesting(source string) int {
	deepest := 0
	for line := range strings.Lines(source) {
		depth := 0 // in columns: the narrowest level takes two, save for quotes
		for i := 0; i < len(line) && depth < 2*maxNesting+2 && strings.IndexByte(" \t>-*+.)0123456789", line[i]) >= 0; i++ {
			switch c := line[i]; {
			case c == '\t':
				depth += 4
			case c == '>':
				depth += 2
			case c == ' ':
				depth++
			case c < '0' && strings.HasPrefix(line[i+1:], " "):
				depth++ // with its space, a list mark is two columns; a rule such as ----- is no list
			}
		}
		deepest = max(deepest, depth/2)
	}
	return deepest
}

// headingLines finds ATX headings line by line, for files that the parser is not trusted with.
func headingLines(source string) []heading {
	var out []heading
	at := 0
	for line := range strings.Lines(source) {
		mark := len(line) - len(strings.TrimLeft(line, "#"))
		if mark >= 1 && mark <= 6 && strings.HasPrefix(line[mark:], " ") {
			name := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(line[mark:]), "#"))
			if len(name) > maxHeading {
				name = strings.ToValidUTF8(name[:maxHeading], "")
			}
			out = append(out, heading{span: span{at, at + len(line)}, level: mark, text: name})
		}
		at += len(line)
	}
	return out
}

// frontMatter takes a YAML block between --- lines off the head of the file and returns its title.
func frontMatter(source string) (title, rest string) {
	if !strings.HasPrefix(source, "---\n") {
		return "", source
	}
	end := strings.Index(source[4:], "\n---\n")
	if end < 0 || end > 16<<10 {
		return "", source
	}
	block := source[4 : 4+end]
	for line := range strings.Lines(block) {
		// A line with neither colon, indent, list mark nor comment is prose between two rules, not front matter.
		trimmed := strings.TrimRight(line, "\n ")
		if trimmed != "" && !strings.ContainsRune(trimmed, ':') && !strings.ContainsAny(trimmed[:1], " \t-#") {
			return "", source
		}
		if value, ok := strings.CutPrefix(trimmed, "title:"); ok {
			title = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return title, source[4+end+len("\n---\n"):]
}
