package modes_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// talker answers by the input field q of what is asked; a model costs money.
type talker func(q string) string

func (t talker) Complete(_ context.Context, req model.Request) (rung.Completion, bool, error) {
	_, rest, _ := strings.Cut(req.Messages[1].Content, "<input>\n")
	var in struct{ Q string }
	if err := json.Unmarshal([]byte(strings.SplitN(rest, "\n", 2)[0]), &in); err != nil {
		return rung.Completion{}, false, err
	}
	return rung.Completion{Text: t(in.Q)}, false, nil
}
