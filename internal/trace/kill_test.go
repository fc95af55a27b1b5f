package trace

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RUNG_TEST_CHILD"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child records a trace each 100 µs, as a busy gateway does, and now and then keeps feedback. It prints what it has done as soon
// as it has: "t NUMBER NANOSECONDS" and "f NUMBER NANOSECONDS".
func child(dir string) error {
	ctx := context.Background()
	s, err := sqlite.OpenServing(ctx, dir)
	if err != nil {
		return err
	}
	r := NewRecorder(s, Config{})
	tick := time.NewTicker(100 * time.Microsecond)
	for i := 0; ; i++ {
		<-tick.C
		r.Record(one(i))
		fmt.Println("t", i, time.Now().UnixNano())
		if i%50 == 0 {
			if err := r.Feedback(ctx, "a", rung.Feedback{ID: strconv.Itoa(i), Trace: one(i).ID, Thumb: 1, At: time.Now()}); err != nil {
				return err
			}
			fmt.Println("f", i, time.Now().UnixNano())
		}
	}
}

// TestKilledGatewayLosesAtMostASecond: docs/traces.md promises that SIGKILL takes the traces of the last second at most and no
// feedback that was acknowledged.
func TestKilledGatewayLosesAtMostASecond(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RUNG_TEST_CHILD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	recorded, told := map[int]int64{}, []int{}
	last := int64(0)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var kind string
		var i int
		var at int64
		if _, err := fmt.Sscan(lines.Text(), &kind, &i, &at); err != nil {
			break // cut by the kill
		}
		last = at
		switch kind {
		case "t":
			recorded[i] = at
		case "f":
			if told = append(told, i); len(told) == 60 { // some 3,000 traces
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	_ = cmd.Wait() // its status is that it was killed
	if len(told) < 60 {
		t.Fatalf("the child ended after %d: %s", len(told), lines.Text())
	}
	s, err := sqlite.OpenServing(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	there := map[string]bool{}
	for _, x := range kept(t, s) {
		there[x.ID] = true
	}
	lost := 0
	for i, at := range recorded {
		if there[one(i).ID] {
			continue
		}
		lost++
		if age := time.Duration(last - at); age > time.Second {
			t.Errorf("trace %d was recorded %s before the end and is lost", i, age)
		}
	}
	for _, i := range told {
		if got, err := s.Feedback(t.Context(), one(i).ID); err != nil || len(got) != 1 {
			t.Errorf("feedback %d was acknowledged and is lost: %v", i, err)
		}
	}
	if len(there) == 0 {
		t.Error("no trace was written at all")
	}
	t.Logf("%d traces recorded, %d lost, %d pieces of feedback acknowledged", len(recorded), lost, len(told))
}
