package recipe

import (
	"context"
	"fmt"

	"github.com/rung-dev/rung"
)

// Refit makes a candidate by the same recipe from this kit's train examples: for fewshot, the same template, way to choose demonstrations,
// their number and counter-examples; only those that there are to choose from differ. Rungs that train are built anew, since what an
// adapter is trained with is searched for each train set.
func (k *Kit) Refit(ctx context.Context, c *rung.Candidate) (*Built, error) {
	switch {
	case c.Rung == rung.FewShot && c.Demos != nil:
		if why := k.Inapplicable(c.Rung, c.Model); why != "" {
			return &Built{Skipped: why}, nil
		}
		o, err := k.withDemos(ctx, c, c.Demos.Mode, c.Demos.K)
		if err != nil {
			return nil, err
		}
		return &Built{Candidate: &o.cand}, nil
	case c.Rung.Trains():
		return k.Build(ctx, c.Rung, c.Model)
	}
	return &Built{Skipped: fmt.Sprintf("%s does not learn from train examples", c.Rung)}, nil
}
