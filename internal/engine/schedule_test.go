package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// grants plays requests through a scheduler, all waiting from the start, and gives the order in which each slot served groups.
func grants(t *testing.T, slots int, groups []string) [][]string {
	t.Helper()
	out := make([][]string, slots)
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(slots)
		first := make([]*ticket, slots) // hold all slots until everybody waits
		for i := range first {
			first[i], _ = s.acquire(t.Context(), "", false)
		}
		order := make(chan *ticket, len(groups))
		for _, g := range groups {
			go func() {
				tk, err := s.acquire(context.Background(), g, false)
				if err == nil {
					order <- tk
				}
			}()
			synctest.Wait() // they arrive in order
		}
		for _, f := range first {
			s.release(f)
		}
		for range groups {
			synctest.Wait()
			tk := <-order
			out[tk.slot] = append(out[tk.slot], tk.group)
			s.release(tk)
		}
	})
	return out
}

func switches(served []string) (n int) {
	for i := 1; i < len(served); i++ {
		if served[i] != served[i-1] {
			n++
		}
	}
	return n
}

func TestGroupsStayTogether(t *testing.T) {
	var groups []string
	for i := range 60 {
		groups = append(groups, fmt.Sprint("prefix ", i%6))
	}
	total := 0
	for _, served := range grants(t, 2, groups) {
		total += switches(served)
	}
	if total > 6 { // six groups over two slots: each is read once
		t.Errorf("60 interleaved requests of 6 groups cost %d changes of prefix", total)
	}
}

func TestOneGroupUsesAllSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(3)
		for range 3 {
			if _, err := s.acquire(t.Context(), "same", false); err != nil {
				t.Fatal(err) // it would hang before that
			}
		}
	})
}

func TestNobodyStarves(t *testing.T) {
	groups := make([]string, 300)
	for i := range groups {
		groups[i] = "many"
	}
	groups[10] = "one"
	served := grants(t, 1, groups)[0]
	for i, g := range served {
		if g == "one" {
			if i > maxRun+1 {
				t.Errorf("the single request came as number %d", i)
			}
			return
		}
	}
	t.Error("it never came")
}

func TestAloneIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(2)
		a, _ := s.acquire(t.Context(), "a", false)
		got := make(chan string, 3)
		var solo, late *ticket
		go func() { solo, _ = s.acquire(context.Background(), "", true); got <- "solo" }()
		synctest.Wait()
		go func() { late, _ = s.acquire(context.Background(), "a", false); got <- "late" }()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatalf("%s ran beside another", <-got)
		}
		s.release(a)
		synctest.Wait()
		if who := <-got; who != "solo" || len(got) > 0 {
			t.Fatalf("first %s, and %d more", who, len(got))
		}
		s.release(solo)
		synctest.Wait()
		<-got
		s.release(late)
	})
}

// Whatever comes and gives up, no slot has two holders, and in the end all slots are free.
func TestSchedulerProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(rt, "slots")
		type step struct {
			group string
			alone bool
			quit  bool
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "group"), rapid.IntRange(0, 9).Draw(rt, "alone") == 0, rapid.IntRange(0, 4).Draw(rt, "quit") == 0}
		}), 1, 40).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			s := newScheduler(slots)
			holders := make([]int, slots)
			running, solo := 0, 0
			done := make(chan error, len(steps))
			turn := make(chan struct{}, 1)
			turn <- struct{}{} // guards the counts
			for _, st := range steps {
				ctx, cancel := context.WithCancel(context.Background())
				go func() {
					defer cancel()
					tk, err := s.acquire(ctx, st.group, st.alone)
					if err != nil {
						done <- nil
						return
					}
					<-turn
					holders[tk.slot]++
					running++
					if st.alone {
						solo++
					}
					var bad error
					if holders[tk.slot] > 1 || solo > 0 && running > 1 {
						bad = fmt.Errorf("slot %d has %d holders; %d run, %d alone", tk.slot, holders[tk.slot], running, solo)
					}
					holders[tk.slot]--
					running--
					if st.alone {
						solo--
					}
					turn <- struct{}{}
					s.release(tk)
					done <- bad
				}()
				if st.quit {
					cancel()
				}
			}
			for range steps {
				if err := <-done; err != nil {
					rt.Fatal(err)
				}
			}
			if len(s.waiting) != 0 || s.alone != 0 || s.solo {
				rt.Fatalf("left over: %d waiting, %d alone, solo %v", len(s.waiting), s.alone, s.solo)
			}
			for i := range s.slots {
				if s.slots[i].busy {
					rt.Fatalf("slot %d is still taken", i)
				}
			}
		})
	})
}
