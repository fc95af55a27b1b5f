package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

// server is one model's llama.cpp server as a state machine: stopped → starting → ready → stopped, and closed at the end.
// Whoever needs it asks ready; the first asker starts it, all others wait for the same start.
type server struct {
	name    rung.ModelRef
	backend backend
	log     func(string)

	mu       sync.Mutex
	spec     launchSpec
	proc     *process
	starting *startup // not nil while a start is under way
	failures int      // starts that failed and processes that died, since the last answer
	closed   bool
	share    int // servers of the fleet, among which the cores are divided
}

// startup is one start that any number of callers wait for.
type startup struct {
	done   chan struct{}
	cancel context.CancelFunc
	proc   *process
	err    error
}

// maxFailures ends the restarts: a server that dies this often without a single answer in between will not get better.
const maxFailures = 5

// ready returns a running process, starting one if there is none. The start goes on when ctx ends: another caller will want it.
func (s *server) ready(ctx context.Context) (*process, error) {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, errClosed
	case s.proc != nil && s.proc.alive():
		p := s.proc
		s.mu.Unlock()
		return p, nil
	case s.starting == nil:
		if err := s.mayStart(); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		s.begin()
	}
	st := s.starting
	s.mu.Unlock()
	select {
	case <-st.done:
		return st.proc, st.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mayStart counts a process that died, and refuses when there were too many. The caller holds mu.
func (s *server) mayStart() error {
	var last string
	if s.proc != nil {
		s.failures++
		last = fmt.Sprintf(" (%v); its log ends with:\n%s", s.proc.err, s.proc.log.last(12))
		s.proc.stop()
		s.proc = nil
	}
	if s.failures < maxFailures {
		return nil
	}
	return &rung.Error{Code: rung.CodeProvider, Place: string(s.name), What: fmt.Sprintf("the local engine died %d times without an answer in between", s.failures) + last,
		Do: "check the memory that is free and the model file with rung doctor"}
}

// begin starts a process in the background. The caller holds mu.
func (s *server) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	st := &startup{done: make(chan struct{}), cancel: cancel}
	s.starting = st
	spec := s.spec
	go func() {
		defer cancel()
		if spec.Threads <= 0 {
			spec.Threads = max(1, threads(ctx)/s.share)
		}
		p, err := start(ctx, s.backend, spec, s.log)
		if err != nil && ctx.Err() == nil { // once more: another program may have taken the port, or the memory for a moment
			p, err = start(ctx, s.backend, spec, s.log)
		}
		s.mu.Lock()
		if err != nil {
			s.failures++
		}
		if err == nil && s.closed { // closed between the last look and now
			p.stop()
			p, err = nil, errClosed
		}
		s.proc, s.starting = p, nil
		st.proc, st.err = p, err
		s.mu.Unlock()
		close(st.done)
	}()
}

// worked is told after every answer: the server is well.
func (s *server) worked() {
	s.mu.Lock()
	s.failures = 0
	s.mu.Unlock()
}

// replace stops the process; the next start uses the new LoRA list. Nothing may be in flight.
func (s *server) replace(loras []string) {
	s.mu.Lock()
	p := s.proc
	s.proc = nil
	s.spec.LoRAs = loras
	s.failures = 0
	s.mu.Unlock()
	if p != nil {
		p.stop()
	}
}

// kill stops a process that hangs; it counts as one that died.
func (s *server) kill(p *process) {
	p.cmd.Process.Kill()
	<-p.exited
}

// close stops everything, a start under way included.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	p, st := s.proc, s.starting
	s.proc = nil
	s.mu.Unlock()
	if st != nil {
		st.cancel()
		<-st.done
	}
	if p != nil {
		p.stop()
	}
}

var errClosed = &rung.Error{Code: rung.CodeInterrupted, What: "the local engine was closed"}

// context is the number of tokens of one slot.
func (s *server) context() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec.Context
}

// hungAfter is how long a server may be silent on its main loop before it is taken for dead. The loop answers between two
// batches, so that even a machine starved of CPU takes a small part of it.
const hungAfter = 5 * time.Minute

// killIfHung asks the server's main loop for a sign of life, and ends the process when none comes.
func (s *server) killIfHung(p *process) {
	ctx, cancel := context.WithTimeout(context.Background(), hungAfter)
	defer cancel()
	if err := p.client.get(ctx, "/slots", nil); errors.Is(err, context.DeadlineExceeded) && p.alive() {
		s.kill(p)
	}
}

// diedSoon reports whether the process is gone, or goes within the moments that lie between a cut connection and its end.
func (p *process) diedSoon() bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(2 * time.Second):
		return false
	}
}
