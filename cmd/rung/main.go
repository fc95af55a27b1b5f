// Command rung finds the cheapest fix that makes an LLM task good enough, by measurement.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rung-dev/rung/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
