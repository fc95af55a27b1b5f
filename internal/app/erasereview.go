package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// erasedBegin begins what a review knows of an erasure.
const erasedBegin = "Rows of a person were erased"

// holding is a release that holds what was erased, or learned from it.
type holding struct {
	release *rung.Release
	how     string
}

// reviews sees that nobody signs a release, or puts a signed one in production, without reading that it holds what had to be erased: its risk
// review says so, and is a draft again. A release that has no review gets the draft of one.
func (e *erasing) reviews(ctx context.Context) error {
	if e.opt.Serving == nil {
		return nil
	}
	for i := range e.holding {
		h := &e.holding[i]
		e.out.Reviews = append(e.out.Reviews, h.release.Name())
		if !e.opt.Do {
			continue
		}
		if err := e.reviewed(ctx, h); err != nil {
			return fmt.Errorf("the review of %s: %w", h.release.Name(), err)
		}
	}
	return nil
}

func (e *erasing) reviewed(ctx context.Context, h *holding) error {
	all, err := e.opt.Serving.Reviews(ctx, h.release.Task)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(v rung.Review) bool {
		return v.Version == h.release.Version && v.Release == h.release.Digest
	})
	var v *rung.Review
	if at >= 0 {
		v = &all[at]
	} else if v, err = NewReview(ctx, h.release, e.opt.Store, ""); err != nil {
		return err
	}
	what := erasedBegin
	if e.opt.Why != "" {
		what += " (" + e.opt.Why + ")"
	}
	what += "; " + h.release.Name() + ": " + h.how + ". Climb and release again."
	for i := range v.Sections {
		q := &v.Sections[i]
		if q.Key != "personal" {
			continue
		}
		if strings.Contains(q.Known, what) {
			return nil // an erasure that goes on, or that was asked for again
		}
		q.Known = strings.TrimPrefix(q.Known+"\n"+what+" Said on "+e.out.On+".", "\n")
	}
	v.State, v.SignOffs = rung.ReviewDraft, nil
	v.Revision++
	v.By, v.At = "rung data forget", time.Now().UTC().Truncate(time.Second)
	return e.opt.Serving.PutReview(ctx, *v)
}

// KeepErased takes what an older revision knows of erasures into a new one: the release and the store do not know it any more.
func KeepErased(to, from *rung.Review) {
	for i := range from.Sections {
		for line := range strings.Lines(from.Sections[i].Known) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, erasedBegin) {
				continue
			}
			for j := range to.Sections {
				if q := &to.Sections[j]; q.Key == from.Sections[i].Key && !strings.Contains(q.Known, line) {
					q.Known = strings.TrimPrefix(q.Known+"\n"+line, "\n")
				}
			}
		}
	}
}

// unsaidOf are the notes of a release's climb on what nobody has said of its data. What holds for all of it is joined from what some have
// said, and would read as if all had.
func unsaidOf(ctx context.Context, r *rung.Release, st store.Store) (out []string) {
	if st == nil {
		return nil
	}
	run, err := st.Run(ctx, r.Run)
	var doc rung.Document
	if err != nil || json.Unmarshal(run.Document, &doc) != nil {
		return nil // of another machine: its run is not here
	}
	for _, n := range doc.Notes {
		if strings.HasPrefix(n, "Nobody has said") {
			what, _, _ := strings.Cut(n, "; the task file")
			out = append(out, what+".")
		}
	}
	return out
}
