package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type result struct {
	rate, again float64 // items per second: asked, and answered from the store
	cpu         float64 // processor time of this process per item asked, in microseconds
	megabytes   float64 // resident at most, the benchmark's own part included
}

// measure asks o.items different questions through the door and stores each answer durably, then asks them all again.
func measure(ctx context.Context, url, dir string, o options) (result, error) {
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		return result{}, err
	}
	defer st.Close()
	door := model.NewDoor(model.Options{Store: st, Limits: rung.Limits{Concurrency: o.concurrency}, Provider: func(name string) (model.Provider, error) {
		return openai.New(openai.Config{Name: name, BaseURL: url})
	}})
	var res result
	before := processorTime()
	if res.rate, err = ask(ctx, door, o); err != nil {
		return res, err
	}
	res.cpu = float64((processorTime() - before).Microseconds()) / float64(o.items)
	if res.again, err = ask(ctx, door, o); err != nil {
		return res, err
	}
	if c := door.Counts(); c.Made != o.items || c.Cached != o.items {
		return res, fmt.Errorf("made %d and cached %d calls, not %d each", c.Made, c.Cached, o.items)
	}
	res.megabytes = residentPeak()
	return res, nil
}

func ask(ctx context.Context, door *model.Door, o options) (float64, error) {
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, o.concurrency)
	for range o.concurrency {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(o.items); i = next.Add(1) {
				if _, _, err := door.Complete(ctx, question(int(i))); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(o.items) / time.Since(start).Seconds(), nil
	}
}

// question is like those of an extraction task; loop.py asks the same.
func question(i int) model.Request {
	return model.Request{Model: "openai/mock", MaxTokens: 64, Messages: []model.Message{
		{Role: "system", Content: "Extract the intent and the slots of the user's request. Answer with one JSON object and nothing else."},
		{Role: "user", Content: "utterance: play song number " + strconv.Itoa(i) + " by an artist that I like on my usual player"}}}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentPeak is the most memory that this process has had, in MB; 0 where the system does not say.
func residentPeak() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 64)
			return n / 1024
		}
	}
	return 0
}
