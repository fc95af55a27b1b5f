package cli

import (
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/govern"
)

// checkTerms is on what terms the data may be used, and which rungs they stop.
type checkTerms struct {
	rung.Terms
	Rulings []govern.Ruling    `json:"rulings"`
	Stops   []checkStoppedRung `json:"stops"`
	words   string
}

// checkStoppedRung is a rung that a climb skips, with the reason.
type checkStoppedRung struct {
	Rung rung.Rung `json:"rung"`
	Why  string    `json:"why"`
}

// terms reads what the task and its datasets say about their data; where nobody said anything there is nothing to show.
func (r *checkReport) terms() error {
	g, err := app.Govern(r.task)
	if err != nil {
		return err
	}
	if err := g.Usable(); err != nil {
		r.fail(err)
	} else if err := g.Strictly(r.task); err != nil {
		r.fail(err)
	}
	terms := g.Terms()
	if govern.Empty(&terms) {
		return nil
	}
	r.Terms = &checkTerms{Terms: terms, Stops: []checkStoppedRung{}, words: app.TermsText(&terms)}
	for _, use := range []rung.Use{rung.UseEvaluate, rung.UsePrompt, rung.UseTrain, rung.UsePublish} {
		ruling := g.Permit(use)
		r.Terms.Rulings = append(r.Terms.Rulings, ruling)
		if use == rung.UsePublish && ruling.Verdict == govern.Forbidden {
			r.Warnings = append(r.Warnings, "releases may not be published: "+ruling.Reason())
		}
	}
	for _, x := range slices.Compact(applicable(r.task)) {
		if why := g.Forbids(x); why != "" {
			r.Terms.Stops = append(r.Terms.Stops, checkStoppedRung{x, why})
			r.Warnings = append(r.Warnings, string(x)+" will be skipped: "+why)
		}
	}
	if text := g.Unsaid(applicable(r.task)); text != "" {
		r.Warnings = append(r.Warnings, text)
	}
	return nil
}
