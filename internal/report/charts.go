package report

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
)

// drawing collects the marks of one SVG picture. Colours and strokes are classes of the page's style sheet, so that
// pictures follow its light and dark schemes; the strict policy of the page allows no style attributes.
type drawing struct {
	b    strings.Builder
	w, h float64
}

func newDrawing(w, h float64) *drawing { return &drawing{w: w, h: h} }

func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, px(x1), px(y1), px(x2), px(y2))
}

func (d *drawing) dot(class string, x, y, r float64) {
	fmt.Fprintf(&d.b, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`, class, px(x), px(y), px(r))
}

func (d *drawing) path(class string, points [][2]float64) {
	var p strings.Builder
	for i, pt := range points {
		p.WriteString(map[bool]string{true: "M", false: "L"}[i == 0] + px(pt[0]) + " " + px(pt[1]))
	}
	fmt.Fprintf(&d.b, `<path class="%s" d="%s"/>`, class, p.String())
}

// text is anchored at start, middle or end.
func (d *drawing) text(class, anchor string, x, y float64, s string) {
	fmt.Fprintf(&d.b, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, class, anchor, px(x), px(y), html.EscapeString(s))
}

// svg is the picture with its words for those who cannot see it; an empty title hides it from them, where a figure in
// the text already says the same.
func (d *drawing) svg(class, title string) template.HTML {
	head := fmt.Sprintf(`<svg class="%s" viewBox="0 0 %s %s"`, class, px(d.w), px(d.h))
	if title == "" {
		return template.HTML(head + ` aria-hidden="true" focusable="false">` + d.b.String() + `</svg>`)
	}
	t := html.EscapeString(title)
	return template.HTML(head + ` role="img" aria-label="` + t + `"><title>` + t + `</title>` + d.b.String() + `</svg>`)
}

// strip draws one interval on the common scale of the ladder, with the bar as a line.
func strip(iv rung.Interval, bar float64, s scale, class string) template.HTML {
	d := newDrawing(s.to+s.from, 26)
	mid := 13.0
	d.line("axis", s.from, mid, s.to, mid)
	d.line("bar", s.at(bar), 1, s.at(bar), 25)
	d.line("range "+class, s.at(iv.Low), mid, s.at(iv.High), mid)
	for _, end := range []float64{iv.Low, iv.High} {
		d.line("cap "+class, s.at(end), mid-4, s.at(end), mid+4)
	}
	d.dot("point "+class, s.at(iv.Value), mid, 5)
	return d.svg("strip", "")
}

// stripAxis is the scale under (or over) the strips.
func stripAxis(s scale, f figures) template.HTML {
	d := newDrawing(s.to+s.from, 16)
	for _, t := range s.ticks(4) {
		anchor := "middle"
		switch {
		case t == s.low:
			anchor = "start"
		case t == s.high:
			anchor = "end"
		}
		d.text("tick", anchor, s.at(t), 12, tickText(t, f))
	}
	return d.svg("strip", "")
}

func tickText(v float64, f figures) string {
	if v == 0 {
		return "0"
	}
	if v == 1 {
		return "1"
	}
	s := f.score(v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if !f.ascii {
		s = strings.Replace(s, "-", "−", 1)
	}
	return s
}

// difference draws a paired difference: zero as a line, the smallest gain worth having as a band to the right of which a
// difference matters.
func difference(c rung.Comparison, gain float64, s scale, class string) template.HTML {
	d := newDrawing(s.to+s.from, 26)
	mid := 13.0
	d.line("axis", s.from, mid, s.to, mid)
	d.line("zero", s.at(0), 1, s.at(0), 25)
	if gain > 0 {
		d.line("bar", s.at(gain), 1, s.at(gain), 25)
	}
	iv := c.Difference
	d.line("range "+class, s.at(iv.Low), mid, s.at(iv.High), mid)
	for _, end := range []float64{iv.Low, iv.High} {
		d.line("cap "+class, s.at(end), mid-4, s.at(end), mid+4)
	}
	d.dot("point "+class, s.at(iv.Value), mid, 5)
	return d.svg("strip", "")
}

// dotted is one candidate in the quality–cost picture.
type dotted struct {
	name  string
	score rung.Interval
	cost  float64
	class string
	bold  bool
}

// plane is a quality–cost picture: the score against one kind of cost.
type plane struct {
	title  string
	metric string
	unit   func(float64) string
	limit  float64 // of the bar on this cost; 0: none
	bar    float64
	dots   []dotted
}

// The measures of the plane; the left margin holds the tick labels of scores, the bottom those of costs.
const (
	planeW, planeH                          = 460, 300
	planeLeft, planeRight, planeTop, planeB = 40, 16, 14, 40
)

func (p plane) draw(f figures) template.HTML {
	d := newDrawing(planeW, planeH)
	var scores, costs []float64
	for _, t := range p.dots {
		scores = append(scores, t.score.High, t.score.Low)
		costs = append(costs, t.cost)
	}
	y := scoreScale(append(scores, p.bar), planeH-planeB, planeTop)
	if p.limit > 0 && len(costs) > 0 && p.limit < 3*maxOf(costs) {
		costs = append(costs, p.limit)
	}
	x := costScale(costs, planeLeft, planeW-planeRight)
	p.axes(d, x, y, f)
	for _, t := range p.dots {
		cx, cy := x.at(t.cost), y.at(t.score.Value)
		d.line("range "+t.class, cx, y.at(t.score.Low), cx, y.at(t.score.High))
		d.line("cap "+t.class, cx-4, y.at(t.score.Low), cx+4, y.at(t.score.Low))
		d.line("cap "+t.class, cx-4, y.at(t.score.High), cx+4, y.at(t.score.High))
		d.dot("point "+t.class, cx, cy, 6)
	}
	p.names(d, x, y, f)
	return d.svg("plane", p.words(f))
}

func maxOf(vs []float64) float64 {
	m := vs[0]
	for _, v := range vs {
		m = max(m, v)
	}
	return m
}

func (p plane) axes(d *drawing, x, y scale, f figures) {
	for _, t := range y.ticks(5) {
		d.line("grid", planeLeft, y.at(t), planeW-planeRight, y.at(t))
		d.text("tick", "end", planeLeft-6, y.at(t)+4, tickText(t, f))
	}
	for _, t := range x.ticks(5) {
		d.line("tickmark", x.at(t), planeH-planeB, x.at(t), planeH-planeB+4)
		d.text("tick", "middle", x.at(t), planeH-planeB+17, p.unit(t))
	}
	title := p.title
	if x.log {
		title += " (logarithmic)"
	}
	d.text("axistitle", "middle", (planeLeft+planeW-planeRight)/2, planeH-6, title)
	d.line("bar", planeLeft, y.at(p.bar), planeW-planeRight, y.at(p.bar))
	if p.limit > 0 && p.limit >= x.low && p.limit <= x.high {
		d.line("bar", x.at(p.limit), planeTop, x.at(p.limit), planeH-planeB)
		d.text("barlabel", "end", x.at(p.limit)-4, planeH-planeB-6, "limit "+p.unit(p.limit))
	}
}

// box is a place on the picture that something takes.
type box struct{ l, t, r, b float64 }

func (b box) meets(o box) bool { return b.l < o.r && o.l < b.r && b.t < o.b && o.t < b.b }

// place is where a text may stand.
type place struct {
	box    box
	anchor string
	x, y   float64
}

// shelf keeps texts from covering dots and each other.
type shelf struct {
	d     *drawing
	taken []box
}

// put writes s at the first place that is free; where none is, at none.
func (s *shelf) put(class, text string, places []place) {
	for _, p := range places {
		if p.box.l >= planeLeft && p.box.r <= planeW && !slices.ContainsFunc(s.taken, p.box.meets) {
			s.d.text(class, p.anchor, p.x, p.y, text)
			s.taken = append(s.taken, p.box)
			return
		}
	}
}

// names writes the bar's label, and each candidate's name beside its dot.
func (p plane) names(d *drawing, x, y scale, f figures) {
	s := &shelf{d: d}
	for _, t := range p.dots {
		cx := x.at(t.cost)
		s.taken = append(s.taken, box{cx - 7, min(y.at(t.score.High), y.at(t.score.Value)-7), cx + 7, max(y.at(t.score.Low), y.at(t.score.Value)+7)})
	}
	bar := y.at(p.bar)
	var places []place
	for _, dy := range []float64{-5, 13} {
		places = append(places, place{box{planeW - planeRight - 56, bar + dy - 11, planeW - planeRight, bar + dy + 3}, "end", planeW - planeRight, bar + dy},
			place{box{planeLeft, bar + dy - 11, planeLeft + 60, bar + dy + 3}, "start", planeLeft + 4, bar + dy})
	}
	s.put("barlabel", "bar "+f.of(p.metric).score(p.bar), places)
	s.taken = append(s.taken, box{planeLeft, bar - 1, planeW, bar + 1})
	for _, t := range p.dots {
		class := "name"
		if t.bold {
			class = "name chosen"
		}
		s.put(class, t.name, beside(x.at(t.cost), y.at(t.score.Value), 7.6*float64(len(t.name))))
	}
}

// beside are the places for a text of width w about a dot, the nearest first.
func beside(cx, cy, w float64) []place {
	var out []place
	for _, dy := range []float64{0, -10, 10, -14, 14, -28, 28, -42, 42} {
		out = append(out, place{box{cx + 9, cy - 8 + dy, cx + 11 + w, cy + 8 + dy}, "start", cx + 11, cy + 4 + dy},
			place{box{cx - 11 - w, cy - 8 + dy, cx - 9, cy + 8 + dy}, "end", cx - 11, cy + 4 + dy})
	}
	return out
}

func (p plane) words(f figures) string {
	var parts []string
	for _, t := range p.dots {
		parts = append(parts, fmt.Sprintf("%s %s at %s", t.name, f.of(p.metric).interval(t.score), p.unit(t.cost)))
	}
	return p.metric + " against " + p.title + ": " + strings.Join(parts, "; ")
}

// curve draws the learning curve of one rung.
func curve(name string, points []rung.CurvePoint, f figures) template.HTML {
	const w, h, leftEdge, rightEdge, top, bottom = 460.0, 240.0, 44.0, 20.0, 14.0, 40.0
	d := newDrawing(w, h)
	var values, counts []float64
	for _, p := range points {
		values = append(values, p.Value)
		counts = append(counts, float64(p.Examples))
	}
	y := scoreScale(values, h-bottom, top)
	x := scale{low: 0, high: maxOf(counts) * 1.02, from: leftEdge, to: w - rightEdge}
	for _, t := range y.ticks(4) {
		d.line("grid", leftEdge, y.at(t), w-rightEdge, y.at(t))
		d.text("tick", "end", leftEdge-6, y.at(t)+4, tickText(t, f))
	}
	for _, t := range x.ticks(5) {
		d.text("tick", "middle", x.at(t), h-bottom+17, count(int(t)))
	}
	var line [][2]float64
	for _, p := range points {
		line = append(line, [2]float64{x.at(float64(p.Examples)), y.at(p.Value)})
	}
	d.path("curve", line)
	var parts []string
	for i, p := range points {
		d.dot("point plain", line[i][0], line[i][1], 4.5)
		d.text("name", "middle", line[i][0], line[i][1]-10, f.score(p.Value))
		parts = append(parts, fmt.Sprintf("%s after %s", f.score(p.Value), plural(p.Examples, "example")))
	}
	d.text("axistitle", "middle", (leftEdge+w-rightEdge)/2, h-6, "train examples")
	return d.svg("plane", fmt.Sprintf("learning curve of %s, %s: %s", name, points[0].Unit, strings.Join(parts, "; ")))
}
