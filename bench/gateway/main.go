// Command gateway measures what rung serve adds to a request, next to a bare httputil.ReverseProxy before the same upstream, in
// one run: added latency at one connection and at 64, requests per second at saturation, time to the first token of a stream, and
// resident memory. rung's traces are written to SQLite all the while and counted at the end.
//
//	go run ./bench/gateway
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

type options struct {
	rounds      int
	seconds     time.Duration
	connections int
	memory      int
	rung        string
	peers       bool
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "proxy" { // this program runs itself as the yardstick
		exit(proxy(os.Args[2]))
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, in which all take their turns")
	flag.DurationVar(&o.seconds, "for", 4*time.Second, "length of one measurement")
	flag.IntVar(&o.connections, "connections", 64, "connections at saturation")
	flag.IntVar(&o.memory, "memory", 0, "requests after which resident memory is read again, such as 1000000; 0: leave it out")
	flag.StringVar(&o.rung, "rung", "", "a rung binary; empty: built from this tree")
	flag.BoolVar(&o.peers, "peers", true, "measure TensorZero, LiteLLM and Portkey too, where they are installed (RUNG_BENCH_PEERS names a virtual environment)")
	flag.Parse()
	exit(run(o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
