package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/task"
)

// rolloutTask is the task that a rollout is for.
type rolloutTask struct {
	name  string
	store string // directory
	spec  rung.RolloutSpec
}

// findRolloutTask takes a task's name or its file. For a name the task.yaml beside the store has the settings, if it is of that
// task; a name that is no file of this directory is enough to roll out.
func findRolloutTask(s *settings, arg string) (rolloutTask, error) {
	if ext := filepath.Ext(arg); ext == ".yaml" || ext == ".yml" {
		t, err := task.Load(arg)
		if err != nil {
			return rolloutTask{}, err
		}
		at := rolloutTask{name: t.Name, store: s.store, spec: t.Rollout}
		if at.store == "" {
			at.store = filepath.Join(t.Dir, storeName)
		}
		if !isDir(at.store) {
			return at, &rung.Error{Code: rung.CodeNotFound, Place: at.store, What: "there is no store", Do: "name its directory with --store; rung climb makes one"}
		}
		return at, nil
	}
	dir, err := storeDir(s)
	if err != nil {
		return rolloutTask{}, err
	}
	at := rolloutTask{name: arg, store: dir}
	beside := filepath.Join(filepath.Dir(dir), "task.yaml")
	if _, err := os.Stat(beside); err != nil {
		return at, nil
	}
	switch t, err := task.Load(beside); {
	case err != nil:
		fmt.Fprintf(s.Err, "rung: %s has faults (rung check %s), so its rollout settings are not used\n", beside, beside)
	case t.Name == arg:
		at.spec = t.Rollout
	}
	return at, nil
}

func newRolloutEnd(s *settings, name string, state rung.RolloutState, short string) *cobra.Command {
	var why string
	c := &cobra.Command{
		Use:   name + " TASK|ROLLOUT",
		Short: short,
		Args:  exactArgs(1, "a task or the id of a rollout"),
		RunE: func(c *cobra.Command, args []string) error {
			return runRolloutEnd(c.Context(), s, args[0], state, why)
		},
	}
	c.Flags().StringVar(&why, "why", "", "the reason, for the history")
	return c
}

func runRolloutEnd(ctx context.Context, s *settings, name string, state rung.RolloutState, why string) error {
	return changeRollout(ctx, s, name, s.printEnded, func(serving store.Serving, r rung.Rollout) (rung.Rollout, error) {
		return rollout.End(ctx, serving, r, state, app.Who(ctx, "."), cmp.Or(why, "by hand, without a reason given"), time.Now())
	})
}

// changeRollout finds the active rollout of a name, changes it, and prints what came of it.
func changeRollout(ctx context.Context, s *settings, name string, print func(*rung.Rollout) error, change func(store.Serving, rung.Rollout) (rung.Rollout, error)) (err error) {
	serving, err := openRollouts(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serving.Close()) }()
	r, err := oneActive(ctx, serving, name)
	if err != nil {
		return err
	}
	if r, err = change(serving, r); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(rolloutDocument{r})
	}
	return print(&r)
}

func newRolloutShare(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "share TASK|ROLLOUT SHARE",
		Short: "Give the new release another share of the traffic",
		Long: `Share changes the share while the rollout runs, such as from 5% to 25%. In ab mode every caller who has the new release keeps it when
the share grows. What was observed so far still counts.`,
		Args: exactArgs(2, "a task or the id of a rollout, and a share"),
		RunE: func(c *cobra.Command, args []string) error { return runRolloutShare(c.Context(), s, args[0], args[1]) },
	}
}

func runRolloutShare(ctx context.Context, s *settings, name, text string) error {
	share, err := parseShare(text)
	if err != nil {
		return err
	}
	return changeRollout(ctx, s, name, s.printStarted, func(serving store.Serving, r rung.Rollout) (rung.Rollout, error) {
		r.Share = share
		if errs := rollout.Check(&r); len(errs) > 0 {
			return r, errs
		}
		return serving.PutRollout(ctx, r)
	})
}

func openRollouts(ctx context.Context, s *settings) (store.Serving, error) {
	dir, err := storeDir(s)
	if err != nil {
		return nil, err
	}
	return openServing(ctx, dir)
}

// oneActive finds the active rollout of a task, or by its id or the beginning of it.
func oneActive(ctx context.Context, serving store.Serving, name string) (rung.Rollout, error) {
	all, err := serving.Rollouts(ctx, "", true)
	if err != nil {
		return rung.Rollout{}, err
	}
	found := matching(all, name)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return rung.Rollout{}, &rung.Error{Code: rung.CodeNotFound, What: "there is no active rollout " + name, Do: "see rung rollout status and rung rollout history"}
	}
	var ids []string
	for _, r := range found {
		ids = append(ids, r.ID+" ("+r.Alias+")")
	}
	return rung.Rollout{}, &rung.Error{Code: rung.CodeUsage, What: name + " has several active rollouts: " + strings.Join(ids, ", "), Do: "name one by its id"}
}

func matching(all []rung.Rollout, name string) []rung.Rollout {
	var found []rung.Rollout
	for _, r := range all {
		if r.Task == name || r.ID == name || len(name) >= 4 && strings.HasPrefix(r.ID, name) {
			found = append(found, r)
		}
	}
	return found
}
