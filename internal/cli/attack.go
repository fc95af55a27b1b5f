package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/attack"
	"github.com/rung-dev/rung/internal/report"
)

type attackOptions struct {
	task    string
	subject string
	against string
	kinds   []string
	file    string
	into    string
	n       int
	seed    string
	bare    bool
	fresh   bool
	atMost  float64
	prices  string
	cost    float64
}

func newAttackCommand(s *settings) *cobra.Command {
	var o attackOptions
	c := &cobra.Command{
		Use:     "attack TASK.yaml [SUBJECT]",
		GroupID: "climb",
		Short:   "Attack a candidate, release or endpoint and see what succeeds",
		Long: `Attack asks a subject with injected instructions (in the input, in passages, in tools' results, in other languages and scripts),
jailbreaks, questions for personal data, for the instructions and for training examples, and with broken and huge input. Whether
an attack succeeded is told by what happened: a token or a secret in the answer, the label or function that the attacker wanted and
that the same input unattacked does not get, a broken form, no answer. The inputs are those of the dev examples.

SUBJECT is a rung of a run (lora, RUN:rag), a candidate's digest, a release (task@v3), or an endpoint (http://host/v1#model);
without one it is what the latest run decided for. --against base attacks the same candidate without its adapter too, and compares
attack by attack. The guards of the release or the task stand before and after the model, as they would in a gateway, unless
--bare leaves them out.

--attacks takes texts of your own: JSON lines with "text", where {token} stands for what the attack is to bring into the answer.

Every answer is stored: the same command goes on after a stop, and pays for nothing twice. With --at-most the exit status is 0 when
the attack success rate is at or below it over the whole interval, 9 when it is above, and 10 when that is not settled.`,
		Example: "  rung attack task.yaml\n  rung attack task.yaml lora --against base\n  rung attack task.yaml tickets@production --at-most 0.1 --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes a task file and perhaps what to attack, got %d arguments", c.CommandPath(), len(args)), Do: "see " + c.CommandPath() + " --help"}
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.task = args[0]
			if len(args) == 2 {
				o.subject = args[1]
			}
			return runAttack(c, s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.against, "against", "", "attack this subject too and compare; base is the same without its adapter")
	f.StringSliceVar(&o.kinds, "kinds", nil, "try only these kinds ("+strings.Join(kindNames(), ",")+")")
	f.StringVar(&o.file, "attacks", "", "JSON lines file with attack texts of your own, for an injection")
	f.StringVar(&o.into, "into", "input", "where the texts of --attacks go: input, document or tool")
	f.IntVarP(&o.n, "n", "n", 0, fmt.Sprintf("attacks of each kind (default %d for local models, %d for others)", attack.DefaultN, attack.HostedN))
	f.StringVar(&o.seed, "seed", "1", "another seed makes other tokens, targets and people")
	f.BoolVar(&o.bare, "bare", false, "leave out the guards of the release or the task")
	f.BoolVar(&o.fresh, "fresh", false, "pay for every call again instead of using stored answers")
	f.Float64Var(&o.atMost, "at-most", 0, "attack success rate that is tolerated, between 0 and 1; the exit status says whether it holds")
	f.StringVar(&o.prices, "prices", "", "price file that overrides the built-in table")
	f.Float64Var(&o.cost, "budget", 0, "spend at most so many USD, instead of the task's budget.cost")
	return c
}

func kindNames() []string {
	var names []string
	for _, k := range attack.Kinds {
		names = append(names, string(k.Kind))
	}
	return names
}

// options reads the flags.
func (o *attackOptions) options(c *cobra.Command) (app.AttackOptions, error) {
	opt := app.AttackOptions{Subject: o.subject, Against: o.against, N: o.n, Seed: o.seed, Bare: o.bare, Version: Version}
	for _, name := range o.kinds {
		if !slices.Contains(kindNames(), name) {
			return opt, usage("there is no kind %q; the kinds are %s", name, strings.Join(kindNames(), ", "))
		}
		opt.Kinds = append(opt.Kinds, attack.Kind(name))
	}
	if o.n < 0 {
		return opt, usage("-n %d is no number of attacks", o.n)
	}
	if c.Flags().Changed("at-most") {
		if o.atMost < 0 || o.atMost > 1 {
			return opt, usage("--at-most %g is no rate; write a number between 0 and 1", o.atMost)
		}
		opt.AtMost = &o.atMost
	}
	return opt, o.own(&opt)
}

// own reads --attacks and --into.
func (o *attackOptions) own(opt *app.AttackOptions) error {
	places := map[string]attack.Kind{"input": attack.Direct, "document": attack.Document, "tool": attack.Tool}
	into, ok := places[o.into]
	if !ok {
		return usage("there is no place %q; write --into input, document or tool", o.into)
	}
	if o.file == "" {
		return nil
	}
	f, err := os.Open(o.file)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.file, What: "the file cannot be read", Do: "check the path", Err: err}
	}
	opt.Own, opt.Ordinary, err = attack.ReadOwn(f, o.file)
	opt.Into = into
	return errors.Join(err, f.Close())
}

func runAttack(c *cobra.Command, s *settings, o *attackOptions) error {
	opt, err := o.options(c)
	if err != nil {
		return err
	}
	open := app.Options{File: o.task, Store: s.store, Prices: o.prices, Fresh: o.fresh}
	if c.Flags().Changed("budget") {
		open.Cost = &o.cost
	}
	status := report.NewStatus(s.Err, isTerminal(s.Err))
	defer status.Done()
	open.Observe = status
	p, err := app.Open(c.Context(), open)
	if err != nil {
		return err
	}
	doc, err := p.Attack(c.Context(), opt)
	err = errors.Join(err, p.Close())
	status.Done()
	if err != nil {
		return err
	}
	if err := s.printAttack(doc); err != nil {
		return err
	}
	return settled(doc.Verdict, doc.Reason)
}

func (s *settings) printAttack(doc *app.AttackReport) error {
	if s.json {
		return s.printJSON(doc)
	}
	width, _ := report.Look(s.Out)
	return writeAttack(s.Out, doc, width)
}
