package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// seen is one answer as its caller saw it.
type seen struct {
	trace  [16]byte
	status int16
	arm    arm
	from   version
}

type (
	arm     uint8 // as the header says; noArm: none
	version uint8
)

const (
	noArm arm = iota
	baselineArm
	targetArm
)

var (
	armNames     = []string{"", "baseline", "target"}
	versionNames = []string{"", "words@v1", "words@v2"}
)

// tally is what a caller saw.
type tally struct {
	answers  []seen
	asked    int
	statuses map[int]int // status → answers
	broken   int         // connections that ended before the answer did, as they must where it broke off
	left     int         // endless answers that the caller left
	stuck    []string    // no answer within patience: what was asked, and when
	half     []string    // answers that look whole and are not
}

// form is an API and what to ask there.
type form struct {
	path, body string
	last       string // what ends a whole stream
	task       bool
}

var forms = []form{
	{"/v1/chat/completions", `{"model":"words","messages":[{"role":"user","content":%q}],"stream":%v}`, "data: [DONE]", true},
	{"/v1/responses", `{"model":"words","input":%q,"stream":%v}`, "response.completed", true},
	{"/v1/messages", `{"model":"words","max_tokens":50,"messages":[{"role":"user","content":%q}],"stream":%v}`, "message_stop", true},
	{"/v1/chat/completions", `{"model":"mock/m","messages":[{"role":"user","content":%q}],"stream":%v}`, "data: [DONE]", false},
}

const enough = 2 << 20 // bytes after which a caller leaves an endless answer

// storm asks over so many connections as fast as answers come, and watches the gateway meanwhile.
func (w *world) storm() *tally {
	w.stormy.Store(true)
	defer w.stormy.Store(false)
	until := time.Now().Add(w.o.length)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: w.o.connections, MaxConnsPerHost: w.o.connections}}
	all := make([]*tally, w.o.connections)
	var callers sync.WaitGroup
	for k := range all {
		t := &tally{statuses: map[int]int{}}
		all[k] = t
		callers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(k), 7))
			for time.Now().Before(until) {
				t.ask(client, w.url, rng)
			}
		})
	}
	watching, stop := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	watcher.Go(func() { w.watch(watching) })
	watcher.Go(func() { w.stalls(watching) })
	callers.Wait()
	stop()
	watcher.Wait()
	client.CloseIdleConnections()
	return merge(all)
}

func merge(all []*tally) *tally {
	sum := &tally{statuses: map[int]int{}}
	for _, t := range all {
		sum.answers = append(sum.answers, t.answers...)
		sum.asked, sum.broken, sum.left = sum.asked+t.asked, sum.broken+t.broken, sum.left+t.left
		sum.stuck, sum.half = append(sum.stuck, t.stuck...), append(sum.half, t.half...)
		for s, n := range t.statuses {
			sum.statuses[s] += n
		}
	}
	return sum
}

var errLeft = errors.New("the caller has enough")

func (t *tally) ask(client *http.Client, url string, rng *rand.Rand) {
	f, stream := &forms[rng.IntN(len(forms))], rng.IntN(2) == 0
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+f.path, strings.NewReader(fmt.Sprintf(f.body, words[rng.IntN(len(words))], stream)))
	if err != nil {
		t.half = append(t.half, err.Error())
		return
	}
	req.Header.Set("Content-Type", "application/json")
	t.asked++
	what := fmt.Sprintf("%s task %v stream %v at %s", f.path, f.task, stream, time.Now().Format(time.TimeOnly))
	resp, err := client.Do(req)
	if err != nil {
		t.failed(err, what+", no header")
		return
	}
	defer resp.Body.Close()
	t.note(resp)
	body, err := io.ReadAll(io.LimitReader(resp.Body, enough))
	if err == nil && len(body) == enough {
		err = errLeft
	}
	switch {
	case err != nil:
		t.failed(err, fmt.Sprintf("%s, status %d, trace %s, %d bytes", what, resp.StatusCode, resp.Header.Get("X-Rung-Trace"), len(body)))
	case f.task && !whole(f, body, stream && resp.StatusCode == http.StatusOK):
		t.half = append(t.half, fmt.Sprintf("%s, stream %v, status %d: %.300q", f.path, stream, resp.StatusCode, body))
	}
}

func (t *tally) failed(err error, what string) {
	switch {
	case errors.Is(err, errLeft):
		t.left++
	case errors.Is(err, context.DeadlineExceeded):
		t.stuck = append(t.stuck, what)
	default:
		t.broken++
	}
}

func (t *tally) note(resp *http.Response) {
	t.statuses[resp.StatusCode]++
	s := seen{status: int16(resp.StatusCode), arm: arm(max(0, index(armNames, resp.Header.Get("X-Rung-Arm")))), from: version(max(0, index(versionNames, resp.Header.Get("X-Rung-Release"))))}
	if id, err := hex.DecodeString(resp.Header.Get("X-Rung-Trace")); err == nil && len(id) == len(s.trace) {
		s.trace = [16]byte(id)
	}
	t.answers = append(t.answers, s)
}

func index(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// whole reports whether a task's answer is what it claims to be: JSON, or a stream with its end or an error.
func whole(f *form, body []byte, stream bool) bool {
	if !stream {
		return json.Valid(body)
	}
	return bytes.Contains(body, []byte(f.last)) || bytes.Contains(body, []byte(`"error"`))
}

// sample is what the gateway says of itself.
type sample struct {
	at                                            time.Time
	resident, goroutines, flying, queued, dropped float64
}

const sampleEvery = 2 * time.Second

func (w *world) watch(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s, err := w.look()
		if err != nil {
			fmt.Fprintln(os.Stderr, "soak: no metrics:", err)
			continue
		}
		w.samples = append(w.samples, s)
	}
}

const stallEvery = 50 * time.Millisecond

// stalls notes the longest time that this process, which does next to nothing for its clock, was kept from running: what a machine
// that is busy with other things did to the gateway too.
func (w *world) stalls(ctx context.Context) {
	tick := time.NewTicker(stallEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		w.stall = max(w.stall, now.Sub(last)-stallEvery)
		last = now
	}
}

// look reads the gateway's metrics.
func (w *world) look() (sample, error) {
	s := sample{at: time.Now()}
	client := &http.Client{Timeout: patience}
	resp, err := client.Get(w.url + "/metrics")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	into := map[string]*float64{"process_resident_memory_bytes": &s.resident, "go_goroutines": &s.goroutines, "rung_requests_in_flight": &s.flying,
		"rung_requests_queued": &s.queued, "rung_traces_dropped_total": &s.dropped}
	found := 0
	for lines := bufio.NewScanner(io.LimitReader(resp.Body, 4<<20)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := into[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return s, err
			}
			found++
		}
	}
	if found != len(into) {
		return s, fmt.Errorf("%d of %d metrics are there", found, len(into))
	}
	return s, nil
}
