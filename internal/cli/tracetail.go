package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// tailEvery is how often a tail looks. Traces themselves are written five times a second.
const tailEvery = 500 * time.Millisecond

func newTracesTailCommand(s *settings) *cobra.Command {
	var o traceOptions
	c := &cobra.Command{
		Use:   "tail",
		Short: "Write traces as they come, until interrupted",
		Long: `Tail writes the last traces that match and then each new one, a moment after its answer. With --json it writes a JSON document
per line. Ctrl-C ends it, with status 0.`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return runTracesTail(c.Context(), s, &o) },
	}
	o.flags(c, 10)
	return c
}

func runTracesTail(ctx context.Context, s *settings, o *traceOptions) (err error) {
	f, err := o.filter(time.Now())
	if err != nil {
		return err
	}
	st, err := openTraces(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	t := tailing{s: s, store: st, filter: f}
	if err := t.begin(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil // that is how it ends
		}
		if err := t.more(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// tailing follows the traces that match a filter.
type tailing struct {
	s      *settings
	store  store.Serving
	filter store.TraceFilter
	last   string // the trace after which it goes on; "" where there was none
}

// begin writes the last traces that are there.
func (t *tailing) begin(ctx context.Context) error {
	newest, err := t.newest(ctx)
	if err != nil {
		return err
	}
	var have []rung.Trace
	for one, err := range t.store.Traces(ctx, t.filter) {
		if err != nil {
			return err
		}
		have = append(have, one)
	}
	slices.Reverse(have)
	if err := t.write(have); err != nil {
		return err
	}
	if t.filter.Limit = 0; t.last == "" {
		t.last = newest
	}
	return nil
}

// more writes what has come. Where nothing matches it goes on after the newest trace of before it looked, so that what does not
// match is not looked at again and again.
func (t *tailing) more(ctx context.Context) error {
	newest, err := t.newest(ctx)
	if err != nil {
		return err
	}
	f := t.filter
	f.After, f.Oldest = t.last, true
	var have []rung.Trace
	for one, err := range t.store.Traces(ctx, f) {
		if rung.CodeOf(err) == rung.CodeNotFound { // the retention took the last one
			t.last = newest
			return nil
		}
		if err != nil {
			return err
		}
		have = append(have, one)
	}
	if len(have) == 0 && newest != "" {
		t.last = newest
	}
	return t.write(have)
}

func (t *tailing) newest(ctx context.Context) (string, error) {
	for one, err := range t.store.Traces(ctx, store.TraceFilter{Limit: 1}) {
		return one.ID, err
	}
	return "", nil
}

func (t *tailing) write(list []rung.Trace) error {
	for i := range list {
		one := &list[i]
		t.last = one.ID
		if t.s.json {
			b, err := json.Marshal(one)
			if err == nil {
				_, err = fmt.Fprintf(t.s.Out, "%s\n", b)
			}
			if err != nil {
				return err
			}
			continue
		}
		row := traceRow(one)
		line := fmt.Sprintf("%s  %s  %-20s  %-8s  %s  %8s  %9s  %8s  %s", row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8])
		if _, err := fmt.Fprintln(t.s.Out, strings.TrimRight(report.Lines(line), " ")); err != nil {
			return err
		}
	}
	return nil
}
