package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/rung-dev/rung"
)

const (
	// loadTimeout bounds how long a release may take to get ready: an engine has to start and a model to be read.
	loadTimeout = 5 * time.Minute
	// retryLoad is how long a release that could not be made ready is left alone.
	retryLoad = 5 * time.Second
	// maxRetryLoad bounds how long, when it fails again and again and no request asks for it.
	maxRetryLoad = 5 * time.Minute
	// loadsAtOnce bounds how many releases are made ready at a time: each may read a model and start an engine.
	loadsAtOnce = 4
	// maxReleases bounds what is kept ready; the one that was used longest ago goes first.
	maxReleases = 64
)

// releases keeps releases ready, by task and version. Callers of one that is not ready wait for each other.
type releases struct {
	source Source
	end    context.Context // ends when the gateway does
	slots  chan struct{}
	mu     sync.Mutex
	ready  map[string]*loading
	clock  int64
}

// loading is a release that is being made ready, or was, or could not be. What it holds is there when done is closed.
type loading struct {
	done  chan struct{}
	rel   *Release
	err   error
	at    time.Time
	fails int // in a row, before this one
	used  int64
}

func newReleases(end context.Context, source Source) *releases {
	return &releases{source: source, end: end, slots: make(chan struct{}, loadsAtOnce), ready: map[string]*loading{}}
}

// get gives a release that is ready, made ready if it is not.
func (c *releases) get(ctx context.Context, line rung.ReleaseLine) (*Release, error) {
	l := c.start(line)
	if l.ended() { // also for a caller whose time is up: select would choose either
		return l.rel, l.err
	}
	select {
	case <-l.done:
		return l.rel, l.err
	case <-ctx.Done():
		return nil, &rung.Error{Code: rung.CodeTimeout, Place: nameOf(line), What: "the release is not ready yet", Do: "try again", Err: ctx.Err()}
	}
}

// start begins to make a release ready unless that has begun, and waits for nothing. One that failed is tried again after retryLoad.
func (c *releases) start(line rung.ReleaseLine) *loading {
	name := nameOf(line)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	l, fails := c.ready[name], 0
	if l != nil && l.ended() && l.err != nil && time.Since(l.at) > retryLoad {
		l, fails = nil, l.fails+1
	}
	if l == nil {
		l = &loading{done: make(chan struct{}), fails: fails}
		c.ready[name] = l
		c.evict(name)
		go c.load(l, line)
	}
	l.used = c.clock
	return l
}

// has reports whether a release is kept: ready, on its way or failed.
func (c *releases) has(line rung.ReleaseLine) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready[nameOf(line)] != nil
}

// loaded is the release of that name if it is ready here; nil otherwise.
func (c *releases) loaded(name string) *Release {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.ready[name]; l != nil && l.ended() {
		return l.rel
	}
	return nil
}

func nameOf(line rung.ReleaseLine) string { return line.Task + "@" + line.Version }

func (l *loading) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// again is when a release that could not be made ready is tried again though nobody asks for it: ever later, as it may cost much.
func (l *loading) again() time.Time {
	return l.at.Add(min(retryLoad<<min(l.fails, 10), maxRetryLoad))
}

func (c *releases) load(l *loading, line rung.ReleaseLine) {
	defer close(l.done)
	c.slots <- struct{}{} // each of those who have one ends within loadTimeout
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(c.end, loadTimeout)
	defer cancel()
	l.rel, l.err = c.source.Release(ctx, line)
	l.at = time.Now()
}

// evict lets go of the release that was used longest ago. Requests that have it end with it.
func (c *releases) evict(but string) {
	for len(c.ready) > maxReleases {
		oldest := ""
		for name, l := range c.ready {
			if name != but && (oldest == "" || l.used < c.ready[oldest].used) {
				oldest = name
			}
		}
		delete(c.ready, oldest)
	}
}
