package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type confirmOptions struct {
	boardOptions
	by     string
	labels []string
	not    []string
	again  bool
}

func newModesConfirmCommand(s *settings) *cobra.Command {
	var o confirmOptions
	c := &cobra.Command{
		Use:   "confirm TASK [SUBJECT]",
		Short: "Say which failure modes a subject's mistakes show",
		Long: `Confirm shows the mistakes one by one, those of each group of likes in turn, with what was found and proposed, and asks which
modes they show. Every answer is kept at once, with your name and the time; leaving and coming back loses nothing. With --label or
--not it asks nothing.

` + subjectHelp,
		Example: "  rung modes confirm task.yaml\n  rung modes confirm task.yaml rag --by ann --label q17=wrong_fact --not q18=refused",
		Args:    taskAndSubject,
		RunE: func(c *cobra.Command, args []string) error {
			o.take(args)
			return runModesConfirm(c.Context(), s, &o)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&o.by, "by", "", "your name (default: that of your account)")
	c.Flags().StringArrayVar(&o.labels, "label", nil, "EXAMPLE=MODE: it shows the mode; may be repeated")
	c.Flags().StringArrayVar(&o.not, "not", nil, "EXAMPLE=MODE: it does not show the mode; may be repeated")
	c.Flags().BoolVar(&o.again, "again", false, "show also what a person has seen already")
	return c
}

func runModesConfirm(ctx context.Context, s *settings, o *confirmOptions) (err error) {
	if o.by, err = nameOf(o.by); err != nil {
		return err
	}
	st, b, err := openBoard(ctx, s, &o.boardOptions)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if len(o.labels)+len(o.not) > 0 {
		err = confirmNamed(ctx, st, b, o)
	} else if s.json {
		return usage("--json asks nothing; say what you confirm with --label EXAMPLE=MODE and --not EXAMPLE=MODE")
	} else {
		err = s.confirmOneByOne(ctx, st, b, o)
	}
	if err != nil {
		return err
	}
	return s.printBoard(b)
}

// nameOf is who speaks: the name that is given, else that of the account.
func nameOf(given string) (string, error) {
	name := strings.TrimSpace(given)
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	switch {
	case name == "":
		return "", usage("your account has no name; say who you are with --by NAME")
	case name == byClustering || strings.HasPrefix(name, "judge "):
		return "", usage("%q is no name of a person", name)
	}
	return name, nil
}

var newModeRule = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// confirmNamed keeps what the flags say.
func confirmNamed(ctx context.Context, st *sqlite.Store, b *app.Board, o *confirmOptions) error {
	byID := mistakesByID(b)
	var labels []rung.ModeLabel
	for status, list := range map[rung.ModeStatus][]string{rung.ModeConfirmed: o.labels, rung.ModeRejected: o.not} {
		for _, text := range list {
			at := strings.LastIndex(text, "=")
			if at < 1 || !newModeRule.MatchString(text[at+1:]) {
				return usage("%q is not EXAMPLE=MODE; names of modes have lower-case letters, digits and _", text)
			}
			m := byID[text[:at]]
			if m == nil {
				return &rung.Error{Code: rung.CodeNotFound, Place: text[:at], What: "is no mistake of " + b.Name, Do: "see its mistakes with rung modes propose"}
			}
			labels = append(labels, m.Label(b.Candidate, b.Scores, text[at+1:], status, o.by))
		}
	}
	return b.Put(ctx, st, labels)
}

// confirmOneByOne asks about the mistakes that nobody has seen.
func (s *settings) confirmOneByOne(ctx context.Context, st *sqlite.Store, b *app.Board, o *confirmOptions) error {
	groups, err := modes.Group(ctx, b.Mistakes, b.Standing(), nil)
	if err != nil {
		return err
	}
	seen := spokenOf(b)
	var queue []string
	for _, id := range inTurns(groups) {
		if o.again || !seen[id] {
			queue = append(queue, id)
		}
	}
	if len(queue) == 0 {
		_, err := fmt.Fprintf(s.Out, "Every mistake of %s has been seen by a person; --again shows them once more.\n\n", b.Name)
		return err
	}
	q := &asking{settings: s, board: b, by: o.by, in: bufio.NewReader(s.In), byID: mistakesByID(b)}
	fmt.Fprint(s.Out, q.legend())
	for at := 0; at < len(queue); {
		said, err := q.about(queue[at], at+1, len(queue))
		if err != nil {
			return err
		}
		switch said.do {
		case quitAsking:
			return nil
		case goBack:
			at = max(at-1, 0)
			continue
		case keepSaid:
			if err := b.Put(ctx, st, said.labels); err != nil {
				return err
			}
		}
		at++
	}
	return nil
}

// asking is one person at the terminal.
type asking struct {
	*settings
	board *app.Board
	by    string
	in    *bufio.Reader
	byID  map[string]*modes.Mistake
}

type doing int

const (
	keepSaid doing = iota
	skipIt
	goBack
	quitAsking
)

type saying struct {
	do     doing
	labels []rung.ModeLabel
}

func (q *asking) legend() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s: which failure modes does each mistake show? You are %s.\n\n", q.board.Name, q.by)
	for i, m := range q.board.Taxonomy {
		fmt.Fprintf(&t, "  %2d %-18s %s\n", i+1, m.Name, m.Means)
	}
	t.WriteString("\n  Enter: what is marked *    numbers or names: these instead    n: none of them\n" +
		"  s: skip    b: back    q: leave    ?: this list    a new name: a mode of your own\n")
	return t.String()
}

