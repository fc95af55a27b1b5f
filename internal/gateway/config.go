package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Config is gateway.yaml with its defaults filled in; docs/gateway.md explains each key.
type Config struct {
	Listen      string
	Cert, Key   string // files of TLS, both or none; relative to the file
	Limits      Limits
	Pass        []string // what is passed through: provider/* or provider/name
	Defaults    TaskConfig
	Tasks       map[string]TaskConfig
	Groups      Groups
	Text        bool          // traces keep what was said
	Keep        time.Duration // traces older than this are deleted; 0: never
	KeepBytes   int64         // the oldest traces go beyond this; 0: no limit
	OpenMetrics bool          // metrics need no key
	Drain       time.Duration
}

// Limits bound what callers and providers may take.
type Limits struct {
	Body        int64         // bytes of a request
	Bodies      int64         // bytes of all requests together
	Header      int           // bytes of its header
	Read        time.Duration // for the body to come
	Write       time.Duration // for a caller to take what was written
	Idle        time.Duration // of a connection between requests
	Request     time.Duration // from admission to the last byte
	Connections int
	Concurrency int           // requests worked on at a time
	Queue       int           // requests that may wait
	QueueWait   time.Duration // for at most this long
	Upstream    int           // calls to one provider at a time
	Retries     int           // of a call to a model
	Attempt     time.Duration // of one call to a model
}

// TaskConfig says how a task is served.
type TaskConfig struct {
	Alias    string
	History  string // keep or refuse
	Fallback []Fallback
	Timeout  time.Duration // of one leg of the chain; 0: limits.request
	Text     *bool         // instead of traces.text
}

// Fallback answers when what is before it in the chain cannot.
type Fallback struct {
	Release string // a version or an alias
	Model   rung.ModelRef
}

const (
	keepHistory   = "keep"
	refuseHistory = "refuse"
)

// Default is the configuration of a gateway without a file.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:8080",
		Limits: Limits{Body: 4 << 20, Bodies: 256 << 20, Header: 64 << 10, Read: 30 * time.Second, Write: 30 * time.Second, Idle: 2 * time.Minute, Request: 5 * time.Minute,
			Connections: 10_000, Concurrency: 256, Queue: 1024, QueueWait: 10 * time.Second, Upstream: 256, Retries: 2, Attempt: 2 * time.Minute},
		Defaults: TaskConfig{Alias: rung.Production, History: keepHistory},
		Text:     true,
		Keep:     30 * 24 * time.Hour, KeepBytes: 1 << 30,
		Drain: 30 * time.Second,
	}
}

// LoadConfig reads a file. Faults come as rung.Errors, all at once, each with its line and column.
func LoadConfig(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the configuration cannot be read", Do: "check the path", Err: err}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = errLong
	}
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the configuration cannot be read: " + err.Error(), Do: "check that it is the right file", Err: err}
	}
	return ParseConfig(path, b)
}

const maxConfig = 256 << 10

var errLong = errors.New("it is longer than 256 KiB")

// startConfig is what a change of the configuration leaves as it was until the next start: what the listener, the door to the
// models and retention are made with.
type startConfig struct {
	listen              string
	tls                 bool
	header, connections int
	upstream, retries   int
	idle, attempt, keep time.Duration
	keepBytes           int64
}

func (c *Config) atStart() startConfig {
	l := &c.Limits
	return startConfig{listen: c.Listen, tls: c.Cert != "", header: l.Header, connections: l.Connections, upstream: l.Upstream, retries: l.Retries,
		idle: l.Idle, attempt: l.Attempt, keep: c.Keep, keepBytes: c.KeepBytes}
}

// task is how a task is served.
func (c *Config) task(name string) TaskConfig {
	if t, ok := c.Tasks[name]; ok {
		return t
	}
	return c.Defaults
}

// text says whether traces of a task keep what was said; an empty name is a request that is passed through.
func (c *Config) text(task string) bool {
	if t := c.task(task).Text; t != nil {
		return *t
	}
	return c.Text
}

// passes says whether a model is passed through.
func (c *Config) passes(name string) bool {
	provider, _, _ := strings.Cut(name, "/")
	return slices.Contains(c.Pass, name) || slices.Contains(c.Pass, provider+"/*") || slices.Contains(c.Pass, "*")
}

// Loopback says whether an address is for this machine alone.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && loopbackHost(host)
}

// loopbackHost says whether a host, with or without a port, is this machine.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
