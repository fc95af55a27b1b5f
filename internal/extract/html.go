package extract

import (
	"context"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// parseHTML turns a page into Markdown and cuts that. What a reader of the page does not see (scripts, styles, comments,
// hidden elements) or does not read (navigation) is left out: it is noise at best, and at worst text planted for a model.
func parseHTML(ctx context.Context, path string, data []byte) (Document, error) {
	source, warnings, err := decode(path, data)
	if err != nil {
		return Document{}, err
	}
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		return Document{}, inputError(path, "the HTML cannot be parsed: "+err.Error(), "repair the document or convert it to Markdown")
	}
	title := prune(root)
	text, err := toMarkdown(ctx, root)
	if err != nil {
		return Document{}, inputError(path, "the HTML cannot be converted: "+err.Error(), "convert the document to Markdown")
	}
	doc := markdown(path, text)
	if title != "" {
		doc.Title = title
	}
	doc.Warnings = append(warnings, doc.Warnings...)
	return doc, nil
}

func toMarkdown(ctx context.Context, root *html.Node) (string, error) {
	// Nothing is escaped: the result is read by models and searched for answers, never rendered.
	conv := converter.NewConverter(
		converter.WithEscapeMode(converter.EscapeModeDisabled),
		converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin()))
	out, err := conv.ConvertNode(root, converter.WithContext(ctx))
	return string(out), err
}

// prune removes what is not text of the page, replaces links and images by their words, and returns the page's title.
func prune(n *html.Node) (title string) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case c.Type == html.CommentNode || c.Type == html.ElementNode && invisible(c):
			n.RemoveChild(c)
		case c.Type == html.ElementNode && c.DataAtom == atom.Title && c.Namespace == "":
			title = strings.Join(strings.Fields(words(c)), " ")
			n.RemoveChild(c)
		case c.Type == html.ElementNode && c.DataAtom == atom.Img:
			n.InsertBefore(&html.Node{Type: html.TextNode, Data: attribute(c, "alt")}, c)
			n.RemoveChild(c)
		default:
			if t := prune(c); title == "" {
				title = t
			}
			if c.Type == html.ElementNode && c.DataAtom == atom.A {
				unwrap(n, c)
			}
		}
		c = next
	}
	return title
}

func invisible(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Nav, atom.Iframe, atom.Object, atom.Embed, atom.Svg,
		atom.Canvas, atom.Button, atom.Select, atom.Input, atom.Textarea:
		return true
	}
	for _, a := range n.Attr {
		style := strings.ToLower(strings.ReplaceAll(a.Val, " ", ""))
		switch {
		case a.Key == "hidden", a.Key == "aria-hidden" && a.Val == "true":
			return true
		case a.Key == "style" && (strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden")):
			return true
		}
	}
	return false
}

func unwrap(parent, n *html.Node) {
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		parent.InsertBefore(c, n)
	}
	parent.RemoveChild(n)
}

func words(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(words(c))
	}
	return b.String()
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
