package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/task"
)

// asker asks questions on a terminal. An empty answer takes the default; the end of input ends the asking.
type asker struct {
	in  *bufio.Reader
	out io.Writer
}

const maxAnswer = 4096

// ask repeats a question until check accepts the answer, at most a few times.
func (a *asker) ask(question, def string, check func(string) error) (string, error) {
	for range 5 {
		if def != "" {
			fmt.Fprintf(a.out, "%s [%s]: ", question, def)
		} else {
			fmt.Fprintf(a.out, "%s: ", question)
		}
		line, err := a.in.ReadString('\n')
		if err != nil && !(errors.Is(err, io.EOF) && line != "") {
			fmt.Fprintln(a.out)
			return "", &rung.Error{Code: rung.CodeInterrupted, What: "the questions were not answered; nothing was written", Do: "give the answers as flags (rung init --help)", Err: err}
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = def
		}
		if len(answer) > maxAnswer {
			answer = answer[:maxAnswer]
		}
		if err := check(answer); err != nil {
			fmt.Fprintf(a.out, "  %s\n", plainWhat(err))
			continue
		}
		return answer, nil
	}
	return "", usage("no usable answer after 5 attempts; give the answers as flags (rung init --help)")
}

// askPlan asks for what the flags and the examples did not say.
func askPlan(ctx context.Context, s *settings, o *initOptions, p *initPlan) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := &asker{in: bufio.NewReaderSize(s.In, maxAnswer), out: s.Err}
	draft := *p
	if err := draft.fill(&initOptions{dir: o.dir, examples: o.examples, labels: []string{"a", "b"}}); err != nil && p.Kind != "" {
		return err
	}
	var err error
	if o.name == "" {
		if p.Name, err = a.ask("Name of the task", draft.Name, checkName); err != nil {
			return err
		}
	}
	if err := a.askOutput(p); err != nil {
		return err
	}
	if o.model == "" {
		if p.Model, err = a.ask("Model (provider/name)", defaultModel, checkModel); err != nil {
			return err
		}
	}
	return a.askBar(o, p)
}

func checkName(answer string) error {
	if answer == "" || notInName.MatchString(answer) {
		return usage("use letters, digits, - and _")
	}
	return nil
}

func checkModel(answer string) error {
	if provider, name, ok := strings.Cut(answer, "/"); !ok || provider == "" || name == "" {
		return usage("write provider/name, such as %s or openai/gpt-4o-mini", defaultModel)
	}
	return nil
}

func (a *asker) askOutput(p *initPlan) error {
	if p.Kind == "" {
		answer, err := a.ask("Form of an answer (labels, json, text, tools)", "labels", func(answer string) error {
			if _, ok := outputKinds[answer]; !ok {
				return usage("write labels, json, text or tools")
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.Kind = outputKinds[answer]
	}
	if p.Kind != rung.Labels || len(p.Labels) > 0 {
		return nil
	}
	answer, err := a.ask("Labels, separated by commas", strings.Join(defaultLabels, ", "), func(answer string) error {
		if len(trimmed(strings.Split(answer, ","))) < 2 {
			return usage("write at least two labels")
		}
		return nil
	})
	p.Labels = trimmed(strings.Split(answer, ","))
	return err
}

func (a *asker) askBar(o *initOptions, p *initPlan) error {
	draft := *p
	draft.Metric, draft.AtLeast = o.metric, o.atLeast
	if err := draft.fill(&initOptions{dir: o.dir, examples: o.examples}); err != nil {
		return err
	}
	m, _ := task.Standard(draft.Metric)
	if o.atLeast != 0 {
		return nil
	}
	question := fmt.Sprintf("Good enough: %s of at least (0 to %g)", draft.Metric, m.Max)
	answer, err := a.ask(question, strconv.FormatFloat(draft.AtLeast, 'f', -1, 64), func(answer string) error {
		if f, err := strconv.ParseFloat(answer, 64); err != nil || f <= 0 || f > m.Max {
			return usage("write a number above 0 and at most %g", m.Max)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.AtLeast, err = strconv.ParseFloat(answer, 64)
	return err
}
