package recipe

import (
	"context"

	"github.com/rung-dev/rung"
)

// prompt is the cheapest rung: the instructions and the output form in a template. The templates are compared on dev.
func (k *Kit) prompt(ctx context.Context, ref rung.ModelRef) (*Built, error) {
	return once(&k.prompts, ref, func() (*Built, error) {
		b := &Built{}
		var opts []option
		for _, t := range []rung.Template{shortTemplate, fullTemplate, carefulTemplate} {
			c, err := k.start(ctx, rung.Prompt, ref, t)
			if err != nil {
				return nil, err
			}
			opts = append(opts, option{t.Name + " template", c})
		}
		best, err := k.choose(ctx, b, opts, k.dev(ref))
		if err != nil {
			return nil, err
		}
		b.Candidate = &opts[best].cand
		return b, nil
	})
}

// Plain is the prompt rung with its full template and nothing chosen: how an outside endpoint is asked.
func (k *Kit) Plain(ctx context.Context, ref rung.ModelRef) (*rung.Candidate, error) {
	c, err := k.start(ctx, rung.Prompt, ref, fullTemplate)
	return &c, err
}
