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
	// maxReleases bounds what is kept ready; the one that was used longest ago goes first.
	maxReleases = 64
)

// releases keeps releases ready, by task and version. Callers of one that is not ready wait for each other.
type releases struct {
	source Source
	mu     sync.Mutex
	ready  map[string]*loading
	clock  int64
}

type loading struct {
	done chan struct{}
	rel  *Release
	err  error
	at   time.Time
	used int64
}

func newReleases(source Source) *releases {
	return &releases{source: source, ready: map[string]*loading{}}
}

// get gives a release that is ready, made ready if it is not.
func (c *releases) get(ctx context.Context, line rung.ReleaseLine) (*Release, error) {
	name := line.Task + "@" + line.Version
	c.mu.Lock()
	c.clock++
	l := c.ready[name]
	if l != nil && l.failedBefore(time.Now().Add(-retryLoad)) {
		l = nil
	}
	if l == nil {
		l = &loading{done: make(chan struct{})}
		c.ready[name] = l
		c.evict(name)
		go c.load(context.WithoutCancel(ctx), l, line)
	}
	l.used = c.clock
	c.mu.Unlock()
	select {
	case <-l.done:
		return l.rel, l.err
	case <-ctx.Done():
		return nil, &rung.Error{Code: rung.CodeTimeout, Place: name, What: "the release is not ready yet", Do: "try again", Err: ctx.Err()}
	}
}

func (l *loading) failedBefore(t time.Time) bool {
	select {
	case <-l.done:
		return l.err != nil && l.at.Before(t)
	default:
		return false
	}
}

func (c *releases) load(ctx context.Context, l *loading, line rung.ReleaseLine) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	defer close(l.done)
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
