package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
)

// fewLabels have a key each; of more the number or a part of the name is typed.
const fewLabels = 9

// label does what a key stands for while a label is asked for: done when said is complete.
func (t *terminalRater) label(ctx context.Context, state *rating.State, key string, said *rating.Said) (done bool, err error) {
	form := state.Form
	switch {
	case key == "m" && len(form.Modes) > 0 && len(state.Question.Answers) > 0:
		return false, t.askModes(form, said)
	case key == "g" && form.Guidelines != "":
		fmt.Fprintln(t.s.Out, "\n"+t.paragraph(form.Guidelines))
		return false, nil
	case key == "=" && len(state.Question.Answers) > 0 && state.Question.Start != "":
		said.Text = state.Question.Start
		return true, nil
	case form.Kind == rung.Labels:
		return t.chooseLabel(form, key, said)
	case key == "t":
		said.Text, err = t.line(">> ")
		return err == nil, err
	case key == "e":
		said.Text, err = t.edit(ctx, state)
		if err != nil {
			fmt.Fprintln(t.s.Out, "the editor could not be used: "+err.Error())
			return false, nil
		}
		return true, nil
	}
	return false, nil
}

func (t *terminalRater) chooseLabel(form *rating.LabelForm, key string, said *rating.Said) (done bool, err error) {
	typed := key
	if len(form.Labels) > fewLabels && t.raw != nil {
		if typed, err = t.line(">> " + key); err != nil {
			return false, err
		}
		typed = key + typed
	}
	if n, err := strconv.Atoi(typed); err == nil && n >= 1 && n <= len(form.Labels) {
		said.Text = form.Labels[n-1]
		return true, nil
	}
	fits := fitting(form.Labels, typed)
	if len(fits) == 1 {
		said.Text = fits[0]
		return true, nil
	}
	if len(form.Labels) > fewLabels || t.raw == nil {
		if len(fits) == 0 {
			fmt.Fprintf(t.s.Out, "no label has %s in it\n", report.Line(typed, 40))
		} else {
			fmt.Fprintf(t.s.Out, "%s fits: %s\n", report.Line(typed, 40), strings.Join(fits[:min(8, len(fits))], ", "))
		}
	}
	return false, nil
}

// fitting are the labels that are what was typed, else those that begin with it, else those that hold it.
func fitting(labels []string, typed string) []string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	if typed == "" {
		return nil
	}
	for _, fits := range []func(string) bool{
		func(l string) bool { return l == typed }, func(l string) bool { return strings.HasPrefix(l, typed) }, func(l string) bool { return strings.Contains(l, typed) },
	} {
		var out []string
		for _, l := range labels {
			if fits(strings.ToLower(l)) {
				out = append(out, l)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func (t *terminalRater) askModes(form *rating.LabelForm, said *rating.Said) error {
	for i, m := range form.Modes {
		mark := " "
		if slices.Contains(said.Modes, m.Name) {
			mark = "*"
		}
		fmt.Fprintf(t.s.Out, "%s %2d  %s\n", mark, i+1, report.Line(m.Name+": "+m.Means, t.width-6))
	}
	line, err := t.line("numbers of the failure modes that the answer shows, none for Enter: ")
	if err != nil {
		return err
	}
	said.Modes = nil
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(form.Modes) {
			fmt.Fprintf(t.s.Out, "%s is none of them\n", report.Line(word, 20))
			continue
		}
		if name := form.Modes[n-1].Name; !slices.Contains(said.Modes, name) {
			said.Modes = append(said.Modes, name)
		}
	}
	return nil
}

// edit opens the user's editor on what is there already.
func (t *terminalRater) edit(ctx context.Context, state *rating.State) (string, error) {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		return "", errors.New("neither VISUAL nor EDITOR names one; t takes a line")
	}
	ending := ".txt"
	if state.Form.Kind != rung.Text {
		ending = ".json"
	}
	f, err := os.CreateTemp("", "rung-label-*"+ending)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it holds no more than what is kept
	text := state.Question.Start
	if b := state.Question.Before; b != nil {
		text = b.Text
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	words := strings.Fields(editor)
	c := exec.CommandContext(ctx, words[0], append(words[1:], f.Name())...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return "", err
	}
	content, err := os.ReadFile(f.Name())
	return string(content), err
}

// labelPrompt lists the labels and the keys.
func (t *terminalRater) labelPrompt(state *rating.State, said *rating.Said, rest string) {
	form, extra := state.Form, ""
	if len(form.Modes) > 0 && len(state.Question.Answers) > 0 {
		extra = " · m failure modes"
		if len(said.Modes) > 0 {
			extra += " (" + strings.Join(said.Modes, ", ") + ")"
		}
	}
	if form.Guidelines != "" {
		extra += " · g guidelines"
	}
	if state.Question.Start != "" && len(state.Question.Answers) > 0 {
		extra = " · = right as it is" + extra
	}
	if form.Kind != rung.Labels {
		fmt.Fprintf(t.s.Out, "e edit · t type a line%s · %s > ", extra, rest)
		return
	}
	cells := make([]string, len(form.Labels))
	widest := 0
	for i, l := range form.Labels {
		cells[i] = fmt.Sprintf("%*d %s", len(strconv.Itoa(len(form.Labels))), i+1, report.Line(l, 48))
		widest = max(widest, len([]rune(cells[i])))
	}
	columns := max(1, t.width/(widest+3))
	rows := (len(cells) + columns - 1) / columns
	for r := range rows {
		var line strings.Builder
		for i := r; i < len(cells); i += rows {
			line.WriteString(cells[i] + strings.Repeat(" ", widest+3-len([]rune(cells[i]))))
		}
		fmt.Fprintln(t.s.Out, strings.TrimRight(line.String(), " "))
	}
	how := "number"
	if len(form.Labels) > fewLabels {
		how = "number, or part of the name, and Enter"
	}
	fmt.Fprintf(t.s.Out, "%s%s · %s > ", how, extra, rest)
}
