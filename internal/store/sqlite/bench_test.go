//go:build unix

package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/storetest"
)

// BenchmarkPutTraces puts batches of 256 as a recorder does. CPU is what the process used, the writer and the log included.
func BenchmarkPutTraces(b *testing.B) {
	dir := b.TempDir()
	s, err := OpenServing(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const batch = 256
	batches := make([][]rung.Trace, 16)
	for i := range batches {
		for n := range batch {
			batches[i] = append(batches[i], storetest.Trace(i*batch+n))
		}
	}
	b.ReportAllocs()
	before, n := cpu(b), 0
	for b.Loop() {
		ts := batches[n%len(batches)]
		ts[0].ID = fmt.Sprintf("%032x", n) // a batch is known by its first trace
		n++
		if err := s.PutTraces(b.Context(), ts); err != nil {
			b.Fatal(err)
		}
	}
	traces := float64(b.N * batch)
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/traces/1000, "CPU-µs/trace")
	info, err := os.Stat(filepath.Join(dir, servingName))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/traces, "bytes/trace")
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
