// Command mockserver is a model server that answers at once, and otherwise as it is told. Benchmarks measure against it.
//
//	go run ./bench/mockserver -addr 127.0.0.1:8900 -text '{"answer": 1}'
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rung-dev/rung/internal/model/modeltest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	text := flag.String("text", "", "what to answer; empty: the last message")
	delay := flag.Duration("delay", 0, "how long to wait before each answer")
	fault := flag.String("fault", "", "a fault of modeltest, such as 429, 500, cut, hang or bad-json")
	every := flag.Int("every", 0, "show the fault with each request whose number this divides; 0: with all")
	flag.Parse()
	if err := run(*addr, *text, *delay, modeltest.Fault(*fault), *every); err != nil {
		fmt.Fprintln(os.Stderr, "mockserver:", err)
		os.Exit(1)
	}
}

func run(addr, text string, delay time.Duration, fault modeltest.Fault, every int) error {
	server := modeltest.New(func(c modeltest.Call) modeltest.Reply {
		r := modeltest.Reply{Text: text, Delay: delay}
		if text == "" {
			r.Text = c.Last()
		}
		if every == 0 || c.N%every == 0 {
			r.Fault = fault
		}
		return r
	})
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr()) // the first line is for the one who started it
	err = http.Serve(l, server)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
