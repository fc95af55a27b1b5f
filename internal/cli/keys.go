package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/gateway"
	"github.com/rung-dev/rung/internal/store"
)

func newKeysCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "keys",
		GroupID: "ship",
		Short:   "Make, list and revoke the keys of the gateway",
		Long: `Keys let callers in. A key is shown once, when it is made; the store keeps its hash. A running gateway takes a new or revoked key
within a second. From the first key on every request needs one, also when all keys are revoked or have expired.`,
		Args: exactArgs(0, "a subcommand: add, list or revoke"),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newKeysAdd(s), newKeysList(s), newKeysRevoke(s))
	return c
}

type keyOptions struct {
	name     string
	scopes   []string
	tasks    []string
	groups   []string
	rpm, tpm float64
	budget   float64
	expires  string
}

func newKeysAdd(s *settings) *cobra.Command {
	var o keyOptions
	c := &cobra.Command{
		Use:     "add NAME",
		Short:   "Make a key and write it",
		Example: "  rung keys add web --rpm 600 --budget 50 --tasks tickets --groups staff --expires 90d",
		Args:    exactArgs(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error {
			o.name = args[0]
			return s.withServing(c.Context(), func(st store.Serving) error { return runKeysAdd(c.Context(), s, st, &o) })
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.scopes, "scopes", []string{gateway.ScopeServe, gateway.ScopeFeedback}, "what it allows: "+strings.Join(gateway.Scopes, ", "))
	f.StringSliceVar(&o.tasks, "tasks", nil, "tasks, and provider/model or provider/* for what is passed through (default: all)")
	f.StringSliceVar(&o.groups, "groups", nil, "access groups: which documents its answers may rest on")
	f.Float64Var(&o.rpm, "rpm", 0, "requests per minute (0: no limit)")
	f.Float64Var(&o.tpm, "tpm", 0, "tokens per minute (0: no limit)")
	f.Float64Var(&o.budget, "budget", 0, "USD per calendar month, UTC (0: no limit)")
	f.StringVar(&o.expires, "expires", "", "when it ends: 90d, 12h, or a date such as 2027-01-31")
	return c
}

// keyDocument is a key as lists show it; Key is there once, when it is made.
type keyDocument struct {
	rung.APIKey
	Key string `json:"key,omitempty"`
}

func runKeysAdd(ctx context.Context, s *settings, st store.Serving, o *keyOptions) error {
	now := time.Now().UTC()
	k, err := o.key(now)
	if err != nil {
		return err
	}
	old, err := st.Keys(ctx)
	if err != nil {
		return err
	}
	for _, other := range old {
		if other.Name == k.Name && other.Revoked.IsZero() {
			return &rung.Error{Code: rung.CodeConflict, Place: k.Name, What: "a key of this name is there already", Do: "choose another name, or revoke it first"}
		}
	}
	unknown, err := unknownTasks(ctx, st, k.Tasks)
	if err != nil {
		return err
	}
	key, hash := gateway.NewKey()
	k.Hash = hash
	if err := st.PutKey(ctx, k); err != nil {
		return err
	}
	for _, name := range unknown {
		fmt.Fprintf(s.Err, "rung: the store has no release of a task %q; the key allows it all the same (rung releases lists tasks)\n", name)
	}
	if s.json {
		return s.printJSON(keyDocument{k, key})
	}
	fmt.Fprintln(s.Err, "This is the only time that the key is shown:")
	_, err = fmt.Fprintln(s.Out, key)
	return err
}

// unknownTasks are those of the names of tasks, not of providers' models, that no release has.
func unknownTasks(ctx context.Context, st store.Serving, names []string) ([]string, error) {
	lines, err := st.Releases(ctx, "")
	if err != nil {
		return nil, err
	}
	known := tasksOf(lines)
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return strings.Contains(name, "/") || slices.Contains(known, name)
	}), nil
}

