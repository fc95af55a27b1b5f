package engine

import (
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rung-dev/rung"
)

// fleet is the servers of one model, each a process of its own, and the way to their slots.
//
// A small model gets several servers of one slot and few threads rather than one server of many slots and all threads.
// Measured on two cores with SmolLM2-135M, requests with and without a shared prefix: two servers of one thread answered
// 1.1 to 1.4 times as many items a second as one of two threads and four slots; on a machine that others used as well,
// several times as many, because llama.cpp's threads spin while they wait for each other. And one slot computes an answer
// alone, so that it does not depend on what else is asked at the same time.
type fleet struct {
	servers []*server
	per     int // slots of one server
	queue   *scheduler
}

const (
	// smallModel is the size in bytes up to which several copies of a model's weights are worth their memory.
	smallModel = 600 << 20
	// maxServers bounds the copies.
	maxServers = 4
	// manySlots is for a model that has one server only: a batch reads the weights once for all its slots.
	manySlots = 4
)

// shape is how many servers a model of so many bytes gets, and how many slots each.
func shape(opt Options, size int64, gpu bool) (servers, slots int) {
	if opt.Slots > 0 {
		return 1, opt.Slots
	}
	if gpu || size > smallModel {
		return 1, manySlots
	}
	return max(1, min(runtime.NumCPU(), maxServers)), 1
}

func newFleet(name rung.ModelRef, b backend, spec launchSpec, servers int, log func(string)) *fleet {
	f := &fleet{per: spec.Slots, queue: newScheduler(servers * spec.Slots)}
	for range servers {
		f.servers = append(f.servers, &server{name: name, backend: b, log: log, spec: spec, share: servers})
	}
	return f
}

// at is the server that a slot of the fleet belongs to, and the slot's number there.
func (f *fleet) at(slot int) (s *server, own int) { return f.servers[slot/f.per], slot % f.per }

// lost forgets the prompts in the slots of a server that died.
func (f *fleet) lost(slot int) {
	first := slot / f.per * f.per
	f.queue.forget(first, first+f.per)
}

// replace stops all servers, to start again with other adapters. Nothing may be in flight.
func (f *fleet) replace(loras []string) {
	for _, s := range f.servers {
		s.replace(loras)
	}
	f.queue.forget(0, len(f.servers)*f.per)
}

// first starts a server if none runs yet, and returns it.
func (f *fleet) first(ctx context.Context) (*process, error) { return f.servers[0].ready(ctx) }

// start starts all servers.
func (f *fleet) start(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	for _, s := range f.servers {
		work.Go(func() error {
			_, err := s.ready(ctx)
			return err
		})
	}
	return work.Wait()
}

// backend is what all servers of the fleet run on.
func (f *fleet) backend() backend { return f.servers[0].backend }

// context is the number of tokens of one slot.
func (f *fleet) context() int { return f.servers[0].context() }

func (f *fleet) close() {
	var wg sync.WaitGroup
	for _, s := range f.servers {
		wg.Go(s.close)
	}
	wg.Wait()
}
