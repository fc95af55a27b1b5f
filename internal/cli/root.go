// Package cli is the command line: one file per command. A command is flags and help at the edge (newXCommand), a runX in
// the middle that takes options and returns a result, and two printers at the end, for people and for --json.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
)

// Streams are the three standard streams, so that tests can give their own.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// settings are what every command shares.
type settings struct {
	Streams
	json  bool   // print one JSON document to Out
	store string // directory of the store; empty: .rung beside the task file, or in the working directory
}

// printJSON writes v as the command's one document.
func (s *settings) printJSON(v any) error {
	enc := json.NewEncoder(s.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Main runs the command line args (without the program's name) and returns the exit status.
func Main(ctx context.Context, args []string, streams Streams) (status int) {
	defer func() {
		if r := recover(); r != nil {
			status = defect(streams.Err, r)
		}
	}()
	s := &settings{Streams: streams}
	root := newRootCommand(s)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	printError(streams.Err, err)
	return exitStatus(err)
}

func newRootCommand(s *settings) *cobra.Command {
	root := &cobra.Command{
		Use:           "rung",
		Short:         "Find the cheapest fix that makes an LLM task good enough, by measurement",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       Version,
		Args:          cobra.ArbitraryArgs,
	}
	root.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		do := "see rung --help"
		if like := c.SuggestionsFor(args[0]); len(like) > 0 {
			do = "did you mean " + strings.Join(like, " or ") + "?"
		}
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("there is no command %q", args[0]), Do: do}
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &rung.Error{Code: rung.CodeUsage, What: err.Error(), Do: "see " + c.CommandPath() + " --help"}
	})
	root.PersistentFlags().BoolVar(&s.json, "json", false, "print one JSON document to standard output")
	root.PersistentFlags().StringVar(&s.store, "store", "", "directory of the store (default: .rung beside the task file)")
	root.AddGroup(
		&cobra.Group{ID: "task", Title: "Describe the task:"},
		&cobra.Group{ID: "climb", Title: "Climb:"},
		&cobra.Group{ID: "read", Title: "Read what was measured:"},
		&cobra.Group{ID: "ship", Title: "Ship what was chosen:"},
		&cobra.Group{ID: "machine", Title: "The machine:"},
	)
	root.AddCommand(commands(s)...)
	return root
}

const rootHelp = `rung climbs the ladder from the cheapest fix to the dearest (prompt, fewshot, rag, lora, rag+lora), scores each
rung on the same frozen held-out examples, stops at the cheapest that meets the bar, and records why.

Exit status: 0 done; 1 a defect in rung; 2 wrong command line or input file; 3 something must be installed first;
4 a model provider (key, model, server) failed; 5 the budget is used up (run again with more); 6 the store cannot be
read or written; 7 no such run, candidate or release;
8 it exists already, or somebody else changed it; 9 what was measured does not hold to what was asked (fail);
10 it is not settled whether it does (inconclusive); 130 interrupted (run again to go on).`

// exitStatuses is the one table from codes to exit statuses; docs/operations.md lists it.
var exitStatuses = map[rung.Code]int{
	rung.CodeUsage: 2, rung.CodeInput: 2,
	rung.CodeMissing: 3, rung.CodeCapacity: 3,
	rung.CodeAuth: 4, rung.CodeModel: 4, rung.CodeUnreachable: 4, rung.CodeProvider: 4, rung.CodeTimeout: 4, rung.CodeUnsupported: 4,
	rung.CodeBudget: 5, rung.CodeStore: 6, rung.CodeNotFound: 7, rung.CodeConflict: 8,
	rung.CodeFailed: 9, rung.CodeUnsettled: 10,
	rung.CodeDenied: 4, rung.CodeLimited: 4, rung.CodeBlocked: 4,
	rung.CodeInterrupted: 130, rung.CodeInternal: 1,
}

func exitStatus(err error) int {
	if errors.Is(err, context.Canceled) {
		return exitStatuses[rung.CodeInterrupted]
	}
	if n, ok := exitStatuses[rung.CodeOf(err)]; ok {
		return n
	}
	return 1
}

// printError prints every error of err's tree on its own line, with the source line and caret where there is one.
func printError(w io.Writer, err error) {
	var all rung.Errors
	if !errors.As(err, &all) {
		var one *rung.Error
		if !errors.As(err, &one) {
			fmt.Fprintln(w, "rung: "+describe(err))
			return
		}
		all = rung.Errors{one}
	}
	for _, e := range all {
		fmt.Fprintln(w, "rung: "+e.Error())
		if e.Excerpt != "" {
			fmt.Fprintln(w, "  "+strings.ReplaceAll(strings.TrimRight(e.Excerpt, "\n"), "\n", "\n  "))
		}
	}
}

// defect says that rung itself is at fault. The stack goes to a file: it helps whoever mends it and nobody else.
func defect(w io.Writer, cause any) int {
	where := ""
	if f, err := os.CreateTemp("", "rung-defect-*.txt"); err == nil {
		fmt.Fprintf(f, "rung %s\n%v\n\n%s", Version, cause, debug.Stack())
		where = "; what a maintainer needs is in " + f.Name()
		_ = f.Close() // the file is a courtesy; the exit status says the rest
	}
	fmt.Fprintf(w, "rung: a defect in rung: %v%s. Nothing that was measured is lost: run the command again to go on.\n", cause, where)
	return exitStatuses[rung.CodeInternal]
}

// describe gives the errors that cobra makes itself a remedy.
func describe(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted; run the same command again to go on"
	}
	return err.Error()
}

// usage makes an error of arguments that do not fit the command.
func usage(format string, args ...any) error {
	return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf(format, args...)}
}

// exactArgs is cobra.ExactArgs with an error that says what was expected.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes %s, got %d arguments", c.CommandPath(), what, len(args)), Do: "see " + c.CommandPath() + " --help"}
	}
}
