package gateway

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// translate answers a request for a model of the local engine: it speaks no API of others, so what was asked is put into rung's
// own form. Settings that it does not know are left out and said.
func (c *call) translate(name string) error {
	if strings.ContainsAny(name, `/\\`) || strings.HasPrefix(name, ".") { // a file elsewhere on this machine is nobody's to name from outside
		return &known{final: true, err: &rung.Error{Code: rung.CodeModel, What: "there is no model " + clipName(c.env.model) + " here", Do: "see /v1/models"}}
	}
	ref := rung.ModelRef("local/" + name)
	if c.api == embeddingsAPI {
		return c.embed(ref)
	}
	a, err := c.api.ask(&c.env)
	if err != nil {
		return err
	}
	req := model.Request{Model: ref, MaxTokens: maxLocalTokens}
	root := gjson.Parse(view(c.body))
	for _, key := range []string{"system", "instructions"} {
		if text := contentText(root.Get(key)); text != "" {
			req.Messages = append(req.Messages, model.Message{Role: "system", Content: text})
		}
	}
	c.env.messages.ForEach(func(_, m gjson.Result) bool {
		if role := m.Get("role").Str; role == "system" || role == "developer" {
			req.Messages = append(req.Messages, model.Message{Role: "system", Content: contentText(m.Get("content"))})
		}
		return true
	})
	req.Messages = append(req.Messages, a.turns...)
	for _, key := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		if v := root.Get(key); v.Int() > 0 {
			req.MaxTokens = int(min(v.Int(), maxLocalTokens))
		}
	}
	req.Temperature, req.Seed = root.Get("temperature").Float(), int(root.Get("seed").Int())
	if schema := root.Get("response_format.json_schema.schema"); schema.IsObject() {
		req.Schema = []byte(schema.Raw)
	}
	c.upstream = true
	defer c.within(c.cfg.Limits.Request)()
	c.ctx = model.WithPurse(c.ctx, &c.bill)
	return c.local(req)
}

// maxLocalTokens bounds an answer of the local engine whose caller sets no bound.
const maxLocalTokens = 4096

func (c *call) local(req model.Request) error {
	res := c.newResult()
	spent := func(f *rung.Completion) { c.trace.Usage, c.trace.CostUSD = f.Usage, f.CostUSD }
	done := func(f *rung.Completion) {
		res.text, res.finish, res.usage = f.Text, f.Finish, f.Usage
		if c.cfg.text("") {
			c.trace.Input, c.trace.Output = appendString(nil, c.env.lastUser()), appendString(nil, f.Text)
		}
	}
	if !c.env.stream {
		f, _, err := c.g.opt.Models.Complete(c.ctx, req)
		spent(&f)
		if err != nil {
			return err
		}
		done(&f)
		return c.writeWhole(res)
	}
	f, err := c.g.opt.Models.Stream(c.ctx, req, func(text string) error { return c.flow(res, text) })
	spent(&f)
	if err != nil {
		return err
	}
	done(&f)
	return c.finishStream(res)
}

// embed answers with vectors of the local engine.
func (c *call) embed(ref rung.ModelRef) error {
	var texts []string
	switch in := c.env.input; {
	case in.Type == gjson.String:
		texts = []string{in.Str}
	case in.IsArray():
		for _, v := range in.Array() {
			if v.Type != gjson.String {
				return bad("input is not text or a list of texts")
			}
			texts = append(texts, v.Str)
		}
	}
	if len(texts) == 0 || len(texts) > 2048 {
		return bad("input is to be 1 to 2048 texts")
	}
	if f := gjson.Get(view(c.body), "encoding_format").Str; f != "" && f != "float" && f != "base64" {
		return bad("encoding_format is %q", clipName(f))
	}
	c.upstream = true
	defer c.within(c.cfg.Limits.Request)()
	used := 0
	for _, t := range texts {
		used += len(t)/4 + 1
	}
	vectors, err := c.g.opt.Models.Embed(model.WithPurse(c.ctx, &c.bill), ref, texts)
	c.trace.CostUSD = c.bill.total()
	if err != nil {
		if c.ctx.Err() != nil { // the engine was at work on it
			c.trace.Usage = rung.Usage{In: used}
		}
		return err
	}
	c.trace.Usage = rung.Usage{In: used}
	c.begun = true
	c.w.Header()["Content-Type"] = jsonType
	return c.send(appendVectors(nil, c.env.model, vectors, used, gjson.Get(view(c.body), "encoding_format").Str == "base64"))
}
