// Package program runs a metric that is a program of the user's: for each answer one JSON line on its standard input, and one JSON line
// back. It stays alive from answer to answer.
//
// What is guaranteed: an answer that takes longer than the limit, a line of more than 64 KiB, a process that dies or prints what is no
// score between 0 and 1 end in a value with its reason, never in a crash or a hole. The process then is killed with its process group
// and started again; after five failures in a row it is given up. It sees none of rung's environment but PATH, its home is an empty
// directory, and each of its processes may have so much address space (Linux). What is not: it runs with the user's rights, may read
// the user's files and reach the network, and a process that leaves its group survives it. docs/metrics.md says the same to users.
package program

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rung-dev/rung"
)

// Store keeps the scores that a program gave, so that it is not asked again.
type Store interface {
	PutStep(ctx context.Context, key string, value []byte) error
	Step(ctx context.Context, key string) (value []byte, found bool, err error)
}

// Config is what a program is run with.
type Config struct {
	Metric   string
	Spec     rung.ProgramSpec
	PassFail bool   // it gives 0 or 1
	Dir      string // working directory: that of the task
	Store    Store  // nil: nothing is kept
}

// Program is a metric that a program gives. It is safe for concurrent use; Close ends its processes.
type Program struct {
	Config
	digest rung.Digest
	slots  chan *process // of each process that may run; nil until it is started
	home   string

	mu     sync.Mutex
	inARow int // failures since the last score
	last   string
}

// giveUp is the number of failures in a row after which a program is not started again.
const giveUp = 5

// New prepares a program; nothing is started yet. The error is a *rung.Error.
func New(c Config) (*Program, error) {
	p := &Program{Config: c, slots: make(chan *process, max(c.Spec.Processes, 1))}
	for range cap(p.slots) {
		p.slots <- nil
	}
	var err error
	p.digest, err = p.content()
	return p, err
}

// content names the program by its command line and the files that it is known to read.
func (p *Program) content() (rung.Digest, error) {
	parts := append([]string{fmt.Sprint(p.PassFail)}, p.Spec.Run...)
	files := append([]string(nil), p.Spec.Files...)
	for _, arg := range p.Spec.Run {
		if !filepath.IsAbs(arg) {
			arg = filepath.Join(p.Dir, arg)
		}
		if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
			files = append(files, arg)
		}
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", &rung.Error{Code: rung.CodeInput, Place: file, What: "metric " + p.Metric + ": the file cannot be read", Do: "give yourself the right to read it", Err: err}
		}
		parts = append(parts, string(rung.DigestBytes(b)))
	}
	return rung.DigestOf(parts), nil
}

// Digest names the program by its command line and the content of its files: scores are kept under it.
func (p *Program) Digest() rung.Digest { return p.digest }

// Row is one answer as the program reads it, on one line.
type Row struct {
	ID       string            `json:"id"`
	Input    json.RawMessage   `json:"input"`
	Output   json.RawMessage   `json:"output"`
	Expected []json.RawMessage `json:"expected"` // the example's output and its alternatives
}

// Score asks the program about one answer, unless it has been asked before. What goes wrong is a value with its reason; the error is
// for the end of ctx and for a store that fails.
func (p *Program) Score(ctx context.Context, row Row) (rung.OutsideValue, error) {
	key := p.key(row)
	if p.Store != nil {
		kept, found, err := p.Store.Step(ctx, key)
		if err != nil {
			return rung.OutsideValue{}, err
		}
		var v rung.OutsideValue
		if found && json.Unmarshal(kept, &v) == nil {
			return v, nil
		}
	}
	v, err := p.ask(ctx, row)
	if err != nil || v.Failed != "" || p.Store == nil {
		return v, err
	}
	kept, err := json.Marshal(v)
	if err != nil {
		return v, fmt.Errorf("program %s: %w", p.Metric, err)
	}
	return v, p.Store.PutStep(ctx, key, kept)
}

func (p *Program) key(row Row) string {
	row.ID = ""
	return "program/" + string(p.digest) + "/" + string(rung.DigestOf(row))
}

