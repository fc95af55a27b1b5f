package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// world is the model server, and a gateway with two releases before it.
type world struct {
	o       options
	dir     string
	bin     string
	url     string
	rollout string
	cmd     *exec.Cmd
	ended   chan error // of the gateway
	stops   []func()

	stormy atomic.Bool // the model server may fail
	mu     sync.Mutex
	rng    *rand.Rand
	faults map[modeltest.Fault]int // shown

	samples []sample
	stall   time.Duration // longest pause of this process
}

var (
	plainFaults = []modeltest.Fault{modeltest.RateLimited, modeltest.ServerError, modeltest.Unavailable, modeltest.Overloaded, modeltest.HTMLError, modeltest.Cut,
		modeltest.CutEarly, modeltest.Hang, modeltest.HangBody, modeltest.BadJSON, modeltest.WrongType, modeltest.WrongShape, modeltest.NoChoices, modeltest.HugeHeaders,
		modeltest.BadKey, modeltest.NoCredit, modeltest.NoModel, modeltest.TooLong, modeltest.BadRequest, modeltest.Redirect}
	streamFaults = []modeltest.Fault{modeltest.CutStream, modeltest.HangStream, modeltest.ErrorStream, modeltest.BadStream, modeltest.ShortStream}
	// Those without end take the time of everybody while they last, so they are rare.
	endlessFaults = []modeltest.Fault{modeltest.Endless, modeltest.Stream, modeltest.HugeEvent}
)

// slow is not in modeltest's list: an answer that is right and late.
const slow modeltest.Fault = "slow"

const rareness = 25 // of the endless faults among all

