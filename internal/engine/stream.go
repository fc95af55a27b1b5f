package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

var _ model.Streamer = (*Engine)(nil)

// Stream is Complete with the text handed on while it is made. A server that dies before the first piece is tried again as Complete
// does; one that dies later ends the answer.
func (e *Engine) Stream(ctx context.Context, req model.Request, delta func(string) error) (model.Response, error) {
	return e.answer(ctx, req, &flow{delta: delta})
}

// flow puts a streamed answer together.
type flow struct {
	delta   func(string) error
	text    strings.Builder
	last    answer
	done    bool
	refused error // what delta returned
}

// read asks for a stream and puts its events together; it is one attempt.
func (f *flow) read(ctx context.Context, c *client, ref rung.ModelRef, body completion) (answer, error) {
	f.last, f.done = answer{}, false // of an attempt before, which handed on nothing
	err := c.events(ctx, "/completion", struct {
		completion
		Stream bool `json:"stream"`
	}{body, true}, f.event)
	if err == nil && !f.done {
		err = &rung.Error{Code: rung.CodeProvider, Place: string(ref), What: "the local engine ended its answer early", Do: "ask again", Err: model.ErrStreamEnded}
	}
	f.last.Content = f.text.String()
	return f.last, err
}

func (f *flow) event(_, data []byte) error {
	var e struct {
		answer
		Stop  bool     `json:"stop"`
		Error *refusal `json:"error"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return nil // such as [DONE]
	}
	if e.Error != nil {
		e.Error.Status = http.StatusInternalServerError
		return e.Error
	}
	if e.Content != "" {
		f.text.WriteString(e.Content)
		if f.refused = f.delta(e.Content); f.refused != nil {
			return f.refused
		}
	}
	if e.Stop {
		f.last, f.done = e.answer, true
	}
	return nil
}

// events posts body and reads the answer as server-sent events.
func (c *client) events(ctx context.Context, path string, body any, each func(name, data []byte) error) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Close = true // the server ends the connection of a stream, and whoever used it next would meet the end
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refused(resp)
	}
	return model.ReadEvents(io.LimitReader(resp.Body, maxAnswer), each)
}

// refused reads the error of an answer that is none.
func refused(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	said := struct {
		Error *refusal `json:"error"`
	}{}
	if json.Unmarshal(b, &said) != nil || said.Error == nil || said.Error.Message == "" {
		return &refusal{Status: resp.StatusCode, Message: string(b[:min(len(b), 300)])}
	}
	said.Error.Status = resp.StatusCode
	return said.Error
}
