package engine

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// busySample is how long the processors are watched before a server is started.
const busySample = 250 * time.Millisecond

// threads is how many threads a server that starts now gets when nobody said: all cores of an idle machine, half of them
// where others compute too. llama.cpp's threads wait for each other after every matrix, spinning; when one of them is not
// scheduled, all lose. Measured on two cores with other work: two threads 2 tokens/s, one thread 13 to 49.
// The servers of one model share what this gives.
func threads(ctx context.Context) int {
	cores := runtime.NumCPU()
	if Busy(ctx) >= 0.5 {
		return max(1, cores/2)
	}
	return cores
}

// Busy is the share of this machine's processor time that is in use now, by anyone: between 0 and 1, and 0 where the system
// does not say. It takes a quarter of a second.
func Busy(ctx context.Context) float64 {
	before, beforeAll, ok := processorTime()
	if !ok {
		return 0
	}
	select {
	case <-time.After(busySample):
	case <-ctx.Done():
		return 0
	}
	after, afterAll, ok := processorTime()
	if !ok || afterAll <= beforeAll {
		return 0
	}
	return (after - before) / (afterAll - beforeAll)
}

// processorTime is the time that all processors were in use and the time in all, in the kernel's ticks since it started:
// the first line of /proc/stat, "cpu user nice system idle iowait irq softirq steal …".
func processorTime() (busy, all float64, ok bool) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, false
	}
	var idle float64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, 0, false
		}
		all += n
		if i == 3 || i == 4 { // idle, iowait
			idle += n
		}
	}
	return all - idle, all, true
}
