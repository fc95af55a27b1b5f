// Package app is the wiring: the one place that names concrete stores, providers and engines.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/task"
)

// Options say what to open and how.
type Options struct {
	File    string          // the task file
	Store   string          // directory of the store; empty: .rung beside the task file
	Prices  string          // price file that overrides the built-in table; empty: none
	Fresh   bool            // pay for every call again, once
	Models  []rung.ModelRef // instead of the task's
	Rungs   []rung.Rung     // instead of the task's
	Cost    *float64        // budget.cost, instead of the task's
	Wall    *time.Duration  // budget.wall, instead of the task's
	Log     *slog.Logger    // nil: none
	Observe Observer
}

// Observer is told what goes on while work is done. Methods may be called from several goroutines.
type Observer interface {
	Phase(r rung.Rung, text string)
	Progress(done, total int, costUSD float64)
	Note(text string)
}

// Project is a task with its data, its store and its models, ready for work. Close it.
type Project struct {
	Task    *rung.Task
	Data    *data.Dataset
	Terms   *Governed
	Form    *form.Form
	Grader  *grade.Grader
	Store   store.Store
	Dir     string // of the store
	Door    *model.Door
	Engine  *engine.Engine
	opt     Options
	budget  *model.Budget
	log     *slog.Logger
	vectors *vectors
	outside *outside

	mu        sync.Mutex
	endpoints map[string]openai.Config // outside servers that were named on the command line
}

// Open loads and checks the task and its data, and opens the store. All faults of the files come at once.
func Open(ctx context.Context, opt Options) (*Project, error) {
	p := &Project{opt: opt, log: opt.Log}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := p.load(ctx); err != nil {
		return nil, err
	}
	p.Dir = opt.Store
	if p.Dir == "" {
		p.Dir = filepath.Join(p.Task.Dir, ".rung")
	}
	st, err := sqlite.Open(ctx, p.Dir)
	if err != nil {
		return nil, err
	}
	p.Store = st
	if err := p.openModels(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Project) load(ctx context.Context) error {
	f, err := task.Open(p.opt.File)
	if err != nil {
		return err
	}
	p.Task = f.Task
	if len(p.opt.Models) > 0 {
		p.Task.Models = p.opt.Models
	}
	if len(p.opt.Rungs) > 0 {
		p.Task.Rungs = p.opt.Rungs
	}
	if p.opt.Cost != nil {
		p.Task.Budget.Cost = *p.opt.Cost
	}
	if p.opt.Wall != nil {
		p.Task.Budget.Wall = *p.opt.Wall
	}
	if p.Terms, err = Govern(p.Task); err != nil {
		return err
	}
	if err := p.Terms.Usable(); err != nil {
		return err
	}
	if p.Form, err = form.New(p.Task.Output); err != nil {
		return err
	}
	if p.Grader, err = Grader(f, p.Form); err != nil {
		return err
	}
	p.Data, err = data.Load(ctx, p.Task, p.Form)
	return err
}

// Grader compiles the metrics of a task. Those of the task's own are compiled one by one first, so that each fault is shown at
// its line; the error is a rung.Errors or *rung.Error.
func Grader(f *task.File, output *form.Form) (*grade.Grader, error) {
	var errs rung.Errors
	for i, spec := range f.Task.Metrics {
		if spec.Judge != nil {
			if e := judge.Check(spec.Name, spec.Judge); e != nil {
				errs = append(errs, f.Fault(fmt.Sprintf("metrics[%d].judge.prompt", i), e.What, e.Do))
			}
		}
		one := *f.Task
		one.Metrics = []rung.MetricSpec{spec}
		one.Bar = rung.Bar{Metric: spec.Name}
		_, err := grade.New(&one, output)
		var e *rung.Error
		if errors.As(err, &e) {
			errs = append(errs, f.Fault(fmt.Sprintf("metrics[%d].%s", i, spec.Kind), e.What, e.Do))
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return grade.New(f.Task, output)
}

func (p *Project) openModels() error {
	prices := model.BuiltinPrices()
	if p.opt.Prices != "" {
		var err error
		if prices, err = model.LoadPrices(p.opt.Prices); err != nil {
			return err
		}
	}
	var err error
	p.Engine, err = engine.New(engine.Options{
		Dir: p.Task.Dir, Log: func(line string) { p.opt.Observe.Note(line) },
		ServerLog: func(line string) { p.log.Debug(line, "from", "engine") },
	})
	if err != nil {
		return err
	}
	p.budget = model.NewBudget(p.Task.Budget.Cost)
	p.Door = model.NewDoor(model.Options{
		Store: p.Store, Provider: p.provider, Limits: p.Task.Limits, Prices: prices, Budget: p.budget, Fresh: p.opt.Fresh,
	})
	p.vectors = &vectors{store: p.Store, door: p.Door}
	p.outside = newOutside(p)
	p.Grader.Connect(p.outside)
	return p.Door.Check(p.Task.Models...)
}

func (p *Project) provider(name string) (model.Provider, error) {
	switch name {
	case "local":
		return p.Engine, nil
	case "anthropic":
		return anthropic.New(anthropic.Config{})
	}
	p.mu.Lock()
	config, outside := p.endpoints[name]
	p.mu.Unlock()
	if outside {
		return openai.New(config)
	}
	return openai.New(openai.Config{Name: name})
}

// addEndpoint makes an outside server known as a provider.
func (p *Project) addEndpoint(name string, config openai.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.endpoints == nil {
		p.endpoints = map[string]openai.Config{}
	}
	p.endpoints[name] = config
}

// Close ends the engine's servers and closes the store.
func (p *Project) Close() error {
	var errs []error
	if p.outside != nil {
		errs = append(errs, p.outside.Close())
	}
	if p.Engine != nil {
		errs = append(errs, p.Engine.Close())
	}
	if p.Store != nil {
		errs = append(errs, p.Store.Close())
	}
	return errors.Join(errs...)
}

// hasLocal reports whether any of the task's models runs in the engine.
func (p *Project) hasLocal() bool {
	for _, m := range p.Task.Models {
		if m.Local() {
			return true
		}
	}
	return false
}