// shownAnswer is how much of an input or an answer is shown, in cells.
const shownAnswer = 600

// about shows one mistake and reads what the person says.
func (q *asking) about(id string, at, of int) (saying, error) {
	m := q.byID[id]
	marked, words := q.marked(id)
	fmt.Fprintf(q.Out, "\n— %d of %d — %s\n  input     %s\n  expected  %s\n  answered  %s\n  mistake   %s\n", at, of, report.Line(id, 60),
		report.Line(report.Readable(m.Example.Input), shownAnswer), report.Line(report.Readable(m.Example.Output), shownAnswer),
		report.Line(m.Answer(), shownAnswer), report.Line(m.Score.Mistake, shownAnswer))
	if words != "" {
		fmt.Fprintf(q.Out, "  * %s\n", words)
	}
	for {
		fmt.Fprint(q.Out, "> ")
		line, err := q.in.ReadString('\n')
		if errors.Is(err, io.EOF) && strings.TrimSpace(line) == "" {
			fmt.Fprintln(q.Out)
			return saying{do: quitAsking}, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return saying{}, err
		}
		said, fault := q.read(m, strings.ToLower(strings.TrimSpace(line)), marked)
		if fault == "" {
			return said, nil
		}
		fmt.Fprintln(q.Out, fault)
	}
}

// marked are the modes that are found or proposed for a mistake, and who says so. Groups that have no name are not marked.
func (q *asking) marked(id string) (names []string, words string) {
	var parts []string
	for _, st := range q.board.Standing() {
		if st.Example != id || st.Status == rung.ModeRejected {
			continue
		}
		if strings.HasPrefix(st.Mode, "unnamed_") {
			parts = append(parts, "like the others of "+st.Mode)
			continue
		}
		names = append(names, st.Mode)
		parts = append(parts, fmt.Sprintf("%s (%s)", st.Mode, sayWho(st)))
	}
	return names, strings.Join(parts, ", ")
}

func sayWho(s modes.Standing) string {
	if s.Status == rung.ModeFound {
		return "by rule"
	}
	return fmt.Sprintf("%s by %s", s.Status, s.By)
}

// read understands one line; fault says what is not understood.
func (q *asking) read(m *modes.Mistake, line string, marked []string) (saying, string) {
	switch line {
	case "q", "quit":
		return saying{do: quitAsking}, ""
	case "s", "skip":
		return saying{do: skipIt}, ""
	case "b", "back":
		return saying{do: goBack}, ""
	case "?", "h", "help":
		return saying{}, q.legend()
	case "":
		if len(marked) == 0 {
			return saying{}, "Nothing is marked: say which modes it shows, n for none, or s to skip."
		}
		return saying{labels: q.say(m, marked, marked)}, ""
	case "n", "none":
		return saying{labels: q.say(m, nil, marked)}, ""
	}
	var names []string
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' }) {
		if i, err := strconv.Atoi(word); err == nil && i >= 1 && i <= len(q.board.Taxonomy) {
			word = q.board.Taxonomy[i-1].Name
		}
		if !newModeRule.MatchString(word) || len(word) < 3 {
			return saying{}, fmt.Sprintf("%q is neither a number from 1 to %d nor the name of a mode (lower-case letters, digits and _).", word, len(q.board.Taxonomy))
		}
		names = append(names, word)
	}
	return saying{labels: q.say(m, names, marked)}, ""
}

// say confirms names and rejects what was marked and is not among them. A mistake of which a person sees no mode at all is
// rejected as "none", so that it counts as seen.
func (q *asking) say(m *modes.Mistake, names, marked []string) []rung.ModeLabel {
	var out []rung.ModeLabel
	for _, name := range names {
		out = append(out, m.Label(q.board.Candidate, q.board.Scores, name, rung.ModeConfirmed, q.by))
	}
	for _, name := range marked {
		if !slices.Contains(names, name) {
			out = append(out, m.Label(q.board.Candidate, q.board.Scores, name, rung.ModeRejected, q.by))
		}
	}
	if len(out) == 0 {
		out = append(out, m.Label(q.board.Candidate, q.board.Scores, seenOnly, rung.ModeRejected, q.by))
	}
	return out
}

// seenOnly is the mode of a label that says no more than that a person has seen the mistake.
const seenOnly = modes.Seen