func (o *keyOptions) key(now time.Time) (rung.APIKey, error) {
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	k := rung.APIKey{ID: "key-" + hex.EncodeToString(id[:]), Name: o.name, Scopes: o.scopes, Tasks: o.tasks, Groups: o.groups, RPM: o.rpm, TPM: o.tpm, BudgetUSD: o.budget, Created: now}
	if o.name == "" || len(o.name) > 100 || strings.ContainsFunc(o.name, func(r rune) bool { return r < ' ' }) {
		return k, usage("a key needs a name of at most 100 characters")
	}
	for _, scope := range o.scopes {
		if !slices.Contains(gateway.Scopes, scope) {
			return k, usage("there is no scope %q; use %s", scope, strings.Join(gateway.Scopes, ", "))
		}
	}
	if len(o.scopes) == 0 {
		return k, usage("a key needs a scope: %s", strings.Join(gateway.Scopes, ", "))
	}
	for _, limit := range []struct {
		flag string
		v    float64
	}{{"rpm", o.rpm}, {"tpm", o.tpm}, {"budget", o.budget}} {
		if !(limit.v >= 0) || math.IsInf(limit.v, 1) {
			return k, usage("--%s is %g; it is a number above 0, or 0 for no limit", limit.flag, limit.v)
		}
	}
	if o.expires == "" {
		return k, nil
	}
	var err error
	k.Expires, err = parseExpiry(o.expires, now)
	return k, err
}

func parseExpiry(text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.DateOnly, text)
	if days, ok := strings.CutSuffix(text, "d"); err != nil && ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil {
			at = now.AddDate(0, 0, n)
		}
	} else if err != nil {
		var d time.Duration
		d, err = time.ParseDuration(text)
		at = now.Add(d)
	}
	if err != nil || !at.After(now) {
		return at, usage("--expires is %q; write 90d, 12h or a date to come such as 2027-01-31", text)
	}
	return at, nil
}

func newKeysList(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys, without the keys themselves",
		Args:  exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.withServing(c.Context(), func(st store.Serving) error { return runKeysList(c.Context(), s, st) })
		},
	}
}

func runKeysList(ctx context.Context, s *settings, st store.Serving) error {
	keys, err := st.Keys(ctx)
	if err != nil {
		return err
	}
	if s.json {
		out := struct {
			Keys []rung.APIKey `json:"keys"`
		}{append([]rung.APIKey{}, keys...)}
		return s.printJSON(out)
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSCOPES\tTASKS\tGROUPS\tRPM\tTPM\tUSD/MONTH\tSTATE")
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, orDash(k.Scopes), orDash(k.Tasks), orDash(k.Groups), limitText(k.RPM), limitText(k.TPM), limitText(k.BudgetUSD), keyState(&k, time.Now()))
	}
	return w.Flush()
}

func orDash(list []string) string {
	if len(list) == 0 {
		return "–"
	}
	return strings.Join(list, ",")
}

func limitText(v float64) string {
	if v == 0 {
		return "–"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func keyState(k *rung.APIKey, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked " + when(k.Revoked)
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired " + when(k.Expires)
	case !k.Expires.IsZero():
		return "until " + when(k.Expires)
	}
	return "valid"
}

func newKeysRevoke(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME|ID",
		Short: "Take a key back for good",
		Args:  exactArgs(1, "a key's name or id"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.withServing(c.Context(), func(st store.Serving) error { return runKeysRevoke(c.Context(), s, st, args[0]) })
		},
	}
}

func runKeysRevoke(ctx context.Context, s *settings, st store.Serving, name string) error {
	keys, err := st.Keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if (k.ID != name && k.Name != name) || !k.Revoked.IsZero() {
			continue
		}
		k.Revoked = time.Now().UTC()
		if err := st.PutKey(ctx, k); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(keyDocument{APIKey: k})
		}
		if !anyValid(keys, k.ID, time.Now()) {
			fmt.Fprintln(s.Err, "rung: that was the last valid key: gateways refuse every request now (rung keys add makes another)")
		}
		_, err = fmt.Fprintf(s.Out, "revoked %s (%s); gateways refuse it within a second\n", k.Name, k.ID)
		return err
	}
	return &rung.Error{Code: rung.CodeNotFound, Place: name, What: "there is no valid key of this name or id", Do: "see rung keys list"}
}

// anyValid reports whether a key other than one is valid.
func anyValid(keys []rung.APIKey, but string, now time.Time) bool {
	return slices.ContainsFunc(keys, func(k rung.APIKey) bool {
		return k.ID != but && k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
	})
}

// withServing opens what gateways share, and closes it.
func (s *settings) withServing(ctx context.Context, do func(store.Serving) error) (err error) {
	dir, err := storeDir(s)
	if err != nil {
		return err
	}
	st, err := openServing(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return do(st)
}