// fault draws one, or none.
func (w *world) fault(streamed bool) modeltest.Fault {
	if !w.stormy.Load() {
		return modeltest.None
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rng.Float64() >= w.o.faults {
		return modeltest.None
	}
	kinds := append(plainFaults[:len(plainFaults):len(plainFaults)], slow)
	if streamed {
		kinds = append(kinds, streamFaults...)
	}
	if w.rng.IntN(rareness) == 0 {
		kinds = endlessFaults
	}
	f := kinds[w.rng.IntN(len(kinds))]
	w.faults[f]++
	return f
}

// answer is the model: it knows the words, in the climb with demonstrations only, so that two rungs make two candidates.
func (w *world) answer(c modeltest.Call) modeltest.Reply {
	word, _, _ := strings.Cut(c.Last(), "\n")
	r := modeltest.Reply{Text: truth(word), Fault: w.fault(c.Streamed)}
	if !w.stormy.Load() && len(c.Messages) <= 4 {
		r.Text = "long and short"
	}
	if r.Fault == slow {
		r.Fault, r.Delay = modeltest.None, time.Second
	}
	return r
}

func truth(word string) string {
	if len(word) > 5 {
		return "long"
	}
	return "short"
}

// words share nothing, so that none is taken for a duplicate of another.
var words = strings.Fields(`anchor basket candle dragon engine feather garden hammer island jacket kettle ladder magnet needle orchid pepper quartz
ribbon saddle timber urchin velvet walnut yonder zephyr acorn bishop cactus donkey ember falcon goblet harbor icicle jungle kitten lantern meadow
nutmeg oyster parrot quiver raisin salmon tunnel umpire violin wizard yogurt zipper almond beacon copper desert eagle fossil glacier hazel ivory
jasmine kernel lizard marble nectar olive pebble quill rocket silver turnip utopia vessel willow xenon yarrow zinnia apron bronze cobalt dahlia
easel fennel ginger hollow indigo jigsaw knight lemon mosaic nickel opal pigeon quinoa russet sorrel topaz umber vanilla wharf yeoman zodiac`)

const taskFile = `task: words
instructions: Say whether the word is long or short.
input: {word: string}
output: {labels: [long, short]}
examples: examples.jsonl
bar: {metric: accuracy, at_least: 0.6}
models: [openai/test]
limits: {retries: 0, reasks: 0, timeout: 20s}
`

const gatewayFile = `listen: 127.0.0.1:0
pass: [mock/*]
limits: {attempt: 2s, request: 8s, retries: 1, concurrency: 128, queue: 256, queue_wait: 2s, upstream: 128}
traces: {keep: 30d, max_size: 64GiB}
metrics: {open: true}
`

// patience is how long a caller waits before a request counts as stuck: what the gateway's own limits allow, and as much again.
const patience = 30 * time.Second

// begin climbs, releases two candidates, starts the gateway and the canary, all with the commands that a user has.
func (w *world) begin() error {
	w.faults = map[modeltest.Fault]int{}
	up, stop, err := modeltest.New(w.answer).Listen()
	if err != nil {
		return err
	}
	w.stops = append(w.stops, stop)
	if w.bin = w.o.rung; w.bin == "" {
		w.bin = filepath.Join(w.dir, "rung")
		if out, err := exec.Command("go", "build", "-o", w.bin, "./cmd/rung").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	env := append(os.Environ(), "OPENAI_BASE_URL="+up+"/v1", "OPENAI_API_KEY=k", "MOCK_BASE_URL="+up+"/v1", "MOCK_API_KEY=k", "RUNG_DATABASE_URL=", "GIT_CEILING_DIRECTORIES="+filepath.Dir(w.dir))
	if err := w.files(); err != nil {
		return err
	}
	if err := w.releases(env); err != nil {
		return err
	}
	if err := w.serve(env); err != nil {
		return err
	}
	var started struct {
		Rollout rung.Rollout `json:"rollout"`
	}
	err = w.command(env, &started, "rollout", "start", "words", "v2", "--share", fmt.Sprint(w.o.share), "--auto=false")
	w.rollout = started.Rollout.ID
	return err
}

func (w *world) files() error {
	var rows bytes.Buffer
	for i, word := range words {
		fmt.Fprintf(&rows, "{\"id\": \"w%d\", \"input\": {\"word\": %q}, \"output\": %q}\n", i, word, truth(word))
	}
	for name, text := range map[string]string{"task.yaml": taskFile, "gateway.yaml": gatewayFile, "examples.jsonl": rows.String()} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) releases(env []string) error {
	var doc rung.Document
	if err := w.command(env, &doc, "climb", "task.yaml"); err != nil {
		return err
	}
	if err := w.command(env, nil, "release", "--production"); err != nil {
		return err
	}
	for _, r := range doc.Rungs {
		if r.Rung == rung.Prompt && r.Candidate != doc.Decision.Candidate {
			return w.command(env, nil, "release", "--candidate", string(r.Candidate), "--force", "--note", "the canary")
		}
	}
	return errors.New("the climb gave no second candidate")
}

// command runs rung and reads its document.
func (w *world) command(env []string, into any, args ...string) error {
	cmd := exec.Command(w.bin, append(args, "--json")...)
	cmd.Dir, cmd.Env = w.dir, env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("rung %s: %w: %s", args[0], err, errs.String())
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(out, into)
}

func (w *world) serve(env []string) error {
	log, err := os.Create(filepath.Join(w.dir, "gateway.log"))
	if err != nil {
		return err
	}
	w.stops = append(w.stops, func() { _ = log.Close() })
	w.cmd = exec.Command(w.bin, "serve", "--json")
	w.cmd.Dir, w.cmd.Env, w.cmd.Stderr = w.dir, env, log
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.cmd.Start(); err != nil {
		return err
	}
	r := bufio.NewReader(out)
	var d struct {
		URL string `json:"url"`
	}
	err = json.NewDecoder(r).Decode(&d)
	ended := make(chan error, 1)
	w.ended = ended
	go func() {
		_, _ = io.Copy(io.Discard, r)
		ended <- w.cmd.Wait()
	}()
	w.url = d.URL
	return err
}

// stopGateway ends it as an administrator does, and waits for its last traces.
func (w *world) stopGateway() error {
	if w.cmd == nil || w.ended == nil {
		return nil
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	ended := w.ended
	w.ended = nil
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("rung serve ended with %w", err)
		}
		return nil
	case <-time.After(2 * time.Minute):
		_ = w.cmd.Process.Kill()
		return errors.New("rung serve did not stop within two minutes of SIGTERM")
	}
}

func (w *world) end() {
	if err := w.stopGateway(); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
}