// ask sends the row to a free process.
func (p *Program) ask(ctx context.Context, row Row) (rung.OutsideValue, error) {
	line, err := json.Marshal(row)
	if err != nil {
		return rung.OutsideValue{Failed: "the answer has no JSON form: " + err.Error()}, nil
	}
	var proc *process
	select {
	case proc = <-p.slots:
	case <-ctx.Done():
		return rung.OutsideValue{}, context.Cause(ctx)
	}
	defer func() { p.slots <- proc }()
	if why := p.givenUp(); why != "" {
		return rung.OutsideValue{Failed: why}, nil
	}
	v, err := rung.OutsideValue{}, error(nil)
	if proc == nil {
		if proc, err = p.start(); err != nil {
			return p.failed(err.Error()), nil
		}
	}
	reply, fault := proc.exchange(ctx, line, p.Spec.Timeout)
	if ctx.Err() != nil {
		proc.kill()
		proc = nil
		return v, context.Cause(ctx)
	}
	if fault == "" {
		v, fault = p.read(reply, row.ID)
	}
	if fault != "" {
		proc.kill()
		fault += proc.lastWords()
		proc = nil
		return p.failed(fault), nil
	}
	p.mu.Lock()
	p.inARow = 0
	p.mu.Unlock()
	return v, nil
}

func (p *Program) givenUp() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inARow < giveUp {
		return ""
	}
	return fmt.Sprintf("the program failed %d times in a row and was given up: %s", giveUp, p.last)
}

func (p *Program) failed(why string) rung.OutsideValue {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inARow++
	p.last = why
	return rung.OutsideValue{Failed: why}
}

// reply is the line that a program answers with.
type reply struct {
	ID    *string          `json:"id"`
	Score *json.RawMessage `json:"score"`
	Note  string           `json:"note"`
	Error string           `json:"error"`
}

// read takes the score out of a reply, or says what is wrong with it.
func (p *Program) read(line []byte, id string) (v rung.OutsideValue, fault string) {
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		return v, fmt.Sprintf("the program printed %s, which is no JSON object with a score", quoted(line))
	}
	switch {
	case r.ID != nil && *r.ID != id:
		return v, fmt.Sprintf("the program answered %q where it was asked about %q", *r.ID, id)
	case r.Error != "":
		return rung.OutsideValue{Failed: "the program says: " + clip(r.Error)}, ""
	case r.Score == nil:
		return v, fmt.Sprintf("the program printed %s, which has no score", quoted(line))
	}
	var score float64
	var right bool
	if json.Unmarshal(*r.Score, &right) == nil && string(*r.Score) != "null" {
		if right {
			score = 1
		}
	} else if json.Unmarshal(*r.Score, &score) != nil || string(*r.Score) == "null" {
		return v, fmt.Sprintf("the program gave the score %s, which is no number", quoted(*r.Score))
	}
	switch {
	case math.IsNaN(score) || score < 0 || score > 1:
		return v, fmt.Sprintf("the program gave the score %v, which is not between 0 and 1", score)
	case p.PassFail && score != 0 && score != 1:
		return v, fmt.Sprintf("the program gave the score %v, and pass_fail is set", score)
	}
	return rung.OutsideValue{Value: score, Note: clip(r.Note)}, ""
}

// longestNote bounds what is kept of a program's words, in bytes.
const longestNote = 500

func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
	if len(s) <= longestNote {
		return s
	}
	return strings.ToValidUTF8(s[:longestNote], "") + "…"
}

func quoted(b []byte) string {
	const most = 60
	if len(b) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(string(b[:most]), ""))
	}
	return fmt.Sprintf("%q", b)
}

// Close ends the program's processes and removes their home.
func (p *Program) Close() error {
	for range cap(p.slots) {
		if proc := <-p.slots; proc != nil {
			proc.end()
		}
	}
	p.mu.Lock()
	home := p.home
	p.home = ""
	p.mu.Unlock()
	for range cap(p.slots) {
		p.slots <- nil
	}
	if home == "" {
		return nil
	}
	return os.RemoveAll(home)
}
