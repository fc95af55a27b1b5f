// Command rollout replays a day's traffic from banking77 and snips messages through the judging of rollouts. See bench/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

func main() {
	var o options
	flag.IntVar(&o.rollouts, "rollouts", 200, "simulated rollouts of each kind")
	flag.IntVar(&o.rows, "rows", 0, "messages of the day of each data set; 0: all")
	flag.Float64Var(&o.share, "share", .2, "share of the target")
	flag.Float64Var(&o.margin, "margin", .03, "how much worse it may be")
	flag.Uint64Var(&o.seed, "seed", 1, "seed")
	flag.StringVar(&o.store, "store", "", "no replay, but a gateway over the store in this directory that answers -messages and ends: to try rung rollout")
	flag.IntVar(&o.messages, "messages", 0, "messages to send with -store")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "rollout:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	shared, err := sharedDir()
	if err != nil {
		return err
	}
	if o.store != "" {
		return send(shared, o)
	}
	if err := through(shared); err != nil {
		return err
	}
	for _, name := range []string{"banking77", "snips"} {
		d, err := load(shared, name, o.rows)
		if err != nil {
			return err
		}
		for _, k := range kinds(d) {
			fmt.Println(replay(d, k, o))
		}
	}
	return nil
}

// through replays through a real gateway: a canary that knows fewer examples, then one that knows more.
func through(shared string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	d, err := load(shared, "banking77", 0)
	if err != nil {
		return err
	}
	s, err := newStreet(ctx, "", d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, target := range []string{"v2", "v3"} {
		out, err := s.roll(ctx, "to-"+target, target, .3, .03, 50_000)
		if err != nil {
			return err
		}
		fmt.Println("through a gateway, banking77", out)
	}
	return nil
}

// send answers messages over a store that stays, for a rollout that is started and watched by hand.
func send(shared string, o options) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := os.MkdirAll(o.store, 0o700); err != nil {
		return err
	}
	d, err := load(shared, "banking77", 0)
	if err != nil {
		return err
	}
	s, err := newStreet(ctx, o.store, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	random := rand.New(rand.NewPCG(o.seed, 20))
	for range o.messages {
		if _, err := s.ask(ctx, d.day[random.IntN(len(d.day))]); err != nil {
			return err
		}
	}
	return nil
}
