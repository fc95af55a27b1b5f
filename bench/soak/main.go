// Command soak drives a real rung serve at saturation, before a model server that fails in every way that it knows, with a canary
// running, and checks at the end that nothing leaked, nothing stuck, nothing was answered by the wrong release and no trace is
// missing.
//
//	go run ./bench/soak -for 10m
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

type options struct {
	length      time.Duration
	connections int
	faults      float64
	share       float64
	rung        string
}

// longest bounds a soak: what callers saw is kept in memory until the end.
const longest = time.Hour

func main() {
	var o options
	flag.DurationVar(&o.length, "for", 10*time.Minute, "how long")
	flag.IntVar(&o.connections, "connections", 128, "requests at a time")
	flag.Float64Var(&o.faults, "faults", .2, "share of the model server's answers that are faults")
	flag.Float64Var(&o.share, "share", .2, "share of the canary")
	flag.StringVar(&o.rung, "rung", "", "a rung to use instead of building one")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	if o.length <= 0 || o.length > longest || o.connections < 1 || !(o.faults >= 0 && o.faults < 1) || !(o.share > 0 && o.share < 1) {
		return fmt.Errorf("-for is at most %s, -connections at least 1, -faults and -share lie between 0 and 1", longest)
	}
	dir, err := os.MkdirTemp("", "rung-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w := &world{o: o, dir: dir, rng: rand.New(rand.NewPCG(1, 2))}
	defer w.end()
	if err := w.begin(); err != nil {
		return err
	}
	seen := w.storm()
	if err := w.settle(); err != nil {
		return err
	}
	return w.report(seen)
}
