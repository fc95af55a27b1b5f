package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
)

// terminalRater asks one person in a terminal. Where standard input is a terminal, single keys answer; otherwise lines do.
type terminalRater struct {
	s       *settings
	session *rating.Session
	lines   *bufio.Reader
	raw     *os.File // nil: lines
	width   int
	color   bool
	comment string
	now     func() time.Time
}

func (s *settings) rateInTerminal(ctx context.Context, session *rating.Session) error {
	width, color := report.Look(s.Out)
	t := &terminalRater{s: s, session: session, lines: bufio.NewReader(s.In), width: min(width, 160), color: color, now: time.Now}
	if f, ok := s.keyboard(); ok {
		t.raw = f
	}
	state, err := session.State(ctx)
	if err != nil {
		return err
	}
	for state != nil && ctx.Err() == nil {
		if state.Question == nil {
			if state, err = t.atEnd(ctx, state); err != nil || state == nil {
				return t.ended(err)
			}
			continue
		}
		if state, err = t.ask(ctx, state); err != nil || state == nil {
			return t.ended(err)
		}
	}
	return context.Cause(ctx)
}

// errQuit says that the person had enough.
var errQuit = errors.New("quit")

func (t *terminalRater) ended(err error) error {
	if errors.Is(err, errQuit) || errors.Is(err, io.EOF) || err == nil {
		fmt.Fprintln(t.s.Out, "Everything is kept; the same command goes on here.")
		return nil
	}
	return err
}

// atEnd says that nothing is left, or offers the skipped items again.
func (t *terminalRater) atEnd(ctx context.Context, state *rating.State) (*rating.State, error) {
	fmt.Fprintf(t.s.Out, "Nothing is left: %d rated, %d skipped.\n", state.Done, state.Skipped)
	if state.Skipped == 0 {
		return nil, nil
	}
	fmt.Fprint(t.s.Out, "r: the skipped ones again · u: undo · q: quit ")
	for {
		switch key, err := t.key(); {
		case err != nil:
			return nil, err
		case key == "r":
			return t.session.Again(ctx)
		case key == "u":
			return t.session.Undo(ctx)
		case key == "q":
			return nil, errQuit
		}
	}
}

// ask shows one item until it is rated, skipped or left.
func (t *terminalRater) ask(ctx context.Context, state *rating.State) (*rating.State, error) {
	t.show(state)
	t.comment = ""
	if b := state.Question.Before; b != nil {
		t.comment = b.Comment
	}
	said := rating.Said{Item: state.Question.Item, Values: map[string]int{}}
	if b := state.Question.Before; b != nil {
		said.Modes = b.Modes
	}
	begun := t.now()
	for {
		t.prompt(state, &said)
		key, err := t.key()
		if err != nil {
			return nil, err
		}
		done, next, err := t.act(ctx, state, key, &said)
		if err != nil || next != nil {
			return next, err
		}
		if done {
			said.Comment, said.Seconds = t.comment, t.now().Sub(begun).Seconds()
			next, err := t.session.Rate(ctx, said)
			if refused := new(rung.Error); state.Form != nil && errors.As(err, &refused) && refused.Code == rung.CodeUsage {
				fmt.Fprintln(t.s.Out, t.paragraph("not kept: "+refused.What))
				continue
			}
			if err == nil {
				fmt.Fprintln(t.s.Out, "saved")
			}
			return next, err
		}
	}
}

// act does what a key stands for: done when the item is answered, next when another is shown in its place.
func (t *terminalRater) act(ctx context.Context, state *rating.State, key string, said *rating.Said) (done bool, next *rating.State, err error) {
	switch key {
	case "q":
		return false, nil, errQuit
	case "u":
		if !state.CanUndo {
			fmt.Fprintln(t.s.Out, "there is nothing to undo")
			return false, nil, nil
		}
		next, err = t.session.Undo(ctx)
		return false, next, err
	case "s":
		said.Skipped = true
		return true, nil, nil
	case "c":
		t.comment, err = t.line("comment: ")
		return false, nil, err
	}
	if state.Form != nil {
		done, err = t.label(ctx, state, key, said)
		return done, nil, err
	}
	if state.Kind == rung.Pairwise {
		choice, ok := map[string]string{"1": "left", "2": "right", "0": "tie", "=": "tie"}[key]
		if ok = ok && (choice != "tie" || state.Ties); ok {
			said.Choice = choice
		}
		return ok, nil, nil
	}
	if i := nextCriterion(state, said.Values); len(key) == 1 && key[0] >= '1' && key[0] <= '5' {
		said.Values[state.Criteria[i].Name] = int(key[0] - '0')
	} else if key == "\x7f" || key == "b" {
		if i := len(said.Values); i > 0 {
			delete(said.Values, state.Criteria[i-1].Name)
		}
	}
	return len(said.Values) == len(state.Criteria), nil, nil
}

// nextCriterion is the first that has no value.
func nextCriterion(state *rating.State, values map[string]int) int {
	return max(0, slices.IndexFunc(state.Criteria, func(c rung.Criterion) bool { return values[c.Name] == 0 }))
}

func (t *terminalRater) show(state *rating.State) {
	q, out := state.Question, t.s.Out
	fmt.Fprintf(out, "\n%s\n%s\n", t.bold(fmt.Sprintf("── %d of %d rated · %s ", state.Done, state.Total, state.Queue)), t.paragraph(state.Ask))
	for _, in := range q.Input {
		if in.Name != "" {
			fmt.Fprintln(out, t.bold(report.Line(in.Name, t.width)))
		}
		fmt.Fprintln(out, t.paragraph(in.Text))
	}
	if q.Reference != "" {
		fmt.Fprintf(out, "%s\n%s\n", t.bold("Expected output"), t.paragraph(q.Reference))
	}
	for _, h := range q.Heard {
		fmt.Fprintln(out, t.paragraph("a rater said: "+heardText(h, state.Criteria)))
	}
	if b := q.Before; b != nil {
		fmt.Fprintln(out, t.paragraph("you said: "+heardText(rating.Heard{Choice: b.Choice, Values: b.Values, Text: b.Text, Modes: b.Modes, Comment: b.Comment}, state.Criteria)))
	}
	const narrow = 110
	fmt.Fprintln(out)
	switch {
	case len(q.Answers) == 0:
	case len(q.Answers) == 1:
		head := "Answer"
		if state.Form != nil && !state.Form.Review {
			head = "Answer that was given"
		}
		fmt.Fprintf(out, "%s\n%s\n", t.bold(head), t.paragraph(q.Answers[0]))
	case t.width >= narrow:
		half := (t.width - 3) / 2
		fmt.Fprintln(out, t.bold(report.Beside("1  Left", "2  Right", half)[0]))
		fmt.Fprintln(out, strings.Join(report.Beside(q.Answers[0], q.Answers[1], half), "\n"))
	default:
		fmt.Fprintf(out, "%s\n%s\n\n%s\n%s\n", t.bold("1  Left"), t.paragraph(q.Answers[0]), t.bold("2  Right"), t.paragraph(q.Answers[1]))
	}
	fmt.Fprintln(out)
}

func heardText(h rating.Heard, criteria []rung.Criterion) string {
	text := h.Choice + h.Text
	if len(h.Modes) > 0 {
		text += " [" + strings.Join(h.Modes, ", ") + "]"
	}
	for _, c := range criteria {
		text += fmt.Sprintf("%s %d ", c.Name, h.Values[c.Name])
	}
	if h.Comment != "" {
		text += ": " + h.Comment
	}
	return text
}

func (t *terminalRater) prompt(state *rating.State, said *rating.Said) {
	values := said.Values
	rest := "s skip · c comment · u undo · q quit"
	if state.Form != nil {
		t.labelPrompt(state, said, rest)
		return
	}
	if state.Kind == rung.Pairwise {
		ties := ""
		if state.Ties {
			ties = " · 0 equal"
		}
		fmt.Fprintf(t.s.Out, "1 left · 2 right%s · %s > ", ties, rest)
		return
	}
	c := state.Criteria[nextCriterion(state, values)]
	fmt.Fprintf(t.s.Out, "%s: %s\n", t.bold(c.Name), report.Line(c.Question, t.width))
	for v := 1; v <= 5; v++ {
		if a := c.Anchors[v]; a != "" {
			fmt.Fprintf(t.s.Out, "  %d  %s\n", v, report.Line(a, t.width-5))
		}
	}
	fmt.Fprintf(t.s.Out, "1 to 5 · b back · %s > ", rest)
}

func (t *terminalRater) paragraph(s string) string {
	return strings.Join(report.Paragraph(s, t.width), "\n")
}

func (t *terminalRater) bold(s string) string {
	if t.color {
		return "\x1b[1m" + s + "\x1b[0m"
	}
	return s
}

// key reads one key, or a line's first word. Ctrl-C and Ctrl-D quit.
func (t *terminalRater) key() (string, error) {
	if t.raw == nil {
		return t.line("")
	}
	old, err := term.MakeRaw(int(t.raw.Fd()))
	if err != nil {
		return t.line("")
	}
	defer func() { _ = term.Restore(int(t.raw.Fd()), old) }()
	r, _, err := t.lines.ReadRune()
	if err != nil || r == 3 || r == 4 {
		return "", errQuit
	}
	if r == 27 { // an arrow or another key of several characters: what follows is in the buffer already
		rest := make([]byte, t.lines.Buffered())
		_, _ = io.ReadFull(t.lines, rest)
		return map[string]string{"[D": "1", "[C": "2"}[string(rest)], nil
	}
	fmt.Fprintf(t.s.Out, "%s\r\n", report.Line(string(r), 4))
	return strings.ToLower(string(r)), nil
}

// longestLine is what a typed line may take.
const longestLine = 1 << 16

func (t *terminalRater) line(prompt string) (string, error) {
	fmt.Fprint(t.s.Out, prompt)
	var b strings.Builder
	for b.Len() < longestLine {
		piece, more, err := t.lines.ReadLine()
		if err != nil {
			return "", err
		}
		b.Write(piece)
		if !more {
			break
		}
	}
	return strings.TrimSpace(b.String()), nil
}
